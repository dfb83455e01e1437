"""Records a second that a sync applies, from the bytes of a page on: new ones, and the same again; beside COPY and an upsert."""

import asyncio
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from decimal import Decimal
from statistics import median
from time import perf_counter, process_time
from zoneinfo import ZoneInfo

import psycopg
import uvloop
from msgspec.structs import replace

from tests.benchmark import rivals
from tests.benchmark.bodies import COMPANY_ID, page
from tests.benchmark.stage import Stage, pause, postgres_pid, processor_seconds
from tests.benchmark.told import Told, ratio_of
from zerkalo.bookings.model import Source
from zerkalo.companies import store as companies
from zerkalo.composition import BATCH_POOL_SIZE
from zerkalo.db.pool import Pool, open_pool
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.mirror.context import RecordsQuery, SyncContext
from zerkalo.mirror.model import Observation, OutcomeStatus
from zerkalo.mirror.service import Applier
from zerkalo.runs.lists.service import ListReader
from zerkalo.runs.model import Counts
from zerkalo.yclients.limiter import Kind
from zerkalo.yclients.model import Company, ListPage, Record
from zerkalo.yclients.payloads import parse_list_page, parse_records_page

PAGE = 200
PAGES = 60
POLICY = LoyaltyPolicy(enabled=True, percent=Decimal(5))
FIRST_ID = 9 * 10**12
IDS_A_ROUND = 10**6


def measure(_: Stage, dsn: str, told: Told) -> None:
    """Note the figures: what a run of the sync does with the pages of a list, beside what it would do without its two savings."""
    told.title(f"Records from a sync, pages of {PAGE}")
    rounds = uvloop.run(_rounds(dsn, told.rounds))
    new, ours, theirs, unchanged, parsed, copied, copied_again, overlap = map(list, zip(*rounds, strict=True))
    told.figure("new, parsed and applied", median(new), "a second", "aim: 8,000 at least")
    told.figure("new, our processor time", median(ours), "µs a record")
    told.figure("new, PostgreSQL's", median(theirs), "µs a record")
    told.figure("unchanged, by their bytes", median(unchanged), "a second", "aim: 80,000 at least")
    told.figure("unchanged, parsed and compared with their rows", median(parsed), "a second")
    told.figure("COPY and an upsert of ready rows, new", median(copied), "a second")
    told.figure("COPY and an upsert of ready rows, there already", median(copied_again), "a second")
    told.ratio("unchanged by their bytes to parsed and compared", ratio_of(unchanged, parsed))
    told.ratio("pages asked for meanwhile to one after the other", median(overlap))
    told.ratio("new to COPY and an upsert", ratio_of(new, copied))
    told.ratio("unchanged to COPY and an upsert", ratio_of(unchanged, copied_again))


def applier_of(pool: Pool, batch_pool: Pool | None = None) -> Applier:
    """The one write path; the worker's has a `batch_pool`."""
    return Applier(pool, clock=lambda: datetime.now(UTC), policy=POLICY, batch_pool=batch_pool)


async def apply_pages(applier: Applier, bodies: Sequence[bytes], status: OutcomeStatus) -> float:
    """Parse and apply pages; returns records a second. Every record must come to that status."""
    return len(bodies) * PAGE / sum([await apply_page(applier, body, status) for body in bodies])


async def apply_page(applier: Applier, body: bytes, status: OutcomeStatus) -> float:
    """Parse and apply a page; returns the seconds it took. Every record must come to that status."""
    began_at = perf_counter()
    records = [one for one in parse_records_page(body, COMPANY_ID).items if isinstance(one, Record)]
    outcomes = await applier.apply(
        [
            Observation(source=Source.PAGE, company_id=COMPANY_ID, record_id=one.record_id, record=one)
            for one in records
        ]
    )
    seconds = perf_counter() - began_at
    assert [outcome.status for outcome in outcomes] == [status] * PAGE
    return seconds


def bodies_from(first_id: int, count: int) -> list[bytes]:
    """Pages of records that nobody has seen yet."""
    return [page(range(at, at + PAGE)) for at in range(first_id, first_id + count * PAGE, PAGE)]


@dataclass
class _FromMemory:
    """A vendor whose list is there already, each page after a pause of so many seconds."""

    pages: Sequence[bytes]
    pause_seconds: float = 0

    async def list_page(
        self, company_id: int, query: RecordsQuery, *, page: int, count: int, kind: Kind = "background"
    ) -> ListPage:
        del company_id, query, count, kind
        await asyncio.sleep(self.pause_seconds)
        if page > len(self.pages):
            return ListPage((), len(self.pages) * PAGE)
        return replace(parse_list_page(self.pages[page - 1]), total_count=len(self.pages) * PAGE)

    async def company(self, company_id: int, *, kind: Kind = "background") -> Company:
        raise AssertionError("a run that reads lists asks for nothing else")

    async def record(
        self, company_id: int, record_id: int, *, kind: Kind = "background", zone: tzinfo | None
    ) -> Record | None:
        raise AssertionError("a run that reads lists asks for nothing else")


async def _read(pool: Pool, applier: Applier, pages: Sequence[bytes], pause_seconds: float = 0) -> float:
    """Seconds in which a run reads the list and applies what it shows."""
    vendor = _FromMemory(pages, pause_seconds)
    context = SyncContext(pool, lambda: datetime.now(UTC), vendor, applier, (COMPANY_ID,))
    reader = ListReader(context, COMPANY_ID, check=lambda: None)
    async with pool.connection() as conn:
        company = await companies.company(conn, COMPANY_ID)
    assert company is not None, "the filled database has it"
    reader.read_by(company)

    async def done(_: Counts, __: int | None) -> None:
        pass

    began_at = perf_counter()
    await reader.read(RecordsQuery(), keep_ids=False, on_page=done)
    return perf_counter() - began_at


async def _rounds(dsn: str, rounds: int) -> list[tuple[float, ...]]:
    async with (
        open_pool(dsn, name="bench") as pool,
        open_pool(dsn, max_size=BATCH_POOL_SIZE, name="bench batches", is_tried=False) as batch_pool,
    ):
        applier = applier_of(pool, batch_pool)
        async with pool.connection() as one:
            await companies.put_company(
                one, COMPANY_ID, told=Company(COMPANY_ID, "", None), zone=ZoneInfo("Europe/Moscow")
            )
        with psycopg.connect(dsn, autocommit=True) as conn:
            return [await _round(pool, applier, conn, n) for n in range(rounds)]


async def _round(pool: Pool, applier: Applier, conn: psycopg.Connection, n: int) -> tuple[float, ...]:
    conn.execute("checkpoint")
    pause()
    first_id = FIRST_ID + 3 * n * IDS_A_ROUND
    bodies = bodies_from(first_id, PAGES)
    records = PAGES * PAGE
    server = postgres_pid(conn.info.dsn)
    ours, theirs = process_time(), processor_seconds(server)
    new_seconds = await _read(pool, applier, bodies)
    ours, theirs = process_time() - ours, processor_seconds(server) - theirs
    unchanged = records / await _read(pool, applier, bodies)
    parsed = await apply_pages(applier, bodies, OutcomeStatus.UNCHANGED)
    ids = range(first_id + IDS_A_ROUND, first_id + 2 * IDS_A_ROUND)[:records]
    copied = rivals.copy_and_upsert(conn, ids, page=PAGE)
    copied_again = rivals.copy_and_upsert(conn, ids, page=PAGE)
    # A vendor that takes as long for a page as writing one does: half of the time could be saved.
    page_seconds = new_seconds / PAGES
    meanwhile = await _read(pool, applier, bodies_from(first_id + 2 * IDS_A_ROUND, PAGES), page_seconds)
    overlap = (new_seconds + (PAGES + 1) * page_seconds) / meanwhile
    microseconds = (ours / records * 10**6, theirs / records * 10**6)
    return records / new_seconds, *microseconds, unchanged, parsed, copied, copied_again, overlap
