"""Whether a run may read its whole window: what all the companies' windows take of the period that they share."""

from datetime import datetime, timedelta

from zerkalo.companies import store as companies
from zerkalo.companies.model import Company
from zerkalo.mirror.context import SyncContext
from zerkalo.runs import rules
from zerkalo.runs import store as runs
from zerkalo.yclients.limiter import addresses_in_use

REMEMBERED = timedelta(minutes=1)
"""So old the count of all records may be: it looks at every company, and with thousands of them several runs a second ask."""


class Capacity:
    """One for a process."""

    def __init__(self, context: SyncContext) -> None:
        self._context = context
        self._expected_records = 0
        self._counted_at: datetime | None = None

    async def reads_full_window(self, company: Company) -> bool:
        """Whether this run of the company reads its whole window, or only what changed; see `rules`."""
        now, interval, ids = self._context.clock(), self._context.interval, self._context.company_ids
        async with self._context.pool.connection() as conn:
            # A clock that was put back counts anew, too.
            if self._counted_at is None or not timedelta() <= now - self._counted_at < REMEMBERED:
                self._expected_records = await runs.expected_records(conn, ids)
                self._counted_at = now
            addresses = await addresses_in_use(conn, since=now - interval)
            return rules.reads_full_window(
                company,
                now=now,
                interval=interval,
                expected_records=self._expected_records,
                companies_count=len(ids),
                windows_read=await companies.windows_read(conn, ids, since=now - interval),
                seconds_per_request=self._context.seconds_per_request / addresses,
            )
