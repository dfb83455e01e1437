"""The sync on a real database against the emulator in process: the production client over ASGI, a clock to turn."""

from collections.abc import AsyncIterator, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import httpx2
from psycopg.rows import dict_row

from tests.support.emulator import TurnedClock
from yclients_emulator import Emulator, EmulatorSettings, build_app, desk, new_demo_emulator
from zerkalo.db.pool import Pool
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.mirror.context import SyncContext
from zerkalo.mirror.refetching.service import Refetcher
from zerkalo.mirror.service import Applier
from zerkalo.runs.drift.service import Drift
from zerkalo.runs.model import Run
from zerkalo.runs.service import Runs
from zerkalo.yclients.client import YclientsClient

COMPANY_ID = 100200
NO_BONUSES = LoyaltyPolicy(enabled=False, percent=Decimal(5))


class NoLimit:
    """A limiter that lets everything pass at once and remembers pauses."""

    def __init__(self) -> None:
        self.pauses: list[float] = []

    async def acquire(self, kind: str) -> None: ...

    async def pause(self, seconds: float) -> None:
        self.pauses.append(seconds)


@dataclass
class Salon:
    """A salon in the emulator, and our mirror of it."""

    emulator: Emulator
    clock: TurnedClock
    pool: Pool
    client: YclientsClient
    context: SyncContext
    refetcher: Refetcher
    runs: Runs

    async def sync(self, *, full: bool = False, company_id: int = COMPANY_ID) -> Run:
        """Run one reconciliation to its end."""
        await self.runs.open_or_join(company_id, full=full)
        run = await self.runs.carry(company_id)
        assert run is not None
        return run

    async def rows(self) -> list[dict[str, Any]]:
        """Every booking, by record id."""
        return await self.fetch("select * from bookings order by yclients_record_id")

    async def row(self, record_id: int) -> dict[str, Any]:
        """The booking of a record."""
        (row,) = await self.fetch("select * from bookings where yclients_record_id = %s", record_id)
        return row

    async def fetch(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of any question."""
        async with self.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(sql, values)  # pyright: ignore[reportArgumentType]  SQL of the tests' own
            return await cursor.fetchall()

    async def execute(self, sql: str, *values: Any) -> None:
        """Change something behind everybody's back."""
        async with self.pool.connection() as conn:
            await conn.execute(sql, values)  # pyright: ignore[reportArgumentType]  SQL of the tests' own

    def truths(self, company_id: int = COMPANY_ID) -> dict[int, dict[str, Any]]:
        """The emulator's bookings (no blocks) by record id."""
        found = [one for one in desk.truths(self.emulator) if one["company_id"] == company_id]
        return {one["id"]: one for one in found if not one["is_block"]}

    def requests_to(self, part: str) -> int:
        """How many requests of a path with `part` in it the emulator has seen."""
        return sum(part in one.path for one in self.emulator.requests)

    def with_context(self, **changes: Any) -> "Salon":
        """The same salon seen by a second process with other habits."""
        context = replace(self.context, **changes)
        refetcher = Refetcher(context)
        return replace(self, context=context, refetcher=refetcher, runs=Runs(context, refetcher))


@asynccontextmanager
async def open_salon(
    pool: Pool,
    *,
    settings: EmulatorSettings | None = None,
    company_ids: tuple[int, ...] = (COMPANY_ID,),
    demo: bool = True,
    **context: Any,
) -> AsyncIterator[Salon]:
    """Yields a demo salon, not synced yet. `context`: changes to `SyncContext`."""
    clock = TurnedClock()
    settings = settings or EmulatorSettings(rate_limit=False)
    emulator = new_demo_emulator(settings, seed=7, clock=clock, sleep=clock.sleep)
    applier = Applier(pool, clock=clock, policy=NO_BONUSES, order_clock=clock)
    client = YclientsClient(
        "http://yclients/api/v1",
        settings.partner_token,
        settings.user_token,
        NoLimit(),
        transport=httpx2.ASGITransport(app=build_app(emulator)),
        clock=clock,
        sleep=clock.sleep,
        rng=lambda: 0.5,
    )
    async with client:
        parts = SyncContext(
            pool=pool,
            clock=clock,
            vendor=client,
            applier=applier,
            company_ids=company_ids,
            interval=timedelta(minutes=30),
            jitter=lambda: 0.5,
        )
        parts = replace(parts, **context)
        refetcher = Refetcher(parts)
        yield Salon(emulator, clock, pool, client, parts, refetcher, Runs(parts, refetcher))


async def drift(salon: Salon) -> list[str]:
    """The differences that a comparison of the whole salon finds, in words."""
    return [
        str(one) async for found in Drift(salon.context, COMPANY_ID).slices() for one in found.differences
    ]


@contextmanager
def hidden(salon: Salon, record_ids: list[int]) -> Iterator[None]:
    """Within the block our token may not see these records: no list shows them, and asking for one is answered 404."""
    vendor = salon.emulator.vendor
    kept = {id_: vendor.records[COMPANY_ID].pop(id_) for id_ in record_ids}
    companies = {id_: vendor._company_of.pop(id_) for id_ in record_ids}
    vendor.revisions[COMPANY_ID] += 1
    try:
        yield
    finally:
        vendor.records[COMPANY_ID].update(kept)
        vendor._company_of.update(companies)
        vendor.revisions[COMPANY_ID] += 1
