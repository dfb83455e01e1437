"""Pair visits of the source with bookings of the mirror, and plan their points. Pure."""

import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from functools import lru_cache
from typing import Literal

from zerkalo.importing.model import (
    Accrual,
    By,
    HoursOff,
    MirrorVisit,
    Pair,
    Pairing,
    Person,
    PointsPlan,
    Question,
    Visit,
    Why,
)
from zerkalo.users.importing.rules import Known

_RECORD_ID = re.compile(r"y\s*clients\s*\.?\s*id\s*[:№#]?\s*(\d{1,18})(?!\d)", re.IGNORECASE)
PERCENT_PLACES = 10_000
"""A percent has up to four places (`bonus_entries.percent`)."""
PERCENT_MAX = 999
OTHERS_TOLD_MAX = 5
STRONGER = frozenset({"manual", "form", "code"})
"""Links that an import does not replace."""
OFFSETS_COMPARED_MIN = 5
OFFSETS_SHARE_MIN = 0.9
"""At least so many times must be comparable, and this share of them be off by the same hours, to be no coincidence."""


def record_ids_in(note: str) -> tuple[int, ...]:
    """Return the distinct record ids that a note names, as in `YClients. ID: 12345`; case and spaces are ignored."""
    return tuple(dict.fromkeys(int(found) for found in _RECORD_ID.findall(note)))


def pair(visits: Sequence[Visit], people: Mapping[str, Person], mirror: Sequence[MirrorVisit]) -> Pairing:
    """Pair the visits of the source with the bookings of the mirror (contract, section 10).

    A visit with a record id is paired by it where the record fits by contact or by time; a visit without one by the
    person's contact, the time and the service, where exactly one booking fits. Two ids in a note, a record that two
    visits claim, or an id whose record fits neither way become questions.
    """
    by_record: dict[int, list[MirrorVisit]] = defaultdict(list)
    by_start: dict[object, list[MirrorVisit]] = defaultdict(list)
    wanted = {_start(visit) for visit in visits if not visit.record_ids}
    for booking in mirror:
        by_record[booking.record_id].append(booking)
        for start in wanted & {booking.wall_time, booking.starts_at}:
            by_start[start].append(booking)
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
            outcome = _by_contact(visit, person, by_start.get(_start(visit), []))
            _sort_in(visit, outcome, By.CONTACT, found, ask, missing)
    claims = Counter(one.booking.booking_id for one in found)
    ask += [_question(one.visit, Why.CLAIMED_TWICE) for one in found if claims[one.booking.booking_id] > 1]
    pairs = tuple(one for one in found if claims[one.booking.booking_id] == 1)
    return Pairing(pairs, tuple(ask), tuple(missing), hours_off(pairs))


def hours_off(pairs: Iterable[Pair]) -> HoursOff | None:
    """Return by how many hours the source's clock is off, judged by the visits paired by record id.

    Some visits may have been moved since, so a share of them may differ. None where fewer than
    `OFFSETS_COMPARED_MIN` can be compared, or where no single difference of whole hours prevails.
    """
    by_wall, by_instant = Counter[timedelta](), Counter[timedelta]()
    for one in pairs:
        visit, booking = one.visit, one.booking
        if one.by is By.RECORD and visit.wall_time is not None and booking.wall_time is not None:
            by_wall[visit.wall_time - booking.wall_time] += 1
        elif one.by is By.RECORD and visit.starts_at is not None:
            by_instant[visit.starts_at - booking.starts_at] += 1
    return _stands_out(by_instant, "starts_at") or _stands_out(by_wall, "wall_time")


def _stands_out(offsets: Counter[timedelta], column: Literal["wall_time", "starts_at"]) -> HoursOff | None:
    compared = offsets.total()
    if compared < OFFSETS_COMPARED_MIN:
        return None
    ((offset, visits),) = offsets.most_common(1)
    hours, rest = divmod(offset, timedelta(hours=1))
    if not offset or rest or visits < compared * OFFSETS_SHARE_MIN:
        return None
    return HoursOff(hours, visits, compared, column)


def sort_out(
    people: Sequence[Person], met: Sequence[Known]
) -> tuple[dict[str, Person], dict[str, int], list[Question]]:
    """Return (new people, user ids of people who are users already, refused people)."""
    new: dict[str, Person] = {}
    known: dict[str, int] = {}
    refused: list[Question] = []
    of_code: dict[str, list[str]] = defaultdict(list)
    for one in people:
        of_code[one.code or ""].append(one.ref)
    taken: set[int] = set()
    for person, found in zip(people, met, strict=True):
        ids = {*found.by_code, *found.by_email} or {*found.by_phone}
        if found.is_code_retired:
            refused.append(Question(person.ref, person.ref, Why.CODE_OF_ERASED))
        elif person.code and len(of_code[person.code]) > 1:
            others = others_of(of_code[person.code], person.ref)
            refused.append(Question(person.ref, person.ref, Why.SAME_CODE, others))
        elif len(ids) > 1:
            refused.append(Question(person.ref, person.ref, Why.SEVERAL_USERS))
        elif not ids:
            new[person.ref] = person
        elif ids <= taken:
            refused.append(Question(person.ref, person.ref, Why.SAME_USER))
        else:
            known[person.ref] = ids.pop()
            taken.add(known[person.ref])
    return new, known, refused


def without_held_phones(
    new: Mapping[str, Person], holders: Mapping[str, Sequence[int]]
) -> tuple[dict[str, Person], list[Question]]:
    """Let new people come without proof of a phone that users have proved here. `holders`: their ids by phone."""
    parted = dict(new)
    ask: list[Question] = []
    for ref, person in new.items():
        ids = holders.get(person.phone or "", ())
        if ids and person.phone_proved:
            parted[ref] = replace(person, phone_proved=False)
            ask.append(Question(ref, ref, Why.PHONE_HELD, ", ".join(map(str, ids[:OTHERS_TOLD_MAX]))))
    return parted, ask


def without_stronger_links(
    pairs: Sequence[Pair], user_of: Mapping[str, int]
) -> tuple[tuple[Pair, ...], list[Question]]:
    kept: list[Pair] = []
    others: list[Question] = []
    for one in pairs:
        booking = one.booking
        is_theirs = booking.user_id is not None and booking.user_id == user_of.get(one.visit.person)
        if booking.matched_by in STRONGER and not is_theirs:
            others.append(Question(one.visit.ref, one.visit.person, Why.ANOTHER_USER, visit=one.visit))
        else:
            kept.append(one)
    return tuple(kept), others


def others_of(refs: Sequence[str], ref: str) -> str:
    """Join the first `OTHERS_TOLD_MAX` of the other references."""
    return ", ".join([one for one in refs if one != ref][:OTHERS_TOLD_MAX])


@lru_cache(maxsize=4096)
def percent_for_points(points: int, price_kopecks: int) -> Decimal | None:
    """Return the smallest percent (up to four places) at which the price earns exactly these points; None if none does."""
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
    """Plan the entries that bring the person's ledger to the source's balance; return also the points no visit can carry.

    `pairs`: the person's; `all_points`: of all their visits, used where the source has no balance; `has_already`: their
    balance in our ledger before the import. Without a balance in the source nothing is taken from what they have.
    """
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
    by_visit = sum(one.points for one in accruals)
    if person.balance is not None:
        before = person.balance
    elif has_already > 0:
        # What they have may stand for those visits of the source that no booking carries.
        before = max(all_points, has_already + by_visit)
    else:
        before = has_already + all_points
    opening = before - has_already - by_visit
    return PointsPlan(person.ref, before, tuple(accruals), opening, person.balance is not None), unsaid


def opening_of(plan: PointsPlan, balance: int) -> int:
    """Return the points of the opening entry. `balance`: in our ledger, once the visits are settled.

    A balance that the source names is reached exactly. Else the points that settling moved between people stay moved, and
    the entry gives or takes at most what was planned.
    """
    lacking = plan.before - balance
    if plan.is_told:
        return lacking
    return max(min(lacking, max(plan.opening, 0)), min(plan.opening, 0))


def _by_record(visit: Visit, person: Person, named: Sequence[MirrorVisit]) -> MirrorVisit | Why:
    if not named:
        return Why.NOT_IN_MIRROR
    if len(named) > 1:
        return Why.SEVERAL_COMPANIES
    (booking,) = named
    fits = _has_contact(booking, person) or (_has_time(booking, visit) and not booking.handed_over)
    return booking if fits else Why.RECORD_DOES_NOT_FIT


def _by_contact(visit: Visit, person: Person, at_that_time: Sequence[MirrorVisit]) -> MirrorVisit | Why:
    if _start(visit) is None:
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


def _start(visit: Visit) -> datetime | None:
    return visit.wall_time or visit.starts_at


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
    return Question(visit.ref, visit.person, why, visit=visit)
