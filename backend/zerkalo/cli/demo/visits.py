"""Two years of visits, made in the emulator before anybody asks it. All by its seed and clock."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import date, datetime, time, timedelta
from random import Random
from typing import Any

from yclients_emulator.emulator import Emulator
from yclients_emulator.model import Company, Record, Staff
from yclients_emulator.schedule import able_staff, is_busy, next_days, working_window
from zerkalo.cli.demo.model import (
    COLOUR,
    COMPANY_ID,
    CUT,
    DAUGHTER,
    MANICURE,
    MOTHER,
    STYLING,
    UNPROVED,
    Guest,
    anna,
    guests,
    named,
)

HISTORY_DAYS, AHEAD_DAYS, ANNAS_DAYS = 182, 14, 730
LUNCH_SECONDS = 3600
FRONT_DESK = 7001
"""YCLIENTS's user who writes what the front desk books."""
ANNAS_MISSED = 7
"""Which of Anna's visits, from the newest back, was missed; the one after it was cancelled."""
COMMENTS = (
    "",
    "",
    "",
    "",
    "Позвонить за час",
    "Хочет к тому же мастеру",
    "Аллергия на краску",
    "Придёт с ребёнком",
)


@dataclass(frozen=True)
class Plan:
    """A visit to be put into the journal on a day; the time is what is free then."""

    day: date
    guest: Guest
    services: tuple[int, ...]
    outcome: int
    """Attendance of a visit that is over: 1 came, -1 did not come, 0 nobody has marked it."""
    comment: str = ""
    is_deleted: bool = False


def fill(emulator: Emulator) -> list[Guest]:
    """Put the salon's life in the place of the emulator's own; tell nobody. Returns its people, Anna first."""
    rng = emulator.random("demo")
    people = list(guests(rng))
    vendor, company = emulator.vendor, emulator.vendor.company(COMPANY_ID)
    emulator.muted = True
    vendor.replace_life([], [], vendor.next_ids)
    cards = _add_cards(emulator, company, people)
    today = company.local(emulator.now()).date()
    for plan in sorted(_plans(people, today, rng), key=lambda plan: plan.day):
        _add(emulator, company, plan, cards[plan.guest.phone], rng)
    _add_what_teaches(emulator, company, people, today, rng)
    _add_breaks(emulator, company, today)
    emulator.muted = False
    return people


def _add_cards(emulator: Emulator, company: Company, people: list[Guest]) -> dict[str, int]:
    """A card for each, as the front desk keeps them; their ids by phone."""
    made = emulator.now() - timedelta(days=ANNAS_DAYS + 10)
    return {
        guest.phone: emulator.vendor.save_client(
            made,
            company.id,
            guest.phone[1:],
            name=guest.name,
            surname=guest.surname,
            email=guest.email if guest.card_has_email else "",
        ).id
        for guest in people
    }


def _plans(people: list[Guest], today: date, rng: Random) -> list[Plan]:
    plans = _annas(today)
    for number, guest in enumerate(people[1:]):
        # Everybody has a visit within these days and keeps the rhythm from there, back and on.
        near = number % 5 - 2
        first = -((HISTORY_DAYS + near) // guest.every_days)
        for turn in range(first, (AHEAD_DAYS - near) // guest.every_days + 1):
            day = today + timedelta(
                days=near + turn * guest.every_days + (rng.randrange(-2, 3) if turn else 0)
            )
            service = guest.likes[turn % len(guest.likes)]
            luck = rng.random()
            plans.append(
                Plan(
                    day,
                    guest,
                    (service, STYLING) if service == CUT and luck > 0.85 else (service,),
                    outcome=-1 if luck < 0.06 else 1,
                    comment=_comment(guest, rng),
                    is_deleted=luck > 0.96,
                )
            )
    return plans


def _comment(guest: Guest, rng: Random) -> str:
    comment = rng.choice(COMMENTS)
    return (
        f"Код клиента: {guest.code}. {comment}".strip() if guest.is_user and rng.random() < 0.2 else comment
    )


def _annas(today: date) -> list[Plan]:
    """Two years: a visit each month, one missed, one cancelled, and one to come."""
    guest = anna()
    code = f"Код клиента: {guest.code}"
    past = [
        Plan(
            today - timedelta(days=days),
            guest,
            (guest.likes[number % len(guest.likes)],),
            outcome=-1 if number == ANNAS_MISSED else 1,
            comment=code if number % 3 == 0 else "",
            is_deleted=number == ANNAS_MISSED + 1,
        )
        for number, days in enumerate(range(9, ANNAS_DAYS, guest.every_days))
    ]
    coming = Plan(
        today + timedelta(days=3),
        guest,
        (COLOUR, STYLING),
        outcome=0,
        comment=f"{code}. Чуть теплее, чем в прошлый раз",
    )
    return [*past, coming]


def _add(
    emulator: Emulator, company: Company, plan: Plan, client_id: int | None, rng: Random
) -> Record | None:
    """Write the visit at a free time of its day or of one of the next; None where none is free."""
    vendor = emulator.vendor
    catalogue = vendor.company_services(company.id)
    services = [catalogue[one] for one in plan.services]
    length = sum(service.seance_length for service in services)
    found = _free(emulator, company, plan.day, [service.id for service in services], length, rng)
    if found is None:
        return None
    staff, starts = found
    now, moment = emulator.now(), company.moment(starts)
    made = min(moment, now) - timedelta(days=rng.randrange(1, 9), seconds=rng.randrange(36_000))
    record = vendor.create_record(
        made,
        company_id=company.id,
        staff_id=staff.id,
        date=starts,
        seance_length=length,
        lines=tuple(vendor.line(one.id, discount=10 if rng.random() < 0.08 else 0) for one in services),
        client_id=client_id,
        comment=plan.comment,
        **_made_by(is_online=rng.random() < 0.5),
    )
    return _end(emulator, record, plan, moment + timedelta(seconds=length), made, rng)


def _made_by(*, is_online: bool) -> dict[str, Any]:
    """Who put a visit into the journal: the client online, or the front desk."""
    return {"online": is_online, "created_user_id": 0 if is_online else FRONT_DESK}


def visit_of_today(emulator: Emulator) -> int | None:
    """The visit of today of the demo's user, made where there is none; None where the salon has no such card any more.

    So whoever tries the till can spend points, whenever the demo starts. It is at the free time that is nearest, ahead if
    there is one, else passed: late in the evening the visit is over and not marked yet.
    """
    vendor, company = emulator.vendor, emulator.vendor.company(COMPANY_ID)
    now = company.local(emulator.now()).replace(tzinfo=None)
    card = vendor.client_by_phone(company.id, anna().phone[1:])
    if card is None:
        return None
    for record in vendor.records[company.id].values():
        if record.client_id == card.id and record.date.date() == now.date() and not record.deleted:
            return record.id
    service = vendor.company_services(company.id)[CUT]
    able = able_staff(vendor, company.id, [service.id])
    free = [
        (starts, staff)
        for staff in able
        for starts in _half_hours(company, now.date(), service.seance_length)
        if not is_busy(vendor, staff.id, starts, starts + timedelta(seconds=service.seance_length))
    ]
    starts, staff = min(
        free or [(datetime.combine(now.date(), time(12)), able[0])],
        key=lambda one: (one[0] <= now, abs(one[0] - now), one[1].id),
    )
    made = vendor.create_record(
        emulator.now(),
        company_id=company.id,
        staff_id=staff.id,
        date=starts,
        seance_length=service.seance_length,
        lines=(vendor.line(service.id),),
        client_id=card.id,
        comment=f"Код клиента: {anna().code}",
        attendance=2,
        **_made_by(is_online=True),
    )
    return made.id


def _half_hours(company: Company, day: date, length: int) -> Iterator[datetime]:
    """Starts between opening and closing, whoever has the day off: somebody stands in."""
    midnight = datetime.combine(day, time())
    for minute in range(company.opens_minute, company.closes_minute - length // 60 + 1, 30):
        yield midnight + timedelta(minutes=minute)


def _end(
    emulator: Emulator, record: Record, plan: Plan, ends: datetime, made: datetime, rng: Random
) -> Record:
    """What became of the visit: over, confirmed, cancelled."""
    vendor, now = emulator.vendor, emulator.now()
    if plan.is_deleted:
        return vendor.delete_record(min(ends, now) - timedelta(hours=2), record.id)
    if ends < now and plan.outcome:
        return vendor.change_record(ends, record.id, attendance=plan.outcome, paid_full=plan.outcome == 1)
    if ends >= now and rng.random() < 0.4:
        return vendor.change_record(made + timedelta(hours=3), record.id, attendance=2)
    return record


def _free(
    emulator: Emulator, company: Company, day: date, service_ids: list[int], length: int, rng: Random
) -> tuple[Staff, datetime] | None:
    vendor = emulator.vendor
    for on in (day, day + timedelta(days=1), day + timedelta(days=2)):
        able = able_staff(vendor, company.id, service_ids) or able_staff(vendor, company.id, service_ids[:1])
        rng.shuffle(able)
        for staff in able:
            window = working_window(company, staff, on)
            if window is None:
                continue
            last = int((window[1] - window[0]).total_seconds() - length) // 1800
            for half_hour in rng.sample(range(last + 1), last + 1):
                starts = window[0] + timedelta(minutes=30 * half_hour)
                if not is_busy(vendor, staff.id, starts, starts + timedelta(seconds=length)):
                    return staff, starts
    return None


def _add_what_teaches(
    emulator: Emulator, company: Company, people: list[Guest], today: date, rng: Random
) -> None:
    """Visits that nobody can be given by themselves, each for a reason of its own."""
    vendor, made = emulator.vendor, emulator.now() - timedelta(days=6)
    mother, daughter = named(people, MOTHER), named(people, DAUGHTER)
    family = vendor.client_by_phone(company.id, mother.phone[1:])
    assert family is not None, "every guest has a card"
    vendor.change_client(made, family.id, email=daughter.email)
    new_phone = vendor.save_client(made, company.id, "70000000003", name="Анна", surname="Примерова").id
    no_card = named(people, UNPROVED)
    soon = (
        (mother, family.id, MANICURE, ""),  # the phone is the mother's, the e-mail the daughter's
        (anna(), new_phone, MANICURE, "Код клиента: ABC1234S"),  # a slip in the code, and a new phone
        (no_card, None, CUT, "Зашла с улицы, телефон не оставила"),
    )
    for ahead, (guest, client_id, service, comment) in enumerate(soon, 1):
        plan = Plan(today + timedelta(days=ahead), guest, (service,), outcome=0, comment=comment)
        _add(emulator, company, plan, client_id, rng)


def _add_breaks(emulator: Emulator, company: Company, today: date) -> None:
    """Lunch in the journal of the coming days: blocks, which are no bookings."""
    for day in next_days(company, emulator.now(), 5):
        for staff in emulator.vendor.company_staff(company.id):
            starts = datetime.combine(day, time(14))
            window = working_window(company, staff, day) if staff.bookable else None
            if window and not is_busy(
                emulator.vendor, staff.id, starts, starts + timedelta(seconds=LUNCH_SECONDS)
            ):
                emulator.vendor.create_record(
                    emulator.now() - timedelta(days=7),
                    company_id=company.id,
                    staff_id=staff.id,
                    date=starts,
                    seance_length=LUNCH_SECONDS,
                    lines=(),
                    client_id=None,
                    comment="обед",
                )
