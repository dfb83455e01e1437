"""Reading a company's changes once, instead of a request for each of many unsigned calls."""

from datetime import timedelta

import structlog

from zerkalo.companies import store as companies
from zerkalo.db.transaction import transaction
from zerkalo.kit.zones import zone_of
from zerkalo.mirror.context import RecordsQuery, SyncContext
from zerkalo.mirror.refetching.service import Refetcher
from zerkalo.refetches import store as refetches
from zerkalo.refetches.model import Refetch
from zerkalo.runs import rules
from zerkalo.runs.lists.rules import IncompleteRead
from zerkalo.runs.lists.service import ListReader
from zerkalo.runs.model import Counts
from zerkalo.yclients.errors import VendorError

RETRY_SECONDS = 60.0

log = structlog.get_logger(__name__)


async def read_changes_if_wanted(context: SyncContext, refetcher: Refetcher, company_id: int) -> bool:
    """Read and apply what changed since the company's watermark, if that was requested; return whether it was done.

    The watermark stays: the next run reads the same again and moves it. A company without its full history is about to
    be read anyway.
    """
    async with transaction(context.pool) as conn:
        wanted = await refetches.claim_changes(
            conn, company_id, now=context.clock(), lease_now=context.lease_now()
        )
        company = await companies.company(conn, company_id)
    if wanted is None:
        return False
    company = rules.believed(company, context.clock()) if company is not None else None
    if company is not None and company.changes_read_until is not None:
        lists = ListReader(context, company_id, check=_go_on, kind="unsigned")
        lists.read_by(company)
        changed_after = rules.changed_after(company.changes_read_until, zone_of(company.timezone_name))
        try:
            await lists.read(
                RecordsQuery(changed_after=changed_after), keep_ids=False, on_page=_count_nothing
            )
            await refetcher.ask(
                company_id, lists.unsure, reason="a list left it open", check=_go_on, kind="unsigned"
            )
        except (VendorError, IncompleteRead) as error:
            log.warning("changes not read", company_id=company_id, reason=str(error))
            await _put_off(context, wanted)
            return False
    async with transaction(context.pool) as conn:
        await refetches.settle(conn, [wanted], now=context.clock())
    return True


async def _put_off(context: SyncContext, wanted: Refetch) -> None:
    at = context.clock() + timedelta(seconds=RETRY_SECONDS)
    async with transaction(context.pool) as conn:
        await refetches.give_back(conn, [wanted], next_attempt_at=at)


def _go_on() -> None:
    """Never end this reading early."""


async def _count_nothing(counts: Counts, total: int | None) -> None:
    del counts, total
