"""One record read and applied while somebody waits: what was just booked, moved or cancelled is on her page at once."""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import tzinfo
from typing import Protocol

import structlog

from zerkalo.bookings import store as bookings
from zerkalo.bookings.model import Source
from zerkalo.companies import store as companies
from zerkalo.db.transaction import transaction
from zerkalo.kit.zones import zone_of
from zerkalo.mirror.context import SyncContext
from zerkalo.mirror.model import Observation
from zerkalo.refetches.model import Refetch
from zerkalo.refetches.store import ask
from zerkalo.yclients.errors import VendorError
from zerkalo.yclients.limiter import Kind
from zerkalo.yclients.model import Company, Record, UnreadableRecord

WAIT_SECONDS_MAX = 8.0
"""How long somebody waits for her page to be right; after it the record is left to the worker."""

log = structlog.get_logger(__name__)


class RecordReader(Protocol):
    """`yclients.client.YclientsClient`, as far as it is needed here."""

    async def record(
        self, company_id: int, record_id: int, *, kind: Kind, zone: tzinfo | None
    ) -> Record | None:
        """One record; None where YCLIENTS does not know it."""
        ...

    async def company(self, company_id: int, *, kind: Kind) -> Company:
        """The branch, with its zone."""
        ...


async def mirror_now(
    context: SyncContext,
    reader: RecordReader,
    company_id: int,
    record_id: int,
    *,
    ring: Callable[[int], Awaitable[None]],
) -> bool:
    """Read the record and apply it; whether that was done. Where it was not, it is noted to be asked for, and rung for.

    Never raises for YCLIENTS's sake.
    """
    try:
        async with asyncio.timeout(WAIT_SECONDS_MAX):
            await _read_and_apply(context, reader, company_id, record_id)
        return True
    except (VendorError, UnreadableRecord, TimeoutError) as error:
        log.warning(
            "record left to the worker",
            company_id=company_id,
            record_id=record_id,
            reason=str(error) or type(error).__name__,
        )
    async with transaction(context.pool) as conn:
        request = Refetch(company_id, record_id, "changed through us")
        await ask(conn, [request], now=context.clock())
    await ring(company_id)
    return False


async def _read_and_apply(
    context: SyncContext, reader: RecordReader, company_id: int, record_id: int
) -> None:
    key = (company_id, record_id)
    # Before the question is sent: if the row changes while it is on its way, the answer may be the older one.
    async with context.pool.connection() as conn:
        revision = (await bookings.revisions(conn, [key])).get(key)
        company = await companies.company(conn, company_id)
    zone = zone_of(company.timezone_name) if company else None
    if zone is None:
        zone = await _learn_zone(context, reader, company_id)
    record = await reader.record(company_id, record_id, kind="interactive", zone=zone)
    observation = Observation(
        source=Source.REFETCH,
        company_id=company_id,
        record_id=record_id,
        record=record,
        gone=record is None,
        remembered_revision=revision,
    )
    await context.applier.apply([observation])


async def _learn_zone(context: SyncContext, reader: RecordReader, company_id: int) -> tzinfo | None:
    """Before the first sync the zone is not known yet, and the record's own offset may be wrong in summer."""
    told = await reader.company(company_id, kind="interactive")
    zone = zone_of(told.timezone_name)
    async with transaction(context.pool) as conn:
        await companies.know_companies(conn, [company_id], now=context.clock())
        await companies.put_company(conn, company_id, title=told.title, zone=zone)
    return zone
