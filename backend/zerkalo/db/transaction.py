"""Transactions: opened at the edge (a route, a job, a command), handed down as a connection, committed here."""

import asyncio
import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from typing import TypeVar

from psycopg import Error, InterfaceError, OperationalError
from psycopg.errors import DeadlockDetected, SerializationFailure
from psycopg_pool import PoolTimeout

from zerkalo.db.pool import LOCK_SECONDS_MAX, Connection, Pool
from zerkalo.kit.backoff import Backoff

ATTEMPTS_MAX = 5
RETRY_PAUSE = Backoff(0.03, 0.5)
"""Seconds before the first retry, and at most before a later one."""
STATEMENT_TIMEOUT_SECONDS = 30.0
LOCK_TIMEOUT_SECONDS = float(LOCK_SECONDS_MAX)
IDLE_TIMEOUT_SECONDS = 60.0
"""A transaction idle for this long is ended by the server, so that a process that hangs keeps no locks."""

T = TypeVar("T")


def _milliseconds(seconds: float) -> str:
    return f"{round(seconds * 1000)}ms"


# Plans are made once per statement and reused: planning every batch costs more than running it. What is
# acknowledged as stored must be on the disk, whatever the server's default.
_PIPELINE_SETTINGS = f"""
    select set_config('statement_timeout', '{_milliseconds(STATEMENT_TIMEOUT_SECONDS)}', true),
        set_config('lock_timeout', %s, true),
        set_config('idle_in_transaction_session_timeout', '{_milliseconds(IDLE_TIMEOUT_SECONDS)}', true),
        set_config('plan_cache_mode', 'force_generic_plan', true), set_config('synchronous_commit', 'on', true)
""".encode()
CONNECTION_DEAD = (OperationalError, InterfaceError)
_DEATHS = frozenset({None, "57P01", "57P02", "57P03"})
"""PostgreSQL's codes for a session that is or was ended (None: no code)."""


@asynccontextmanager
async def transaction(
    pool: Pool,
    *,
    statement_timeout_seconds: float = STATEMENT_TIMEOUT_SECONDS,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
) -> AsyncGenerator[Connection]:
    """Yield a connection inside one transaction: committed when the block ends, rolled back when it raises.

    A statement that runs longer than `statement_timeout_seconds` raises `psycopg.errors.QueryCanceled`, one
    that waits longer than `lock_timeout_seconds` for a lock raises `LockNotAvailable`; 0 means no limit.
    The block must not commit, nor make network calls.
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
    """Return `await fn(conn)`, run in one transaction and committed; run it again after a deadlock.

    At most `ATTEMPTS_MAX` attempts, each on a fresh transaction, after a deadlock or a serialization failure
    (also one at the commit); the last failure is raised, every other error at once. So `fn` must
    have no effects except on `conn`. `sleep` takes seconds, `jitter` returns 0 to 1: a simulation passes its own.
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
        await sleep(RETRY_PAUSE.seconds(attempt, jitter()))
    raise AssertionError("the last attempt either returns or raises")


async def in_pipeline(
    pool: Pool,
    fn: Callable[[Connection], Awaitable[T]],
    *,
    lock_timeout_seconds: float = LOCK_TIMEOUT_SECONDS,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    jitter: Callable[[], float] = random.random,
) -> T:
    """Run `in_transaction` with only as many round trips as `fn` reads results.

    Statements are sent together when a result is read: `begin` with the first query, the commit with the last writes.
    So nothing that `fn` calls may read a `rowcount`, or open a pipeline of its own, which would add a round trip.
    The pool need not check a connection before use: if it proves dead before the commit was sent, `fn` runs
    again on another. The limits are those of `in_transaction`.
    """
    for attempt in range(1, ATTEMPTS_MAX + 1):
        is_sent = False
        try:
            async with pool.connection() as conn, conn.pipeline():
                await conn.execute("begin")
                await conn.execute(_PIPELINE_SETTINGS, [_milliseconds(lock_timeout_seconds)])
                result = await fn(conn)
                is_sent = True
                await conn.execute("commit")
        except (DeadlockDetected, SerializationFailure):
            if attempt == ATTEMPTS_MAX:
                raise
            await sleep(RETRY_PAUSE.seconds(attempt, jitter()))
        except CONNECTION_DEAD as error:
            if is_sent or attempt == ATTEMPTS_MAX or not _is_dead(error):
                raise
            await pool.check()
        else:
            return result
    raise AssertionError("the last attempt either returns or raises")


def _is_dead(error: Error) -> bool:
    return error.sqlstate in _DEATHS and not isinstance(error, PoolTimeout)
