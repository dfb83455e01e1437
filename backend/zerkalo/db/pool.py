"""The pool of connections, the only way to the database for everything that serves."""

from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from psycopg import AsyncConnection
from psycopg.rows import TupleRow
from psycopg_pool import AsyncConnectionPool

Connection = AsyncConnection[TupleRow]
Pool = AsyncConnectionPool[Connection]

CONNECT_TIMEOUT_SECONDS = 10
WAIT_SECONDS_MAX = 10.0
"""How long a request waits for a free connection, and a start for the first one, before `PoolTimeout`."""
LOCK_SECONDS_MAX = 5
"""How long a statement waits for a lock that somebody else holds, where its transaction sets no bound of its own."""
CLOSE_SECONDS_MAX = 1.0
"""How long the end waits for connections under way: to a database that is silent they never come."""


@asynccontextmanager
async def open_pool(
    dsn: str,
    *,
    min_size: int = 1,
    max_size: int = 10,
    name: str,
    wait_seconds: float = WAIT_SECONDS_MAX,
    is_tried: bool = True,
) -> AsyncGenerator[Pool]:
    """Yield an open pool whose connections answer: autocommit, time zone UTC, shown to the server as `zerkalo <name>`.

    Raises `psycopg_pool.PoolTimeout` when no connection can be had within `wait_seconds` (a float of seconds),
    at the start and at every later `pool.connection()`. Each connection is tried before it is handed out, so
    that a restart of PostgreSQL costs nobody a request; not where `is_tried` is False: then that is for the caller to
    see to, as `transaction.in_pipeline` does. Closes every connection at the end.
    """
    pool: Pool = AsyncConnectionPool(
        dsn,
        kwargs={
            "application_name": f"zerkalo {name}",
            "connect_timeout": CONNECT_TIMEOUT_SECONDS,
        },
        min_size=min_size,
        max_size=max_size,
        timeout=wait_seconds,
        name=name,
        configure=_configure,
        check=AsyncConnectionPool.check_connection if is_tried else None,
        open=False,
    )
    try:
        await pool.open(wait=True, timeout=wait_seconds)
        yield pool
    finally:
        await pool.close(timeout=CLOSE_SECONDS_MAX)


async def _configure(conn: Connection) -> None:
    # Not among the pool's `kwargs`: the engine opens its listening connection from those and its own autocommit.
    await conn.set_autocommit(True)
    # Instants come back aware in the session's zone; a server of the salon's own may have any. And it may answer
    # before a commit is on disk: what we have answered must not be lost with it. A statement of its own, outside of
    # `transaction`, waits no longer for somebody else's lock than one inside.
    await conn.execute(
        "select set_config('timezone', 'UTC', false), set_config('lock_timeout', %s, false),"
        " case current_setting('synchronous_commit') when 'off' then set_config('synchronous_commit', 'on', false) end",
        [f"{LOCK_SECONDS_MAX}s"],
    )
