"""Migrations: bring a database to the schema this code expects, and check whether it has it.

Alembic and SQLAlchemy (half a second of import) are loaded only when there is something to migrate; a serving
process calls `is_current` and never loads them.
"""

import re
from functools import cache
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.rows import TupleRow

from zerkalo.db import tables
from zerkalo.db.address import schema_of
from zerkalo.db.pool import Connection

FOLDER = Path(__file__).parent / "migrations"
LOCK_TIMEOUT_SECONDS = 5
"""A migration that would wait longer for a lock fails and is retried, so that it does not block all queries behind it."""
MIGRATION_LOCK_KEY = 7_305_115
"""Advisory lock: two processes that start at once migrate one after the other."""

# Without a schema's name these use our schema only: it is the whole search path of every address (`db.address`).
_VERSION_SQL = "select version_num from alembic_version"
_HAS_VERSION_SQL = "select to_regclass('alembic_version') is not null"


class MigrationError(Exception):
    """The database can't be migrated; the text is one line that says why."""


def upgrade(dsn: str, *, folder: Path = FOLDER, lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS) -> bool:
    """Bring the database at `dsn` to the `head_revision()` of `folder`. Return whether there was anything to do.

    `dsn` is an address made by `db.address.in_schema`; the schema is made where it is missing. Every pending migration
    runs in one transaction, under an advisory lock. Raises `MigrationError` when the schema holds foreign tables, lacks
    some of ours, is at a revision unknown to this code (made by a newer Zerkalo) or may not be created
    by this role; `psycopg.Error` when PostgreSQL refuses something else. Safe to repeat and to run from several
    processes at once.
    """
    schema = schema_of(dsn)
    with psycopg.connect(dsn, autocommit=True, application_name="zerkalo migrate") as conn:
        conn.execute("select pg_advisory_lock(%s)", [MIGRATION_LOCK_KEY])
        found = tables.find(conn)
        _see_that_it_is_ours(found, schema, folder)
        if found.revision == head_revision(folder):
            return False
        conn.execute(
            "select set_config('lock_timeout', %s, false)", [f"{round(lock_timeout_seconds * 1000)}ms"]
        )
        if not tables.schema_exists(conn, dsn):
            _make_schema(conn, schema)
        _run_alembic(conn, schema, folder)
    return True


async def see_that_it_is_ours(conn: Connection, schema: str) -> bool:
    """Return whether the tables are those that this code expects; raise `MigrationError` where they can't be migrated."""
    found = await tables.find_async(conn)
    _see_that_it_is_ours(found, schema)
    return found.revision == head_revision()


async def is_current(conn: Connection) -> bool:
    """Return whether the tables are at least as new as this code, which also works with those of a newer version.

    Revisions begin with their date, so a newer one compares greater. Without SQLAlchemy, for /readyz.
    """
    found = await current_revision(conn)
    return found is not None and found[:1].isdecimal() and found >= head_revision()


async def current_revision(conn: Connection) -> str | None:
    """Return the database's revision; None when it was never migrated."""
    cursor = await conn.execute(_HAS_VERSION_SQL)
    row = await cursor.fetchone()
    if row is None or not row[0]:
        return None
    cursor = await conn.execute(_VERSION_SQL)
    row = await cursor.fetchone()
    return row[0] if row else None


@cache
def head_revision(folder: Path = FOLDER) -> str:
    """The revision that this code expects, read from the migration files."""
    parents = _revisions(folder)
    heads = parents.keys() - parents.values()
    assert len(heads) == 1, f"migrations must form one line, but end in {sorted(heads)}"
    return heads.pop()


@cache
def _revisions(folder: Path) -> dict[str, str | None]:
    """Revision -> the one before it (None for the first), without importing the files (they import Alembic)."""
    found: dict[str, str | None] = {}
    for path in (folder / "versions").glob("*.py"):
        text = path.read_text(encoding="utf-8")
        revision = re.search(r'^revision = "(.+)"$', text, re.MULTILINE)
        parent = re.search(r'^down_revision = (?:None|"(.+)")$', text, re.MULTILINE)
        assert revision, f"{path.name} names no revision"
        assert parent, f"{path.name} names no revision before it"
        found[revision[1]] = parent[1]
    return found


def _see_that_it_is_ours(found: tables.Found, schema: str, folder: Path = FOLDER) -> None:
    if wrong := tables.wrong_with(found, schema, _revisions(folder).keys(), head_revision(folder)):
        raise MigrationError(wrong)


def _make_schema(conn: psycopg.Connection[TupleRow], schema: str) -> None:
    try:
        conn.execute(sql.SQL("create schema {}").format(sql.Identifier(schema)))
    except psycopg.errors.InsufficientPrivilege:
        raise MigrationError(
            f"the role {conn.info.user} may not create the schema {schema} in the database {conn.info.dbname}: as its"
            f" owner, run once `create schema {schema} authorization {conn.info.user}`"
        ) from None


def _run_alembic(conn: psycopg.Connection[TupleRow], schema: str, folder: Path) -> None:
    from alembic import command
    from alembic.config import Config
    from sqlalchemy import create_engine
    from sqlalchemy.exc import DBAPIError
    from sqlalchemy.pool import StaticPool

    conn.autocommit = False  # SQLAlchemy takes the connection as it is, and Alembic commits
    engine = create_engine("postgresql+psycopg://", creator=lambda: conn, poolclass=StaticPool)
    config = Config()
    config.set_main_option("script_location", str(folder).replace("%", "%%"))
    with engine.connect() as connection:
        config.attributes["connection"] = connection
        config.attributes["schema"] = schema
        try:
            command.upgrade(config, "head")
        except DBAPIError as error:
            if not isinstance(error.orig, psycopg.errors.LockNotAvailable):
                raise
            raise MigrationError(
                "another session holds a table for long (a report, a backup?), and nobody is made to queue behind us:"
                " run `zerkalo migrate` again, or see it by `zerkalo psql`: select pid, state, query from pg_stat_activity"
            ) from None
