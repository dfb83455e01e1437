"""Which database is in use, and what is said when the embedded one can't be."""

from pathlib import Path

import pytest
from psycopg.conninfo import conninfo_to_dict

from embedded_postgres import DataFolderUnusable, EmbeddedError, NotAvailableHere, OtherMajorVersion
from zerkalo.db.database import advice, database


def test_own_server_is_used_as_it_is():
    class Settings:
        database_url = "postgresql://salon.example/zerkalo"
        data_dir = Path("/nonexistent")
        database_schema = "mirror"

    with database(Settings()) as dsn:
        assert conninfo_to_dict(dsn) == {
            "host": "salon.example",
            "dbname": "zerkalo",
            "options": "-c search_path=mirror",
        }


@pytest.mark.parametrize(
    ("error", "named"),
    [
        (DataFolderUnusable(""), "DATA_DIR="),
        (NotAvailableHere(""), "DATABASE_URL="),
        (OtherMajorVersion(""), "`zerkalo restore FILE`"),
    ],
)
def test_advice_names_the_setting_or_command_that_mends_it(error: EmbeddedError, named: str):
    assert named in advice(error)
