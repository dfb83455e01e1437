"""GET /records: filters, unstable orders and pages over stored and virtual records."""

from bisect import bisect_left
from collections.abc import Callable, Sequence
from datetime import date, datetime
from typing import Any, overload

from msgspec import Struct

from yclients_emulator.bulk import BulkRange, Gaps
from yclients_emulator.model import Company, Record
from yclients_emulator.vendor import Vendor

OrderKey = Callable[[Record], tuple[Any, int]]

ORDER_KEYS: dict[str, OrderKey] = {
    "id": lambda record: (record.id, 0),
    "id_desc": lambda record: (-record.id, 0),
    "date": lambda record: (record.date, record.id),
    "changed": lambda record: (-record.changed_at.timestamp(), -record.id),
}
FALLING = ("id_desc", "changed")


class ListFilter(Struct, frozen=True, kw_only=True):
    """The filters of GET /records; None does not filter. Dates are inclusive, moments are aware."""

    staff_id: int | None = None
    client_id: int | None = None
    created_user_id: int | None = None
    start_date: date | None = None
    end_date: date | None = None
    c_start_date: date | None = None
    c_end_date: date | None = None
    changed_after: datetime | None = None
    changed_before: datetime | None = None
    with_deleted: bool = False


def matches(record: Record, company: Company, wanted: ListFilter) -> bool:
    """Return whether the record passes the filters."""
    created_on = company.local(record.created_at).date()
    return (
        (wanted.with_deleted or not record.deleted)
        and wanted.staff_id in (None, record.staff_id)
        and wanted.client_id in (None, record.client_id)
        and wanted.created_user_id in (None, record.created_user_id)
        and (wanted.start_date is None or record.date.date() >= wanted.start_date)
        and (wanted.end_date is None or record.date.date() <= wanted.end_date)
        and (wanted.c_start_date is None or created_on >= wanted.c_start_date)
        and (wanted.c_end_date is None or created_on <= wanted.c_end_date)
        and (wanted.changed_after is None or record.changed_at >= wanted.changed_after)
        and (wanted.changed_before is None or record.changed_at <= wanted.changed_before)
    )


class Listing:
    """One filtered, ordered list of `total` records; `page` returns a slice without making the others."""

    def __init__(self, vendor: Vendor, company: Company, wanted: ListFilter, order: str) -> None:
        key = ORDER_KEYS[order]
        stored = vendor.records[company.id]
        self._stored = sorted((one for one in stored.values() if matches(one, company, wanted)), key=key)
        self._bulk = vendor.bulks.get(company.id)
        self._numbers: Sequence[int] = ()
        if self._bulk is not None:
            self._numbers = _bulk_numbers(self._bulk, stored, company, wanted)
            if order in FALLING:
                self._numbers = _Reversed(self._numbers)
        self._places = [self._place_among_bulk(record, key) + at for at, record in enumerate(self._stored)]
        self.total = len(self._stored) + len(self._numbers)

    def page(self, offset: int, count: int) -> list[Record]:
        """Records `offset` to `offset + count`; fewer or none past the end."""
        shown: list[Record] = []
        before = bisect_left(self._places, offset)
        for place in range(offset, min(offset + count, self.total)):
            if before < len(self._places) and self._places[before] == place:
                shown.append(self._stored[before])
                before += 1
            elif self._bulk is not None:
                shown.append(self._bulk.record(self._numbers[place - before]))
        return shown

    def _place_among_bulk(self, record: Record, key: OrderKey) -> int:
        bulk = self._bulk
        if bulk is None:
            return 0
        return bisect_left(self._numbers, key(record), key=lambda number: key(bulk.record(number)))


def _bulk_numbers(
    bulk: BulkRange, stored: dict[int, Record], company: Company, wanted: ListFilter
) -> Sequence[int]:
    numbers = range(bulk.count)

    def first(reached: Callable[[int], bool]) -> int:
        return bisect_left(numbers, True, key=reached)

    low, high = 0, bulk.count
    if (start := wanted.start_date) is not None:
        low = max(low, first(lambda n: bulk.starts(n).date() >= start))
    if (end := wanted.end_date) is not None:
        high = min(high, first(lambda n: bulk.starts(n).date() > end))
    if (c_start := wanted.c_start_date) is not None:
        low = max(low, first(lambda n: company.local(bulk.created_at(n)).date() >= c_start))
    if (c_end := wanted.c_end_date) is not None:
        high = min(high, first(lambda n: company.local(bulk.created_at(n)).date() > c_end))
    if (after := wanted.changed_after) is not None:
        low = max(low, first(lambda n: bulk.changed_at(n) >= after))
    if (before := wanted.changed_before) is not None:
        high = min(high, first(lambda n: bulk.changed_at(n) > before))
    if wanted.created_user_id not in (None, 0):
        high = low
    window: Sequence[int] = range(low, max(low, high))
    if wanted.staff_id is not None or wanted.client_id is not None:
        window = [
            n
            for n in window
            if wanted.staff_id in (None, bulk.staff_of(n).id)
            and wanted.client_id in (None, bulk.client_id_of(n))
        ]
    inside = set(window) if isinstance(window, list) else window
    changed = {number for one in stored if (number := bulk.index_of(one)) is not None and number in inside}
    return Gaps(window, changed) if changed else window


class _Reversed(Sequence[int]):
    """`numbers` from the end, without copying."""

    def __init__(self, numbers: Sequence[int]) -> None:
        self._numbers = numbers

    def __len__(self) -> int:
        return len(self._numbers)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[int]: ...
    def __getitem__(self, place: int | slice) -> int | Sequence[int]:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        return self._numbers[len(self._numbers) - 1 - place]
