"""Check first that the salon's own server can be used; explain in one line if it can't."""

import secrets
import time

import psycopg
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import TupleRow

from zerkalo.db.address import schema_of
from zerkalo.db.pool import CONNECT_TIMEOUT_SECONDS

MAJOR_MIN = 15
"""The oldest PostgreSQL that our SQL is written for."""
PAUSE_SECONDS = 0.5
_POOLED = (
    "DATABASE_URL: what we set on a connection is not there when we read it back, as behind a pooler in transaction mode"
    " (PgBouncer, Supavisor): give the address of PostgreSQL itself, for example port 5432 in place of 6432"
)
ENCODING = "UTF8"
"""A server set up without a locale makes databases in SQL_ASCII, which accept any bytes and don't recognise letters."""
_WRONG_ENCODING = (
    "DATABASE_URL: the database is kept in {}, and UTF8 is needed: make it anew by"
    " `createdb --encoding=UTF8 --template=template0 NAME`"
)
_EXAMPLE = "for example DATABASE_URL=postgresql://zerkalo:password@localhost:5432/zerkalo"


class DatabaseUnreachable(Exception):
    """No usable connection is possible. The text is one line that says why and what to do, without passwords."""


def see_that_it_answers(dsn: str, *, wait_seconds: float = 0.0) -> None:
    """Return once the server at `dsn` has accepted a connection.

    Raises `DatabaseUnreachable` at once where the address is invalid, the server too old or the database not in UTF-8;
    else after `wait_seconds` without a connection, since the database may be starting together with our server.
    """
    see_that_it_can_be_read(dsn)
    deadline = time.monotonic() + wait_seconds
    while True:
        try:
            with psycopg.connect(dsn, connect_timeout=CONNECT_TIMEOUT_SECONDS, autocommit=True) as conn:
                major = conn.info.server_version // 10_000
                encoding = conn.info.parameter_status("server_encoding")
                if encoding != ENCODING:
                    raise DatabaseUnreachable(_WRONG_ENCODING.format(encoding))
                is_ours = _is_session_of_its_own(conn, dsn)
            break
        except psycopg.OperationalError as error:
            if "unsupported startup parameter" in str(error):  # pgbouncer's refusal of our search path
                raise DatabaseUnreachable(_POOLED) from None
            if time.monotonic() >= deadline:
                reason = str(error).strip().split("\n")[0]
                raise DatabaseUnreachable(
                    f"DATABASE_URL: the database does not answer ({reason}); start it or mend the address, {_EXAMPLE}"
                ) from None
        time.sleep(PAUSE_SECONDS)
    if not is_ours:
        raise DatabaseUnreachable(_POOLED)
    if major < MAJOR_MIN:
        raise DatabaseUnreachable(
            f"DATABASE_URL: the server is PostgreSQL {major}, and {MAJOR_MIN} or newer is needed: upgrade it, or leave"
            " DATABASE_URL out and use the embedded one"
        )


def _is_session_of_its_own(conn: psycopg.Connection[TupleRow], dsn: str) -> bool:
    """Return whether the connection keeps one server session to itself.

    A pooler in transaction mode reassigns the server's sessions with every transaction: a setting, a lock or a
    prepared statement is then on another client's connection.
    """
    mark = secrets.token_hex(8)
    conn.execute("select set_config('zerkalo.session', %s, false)", [mark])
    with psycopg.connect(dsn, connect_timeout=CONNECT_TIMEOUT_SECONDS, autocommit=True) as other:
        seen = other.execute("select current_setting('zerkalo.session', true)").fetchone()
    found = conn.execute(
        "select current_setting('zerkalo.session', true), current_setting('search_path')"
    ).fetchone()
    conn.execute("reset zerkalo.session")
    return seen != (mark,) and found == (mark, schema_of(dsn))


def see_that_it_can_be_read(dsn: str) -> None:
    """Raise `DatabaseUnreachable` unless the address is valid.

    The invalid part is never quoted: in a mistyped address, it may be part of the password.
    """
    try:
        parts = conninfo_to_dict(dsn)
        ports = str(parts.get("port") or "5432").split(",")
        usable = "@" not in str(parts.get("host", "")) and all(not port or port.isdecimal() for port in ports)
    except psycopg.ProgrammingError:
        usable = False
    if not usable:
        raise DatabaseUnreachable(
            f"DATABASE_URL: is no address that can be read (in a password, write @ as %40, / as %2F, % as %25); {_EXAMPLE}"
        )
