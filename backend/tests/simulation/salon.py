"""What the salon's people do in YCLIENTS: a random life of records, every state of which is remembered for the verdict."""

from collections import Counter
from dataclasses import dataclass
from datetime import datetime, timedelta
from random import Random

from msgspec import structs

from yclients_emulator import Emulator, desk
from yclients_emulator.model import Category, Company, Record, Service, Staff, VendorError

LATIN, LOOK_ALIKES = "ABEKMHOPCTYX", "АВЕКМНОРСТУХ"
CYRILLIC = str.maketrans(LATIN, LOOK_ALIKES)
BACK = str.maketrans(LOOK_ALIKES, LATIN)
PRICES = (150_000, 180_050, 99_999, 2_200_00, 7_000_00)


@dataclass(frozen=True)
class Seen:
    """What a state of a record says about whose it is. `second`: its change time."""

    second: datetime
    codes: tuple[str, ...]
    email: str
    phone10: str
    client_id: int | None = None


@dataclass
class Contact:
    """Somebody who comes to the salon: the contacts on her card, the code that she writes."""

    name: str
    phone: str
    email: str
    code: str = ""


class SalonLife:
    """One act a `step`, by the seed. `history`: (company, record) -> the states that ever were, the last one last."""

    def __init__(
        self, emulator: Emulator, rng: Random, counted: Counter[str], contacts: list[Contact]
    ) -> None:
        self.history: dict[tuple[int, int], list[Seen]] = {}
        self.purged: set[tuple[int, int]] = set()
        self.cards: dict[tuple[int, int], set[tuple[str, str]]] = {}
        """(company, client id) -> every (e-mail, phone's last ten digits) that the card ever had."""
        self.codes: set[str] = set()
        """Every code that somebody ever wrote into a comment."""
        self._last: dict[int, Record] = {}
        self._emulator = emulator
        self._rng = rng
        self._counted = counted
        self._contacts = contacts

    def open_branches(self, zones: dict[int, str], *, wrong_summer_offset: bool) -> None:
        """The branches with their masters and services."""
        vendor = self._emulator.vendor
        for number, (company_id, zone) in enumerate(zones.items()):
            vendor.add_company(
                Company(
                    id=company_id,
                    title=f"Салон {number}",
                    zone_name=zone,
                    wrong_summer_offset=wrong_summer_offset,
                )
            )
            first = company_id * 10
            vendor.categories[first] = Category(id=first, company_id=company_id, title="Волосы")
            for index, price in enumerate(PRICES):
                vendor.services[first + index] = Service(
                    id=first + index,
                    company_id=company_id,
                    category_id=first,
                    title=f"Услуга {index}",
                    price_min=price,
                    price_max=price,
                    seance_length=1800 + 600 * index,
                )
            for index, name in enumerate(("Анна", "Ольга")):
                vendor.staff[first + index] = Staff(
                    id=first + index,
                    company_id=company_id,
                    name=name,
                    service_ids=tuple(first + n for n in range(len(PRICES))),
                )

    def step(self) -> str:
        """Do one thing and say what, with the record's id."""
        company_id = self._rng.choice(list(self._emulator.vendor.companies))
        record = self._pick(company_id)
        acts = [self._book, self._book, self._move, self._attend, self._attend, self._attend, self._reprice]
        acts += [self._note, self._note, self._delete, self._restore, self._fix_phone, self._to_block]
        acts += [self._touch, self._regroup, self._change_client, self._purge]
        act = self._book if record is None else self._rng.choice(acts)
        try:
            done = act(company_id, record) if record is not None else self._book(company_id, None)
        except VendorError:
            done = None
        self.remember()
        name = act.__name__.strip("_")
        self._counted[f"salon: {name}" if done else "salon: rest"] += 1
        return f"{name} {done}" if done else "rest"

    def remember(self) -> None:
        """Note the state of every record that differs from the last one noted."""
        vendor = self._emulator.vendor
        for company_id, records in vendor.records.items():
            for record in records.values():
                client = vendor.client(record.client_id)
                seen = Seen(
                    record.changed_at,
                    self._codes_in(record.comment),
                    (client.email if client else "").lower(),
                    client.phone[-10:] if client else "",
                    record.client_id,
                )
                if record.client_id is not None:
                    card = self.cards.setdefault((company_id, record.client_id), set())
                    card.add((seen.email, seen.phone10))
                states = self.history.setdefault((company_id, record.id), [])
                before = self._last.get(record.id, record)
                if record != before and record.changed_at == before.changed_at:
                    self._counted["record: changed twice in one second"] += 1
                self._last[record.id] = record
                if not states or states[-1] != seen:
                    states.append(seen)

    # Acts: each returns the record's id, or None where nothing was done

    def _book(self, company_id: int, _record: Record | None) -> int | None:
        rng = self._rng
        contact = rng.choice(self._contacts) if rng.random() < 0.8 else None
        is_block = contact is None and rng.random() < 0.4
        services = () if is_block else self._services(company_id)
        made = desk.create(
            self._emulator,
            company_id=company_id,
            staff_id=company_id * 10 + rng.randrange(2),
            service_ids=services,
            date=self._moment(company_id),
            phone=contact.phone if contact and rng.random() < 0.9 else "",
            name=contact.name if contact else "",
            email=contact.email if contact and rng.random() < 0.6 else "",
            comment="перерыв" if is_block else self._comment(contact),
            online=rng.random() < 0.5,
        )
        return made.id

    def book_online(self, company_id: int, phone: str, email: str = "", *, api_id: str = "") -> Record:
        """A record that somebody books themself, on the card of that phone; with `api_id` by our form."""
        made = desk.create(
            self._emulator,
            company_id=company_id,
            staff_id=company_id * 10,
            service_ids=(company_id * 10,),
            date=self._moment(company_id),
            phone=phone,
            email=email,
            name="Онлайн",
            api_id=api_id,
            online=True,
        )
        self.remember()
        return made

    def card_of(self, company_id: int, phone: str) -> int | None:
        """The client id of the card that has that phone now."""
        client = self._emulator.vendor.client_by_phone(company_id, phone)
        return client.id if client else None

    def _move(self, company_id: int, record: Record) -> int | None:
        desk.move(
            self._emulator, record.id, self._moment(company_id), company_id * 10 + self._rng.randrange(2)
        )
        return record.id

    def _attend(self, _company_id: int, record: Record) -> int | None:
        desk.set_attendance(self._emulator, record.id, self._rng.choice((1, 1, 1, 0, 2, -1)))
        return record.id

    def _reprice(self, _company_id: int, record: Record) -> int | None:
        if not record.lines:
            return None
        desk.set_price(self._emulator, record.id, self._rng.choice((0, 1, 123_456, 500_000, 77_700)))
        return record.id

    def _note(self, _company_id: int, record: Record) -> int | None:
        comment = self._comment(self._rng.choice(self._contacts))
        desk.change(self._emulator, record.id, comment=comment)
        return record.id

    def _delete(self, _company_id: int, record: Record) -> int | None:
        if record.deleted:
            return None
        desk.delete(self._emulator, record.id)
        return record.id

    def _restore(self, company_id: int, _record: Record) -> int | None:
        deleted = [one for one in self._emulator.vendor.records[company_id].values() if one.deleted]
        if not deleted:
            return None
        return desk.restore(self._emulator, self._rng.choice(deleted).id).id

    def _fix_phone(self, _company_id: int, record: Record) -> int | None:
        if record.client_id is None:
            return None
        phone = self._rng.choice((self._rng.choice(self._contacts).phone, "79001112233", ""))
        desk.set_client_phone(self._emulator, record.id, phone)
        return record.id

    def _change_client(self, company_id: int, record: Record) -> int | None:
        """Another person comes in her place."""
        contact = self._rng.choice(self._contacts)
        client = self._emulator.vendor.save_client(
            self._emulator.now(), company_id, contact.phone, name=contact.name
        )
        desk.change(self._emulator, record.id, client_id=client.id)
        return record.id

    def _to_block(self, _company_id: int, record: Record) -> int | None:
        if self._rng.random() < 0.6:
            return None
        desk.change(self._emulator, record.id, lines=(), client_id=None)
        return record.id

    def _touch(self, _company_id: int, record: Record) -> int | None:
        desk.change(self._emulator, record.id)
        return record.id

    def _regroup(self, company_id: int, record: Record) -> int | None:
        """Other services, or a place in a group event."""
        lines = tuple(
            self._emulator.vendor.line(
                one, amount=self._rng.choice((1, 1, 2)), discount=self._rng.choice((0, 10, 33))
            )
            for one in self._services(company_id)
        )
        desk.change(
            self._emulator,
            record.id,
            lines=lines,
            activity_id=self._rng.choice((0, 880_001)),
            clients_count=self._rng.choice((1, 3)),
        )
        return record.id

    def _purge(self, company_id: int, record: Record) -> int | None:
        """The record is gone without a trace: no list shows it, and asking for it is answered 404."""
        if self._rng.random() < 0.8:
            return None
        vendor = self._emulator.vendor
        del vendor.records[company_id][record.id]
        del vendor._company_of[record.id]
        vendor._by_day[record.staff_id, record.date.date()].discard(record.id)
        vendor._by_visit[record.visit_id].remove(record.id)
        vendor.revisions[company_id] += 1
        self.purged.add((company_id, record.id))
        return record.id

    def correct_zone(self, company_id: int, zone_name: str) -> None:
        """The branch stood in a wrong zone all the time."""
        vendor = self._emulator.vendor
        vendor.companies[company_id] = structs.replace(vendor.companies[company_id], zone_name=zone_name)
        vendor.revisions[company_id] += 1
        self._emulator._rendered.clear()

    # Draws

    def _codes_in(self, comment: str) -> tuple[str, ...]:
        """The codes named: we wrote them, so we know what to look for."""
        text = comment.upper().translate(BACK)
        return tuple(code for code in sorted(self.codes) if code in text)

    def _pick(self, company_id: int) -> Record | None:
        records = list(self._emulator.vendor.records[company_id].values())
        return self._rng.choice(records) if records else None

    def _services(self, company_id: int) -> tuple[int, ...]:
        count = self._rng.choice((1, 1, 1, 2))
        return tuple(company_id * 10 + n for n in sorted(self._rng.sample(range(len(PRICES)), count)))

    def _moment(self, company_id: int) -> datetime:
        """A wall clock near now, sometimes in the hour that an autumn night has twice or a spring night has not."""
        rng = self._rng
        company = self._emulator.vendor.company(company_id)
        days = rng.choice((-40, -12, -4, -2, -1, 0, 0, 1, 1, 2, 9, 60))
        day = company.local(self._emulator.now()) + timedelta(days=days)
        hour = rng.choice((0, 1, 2, 2, 3, 10, 12, 15, 18, 23))
        moment = day.replace(hour=hour, minute=rng.choice((0, 15, 30)), second=0, microsecond=0)
        zoned = moment.replace(tzinfo=company.zone)
        if zoned.utcoffset() != zoned.replace(fold=1).utcoffset():
            self._counted["record: in an hour that a night has twice or not at all"] += 1
        return moment

    def _comment(self, contact: Contact | None) -> str:
        rng = self._rng
        if contact is None or not contact.code or rng.random() < 0.4:
            return rng.choice(("", "", "позвонить", "Код клиента: ABSENT00"))
        code = contact.code
        self.codes.add(code)
        if rng.random() < 0.4:
            code = rng.choice((code.lower(), code.translate(CYRILLIC)))
        text = f"Код клиента: {code}"
        if rng.random() < 0.15:
            other = rng.choice(self._contacts)
            text += f", код клиента {other.code}" if other.code else ""
            self.codes |= {other.code} - {""}
        return rng.choice((text, f"позвонить, {text}. Аллергия"))
