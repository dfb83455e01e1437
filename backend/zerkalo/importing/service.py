"""One import: read the source, find the users and bookings it speaks of, and write all of it in one transaction or nothing."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from zerkalo.bookings import store as bookings
from zerkalo.codes.rules import canonical_code
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.importing import store
from zerkalo.importing.lines import Line, read_person, read_visit
from zerkalo.importing.model import (
    PERSON_COLUMNS,
    VISIT_COLUMNS,
    By,
    Pair,
    Pairing,
    Person,
    PointsPlan,
    Question,
    Report,
    Visit,
    Why,
)
from zerkalo.importing.rules import pair, plan_points
from zerkalo.importing.sources import Source, unknown_columns
from zerkalo.loyalty import service as loyalty
from zerkalo.loyalty import store as ledger
from zerkalo.loyalty.model import EntryDraft, Kind, LoyaltyPolicy, Reason
from zerkalo.matching import store as matching
from zerkalo.users import store as users
from zerkalo.users.importing import store as people_store
from zerkalo.users.importing.rules import ImportedPerson
from zerkalo.users.importing.store import Known, MovedIn

STRONGER = frozenset({"manual", "form", "code"})
"""Links that an import does not replace."""
BATCH = 2_000
LOCK_SECONDS_MAX = 60.0
STATEMENT_SECONDS_MAX = 600.0

Progress = Callable[[int], None]


class ImportRefused(Exception):
    """The import can't be applied as it is; one line that says why. Nothing was written."""


@dataclass(frozen=True, slots=True)
class Read:
    """What the source says, line by line, and the lines that can't be read."""

    people: tuple[Person, ...]
    visits: tuple[Visit, ...]
    refused: tuple[Question, ...] = ()
    ask: tuple[Question, ...] = ()
    unknown_columns: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class _Plan:
    """All that an import decided. `user_ids`: reference -> the user known before or reserved now."""

    read: Read
    new: Mapping[str, Person]
    known: Mapping[str, int]
    refused: tuple[Question, ...]
    pairing: Pairing
    pairs: tuple[Pair, ...]
    points: tuple[PointsPlan, ...]
    never_awarded: tuple[Question, ...]
    ask: tuple[Question, ...]


def read_source(source: Source, *, is_usable_hash: Callable[[str], bool]) -> Read:
    """Read both lists. Raises `MappingError` where the source does."""
    person_lines, visit_lines = list(source.people()), source.visits()
    people: dict[str, Person] = {}
    refused: list[Question] = []
    for line in person_lines:
        found = read_person(line, canonical_code=canonical_code, is_usable_hash=is_usable_hash)
        if isinstance(found, Question):
            refused.append(found)
        elif found.ref in people:
            refused.append(Question(found.ref, found.ref, "another person has the same ref"))
        else:
            people[found.ref] = found
    visits: dict[str, Visit] = {}
    ask: list[Question] = []
    first: Line | None = None
    for line in visit_lines:
        first = first or line
        visit = read_visit(line)
        if isinstance(visit, Question):
            ask.append(visit)
        elif visit.ref in visits:
            ask.append(Question(visit.ref, visit.person, "another visit has the same ref"))
        else:
            visits[visit.ref] = visit
    unknown = (
        *unknown_columns(person_lines[:1], PERSON_COLUMNS),
        *unknown_columns([first] if first else [], VISIT_COLUMNS),
    )
    parted, shared = _part_shared_contacts(list(people.values()))
    return Read(tuple(parted), tuple(visits.values()), tuple(refused), (*ask, *shared), unknown)


async def move_in(
    pool: Pool,
    read: Read,
    *,
    source: str,
    company_ids: Sequence[int],
    policy: LoyaltyPolicy,
    now: datetime,
    apply: bool,
    on_progress: Progress = lambda _done: None,
) -> Report:
    """Tell what the import does, and with `apply` do it, in one transaction; repeated, it writes nothing.

    Writes users, links, ledger entries and `origins`. Raises `ImportRefused` where `apply` is asked for and a line
    forbids it, or where the ledger would not end at the source's balances.
    """

    async def work(conn: Connection) -> Report:
        await people_store.lock_imports(conn)
        plan = await _plan(conn, read, source=source, company_ids=company_ids)
        report = _report(plan)
        if not apply:
            return report
        if plan.refused:
            raise ImportRefused("people are refused: mend their lines first; nothing was written")
        await _write(conn, plan, source=source, policy=policy, now=now, on_progress=on_progress)
        return replace(report, points_after=await _points_after(conn, plan, source), applied=True)

    return await in_transaction(
        pool,
        work,
        lock_timeout_seconds=LOCK_SECONDS_MAX,
        statement_timeout_seconds=STATEMENT_SECONDS_MAX,
    )


async def _plan(conn: Connection, read: Read, *, source: str, company_ids: Sequence[int]) -> _Plan:
    brought, visits_before, erased = await store.known_refs(conn, source)
    fresh = [one for one in read.people if one.ref not in brought and one.ref not in erased]
    met = await people_store.known_people(conn, [_as_imported(n, one) for n, one in enumerate(fresh)])
    new, known, refused = _sort_out(fresh, met)
    refused += [
        Question(one.ref, one.ref, "the person was erased") for one in read.people if one.ref in erased
    ]
    people = {one.ref: one for one in read.people}
    mirror = await store.mirror_visits(
        conn,
        company_ids,
        record_ids=[record_id for one in read.visits for record_id in one.record_ids],
        emails=[one.email for one in read.people if one.email],
        phones=[one.phone for one in read.people if one.phone],
    )
    pairing = pair([one for one in read.visits if one.ref not in visits_before], people, mirror)
    user_of = {**brought, **known}
    pairs, others = _without_stronger_links(pairing.pairs, user_of)
    points, never = await _plan_points(conn, read, pairs, {**new}, known)
    return _Plan(
        read,
        new,
        {**known, **brought},
        (*read.refused, *refused),
        pairing,
        pairs,
        points,
        never,
        (*read.ask, *pairing.ask, *others),
    )


async def _plan_points(
    conn: Connection, read: Read, pairs: Sequence[Pair], new: Mapping[str, Person], known: Mapping[str, int]
) -> tuple[tuple[PointsPlan, ...], tuple[Question, ...]]:
    """Points come with a person's first import only: what was earned or spent since is our own ledger's."""
    has_already = await users.balances_of(conn, list(known.values()))
    of_person: dict[str, list[Pair]] = defaultdict(list)
    for one in pairs:
        of_person[one.visit.person].append(one)
    told: Counter[str] = Counter()
    for visit in read.visits:
        told[visit.person] += visit.points
    plans: list[PointsPlan] = []
    never: list[Question] = []
    for person in read.people:
        if person.ref not in new and person.ref not in known:
            continue
        has = has_already.get(known[person.ref], 0) if person.ref in known else 0
        plan, unsaid = plan_points(person, of_person[person.ref], told[person.ref], has_already=has)
        plans.append(plan)
        never += unsaid
    paired = {one.visit.ref for one in pairs}
    never += [
        Question(one.ref, one.person, Why.NOT_IN_MIRROR)
        for one in read.visits
        if one.points and one.ref not in paired
    ]
    return tuple(plans), tuple(never)


async def _write(
    conn: Connection,
    plan: _Plan,
    *,
    source: str,
    policy: LoyaltyPolicy,
    now: datetime,
    on_progress: Progress,
) -> None:
    reserved = await people_store.reserve_ids(conn, len(plan.new))
    made = dict(zip(plan.new, reserved, strict=True))
    user_of = {**plan.known, **made}
    await people_store.insert_moved_in(
        conn, [_moved_in(made[ref], one) for ref, one in plan.new.items()], earns_from=now.date(), now=now
    )
    first_time = {one.ref for one in plan.points}
    completed = [
        _moved_in(plan.known[one.ref], one)
        for one in plan.read.people
        if one.ref in first_time and one.ref not in plan.new
    ]
    await people_store.complete_moved_in(conn, completed, earns_from=now.date(), now=now)
    await ledger.append(conn, _accruals(plan, user_of), now)
    for start in range(0, len(plan.pairs), BATCH):
        some = plan.pairs[start : start + BATCH]
        links = {
            one.booking.booking_id: user_of[one.visit.person]
            for one in some
            if one.booking.matched_by not in STRONGER  # else it is theirs already, by better evidence
        }
        await bookings.link_imported(conn, links, now=now)
        await matching.replace_candidates(conn, dict.fromkeys(links, frozenset()), now=now)
        await loyalty.settle_bookings_by_id(conn, links, policy, now)
        on_progress(start + len(some))
    balances = await users.balances_of(conn, [user_of[ref] for ref in first_time])
    await ledger.append(conn, _openings(plan, user_of, balances, source), now)
    fresh = {ref: user_of[ref] for ref in first_time}
    visits = [(one.visit.ref, one.booking.booking_id) for one in plan.pairs]
    await store.put_origins(conn, source, people=fresh, visits=visits, now=now)


async def _points_after(conn: Connection, plan: _Plan, source: str) -> int:
    """The balances as the ledger has them, which must be those of the source. Raises `ImportRefused`."""
    people, _, _ = await store.known_refs(conn, source)
    balances = await users.balances_of(conn, list(people.values()))
    wrong = [one.ref for one in plan.points if balances.get(people[one.ref], 0) != one.before]
    if wrong:
        raise ImportRefused(
            f"the balances of {len(wrong)} people would not be those of the source"
            f" (the first: ref {wrong[0]}); nothing was written"
        )
    return sum(balances.get(people[one.ref], 0) for one in plan.points)


def _accruals(plan: _Plan, user_of: Mapping[str, int]) -> list[EntryDraft]:
    return [
        EntryDraft(
            user_of[points.ref],
            one.points,
            Kind.ACCRUAL,
            Reason.COMPLETED,
            f"booking:{one.booking_id}:0",
            booking_id=one.booking_id,
            percent=one.percent,
        )
        for points in plan.points
        for one in points.accruals
    ]


def _openings(
    plan: _Plan, user_of: Mapping[str, int], balances: Mapping[int, int], source: str
) -> list[EntryDraft]:
    """What the ledger still lacks of each balance, `balances` being what it has once the visits are settled."""
    lacking = {one.ref: one.before - balances.get(user_of[one.ref], 0) for one in plan.points}
    return [
        EntryDraft(user_of[ref], points, Kind.ADJUSTMENT, Reason.OPENING, f"import:{source}:{ref}:opening")
        for ref, points in lacking.items()
        if points
    ]


def _report(plan: _Plan) -> Report:
    by = Counter(one.by for one in plan.pairs)
    by_visit = sum(one.points for points in plan.points for one in points.accruals)
    opening = sum(one.opening for one in plan.points)
    planned = sum(one.before for one in plan.points)
    refused = {one.ref for one in plan.refused}
    left_behind = sum(one.balance or 0 for one in plan.read.people if one.ref in refused)
    return Report(
        people_read=len(plan.read.people) + len(plan.read.refused),
        people_new=len(plan.new),
        people_known=len(plan.known),
        visits_read=len(plan.read.visits),
        visits_by_record=by[By.RECORD],
        visits_by_contact=by[By.CONTACT],
        points_before=planned + left_behind,
        points_after=planned,  # by the plan; what the ledger says is read after writing
        points_by_visit=by_visit,
        points_opening=opening,
        refused=plan.refused,
        ask=plan.ask,
        not_in_mirror=plan.pairing.not_in_mirror,
        never_awarded=plan.never_awarded,
        hours_off=plan.pairing.hours_off,
        unknown_columns=plan.read.unknown_columns,
    )


def _part_shared_contacts(people: list[Person]) -> tuple[list[Person], list[Question]]:
    """Contacts that two people claim prove neither of them: families share a phone, and a typing error an e-mail."""
    counts = Counter(contact for one in people for contact in (one.email, one.phone) if contact is not None)
    ask: list[Question] = []
    parted: list[Person] = []
    for one in people:
        shares_email = one.email is not None and counts[one.email] > 1
        shares_phone = one.phone is not None and counts[one.phone] > 1
        for shares, name in ((shares_email, "e-mail"), (shares_phone, "phone")):
            if shares:
                ask.append(
                    Question(one.ref, one.ref, f"another person has the same {name}: it counts as not proved")
                )
        parted.append(
            replace(
                one,
                email_proved=one.email_proved and not shares_email,
                phone_proved=one.phone_proved and not shares_phone,
            )
        )
    return parted, ask


def _sort_out(
    people: Sequence[Person], met: Sequence[Known]
) -> tuple[dict[str, Person], dict[str, int], list[Question]]:
    """(new people, users whom the others are, who can't be taken)."""
    new: dict[str, Person] = {}
    known: dict[str, int] = {}
    refused: list[Question] = []
    codes = Counter(one.code for one in people if one.code)
    for person, found in zip(people, met, strict=True):
        ids = {*found.by_code, *found.by_email} or {*found.by_phone}
        if found.is_code_retired:
            refused.append(Question(person.ref, person.ref, "the code was an erased person's"))
        elif person.code and codes[person.code] > 1:
            refused.append(Question(person.ref, person.ref, "another person has the same code"))
        elif len(ids) > 1:
            refused.append(
                Question(person.ref, person.ref, "code and contacts are those of several users of ours")
            )
        elif not ids:
            new[person.ref] = person
        elif (user_id := ids.pop()) in known.values():
            refused.append(
                Question(person.ref, person.ref, "another person of the source is the same user of ours")
            )
        else:
            known[person.ref] = user_id
    return new, known, refused


def _without_stronger_links(
    pairs: Sequence[Pair], user_of: Mapping[str, int]
) -> tuple[tuple[Pair, ...], list[Question]]:
    kept: list[Pair] = []
    others: list[Question] = []
    for one in pairs:
        booking = one.booking
        is_theirs = booking.user_id is not None and booking.user_id == user_of.get(one.visit.person)
        if booking.matched_by in STRONGER and not is_theirs:
            others.append(Question(one.visit.ref, one.visit.person, Why.ANOTHER_USER))
        else:
            kept.append(one)
    return tuple(kept), others


def _as_imported(line: int, person: Person) -> ImportedPerson:
    return ImportedPerson(line, person.email, person.phone, person.name, person.code)


def _moved_in(user_id: int, person: Person) -> MovedIn:
    return MovedIn(
        user_id,
        person.email,
        person.phone,
        person.name,
        person.code,
        person.password_hash,
        person.email_proved and person.email is not None,
        person.phone_proved and person.phone is not None,
        person.created_at,
    )
