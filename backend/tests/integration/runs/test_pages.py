"""Two pages are written at once while a third is read: nothing of them is lost, doubled or left behind."""

import asyncio
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest

from tests.benchmark.bodies import page
from tests.support.sync import NO_BONUSES, open_salon
from zerkalo.companies import store as companies
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.mirror.context import RecordsQuery
from zerkalo.mirror.model import Observation, Outcome, OutcomeStatus
from zerkalo.mirror.service import Applier
from zerkalo.runs.lists.service import ListReader
from zerkalo.runs.model import Counts
from zerkalo.yclients.errors import AccessDenied
from zerkalo.yclients.model import Company, ListPage
from zerkalo.yclients.payloads import parse_list_page

pytestmark = pytest.mark.integration

COMPANY_ID = 100200
RECORDS = 60
FIRST_ID = 5_000_000


class Shown:
    """A list of these pages. `asked`: set once the second one has been asked for."""

    def __init__(self, *pages: bytes) -> None:
        self._pages = [parse_list_page(page) for page in pages]
        self.asked = asyncio.Event()

    async def list_page(self, *_: object, page: int, **__: object) -> ListPage:
        if page == 2:
            self.asked.set()
        return self._pages[page - 1] if page <= len(self._pages) else ListPage((), None)


PAGES = [
    page(range(first_id, first_id + RECORDS // 3))
    for first_id in range(FIRST_ID, FIRST_ID + RECORDS, RECORDS // 3)
]


async def read(pool: Pool, vendor: Shown, **context: Any) -> Counts:
    """What a run's reader does with the list."""
    counts = Counts()

    async def count(done: Counts, _: int | None) -> None:
        nonlocal counts
        counts += done

    async with open_salon(pool, company_ids=(COMPANY_ID,), vendor=vendor, **context) as salon:
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


async def comments_of(pool: Pool) -> list[str]:
    async with pool.connection() as conn:
        cursor = await conn.execute("select comment from bookings order by yclients_record_id")
        return [comment for (comment,) in await cursor.fetchall()]


async def test_every_record_is_written_once_and_found_unchanged_then(pool: Pool) -> None:
    first = await read(pool, Shown(*PAGES))
    again = await read(pool, Shown(*PAGES))

    assert (first.fetched, first.created, first.unchanged) == (RECORDS, RECORDS, 0)
    assert (again.fetched, again.created, again.unchanged) == (RECORDS, 0, RECORDS)
    assert await bookings_of(pool) == list(range(FIRST_ID, FIRST_ID + RECORDS))


async def test_where_one_page_fails_the_next_one_is_waited_for(pool: Pool) -> None:
    ended: list[int] = []

    class Broken:
        async def apply(self, observations: Sequence[Observation], **options: Any) -> list[Outcome]:
            if observations[0].record_id == FIRST_ID:
                raise psycopg.OperationalError("the first page is lost")
            await asyncio.sleep(0.2)
            ended.append(len(observations))
            return []

    with pytest.raises(psycopg.OperationalError, match="the first page"):
        await read(pool, Shown(*PAGES), applier=Broken())

    assert ended == [RECORDS // 3]


async def test_a_run_hears_what_ended_its_reading_though_a_page_fails_as_well(pool: Pool) -> None:
    class Broken:
        async def apply(self, observations: Sequence[Observation], **options: Any) -> list[Outcome]:
            await asyncio.sleep(0.05)
            raise psycopg.OperationalError("the page is lost")

    class WithoutRights(Shown):
        async def list_page(self, *_: object, page: int, **__: object) -> ListPage:
            if page == 2:
                raise AccessDenied("no rights", 403)
            return await super().list_page(page=page)

    with pytest.raises(AccessDenied):
        await read(pool, WithoutRights(*PAGES), applier=Broken())


async def test_a_page_begins_when_the_one_before_has_its_cards_not_when_it_is_written(pool: Pool) -> None:
    steps: list[str] = []
    second = asyncio.Event()

    class InSteps:
        async def apply(
            self, observations: Sequence[Observation], *, on_cards_held: Callable[[], None]
        ) -> list[Outcome]:
            if observations[0].record_id == FIRST_ID:
                await asyncio.sleep(0.05)
                steps.append("the first has its cards")
                on_cards_held()
                await asyncio.wait_for(second.wait(), 10)
                steps.append("the first is written")
            else:
                steps.append("the second begins")
                second.set()
            return [Outcome(OutcomeStatus.UNCHANGED) for _ in observations]

    await read(pool, Shown(*PAGES[:2]), applier=InSteps())

    assert steps == ["the first has its cards", "the second begins", "the first is written"]


async def test_a_record_that_changes_back_between_two_pages_ends_as_the_second_shows_it(pool: Pool) -> None:
    """The second page is read while the first is written, and would be written before it: what it shows is not there yet."""
    as_it_was = page(range(FIRST_ID, FIRST_ID + 1))
    changed = as_it_was.replace("Позвонить".encode(), "Не звонить".encode())
    vendor = Shown(changed, as_it_was)
    await read(pool, Shown(as_it_was))

    class Slow(Applier):
        async def apply(self, observations: Sequence[Observation], **options: Any) -> list[Outcome]:
            await vendor.asked.wait()
            if observations[0].record and observations[0].record.comment != "Позвонить за час":
                await asyncio.sleep(0.2)
            return await super().apply(observations, **options)

    counts = await read(pool, vendor, applier=Slow(pool, clock=lambda: datetime.now(UTC), policy=NO_BONUSES))

    assert await comments_of(pool) == ["Позвонить за час"]
    assert (counts.fetched, counts.unchanged) == (2, 0)


async def test_a_record_with_text_that_no_store_takes_is_known_again_by_the_bytes_that_the_list_showed(
    pool: Pool,
) -> None:
    with_null = page(range(FIRST_ID, FIRST_ID + 1)).replace("Позвонить".encode(), rb"\u0000")
    await read(pool, Shown(with_null))

    class Untouched:
        async def apply(self, observations: Sequence[Observation], **options: Any) -> list[Outcome]:
            raise AssertionError("its bytes are the same")

    counts = await read(pool, Shown(with_null), applier=Untouched())

    assert (counts.fetched, counts.unchanged) == (1, 1)
