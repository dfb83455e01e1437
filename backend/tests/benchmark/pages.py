"""Records a second that a sync applies, from the bytes of a page on: new ones, and the same again; beside COPY and an upsert."""

from collections.abc import Sequence
from datetime import UTC, datetime
from decimal import Decimal
from statistics import median
from time import perf_counter

import psycopg
import uvloop

from tests.benchmark import rivals
from tests.benchmark.bodies import COMPANY_ID, page
from tests.benchmark.stage import Stage, pause
from tests.benchmark.told import Told, ratio_of
from zerkalo.bookings.model import Source
from zerkalo.db.pool import Pool, open_pool
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.mirror.model import Observation, OutcomeStatus
from zerkalo.mirror.service import Applier
from zerkalo.yclients.model import Record
from zerkalo.yclients.payloads import parse_records_page

PAGE = 200
PAGES = 60
POLICY = LoyaltyPolicy(enabled=True, percent=Decimal(5))
FIRST_ID = 9 * 10**12
IDS_A_ROUND = 10**6


def measure(_: Stage, dsn: str, told: Told) -> None:
    """Note the figures."""
    told.title(f"Records from a sync, pages of {PAGE}")
    new, unchanged, copied, copied_again = uvloop.run(_rounds(dsn, told.rounds))
    told.figure("new, parsed and applied", median(new), "a second", "aim: 8,000 at least")
    told.figure("unchanged, parsed and compared", median(unchanged), "a second", "aim: 80,000 at least")
    told.figure("COPY and an upsert of ready rows, new", median(copied), "a second")
    told.figure("COPY and an upsert of ready rows, there already", median(copied_again), "a second")
    told.ratio("new to COPY and an upsert", ratio_of(new, copied))
    told.ratio("unchanged to COPY and an upsert", ratio_of(unchanged, copied_again))


def applier_of(pool: Pool) -> Applier:
    """The one write path, as the worker has it."""
    return Applier(pool, clock=lambda: datetime.now(UTC), policy=POLICY)


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


async def _rounds(dsn: str, rounds: int) -> tuple[list[float], list[float], list[float], list[float]]:
    new, unchanged, copied, copied_again = list[float](), list[float](), list[float](), list[float]()
    async with open_pool(dsn, name="bench") as pool:
        applier = applier_of(pool)
        with psycopg.connect(dsn, autocommit=True) as conn:
            for n in range(rounds):
                conn.execute("checkpoint")
                pause()
                bodies = bodies_from(FIRST_ID + 2 * n * IDS_A_ROUND, PAGES)
                new.append(await apply_pages(applier, bodies, OutcomeStatus.APPLIED))
                unchanged.append(await apply_pages(applier, bodies, OutcomeStatus.UNCHANGED))
                ids = range(FIRST_ID + (2 * n + 1) * IDS_A_ROUND, FIRST_ID + (2 * n + 2) * IDS_A_ROUND)
                copied.append(rivals.copy_and_upsert(conn, ids[: PAGES * PAGE], page=PAGE))
                copied_again.append(rivals.copy_and_upsert(conn, ids[: PAGES * PAGE], page=PAGE))
    return new, unchanged, copied, copied_again
