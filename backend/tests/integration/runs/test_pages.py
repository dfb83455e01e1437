"""A large page is written in two transactions at once: nothing of it is lost, doubled or left behind."""

import asyncio
from collections.abc import Sequence
from typing import Any

import psycopg
import pytest

from tests.benchmark.bodies import page
from tests.support.sync import open_salon
from zerkalo.companies import store as companies
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.mirror.context import RecordsQuery
from zerkalo.mirror.model import Observation, Outcome
from zerkalo.runs.lists.service import HALVED_FROM, ListReader
from zerkalo.runs.model import Counts
from zerkalo.yclients.model import Company, ListPage
from zerkalo.yclients.payloads import parse_list_page

pytestmark = pytest.mark.integration

COMPANY_ID = 100200
RECORDS = 2 * HALVED_FROM + 1
FIRST_ID = 5_000_000


class OnePage:
    """A list of one page."""

    async def list_page(self, *_: object, page: int, **__: object) -> ListPage:
        return PAGE if page == 1 else ListPage((), RECORDS)


PAGE = parse_list_page(page(range(FIRST_ID, FIRST_ID + RECORDS)))


async def read(pool: Pool, **context: Any) -> Counts:
    """What a run's reader does with the page."""
    counts = Counts()

    async def count(done: Counts, _: int | None) -> None:
        nonlocal counts
        counts += done

    async with open_salon(pool, company_ids=(COMPANY_ID,), vendor=OnePage(), **context) as salon:
        async with transaction(pool) as conn:
            await companies.know_companies(conn, [COMPANY_ID], now=salon.clock())
            await companies.put_company(conn, COMPANY_ID, told=Company(COMPANY_ID, "", None), zone=None)
            company = await companies.company(conn, COMPANY_ID)
        assert company is not None
        reader = ListReader(salon.context, COMPANY_ID, check=lambda: None)
        reader.read_by(company)
        await reader.read(RecordsQuery(), keep_ids=False, on_page=count)
    return counts


async def bookings_of(pool: Pool) -> list[int]:
    async with pool.connection() as conn:
        cursor = await conn.execute("select yclients_record_id from bookings order by 1")
        return [record_id for (record_id,) in await cursor.fetchall()]


async def test_every_record_of_a_large_page_is_written_once_and_found_unchanged_then(pool: Pool) -> None:
    first = await read(pool)
    again = await read(pool)

    assert (first.fetched, first.created, first.unchanged) == (RECORDS, RECORDS, 0)
    assert (again.fetched, again.created, again.unchanged) == (RECORDS, 0, RECORDS)
    assert await bookings_of(pool) == list(range(FIRST_ID, FIRST_ID + RECORDS))


async def test_where_one_half_fails_the_other_is_waited_for(pool: Pool) -> None:
    ended: list[int] = []

    class HalfBroken:
        async def apply(self, observations: Sequence[Observation]) -> list[Outcome]:
            if observations[0].record_id == FIRST_ID:
                raise psycopg.OperationalError("the first half is lost")
            await asyncio.sleep(0.2)
            ended.append(len(observations))
            return []

    with pytest.raises(psycopg.OperationalError, match="the first half"):
        await read(pool, applier=HalfBroken())

    assert ended == [RECORDS // 2]
