"""Simulate the salon: every few seconds a client books, moves, confirms, comes or cancels. All by the seed."""

import logging
from collections.abc import Awaitable, Callable, Collection, Sequence
from datetime import timedelta

from msgspec import Struct

from yclients_emulator import booking, desk
from yclients_emulator.emulator import Emulator
from yclients_emulator.model import Company, Record, VendorError
from yclients_emulator.salon import COMMENTS, NAMES
from yclients_emulator.schedule import able_staff, free_times, is_free, next_days

LOG = logging.getLogger("yclients_emulator.life")


class Person(Struct, frozen=True, kw_only=True):
    """A person who books in the demo: their contacts, and the code that they write in the comment."""

    name: str
    phone: str = ""
    email: str = ""
    code: str = ""


class Life:
    """One change per `step`, to any record except the `spared` ones. The same seed, clock and truth give the same steps."""

    def __init__(
        self,
        emulator: Emulator,
        *,
        people: Sequence[Person] = (),
        company_ids: Sequence[int] = (),
        spared: Collection[int] = (),
    ) -> None:
        self._emulator = emulator
        self._rng = emulator.random("life")
        self._people = tuple(people)
        self._company_ids = tuple(company_ids) or tuple(emulator.vendor.companies)
        self._spared = frozenset(spared)
        self._strangers = 0

    async def run(
        self, interval_seconds: float = 6.0, sleep: Callable[[float], Awaitable[None]] | None = None
    ) -> None:
        """Step until cancelled, with a pause of 0.5 to 1.5 intervals between steps."""
        pause = sleep or self._emulator.sleep
        while True:
            await pause(interval_seconds * self._rng.uniform(0.5, 1.5))
            LOG.info("life: %s", self.step())

    def step(self) -> str:
        """Make one change; return it with the record's id: `book 1700042`, or `rest` when nothing fits."""
        company = self._emulator.vendor.companies[self._rng.choice(self._company_ids)]
        acts = (self._book, self._book, self._book, self._move, self._confirm, self._finish, self._finish)
        act = self._rng.choice((*acts, self._cancel, self._restore, self._note, self._reprice, self._block))
        record = act(company)
        return "rest" if record is None else f"{act.__name__.strip('_')} {record.id}"

    def _book(self, company: Company) -> Record | None:
        vendor, rng, now = self._emulator.vendor, self._rng, self._emulator.now()
        service = rng.choice(vendor.company_services(company.id))
        able = able_staff(vendor, company.id, [service.id])
        day = rng.choice(list(next_days(company, now, 10)))
        if not able:
            return None
        staff = rng.choice(able)
        times = free_times(vendor, company, staff, day, service.seance_length, now)
        if not times:
            return None
        starts = rng.choice(times)
        person = self._somebody(company)
        comment = rng.choice(COMMENTS)
        if person.code:
            comment = f"Код клиента: {person.code}. {comment}".strip()
        if rng.random() < 0.6:
            return self._book_online(company, person, comment, service.id, staff.id, starts.isoformat())
        return desk.create(
            self._emulator,
            company_id=company.id,
            staff_id=staff.id,
            service_ids=(service.id,),
            date=starts,
            phone=person.phone,
            name=person.name,
            email=person.email,
            comment=comment,
            created_user_id=7001,
        )

    def _book_online(
        self, company: Company, person: Person, comment: str, service_id: int, staff_id: int, starts: str
    ) -> Record | None:
        appointment = {"id": 1, "services": [service_id], "staff_id": staff_id, "datetime": starts}
        body = {
            "phone": person.phone,
            "fullname": person.name,
            "email": person.email,
            "comment": comment,
            "type": "Виджет",
            "appointments": [appointment],
        }
        if company.phone_confirmation:
            body["code"] = booking.send_code(self._emulator.vendor, company, body)
        try:
            return booking.book(self._emulator.vendor, company, body, self._emulator.now())[0][1]
        except VendorError:
            return None  # a black-listed phone, or the minute has just passed

    def _somebody(self, company: Company) -> Person:
        rng = self._rng
        if self._people and rng.random() < 0.35:
            return rng.choice(self._people)
        known = [
            one
            for one in self._emulator.vendor.clients.values()
            if one.company_id == company.id and one.phone
        ]
        if known and rng.random() < 0.7:
            client = rng.choice(known)
            return Person(name=client.name, phone=client.phone, email=client.email)
        self._strangers += 1
        return Person(name=rng.choice(NAMES), phone=f"7000{8_000_000 + self._strangers:07d}")

    def _pick(self, company: Company, *, upcoming: bool, deleted: bool = False) -> Record | None:
        now = company.local(self._emulator.now())
        week = timedelta(days=10)
        found = [
            record
            for record in self._emulator.vendor.records[company.id].values()
            if record.deleted == deleted
            and record.id not in self._spared
            and record.lines
            and (record.date > now if upcoming else now - week < record.date <= now)
        ]
        return self._rng.choice(found) if found else None

    def _move(self, company: Company) -> Record | None:
        record = self._pick(company, upcoming=True)
        if record is None:
            return None
        vendor, now = self._emulator.vendor, self._emulator.now()
        able = able_staff(vendor, company.id, [line.service_id for line in record.lines])
        day = self._rng.choice(list(next_days(company, now, 10)))
        if not able:
            return None
        staff = self._rng.choice(able)
        times = free_times(vendor, company, staff, day, record.seance_length, now)
        return desk.move(self._emulator, record.id, self._rng.choice(times), staff.id) if times else None

    def _confirm(self, company: Company) -> Record | None:
        record = self._pick(company, upcoming=True)
        return None if record is None else desk.set_attendance(self._emulator, record.id, 2)

    def _finish(self, company: Company) -> Record | None:
        record = self._pick(company, upcoming=False)
        if record is None or record.attendance == 1:
            return None
        came = -1 if self._rng.random() < 0.1 else 1
        return desk.set_attendance(self._emulator, record.id, came)

    def _cancel(self, company: Company) -> Record | None:
        record = self._pick(company, upcoming=True)
        return None if record is None else desk.delete(self._emulator, record.id)

    def _restore(self, company: Company) -> Record | None:
        record = self._pick(company, upcoming=True, deleted=True)
        if record is None:
            return None
        staff = self._emulator.vendor.staff[record.staff_id]
        free = is_free(
            self._emulator.vendor, company, staff, record.date, record.seance_length, self._emulator.now()
        )
        return desk.restore(self._emulator, record.id) if free else None

    def _note(self, company: Company) -> Record | None:
        record = self._pick(company, upcoming=True)
        if record is None:
            return None
        added = self._rng.choice(("Опоздает на 10 минут", "Перезвонить на 8 000 555-01-02", "Просила кофе"))
        return desk.change(self._emulator, record.id, comment=f"{record.comment} {added}".strip()[:200])

    def _reprice(self, company: Company) -> Record | None:
        record = self._pick(company, upcoming=False)
        if record is None:
            return None
        kopecks = record.lines[0].total + 100 * self._rng.choice((-300, -100, 150, 200))
        return desk.set_price(self._emulator, record.id, max(0, kopecks))

    def _block(self, company: Company) -> Record | None:
        vendor, now = self._emulator.vendor, self._emulator.now()
        staff = self._rng.choice([one for one in vendor.company_staff(company.id) if one.bookable])
        day = self._rng.choice(list(next_days(company, now, 10)))
        times = free_times(vendor, company, staff, day, 1800, now)
        if not times:
            return None
        return desk.create(
            self._emulator,
            company_id=company.id,
            staff_id=staff.id,
            date=self._rng.choice(times),
            seance_seconds=1800,
            comment="перерыв",
        )
