"""The pool of connections, used by every serving process."""

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
"""How long a statement waits for a lock, where its transaction sets no limit of its own."""
CLOSE_SECONDS_MAX = 1.0
"""How long closing waits for connections being opened: with an unresponsive database they never complete."""


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
    at the start and at every later `pool.connection()`. Each connection is checked before it is handed out, so
    that no request fails after a restart of PostgreSQL; with `is_tried` False the caller must handle dead ones,
    as `transaction.in_pipeline` does. Closes every connection at the end.
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
    # Instants are returned aware in the session's zone, and the salon's own server may have any zone. It may also be
    # set to answer before a commit is on disk, but an acknowledged write must not be lost. A statement outside of
    # `transaction` has the same lock time-out as one inside.
    await conn.execute(
        "select set_config('timezone', 'UTC', false), set_config('lock_timeout', %s, false),"
        " case current_setting('synchronous_commit') when 'off' then set_config('synchronous_commit', 'on', false) end",
        [f"{LOCK_SECONDS_MAX}s"],
    )
