"""Transactions: opened at the edge (a route, a job, a command), handed down as a connection, committed here."""

import asyncio
import random
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from psycopg.errors import DeadlockDetected, SerializationFailure

from zerkalo.db.pool import Connection, Pool

ATTEMPTS_MAX = 5
RETRY_PAUSE_SECONDS = 0.02
"""Mean pause before the first retry; it doubles with every further one."""
STATEMENT_TIMEOUT_SECONDS = 30.0
LOCK_TIMEOUT_SECONDS = 5.0
IDLE_TIMEOUT_SECONDS = 60.0
"""A transaction that asks nothing for this long is ended by the server: its owner hangs, its locks must not."""

T = TypeVar("T")


@asynccontextmanager
async def transaction(
    pool: Pool,
    *,
    statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
) -> AsyncIterator[Connection]:
    """Yields a connection inside one transaction: committed when the block ends, rolled back when it raises.

    A statement that runs longer than `statement_timeout_seconds` raises `psycopg.errors.QueryCanceled`, one
    that waits longer than `lock_timeout_seconds` for a lock raises `LockNotAvailable`; 0 means no limit.
    Whoever gets the connection never commits, and makes no network call while it is open.
    """
    async with pool.connection() as conn, conn.transaction():
        await conn.execute(
            "select set_config('statement_timeout', %s, true), set_config('lock_timeout', %s, true),"
            " set_config('idle_in_transaction_session_timeout', %s, true)",
            [
                _milliseconds(s)
                for s in (statement_timeout_seconds, lock_timeout_seconds, IDLE_TIMEOUT_SECONDS)
            ],
        )
        yield conn


async def in_transaction(
    pool: Pool,
    fn: Callable[[Connection], Awaitable[T]],
    *,
    statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
) -> T:
    """Returns `await fn(conn)`, run in one transaction and committed; runs it again after a deadlock.

    At most `ATTEMPTS_MAX` attempts, each on a fresh transaction, after a deadlock or a serialization failure
    (also one that shows only at the commit); the last failure is raised, every other error at once. So `fn` must
    have no effect but on `conn`. `sleep` takes seconds, `jitter` returns 0 to 1: a simulation hands in its own.
    """
    for attempt in range(1, ATTEMPTS_MAX + 1):
        try:
            async with transaction(
                pool,
                statement_timeout_seconds=statement_timeout_seconds,
                lock_timeout_seconds=lock_timeout_seconds,
            ) as conn:
                return await fn(conn)
        except (DeadlockDetected, SerializationFailure):
            if attempt == ATTEMPTS_MAX:
                raise
        await sleep(RETRY_PAUSE_SECONDS * 2**attempt * jitter())
    raise AssertionError("the last attempt either returns or raises")


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"
