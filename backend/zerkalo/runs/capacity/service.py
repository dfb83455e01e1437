"""Whether a run may read its whole window, given that all companies share the rate limit."""

from zerkalo.companies import store as companies
from zerkalo.companies.model import Company
from zerkalo.kit.single_flight import SingleFlight
from zerkalo.mirror.context import SyncContext
from zerkalo.runs import rules
from zerkalo.runs import store as runs
from zerkalo.yclients.limiter import addresses_in_use

REMEMBERED_SECONDS = 60.0
"""How long the count of all records is cached: it reads every company, and with thousands of them it is needed often."""


class Capacity:
    """One a process."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self._counted = SingleFlight(lambda: context.clock().timestamp())

    async def reads_full_window(self, company: Company) -> bool:
        """Whether this run of the company reads its whole window, or only what changed; see `rules`."""
        now, interval, ids = self._context.clock(), self._context.interval, self._context.company_ids
        expected_records = await self._counted.get("records", self._count, keep=REMEMBERED_SECONDS)
        async with self._context.pool.connection() as conn:
            addresses = await addresses_in_use(conn, since=now - interval)
            return rules.reads_full_window(
                company,
                now=now,
                interval=interval,
                expected_records=expected_records,
                companies_count=len(ids),
                windows_read=await companies.windows_read(conn, ids, since=now - interval),
                seconds_per_request=self._context.seconds_per_request / addresses,
            )

    async def _count(self) -> int:
        async with self._context.pool.connection() as conn:
            return await runs.expected_records(conn, self._context.company_ids)
