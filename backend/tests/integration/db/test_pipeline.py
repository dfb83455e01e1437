"""`in_pipeline`: one transaction in as few ways to the server as it asks questions, whole or not at all."""

from collections.abc import AsyncIterator

import psycopg
import pytest

from zerkalo.db.pool import Connection, Pool, open_pool
from zerkalo.db.transaction import LOCK_TIMEOUT_SECONDS, in_pipeline

pytestmark = pytest.mark.integration


@pytest.fixture
async def untried(dsn: str, pool: Pool) -> AsyncIterator[Pool]:
    """A pool that tries no connection before it hands it out."""
    async with pool.connection() as conn:
        await conn.execute("create table things (id bigint primary key, name text not null)")
    async with open_pool(dsn, name="untried", max_size=2, is_tried=False) as one:
        yield one


async def names(pool: Pool) -> list[str]:
    async with pool.connection() as conn:
        return [name async for (name,) in await conn.execute("select name from things order by id")]


async def test_what_is_written_last_is_committed(pool: Pool, untried: Pool) -> None:
    async def write(conn: Connection) -> int:
        cursor = await conn.execute("select 7")
        (found,) = await cursor.fetchone() or (0,)
        await conn.execute("insert into things values (1, 'one')")
        return found

    assert await in_pipeline(untried, write) == 7
    assert await names(pool) == ["one"]


async def test_its_bounds_hold_and_what_it_says_is_durable(untried: Pool) -> None:
    async def read(conn: Connection) -> list[str]:
        cursor = await conn.execute(
            "select current_setting('lock_timeout'), current_setting('synchronous_commit'), current_setting('plan_cache_mode')"
        )
        return list(await cursor.fetchone() or ())

    assert await in_pipeline(untried, read) == [f"{LOCK_TIMEOUT_SECONDS:.0f}s", "on", "force_generic_plan"]
    async with untried.connection() as conn:
        cursor = await conn.execute("select current_setting('plan_cache_mode')")
        assert await cursor.fetchone() == ("auto",), "they end with the transaction"


@pytest.mark.parametrize("value", ["null", "1 / 0 || ''"])
async def test_an_error_of_the_last_write_is_raised_and_nothing_stands(
    pool: Pool, untried: Pool, value: str
) -> None:
    async def write(conn: Connection) -> None:
        await conn.execute("insert into things values (1, 'one')")
        await conn.execute(f"insert into things values (2, {value})".encode())

    with pytest.raises((psycopg.IntegrityError, psycopg.DataError)):
        await in_pipeline(untried, write)
    assert await names(pool) == []

    async def write_well(conn: Connection) -> None:
        await conn.execute("insert into things values (3, 'three')")

    await in_pipeline(untried, write_well)
    assert await names(pool) == ["three"], "its connection is of use again"


async def test_a_fault_of_the_work_itself_leaves_nothing(pool: Pool, untried: Pool) -> None:
    async def write(conn: Connection) -> None:
        await conn.execute("insert into things values (1, 'one')")
        await (await conn.execute("select 1")).fetchone()
        raise ValueError("nobody thought of it")

    with pytest.raises(ValueError, match="thought"):
        await in_pipeline(untried, write)
    assert await names(pool) == []


async def test_connections_that_died_meanwhile_cost_nobody_anything(pool: Pool, untried: Pool) -> None:
    async def write(conn: Connection) -> None:
        await (await conn.execute("select 1")).fetchone()
        await conn.execute("insert into things values (1, 'one')")

    async with untried.connection(), untried.connection():
        pass
    async with pool.connection() as conn:
        await conn.execute(
            "select pg_terminate_backend(pid, 5000) from pg_stat_activity where application_name = 'zerkalo untried'"
        )

    await in_pipeline(untried, write)

    assert await names(pool) == ["one"]


async def test_a_connection_that_dies_at_the_commit_is_not_asked_twice(pool: Pool, untried: Pool) -> None:
    """Whether it was committed is not known; the caller must hear of it."""
    tries = 0

    async def write(conn: Connection) -> None:
        nonlocal tries
        tries += 1
        await conn.execute("insert into things values (1, 'one')")
        await conn.execute("select pg_terminate_backend(pg_backend_pid())")

    with pytest.raises(psycopg.OperationalError):
        await in_pipeline(untried, write)
    assert tries == 1
    assert await names(pool) == []
