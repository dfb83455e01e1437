"""Inspect our schema: it may hold our tables, nothing yet, or another program's tables.

Every command checks this first: `DATABASE_SCHEMA` may name another program's schema by mistake, and our own
may have lost tables.
"""

import re
from collections.abc import Collection
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import psycopg
from psycopg.rows import TupleRow

from zerkalo.db.address import schema_of
from zerkalo.db.pool import Connection

SCHEMA_PAGE = Path(__file__).parent / "schema.sql"
_OUR_REVISION = re.compile(r"\d{4}_\w+")
"""Revisions of ours begin with their date; Alembic makes hexadecimal ones for other programs."""
NAMES_SHOWN_MAX = 3

_TABLES = """
    select relname::text from pg_class
    where relnamespace = to_regnamespace(current_setting('search_path')) and relkind in ('r', 'p', 'v', 'm', 'f')
    order by relname
"""
_HAS_REVISION = """
    select exists (
        select from pg_attribute where attrelid = to_regclass('alembic_version') and attname = 'version_num')
"""
_REVISION = "select min(version_num) from alembic_version"


@dataclass(frozen=True)
class Found:
    """The contents of a connection's schema."""

    tables: frozenset[str]
    """Views too."""
    revision: str | None
    """The version in its table `alembic_version`, ours or not; None if that is missing or empty."""


def find(conn: psycopg.Connection[TupleRow]) -> Found:
    """Return the contents of the schema in the connection's search path."""
    tables = frozenset(name for (name,) in conn.execute(_TABLES))
    has_revision = conn.execute(_HAS_REVISION).fetchone() == (True,)
    row = conn.execute(_REVISION).fetchone() if has_revision else None
    return Found(tables, row[0] if row else None)


async def find_async(conn: Connection) -> Found:
    """As `find`, on a connection of the pool."""
    tables = frozenset([name async for (name,) in await conn.execute(_TABLES)])
    has_revision = await (await conn.execute(_HAS_REVISION)).fetchone() == (True,)
    row = await (await conn.execute(_REVISION)).fetchone() if has_revision else None
    return Found(tables, row[0] if row else None)


def wrong_with(found: Found, schema: str, revisions: Collection[str], head: str) -> str | None:
    """Return one line on why these tables can't be used, and what to do; None for ours, and for an empty schema.

    `revisions`: all of this version, `head` the newest of them.
    """
    if not found.tables:
        return None
    if not is_ours(found):
        return not_ours(found, schema)
    if found.revision not in revisions:
        return (
            f"the database is at revision {found.revision}, which this version of Zerkalo does not know:"
            " install the newer version that made it"
        )
    return lost_part(found, schema, head)


def lost_part(found: Found, schema: str, head: str) -> str | None:
    """Return one line on the tables missing from a schema at the newest revision, and what to do; None: none are."""
    lost = sorted(tables_of_head() - found.tables) if found.revision == head else []
    if not lost:
        return None
    return (
        f"the schema {schema} has lost {', '.join(lost[:NAMES_SHOWN_MAX])}: put a backup in its place with"
        f" `zerkalo restore FILE --force`, or, for a fresh start, `drop schema {schema} cascade` and `zerkalo migrate`"
    )


def is_ours(found: Found) -> bool:
    """Return whether the tables were made by any version of Zerkalo, complete or not."""
    return not found.tables or (
        found.revision is not None and _OUR_REVISION.fullmatch(found.revision) is not None
    )


def not_ours(found: Found, schema: str) -> str:
    """Return one line on the foreign tables, and what to do."""
    own = (
        f"set DATABASE_SCHEMA to a schema for Zerkalo alone, for example DATABASE_SCHEMA={schema[:50]}_mirror"
    )
    if found.revision is None:
        names = ", ".join(sorted(found.tables)[:NAMES_SHOWN_MAX])
        return f"DATABASE_SCHEMA: the schema {schema} holds tables that Zerkalo did not make ({names}); {own}"
    return (
        f"DATABASE_SCHEMA: {schema}.alembic_version is another program's (revision {found.revision}); {own}"
    )


@cache
def tables_of_head() -> frozenset[str]:
    """Return the tables of the newest revision, from `schema.sql`; without the engine's."""
    return frozenset(
        re.findall(r"^create table (\w+)", SCHEMA_PAGE.read_text(encoding="utf-8"), re.MULTILINE)
    )


def schema_exists(conn: psycopg.Connection[TupleRow], dsn: str) -> bool:
    """Whether the schema of the address is there, empty or not."""
    return conn.execute("select to_regnamespace(%s) is not null", [schema_of(dsn)]).fetchone() == (True,)
