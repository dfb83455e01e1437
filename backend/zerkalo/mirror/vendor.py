"""What the sync asks of YCLIENTS: `yclients.client.YclientsClient` answers it, and so may a simulation."""

from dataclasses import dataclass
from datetime import date, datetime, tzinfo
from typing import Protocol

from zerkalo.yclients.limiter import Kind
from zerkalo.yclients.model import Company, ListPage, Record


@dataclass(frozen=True, slots=True)
class RecordsQuery:
    """Which records a list shows; deleted ones always too. What is None does not filter.

    `start_date`, `end_date`: visit dates in the salon's zone, both included. `changed_after`: created or changed
    since then, as the salon's naive wall clock.
    """

    start_date: date | None = None
    end_date: date | None = None
    changed_after: datetime | None = None


class Vendor(Protocol):
    """The three questions, each of a `kind` that has its share of the rate limit. They raise a `VendorError`."""

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
