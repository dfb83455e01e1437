"""What single reads and runs work with, and what they ask of YCLIENTS."""

import asyncio
import random
import time
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta, tzinfo
from typing import Protocol

from zerkalo.absences.model import AbsenceLimits
from zerkalo.db.pool import Pool
from zerkalo.kit.clock import Clock
from zerkalo.mirror.model import Observation, Outcome
from zerkalo.yclients.limiter import Kind
from zerkalo.yclients.model import Company, ListPage, Record


@dataclass(frozen=True, slots=True)
class RecordsQuery:
    """Which records a list holds, deleted ones among them. A field that is None does not filter.

    `start_date`, `end_date`: visit dates in the salon's zone, both included. `changed_after`: created or changed
    since then, as the salon's naive wall clock.
    """

    start_date: date | None = None
    end_date: date | None = None
    changed_after: datetime | None = None


class Vendor(Protocol):
    """What the sync asks; `yclients.client.YclientsClient` answers it, in tests a simulation.

    Three questions, each of a `kind` that has its share of the rate limit. They raise a `VendorError`.
    """

    async def company(self, company_id: int, *, kind: Kind = "background") -> Company:
        """The branch's title and zone."""
        ...

    async def list_page(
        self, company_id: int, query: RecordsQuery, *, page: int, count: int, kind: Kind = "background"
    ) -> ListPage:
        """Page `page` (from 1) of a list, deleted records too; empty behind its end. It may hold fewer than `count`."""
        ...

    async def record(
        self, company_id: int, record_id: int, *, kind: Kind = "background", zone: tzinfo | None
    ) -> Record | None:
        """One record; None: YCLIENTS does not know it.

        Raises `UnreadableRecord` where the answer can't be understood.
        """
        ...


class Applies(Protocol):
    """The one write path, see `service.Applier`."""

    async def apply(
        self, observations: Sequence[Observation], *, on_cards_held: Callable[[], None] | None = None
    ) -> list[Outcome]:
        """Apply observations in one transaction; outcomes in their order. `on_cards_held`: called once it holds its cards."""
        ...


@dataclass(frozen=True, slots=True)
class Limits:
    """Bounds of the sync; tests pass smaller ones."""

    slice_records_max: int = 5_000
    """A slice of visit dates with more records is halved: its ids are held in memory while it is read."""
    asked_per_run_max: int = 500
    """Records that a run itself asks for one by one; more are left to the refetches, so that a run ends."""
    wait_seconds_max: float = 25.0
    """How long `sync-bookings` waits for its runs before it answers 202."""
    drift_seconds_max: float = 20.0
    """How long one page of `drift` reads on; it ends with the slice it is in."""
    absences: AbsenceLimits = field(default_factory=AbsenceLimits)


@dataclass(frozen=True, slots=True)
class SyncContext:
    """Made once a process, at composition."""

    pool: Pool
    clock: Clock
    vendor: Vendor
    applier: Applies
    company_ids: tuple[int, ...]
    """The companies of the settings; YCLIENTS is asked about no other one."""
    interval: timedelta = timedelta(minutes=30)
    """The period of the sync."""
    window_days: int = 30
    limits: Limits = field(default_factory=Limits)
    seconds_per_request: float = 0.3
    """How much of one address's rate limit one question takes."""
    lease_clock: Callable[[], datetime] | None = None
    """None: leases and claims go by the database's clock, one for all machines. A simulation passes its own."""
    monotonic: Callable[[], float] = time.monotonic
    """Seconds that never go back, by which a process notices that its own lease has run out."""
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep
    jitter: Callable[[], float] = random.random

    def lease_now(self) -> datetime | None:
        """The instant that leases are measured by; None: the database's."""
        return self.lease_clock() if self.lease_clock else None
