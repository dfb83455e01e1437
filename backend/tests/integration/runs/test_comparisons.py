"""The desk's comparison is one row: owners who compare at once lose nothing of each other's pages."""

import asyncio
from datetime import UTC, datetime

import pytest

from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.runs.drift.model import Comparison, Difference
from zerkalo.runs.drift.store import begin_comparison, go_on_comparison, last_comparison

pytestmark = pytest.mark.integration

BEGAN, AGAIN = datetime(2026, 11, 1, 9, tzinfo=UTC), datetime(2026, 11, 1, 10, tzinfo=UTC)
FIRST, SECOND, THIRD = (Difference(1, number, "comment") for number in (1, 2, 3))
MOST = 201


async def begin(pool: Pool, at: datetime, found: Difference, next_cursor: str | None) -> None:
    async with transaction(pool) as conn:
        await begin_comparison(conn, Comparison(at, (found,), next_cursor))


async def go_on(
    pool: Pool, cursor: str, found: Difference, next_cursor: str | None, most: int = MOST
) -> bool:
    async with transaction(pool) as conn:
        return await go_on_comparison(conn, cursor, [found], next_cursor=next_cursor, most=most)


async def kept(pool: Pool) -> Comparison | None:
    async with pool.connection() as conn:
        return await last_comparison(conn)


async def test_each_page_is_added_to_those_before_up_to_a_bound(pool: Pool) -> None:
    await begin(pool, BEGAN, FIRST, "a")
    assert await go_on(pool, "a", SECOND, "b")
    assert await go_on(pool, "b", THIRD, None, most=2)

    assert await kept(pool) == Comparison(BEGAN, (FIRST, SECOND), None)


async def test_a_page_that_somebody_has_read_already_changes_nothing(pool: Pool) -> None:
    await begin(pool, BEGAN, FIRST, "a")
    assert await go_on(pool, "a", SECOND, "b")

    assert not await go_on(pool, "a", SECOND, "b")

    assert await kept(pool) == Comparison(BEGAN, (FIRST, SECOND), "b")


async def test_a_comparison_that_was_begun_anew_is_not_overwritten_by_the_one_before(pool: Pool) -> None:
    await begin(pool, BEGAN, FIRST, "a")
    await begin(pool, AGAIN, THIRD, "c")

    assert not await go_on(pool, "a", SECOND, "b")

    assert await kept(pool) == Comparison(AGAIN, (THIRD,), "c")


async def test_without_a_comparison_there_is_nothing_to_go_on_with(pool: Pool) -> None:
    assert not await go_on(pool, "a", SECOND, "b")

    assert await kept(pool) is None


async def test_two_owners_who_go_on_at_once_add_the_page_once(pool: Pool) -> None:
    await begin(pool, BEGAN, FIRST, "a")
    async with transaction(pool) as conn:
        assert await go_on_comparison(conn, "a", [SECOND], next_cursor="b", most=MOST)
        other = asyncio.create_task(go_on(pool, "a", SECOND, "b"))
        await until_somebody_waits(pool)

    assert not await other
    assert await kept(pool) == Comparison(BEGAN, (FIRST, SECOND), "b")


async def test_who_goes_on_while_another_begins_anew_loses_nothing_of_theirs(pool: Pool) -> None:
    await begin(pool, BEGAN, FIRST, "a")
    async with transaction(pool) as conn:
        await begin_comparison(conn, Comparison(AGAIN, (THIRD,), "c"))
        other = asyncio.create_task(go_on(pool, "a", SECOND, "b"))
        await until_somebody_waits(pool)

    assert not await other
    assert await kept(pool) == Comparison(AGAIN, (THIRD,), "c")


async def until_somebody_waits(pool: Pool) -> None:
    """Return as soon as a statement of this database waits for a lock."""
    sql = "select count(*) from pg_stat_activity where datname = current_database() and wait_event_type = 'Lock'"
    async with asyncio.timeout(30), pool.connection() as conn:
        while (await (await conn.execute(sql)).fetchone()) == (0,):
            await asyncio.sleep(0.01)
