"""A million records that need no memory: each is computed from its number until it is changed."""

from bisect import bisect_right
from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta
from typing import overload

from msgspec import Struct

from yclients_emulator.model import Client, Company, Line, Record, Service, Staff

BOOKED_BEFORE = timedelta(days=3)
DONE_AFTER = timedelta(hours=1)


class BulkRange(Struct, frozen=True, kw_only=True):
    """`count` past visits with ids from `first_id`, spread evenly over `days` from `first_day`.

    Start, creation and change times are monotonic in the number, so lists are cut by bisection. Specialists are
    overbooked when there are more visits a day than slots: these records are for volume, not for the journal.
    """

    company: Company
    first_id: int
    count: int
    first_day: date
    days: int
    staff: tuple[Staff, ...]
    services: tuple[Service, ...]
    first_client_id: int
    clients_count: int

    def index_of(self, record_id: int) -> int | None:
        """The number of a record id, or None if it is not of this range."""
        index = record_id - self.first_id
        return index if 0 <= index < self.count else None

    def starts(self, index: int) -> datetime:
        """Branch wall clock of visit `index`, on a five-minute grid."""
        day = index * self.days // self.count
        day_first = -(-day * self.count // self.days)
        day_count = max(1, -(-(day + 1) * self.count // self.days) - day_first)
        open_minutes = self.company.closes_minute - self.company.opens_minute - 60
        minute = self.company.opens_minute + (index - day_first) * open_minutes // day_count // 5 * 5
        return datetime.combine(self.first_day + timedelta(days=day), time(minute // 60, minute % 60))

    def created_at(self, index: int) -> datetime:
        return self.company.moment(self.starts(index) - BOOKED_BEFORE)

    def changed_at(self, index: int) -> datetime:
        return self.company.moment(self.starts(index) + DONE_AFTER)

    def staff_of(self, index: int) -> Staff:
        return self.staff[index % len(self.staff)]

    def client_id_of(self, index: int) -> int:
        return self.first_client_id + index % self.clients_count

    def record(self, index: int) -> Record:
        """Return the record with that number, built anew at every call."""
        service = self.services[index % len(self.services)]
        attendance = -1 if index % 17 == 0 else 1
        record_id = self.first_id + index
        starts = self.starts(index)
        line = Line(service_id=service.id, title=service.title, unit=service.price_min)
        return Record(
            id=record_id,
            company_id=self.company.id,
            staff_id=self.staff_of(index).id,
            date=starts,
            seance_length=service.seance_length,
            lines=(line,),
            client_id=self.client_id_of(index),
            visit_id=record_id + 500_000,
            record_hash=f"{record_id:032x}",
            created_at=self.company.moment(starts - BOOKED_BEFORE),
            changed_at=self.company.moment(starts + DONE_AFTER),
            attendance=attendance,
            visit_attendance=attendance,
            paid_full=attendance == 1,
            online=index % 3 == 0,
        )

    def client(self, client_id: int) -> Client | None:
        """The client card with that id, or None if it is not of this range."""
        number = client_id - self.first_client_id
        if not 0 <= number < self.clients_count:
            return None
        return Client(
            id=client_id,
            company_id=self.company.id,
            name=f"Клиент {number}",
            phone=f"7000{5_000_000 + number:07d}",
            email=f"client{number}@example.com" if number % 2 else "",
            changed_at=datetime.combine(self.first_day, time(), UTC),
        )


class Gaps(Sequence[int]):
    """The numbers of `whole` without those in `removed`, without copying `whole`."""

    def __init__(self, whole: Sequence[int], removed: set[int]) -> None:
        self._whole = whole
        positions = sorted(whole.index(number) for number in removed)
        # A number's position among the kept ones gives the count of removed ones before it.
        self._shifted = [position - before for before, position in enumerate(positions)]

    def __len__(self) -> int:
        return len(self._whole) - len(self._shifted)

    @overload
    def __getitem__(self, place: int) -> int: ...
    @overload
    def __getitem__(self, place: slice) -> Sequence[int]: ...
    def __getitem__(self, place: int | slice) -> int | Sequence[int]:
        if isinstance(place, slice):
            return [self[at] for at in range(*place.indices(len(self)))]
        if not 0 <= place < len(self):
            raise IndexError(place)
        return self._whole[place + bisect_right(self._shifted, place)]
