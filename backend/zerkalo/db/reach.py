"""Whether a server of the salon's own answers: asked before anything else, and told in one line if it does not."""

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
"""A server set up without a locale makes databases in SQL_ASCII, which keep any bytes and know no letters."""
_WRONG_ENCODING = (
    "DATABASE_URL: the database is kept in {}, and UTF8 is needed: make it anew by"
    " `createdb --encoding=UTF8 --template=template0 NAME`"
)
_EXAMPLE = "for example DATABASE_URL=postgresql://zerkalo:password@localhost:5432/zerkalo"


class DatabaseUnreachable(Exception):
    """No connection of any use can be had. The text is one line that says why and what to do, and holds no password."""


def see_that_it_answers(dsn: str, *, wait_seconds: float = 0.0) -> None:
    """Return once the server at `dsn` has taken a connection.

    Raises `DatabaseUnreachable` where the address can't be understood, the server is too old or the database not in UTF-8, at once, or where no
    connection could be had within `wait_seconds`: a server that starts together with its database gives it that time.
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
            if "unsupported startup parameter" in str(error):  # pgbouncer's word for our search path
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
    """Whether what is set on this connection stays there, and reaches no other one.

    A pooler in transaction mode hands the server's sessions out anew with every transaction: a setting, a lock or a
    prepared statement is then on somebody else's connection.
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
    """Return where the address is one; raise `DatabaseUnreachable` where not.

    What is wrong with it is never quoted: in a mistaken address, any part may be a piece of the password.
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
