"""A server is used only where what we set on a connection stays there."""

import psycopg
import pytest
from psycopg.conninfo import conninfo_to_dict, make_conninfo

from zerkalo.db import reach
from zerkalo.db.pool import open_pool
from zerkalo.db.reach import DatabaseUnreachable, see_that_it_answers

pytestmark = pytest.mark.integration


@pytest.fixture
def careless_dsn(dsn: str) -> str:
    """A database whose server answers a commit before it is on disk."""
    name = str(conninfo_to_dict(dsn)["dbname"])
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(f"alter database {name} set synchronous_commit = off".encode())
    return dsn


def test_server_that_keeps_our_settings_is_taken(dsn: str) -> None:
    see_that_it_answers(dsn)


def test_server_that_drops_the_search_path_is_refused_in_one_line(
    dsn: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A pooler passes over options of a connection, or gives it another session with the next transaction."""
    elsewhere = make_conninfo(dsn, options="-c search_path=public")
    monkeypatch.setattr(reach, "schema_of", lambda _: "zerkalo")

    with pytest.raises(
        DatabaseUnreachable, match=r"^DATABASE_URL: .*a pooler in transaction mode"
    ) as refused:
        see_that_it_answers(elsewhere)

    assert "\n" not in str(refused.value)


def test_database_without_letters_is_refused_with_the_command_that_makes_a_better_one(dsn: str) -> None:
    """As a server that was set up in a container without a locale makes them."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute(
            "create database without_letters encoding 'SQL_ASCII' locale_provider libc locale 'C' template template0"
        )
        try:
            with pytest.raises(DatabaseUnreachable, match=r"SQL_ASCII.*createdb --encoding=UTF8") as refused:
                see_that_it_answers(make_conninfo(dsn, dbname="without_letters"))
        finally:
            conn.execute("drop database without_letters")

    assert "\n" not in str(refused.value)


async def test_commits_are_on_disk_before_we_answer_whatever_the_server_is_set_to(careless_dsn: str) -> None:
    async with open_pool(careless_dsn, name="test") as pool, pool.connection() as conn:
        row = await (await conn.execute("show synchronous_commit")).fetchone()

    assert row == ("on",)
