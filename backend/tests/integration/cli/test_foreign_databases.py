"""Every command on a database that is not ours, or only half: one line with what to do, and nothing of it changes."""

from pathlib import Path

import psycopg
import pytest

from tests.integration.cli.test_what_stops_a_command import KEY, ON, _end
from tests.integration.db.test_beside_another_program import ANOTHER_PROGRAM, _dump_of_the_others
from tests.integration.processes.test_sync_processes import as_url
from tests.support.application import free_port
from tests.support.database import TestServer
from zerkalo.cli.main import COMMANDS
from zerkalo.db.backup import backup
from zerkalo.db.migrate import upgrade

pytestmark = pytest.mark.integration

WORDS = {
    "serve": ["serve", "--port", str(free_port())],
    "user add": ["user", "add", "a@salon.test"],
    "user make-admin": ["user", "make-admin", "a@salon.test"],
    "import-users": ["import-users", "people.csv"],
    "import": ["import", "app.toml", "--apply"],
    "replay": ["replay", "--quarantined"],
    "backup": ["backup", "new"],
    "restore": ["restore", "kept", "--force"],
}
NOT_OF_A_DATABASE = {"demo", "emulator", "ready"}
WORKS_EVERYWHERE = {"psql"}
"""A shell, for whoever wants to look."""


@pytest.fixture
def folder(tmp_path: Path, dsn: str) -> Path:
    """Where the commands are typed: the files that they name, and a backup of ours."""
    (tmp_path / "people.csv").write_text("email\na@salon.test\n")
    (tmp_path / "app.toml").write_text("[people]\ncsv = 'people.csv'\n")
    backup(dsn, tmp_path / "kept")
    return tmp_path


@pytest.mark.parametrize(
    ("made", "told", "works"),
    [
        ("", "zerkalo migrate", {"migrate", "restore"}),
        (
            "create schema zerkalo; create table zerkalo.pets (name text)",
            "DATABASE_SCHEMA: the schema zerkalo holds tables that Zerkalo did not make (pets)",
            {"restore"},
        ),
        ("half", "the schema zerkalo has lost bookings: put a backup in its place", {"restore"}),
    ],
    ids=["only another program's tables", "our name is taken", "half of ours"],
)
def test_every_command_says_in_one_line_what_to_do(
    monkeypatch: pytest.MonkeyPatch,
    capfd: pytest.CaptureFixture[str],
    database_server: TestServer,
    folder: Path,
    made: str,
    told: str,
    works: set[str],
) -> None:
    with database_server.database(migrated=False) as dsn:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(ANOTHER_PROGRAM.encode())
            if made == "half":
                upgrade(dsn)
            conn.execute(b"drop table zerkalo.bookings cascade" if made == "half" else made.encode())
        before = _dump_of_the_others(dsn)
        settings = {"DATABASE_URL": as_url(dsn), **ON, **KEY}
        capfd.readouterr()
        answers: dict[str, tuple[object, str]] = {}
        for words in sorted({one.words for one in COMMANDS} - NOT_OF_A_DATABASE - WORKS_EVERYWHERE - works):
            code = _end(monkeypatch, folder, WORDS.get(words, words.split()), settings)
            out, err = capfd.readouterr()
            answers[words] = (code, out if words == "check" and not err else err)
        after = _dump_of_the_others(dsn)

    assert after == before
    wrong = {
        words: answer
        for words, answer in answers.items()
        if answer[0] != 1 or told not in answer[1] or (words != "check" and answer[1].count("\n") != 1)
    }
    assert wrong == {}
