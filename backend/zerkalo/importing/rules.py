"""Which booking of the mirror a visit of the source is, and what its points become. Pure."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from datetime import timedelta
from decimal import Decimal

from zerkalo.importing.model import (
    Accrual,
    By,
    MirrorVisit,
    Pair,
    Pairing,
    Person,
    PointsPlan,
    Question,
    Visit,
    Why,
)

_RECORD_ID = re.compile(r"y\s*clients\s*\.?\s*id\s*[:№#]?\s*(\d{1,18})(?!\d)", re.IGNORECASE)
PERCENT_PLACES = 10_000
"""A percent has up to four places (`bonus_entries.percent`)."""
PERCENT_MAX = 999
OFFSETS_COMPARED_MIN = 5
"""So many instants must be off by the same hours before it is called a fault of the source and no chance."""


def record_ids_in(note: str) -> tuple[int, ...]:
    """Every record id that a note names, without repeats: `YClients. ID: 12345`, whatever the case and spaces."""
    return tuple(dict.fromkeys(int(found) for found in _RECORD_ID.findall(note)))


def pair(visits: Sequence[Visit], people: Mapping[str, Person], mirror: Sequence[MirrorVisit]) -> Pairing:
    """Pair the visits of the source with the bookings of the mirror (contract, section 10).

    By the record's id where the record fits by contact or by time; else by the person's contact, the time and the
    service where exactly one booking fits. Two ids in a note, a record that two visits claim, an id whose record fits
    neither way: a question, never a guess.
    """
    by_record: dict[int, list[MirrorVisit]] = defaultdict(list)
    by_start: dict[object, list[MirrorVisit]] = defaultdict(list)
    for booking in mirror:
        by_record[booking.record_id].append(booking)
        by_start[booking.wall_time].append(booking)
        by_start[booking.starts_at].append(booking)
    found: list[Pair] = []
    ask: list[Question] = []
    missing: list[Question] = []
    for visit in visits:
        person = people.get(visit.person)
        if person is None:
            ask.append(_question(visit, Why.NOBODY))
        elif len(visit.record_ids) > 1:
            ask.append(_question(visit, Why.TWO_IDS))
        elif visit.record_ids:
            outcome = _by_record(visit, person, by_record.get(visit.record_ids[0], []))
            _sort_in(visit, outcome, By.RECORD, found, ask, missing)
        else:
            outcome = _by_contact(visit, person, by_start.get(visit.wall_time or visit.starts_at, []))
            _sort_in(visit, outcome, By.CONTACT, found, ask, missing)
    claims = Counter(one.booking.booking_id for one in found)
    ask += [_question(one.visit, Why.CLAIMED_TWICE) for one in found if claims[one.booking.booking_id] > 1]
    pairs = tuple(one for one in found if claims[one.booking.booking_id] == 1)
    return Pairing(pairs, tuple(ask), tuple(missing), hours_off(pairs))


def hours_off(pairs: Iterable[Pair]) -> int | None:
    """The hours by which every instant of the source is off, by the visits that were paired by their record's id.

    None where fewer than `OFFSETS_COMPARED_MIN` can be compared, or where they don't all differ by the same hours.
    """
    offsets = [
        one.visit.starts_at - one.booking.starts_at
        for one in pairs
        if one.by is By.RECORD and one.visit.starts_at is not None
    ]
    if len(offsets) < OFFSETS_COMPARED_MIN or len(set(offsets)) > 1 or not offsets[0]:
        return None
    hours, rest = divmod(offsets[0], timedelta(hours=1))
    return None if rest else hours


def percent_for_points(points: int, price_kopecks: int) -> Decimal | None:
    """The smallest percent of up to four places at which the price earns exactly these points; None: there is none."""
    if points <= 0 or price_kopecks <= 0:
        return None
    scale = 100 * 100 * PERCENT_PLACES
    parts = -(-points * scale // price_kopecks)
    if price_kopecks * parts // scale != points or parts > PERCENT_MAX * PERCENT_PLACES:
        return None
    return Decimal(parts) / PERCENT_PLACES


def plan_points(
    person: Person, pairs: Sequence[Pair], all_points: int, *, has_already: int
) -> tuple[PointsPlan, list[Question]]:
    """What the person's ledger gets so that it ends at the balance of the source, and the points no visit carries.

    `pairs`: the person's; `all_points`: of all their visits, for a source that tells no balance; `has_already`: what our
    ledger has for them before the import.
    """
    before = all_points if person.balance is None else person.balance
    accruals: list[Accrual] = []
    unsaid: list[Question] = []
    for one in pairs:
        points, booking = one.visit.points, one.booking
        if points <= 0 or booking.has_entries:
            continue
        percent = percent_for_points(points, booking.price_kopecks)
        if booking.status != "COMPLETED":
            unsaid.append(_question(one.visit, Why.POINTS_NOT_EARNED))
        elif percent is None:
            unsaid.append(_question(one.visit, Why.POINTS_UNSAYABLE))
        else:
            accruals.append(Accrual(booking.booking_id, points, percent))
    opening = before - has_already - sum(one.points for one in accruals)
    return PointsPlan(person.ref, before, tuple(accruals), opening), unsaid


def _by_record(visit: Visit, person: Person, named: Sequence[MirrorVisit]) -> MirrorVisit | Why:
    if not named:
        return Why.NOT_IN_MIRROR
    if len(named) > 1:
        return Why.SEVERAL_COMPANIES
    (booking,) = named
    return booking if _has_contact(booking, person) or _has_time(booking, visit) else Why.RECORD_DOES_NOT_FIT


def _by_contact(visit: Visit, person: Person, at_that_time: Sequence[MirrorVisit]) -> MirrorVisit | Why:
    if visit.wall_time is None and visit.starts_at is None:
        return Why.NOT_IN_MIRROR
    fitting = [
        booking for booking in at_that_time if _has_contact(booking, person) and _same_service(booking, visit)
    ]
    if not fitting:
        return Why.NOT_IN_MIRROR
    return fitting[0] if len(fitting) == 1 else Why.SEVERAL_FIT


def _has_contact(booking: MirrorVisit, person: Person) -> bool:
    return (person.email is not None and person.email == booking.email) or (
        person.phone is not None and person.phone == booking.phone
    )


def _has_time(booking: MirrorVisit, visit: Visit) -> bool:
    if visit.wall_time is not None:
        return visit.wall_time == booking.wall_time
    return visit.starts_at is not None and visit.starts_at == booking.starts_at


def _same_service(booking: MirrorVisit, visit: Visit) -> bool:
    return not visit.service or _folded(visit.service) == _folded(booking.service)


def _folded(text: str) -> str:
    return " ".join(text.casefold().replace("ё", "е").split())


def _sort_in(
    visit: Visit,
    outcome: MirrorVisit | Why,
    by: By,
    found: list[Pair],
    ask: list[Question],
    missing: list[Question],
) -> None:
    if isinstance(outcome, MirrorVisit):
        found.append(Pair(visit, outcome, by))
    elif outcome is Why.NOT_IN_MIRROR:
        missing.append(_question(visit, outcome))
    else:
        ask.append(_question(visit, outcome))


def _question(visit: Visit, why: Why) -> Question:
    return Question(visit.ref, visit.person, str(why))
