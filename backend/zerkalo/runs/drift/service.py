"""Drift: a full read of YCLIENTS compared with the database, through the same mapping that writes it. Writes nothing.

A record that looks different is read again by its id before it counts: it may have changed, there or here, while the
list was read.
"""

from collections.abc import AsyncIterator, Collection, Iterable, Sequence
from datetime import date, timedelta, tzinfo

from zerkalo.absences import store as absences
from zerkalo.bookings import store as bookings
from zerkalo.bookings.model import Row
from zerkalo.clients import store as clients
from zerkalo.clients.model import Card
from zerkalo.db.transaction import transaction
from zerkalo.kit.zones import zone_of
from zerkalo.mirror.context import RecordsQuery, SyncContext
from zerkalo.runs import rules
from zerkalo.runs import store as runs
from zerkalo.runs.drift.model import Difference, SliceDrift
from zerkalo.runs.drift.rules import UNKNOWN_THERE, WAITING, difference_of, what_differs
from zerkalo.runs.lists.rules import PAGE_RECORDS, ListWatch
from zerkalo.runs.model import Slice
from zerkalo.runs.rules import HISTORY_FIRST_DAY
from zerkalo.yclients.errors import VendorError, is_of_one_record
from zerkalo.yclients.model import Record, SalonClient, UnreadableRecord
from zerkalo.yclients.payloads import read_listed


class Drift:
    """Compares one company. Reads within the rate limit, as a sync does, and in constant memory."""

    def __init__(self, context: SyncContext, company_id: int) -> None:
        self._context = context
        self._company_id = company_id
        self._zone: tzinfo | None = None
        self._waiting: frozenset[int] = frozenset()
        self._window_start = date.min

    async def slices(self, first_day: date = date.min) -> AsyncIterator[SliceDrift]:
        """Yield slice after slice of visit dates, ascending and without gaps, from `first_day` to the open future.

        Raises a `VendorError` or `IncompleteRead`: then the slice was not compared.
        """
        self._zone = zone_of((await self._context.vendor.company(self._company_id)).timezone_name)
        self._window_start = rules.window_start(self._context.clock(), self._zone, self._context.window_days)
        async with self._context.pool.connection() as conn:
            waiting = await absences.waiting(conn, self._company_id)
        self._waiting = frozenset(one.record_id for one in waiting if one.is_left)
        pending: list[Slice] = [Slice(max(first_day, HISTORY_FIRST_DAY))]
        if first_day < HISTORY_FIRST_DAY:
            # YCLIENTS lists nothing from so early; our bookings there came by other ways and are read by their ids.
            before = Slice(first_day, HISTORY_FIRST_DAY - timedelta(days=1))
            yield SliceDrift(before, tuple(await self._compare_absent(before, set())), 0)
        while pending:
            part = pending.pop(0)
            parts = rules.halves(part, rules.local_today(self._context.clock(), self._zone))
            found = await self._compare_slice(part, may_give_up=len(parts) > 1)
            if found is None:
                pending[:0] = parts
            else:
                yield found

    async def _compare_slice(self, part: Slice, *, may_give_up: bool) -> SliceDrift | None:
        """None: the slice is too large and is to be halved."""
        watch = ListWatch(keep_ids=True)
        differences: list[Difference] = []
        while not watch.ended:
            page = await self._context.vendor.list_page(
                self._company_id,
                RecordsQuery(start_date=part.first, end_date=part.last),
                page=watch.pages + 1,
                count=PAGE_RECORDS,
            )
            new = [item for item in page.items if item.record_id not in watch.ids]
            watch.take([item.record_id for item in page.items], total=page.total_count)
            if may_give_up and watch.is_large(self._context.limits.slice_records_max):
                return None
            differences += await self._compare_items(
                [read_listed(item, self._company_id, self._zone) for item in new]
            )
        differences += await self._compare_absent(part, watch.ids)
        return SliceDrift(part, tuple(differences), watch.shown)

    async def _compare_items(self, items: Sequence[Record | UnreadableRecord]) -> list[Difference]:
        unreadable = [
            Difference(self._company_id, item.record_id, f"can't be understood: {item.reason}")
            for item in items
            if isinstance(item, UnreadableRecord)
        ]
        records = {item.record_id: item for item in items if isinstance(item, Record)}
        rows, cards = await self._rows(records), await self._cards(records.values())
        suspects = [
            id_ for id_, record in records.items() if what_differs(record, rows.get(id_), cards, self._zone)
        ]
        return unreadable + await self._ask_again(suspects)

    async def _compare_absent(self, part: Slice, shown: Collection[int]) -> list[Difference]:
        async with transaction(self._context.pool) as conn:
            up_to_id = await runs.newest_booking_id(conn)
            absent = await runs.not_shown(conn, self._company_id, part, up_to_id=up_to_id, shown=shown)
        return await self._ask_again(absent)

    async def _ask_again(self, record_ids: Sequence[int]) -> list[Difference]:
        differences: list[Difference] = []
        for record_id in record_ids:
            row: Row | None = None
            try:
                record = await self._context.vendor.record(self._company_id, record_id, zone=self._zone)
            except UnreadableRecord as unreadable:
                what = f"can't be understood: {unreadable.reason}"
            except VendorError as error:
                if not is_of_one_record(error):
                    raise
                what = f"YCLIENTS does not show it: {error}"
            else:
                row = (await self._rows([record_id])).get(record_id)
                what = what_differs(record, row, await self._cards([record] if record else []), self._zone)
            if what == UNKNOWN_THERE and record_id in self._waiting:
                what = WAITING
            if what:
                differences.append(
                    difference_of(self._company_id, record_id, what, row, window_start=self._window_start)
                )
        return differences

    async def _rows(self, record_ids: Collection[int]) -> dict[int, Row]:
        async with self._context.pool.connection() as conn:
            found = await bookings.rows_as_they_are(conn, [(self._company_id, id_) for id_ in record_ids])
        return {record_id: row for (_, record_id), row in found.items()}

    async def _cards(self, records: Iterable[Record]) -> dict[int, Card]:
        ids = {one.client.client_id for one in records if isinstance(one.client, SalonClient)}
        keys = [(self._company_id, id_) for id_ in ids if isinstance(id_, int)]
        async with self._context.pool.connection() as conn:
            return {client_id: card for (_, client_id), card in (await clients.cards(conn, keys)).items()}
