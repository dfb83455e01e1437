"""Transactions commit, roll back, time out, and survive deadlocks."""

import asyncio

import psycopg
import pytest
from psycopg.errors import LockNotAvailable, QueryCanceled, SerializationFailure

from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import ATTEMPTS_MAX, in_transaction, transaction


@pytest.fixture
async def facts(pool: Pool) -> Pool:
    """A pool on a database that holds the facts `a` and `b`."""
    async with transaction(pool) as conn:
        await conn.execute("insert into facts values ('a', '0', now()), ('b', '0', now())")
    return pool


async def _value_of(pool: Pool, name: str) -> int:
    async with pool.connection() as conn:
        cursor = await conn.execute("select value::int from facts where name = %s", [name])
        row = await cursor.fetchone()
    assert row is not None
    return row[0]


async def _increase(conn: Connection, name: str) -> None:
    await conn.execute("update facts set value = to_jsonb(value::int + 1) where name = %s", [name])


async def test_block_that_raises_leaves_nothing(facts: Pool) -> None:
    async def increase_and_fail() -> None:
        async with transaction(facts) as conn:
            await _increase(conn, "a")
            raise ValueError("enough")

    with pytest.raises(ValueError, match="enough"):
        await increase_and_fail()

    assert await _value_of(facts, "a") == 0


async def test_slow_statement_is_cut_off(facts: Pool) -> None:
    with pytest.raises(QueryCanceled):
        async with transaction(facts, statement_timeout_seconds=0.05) as conn:
            await conn.execute("select pg_sleep(5)")


async def test_wait_for_a_lock_is_bounded(facts: Pool) -> None:
    async with transaction(facts) as holder:
        await _increase(holder, "a")

        with pytest.raises(LockNotAvailable):
            async with transaction(facts, lock_timeout_seconds=0.05) as conn:
                await _increase(conn, "a")


async def test_timeouts_end_with_the_transaction(facts: Pool) -> None:
    async with transaction(facts, statement_timeout_seconds=1) as conn:
        pid = conn.info.backend_pid
    async with facts.connection() as conn:
        assert conn.info.backend_pid == pid
        cursor = await conn.execute("show statement_timeout")
        assert await cursor.fetchone() == ("0",)


async def test_both_sides_of_a_deadlock_commit(facts: Pool) -> None:
    both_hold_one = asyncio.Barrier(2)
    attempts: list[str] = []

    async def update(first: str, second: str) -> None:
        async def body(conn: Connection) -> None:
            attempts.append(first)
            await _increase(conn, first)
            if attempts.count(first) == 1:
                await both_hold_one.wait()
            await _increase(conn, second)

        await in_transaction(facts, body)

    await asyncio.gather(update("a", "b"), update("b", "a"))

    assert (await _value_of(facts, "a"), await _value_of(facts, "b")) == (2, 2)
    assert len(attempts) == 3


async def test_retries_are_bounded_and_the_last_failure_shows(facts: Pool) -> None:
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async def always_fails(conn: Connection) -> None:
        raise SerializationFailure("again")

    with pytest.raises(SerializationFailure):
        await in_transaction(facts, always_fails, sleep=sleep, jitter=lambda: 1.0)

    assert len(pauses) == ATTEMPTS_MAX - 1
    assert pauses == sorted(pauses)


async def test_other_errors_are_not_retried(facts: Pool) -> None:
    calls = 0

    async def fails(conn: Connection) -> None:
        nonlocal calls
        calls += 1
        await conn.execute("select 1 / 0")

    with pytest.raises(psycopg.errors.DivisionByZero):
        await in_transaction(facts, fails)

    assert calls == 1


async def test_pool_answers_in_utc_and_survives_a_cut_connection(pool: Pool) -> None:
    async with pool.connection() as conn:
        cursor = await conn.execute("show timezone")
        assert await cursor.fetchone() == ("UTC",)
        pid = conn.info.backend_pid
    async with await psycopg.AsyncConnection.connect(conn.info.dsn, autocommit=True) as other:
        await other.execute("select pg_terminate_backend(%s, 5000)", [pid])

    async with pool.connection() as conn:
        cursor = await conn.execute("select 1")
        assert await cursor.fetchone() == (1,)
