"""One import: read the source, find its users and bookings in the mirror, and write everything in one transaction."""

from collections import Counter, defaultdict
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, date, datetime

from zerkalo.bookings import store as bookings
from zerkalo.companies import store as companies
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.importing import store
from zerkalo.importing.model import (
    Accrual,
    By,
    Pair,
    Pairing,
    Person,
    PointsPlan,
    Question,
    Report,
    Why,
)
from zerkalo.importing.rules import (
    STRONGER,
    opening_of,
    pair,
    plan_points,
    sort_out,
    without_held_phones,
    without_stronger_links,
)
from zerkalo.importing.source.model import Read
from zerkalo.kit.zones import zone_of
from zerkalo.loyalty import service as loyalty
from zerkalo.loyalty import store as ledger
from zerkalo.loyalty.model import EntryDraft, Kind, LoyaltyPolicy, Reason
from zerkalo.matching import store as matching
from zerkalo.users import store as users
from zerkalo.users.importing import store as people_store
from zerkalo.users.importing.rules import ImportedPerson
from zerkalo.users.importing.service import erased_people
from zerkalo.users.model import NewUser

BATCH = 2_000
LOCK_SECONDS_MAX = 60.0
STATEMENT_SECONDS_MAX = 600.0

Progress = Callable[[int], None]


class ImportRefused(Exception):
    """The import can't be applied; the message is one line that says why. Nothing was written."""


@dataclass(frozen=True, slots=True)
class _Plan:
    """Everything that an import decided. `known`: reference -> id of a user that exists already."""

    read: Read
    new: Mapping[str, Person]
    known: Mapping[str, int]
    refused: tuple[Question, ...]
    pairing: Pairing
    pairs: tuple[Pair, ...]
    points: tuple[PointsPlan, ...]
    never_awarded: tuple[Question, ...]
    ask: tuple[Question, ...]
    visits_known: int
    """Imported earlier."""


async def move_in(
    pool: Pool,
    read: Read,
    *,
    source: str,
    company_ids: Sequence[int],
    policy: LoyaltyPolicy,
    now: datetime,
    apply: bool,
    contact_key: bytes | None = None,
    on_progress: Progress = lambda _done: None,
) -> Report:
    """Report what the import would do; with `apply`, also do it, in one transaction. A repeated import writes nothing.

    With `contact_key` people are refused whom it would bring back though they were erased. Writes users, links, ledger
    entries and `origins`. Raises `ImportRefused` where `apply` is set and people are refused, or where the ledger would
    not end at the source's balances.
    """

    async def work(conn: Connection) -> Report:
        await people_store.lock_imports(conn)
        plan = await _plan(conn, read, source=source, company_ids=company_ids, contact_key=contact_key)
        report = _report(plan)
        if not apply:
            return report
        if plan.refused:
            raise ImportRefused("people are refused: mend their lines first; nothing was written")
        today = await _last_date(conn, company_ids, now)
        await _write(
            conn, plan, source=source, policy=policy, earns_from=today, now=now, on_progress=on_progress
        )
        after = await _points_after(conn, plan, source)
        # A person without a balance in the source is worth what they end at.
        before = report.points_before + sum(after[one.ref] - one.before for one in plan.points)
        return replace(report, points_before=before, points_after=sum(after.values()), applied=True)

    return await in_transaction(
        pool,
        work,
        lock_timeout_seconds=LOCK_SECONDS_MAX,
        statement_timeout_seconds=STATEMENT_SECONDS_MAX,
    )


async def _plan(
    conn: Connection, read: Read, *, source: str, company_ids: Sequence[int], contact_key: bytes | None
) -> _Plan:
    brought = await people_store.people_brought(conn, source)
    erased = await people_store.erased_brought(conn, source)
    visits_before = await people_store.visits_brought(conn, source)
    fresh = [one for one in read.people if one.ref not in brought and one.ref not in erased]
    met = await people_store.known_people(conn, [_as_imported(n, one) for n, one in enumerate(fresh)])
    new, known, refused = sort_out(fresh, met)
    if contact_key is not None:
        named = [_as_imported(n, one) for n, one in enumerate(new.values())]
        refs = list(new)
        erased |= {refs[line] for line in await erased_people(conn, named, contact_key)}
        new = {ref: one for ref, one in new.items() if ref not in erased}
    refused += [Question(one.ref, one.ref, Why.ERASED) for one in read.people if one.ref in erased]
    phones = [one.phone for one in new.values() if one.phone and one.phone_proved]
    new, held = without_held_phones(new, await people_store.phone_holders(conn, phones))
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
    pairs, others = without_stronger_links(pairing.pairs, user_of)
    points, never = await _plan_points(conn, read, pairs, new, known)
    return _Plan(
        read,
        new,
        {**known, **brought},
        (*read.refused, *refused),
        pairing,
        pairs,
        points,
        never,
        (*read.ask, *held, *pairing.ask, *others),
        sum(one.ref in visits_before for one in read.visits),
    )


async def _plan_points(
    conn: Connection,
    read: Read,
    pairs: Sequence[Pair],
    new: Mapping[str, Person],
    known: Mapping[str, int],
) -> tuple[tuple[PointsPlan, ...], tuple[Question, ...]]:
    """Plan points for people imported for the first time only: later movements are in our own ledger."""
    has_already = await ledger.read_balances(conn, list(known.values()))
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
    comes = new.keys() | known.keys()
    never += [
        Question(one.ref, one.person, Why.NOT_PAIRED, visit=one)
        for one in read.visits
        if one.points and one.ref not in paired and one.person in comes
    ]
    return tuple(plans), tuple(never)


async def _last_date(conn: Connection, company_ids: Sequence[int], now: datetime) -> date:
    """Return the date of `now` in the zones of these branches, the latest of several; UTC where none is known."""
    zones = [zone_of(one.timezone_name) or UTC for one in await companies.companies(conn, company_ids)]
    return max((now.astimezone(zone).date() for zone in zones), default=now.date())


async def _write(
    conn: Connection,
    plan: _Plan,
    *,
    source: str,
    policy: LoyaltyPolicy,
    earns_from: date,
    now: datetime,
    on_progress: Progress,
) -> None:
    reserved = await people_store.reserve_ids(conn, len(plan.new))
    made = dict(zip(plan.new, reserved, strict=True))
    user_of = {**plan.known, **made}
    new = {made[ref]: _new_user(one) for ref, one in plan.new.items()}
    await users.insert_people(conn, new, earns_from=earns_from, now=now)
    first_time = {one.ref for one in plan.points}
    completed = {
        plan.known[one.ref]: _new_user(one)
        for one in plan.read.people
        if one.ref in first_time and one.ref not in plan.new
    }
    await users.complete_people(conn, completed, earns_from=earns_from, now=now)
    await bookings.write_codes_of(conn, list(completed), now=now)
    accruals = {one.booking_id: (points.ref, one) for points in plan.points for one in points.accruals}
    for start in range(0, len(plan.pairs), BATCH):
        some = plan.pairs[start : start + BATCH]
        links = {
            one.booking.booking_id: user_of[one.visit.person]
            for one in some
            # A stronger link is kept: here it already names this user.
            if one.booking.matched_by not in STRONGER
        }
        paid = [accruals[one.booking.booking_id] for one in some if one.booking.booking_id in accruals]
        await ledger.append(conn, [_accrual(user_of[ref], one) for ref, one in paid], now)
        await bookings.link_imported(conn, links, stronger=STRONGER, now=now)
        await matching.replace_candidates(conn, dict.fromkeys(links, frozenset()), now=now)
        await loyalty.settle_bookings_by_id(conn, links, policy, now)
        visits = [(one.visit.ref, one.booking.booking_id) for one in some]
        await people_store.put_origins(conn, source, visits=visits, now=now)
        on_progress(start + len(some))
    balances = await ledger.read_balances(conn, [user_of[ref] for ref in first_time])
    await ledger.append(conn, _openings(plan, user_of, balances, source), now)
    fresh = {ref: user_of[ref] for ref in first_time}
    await people_store.put_origins(conn, source, people=fresh, now=now)


async def _points_after(conn: Connection, plan: _Plan, source: str) -> dict[str, int]:
    """Return the ledger's balances by reference. Raises `ImportRefused` where one differs from that of the source."""
    people = await people_store.people_brought(conn, source)
    balances = await ledger.read_balances(conn, list(people.values()))
    after = {one.ref: balances.get(people[one.ref], 0) for one in plan.points}
    wrong = [one.ref for one in plan.points if one.is_told and after[one.ref] != one.before]
    if wrong:
        raise ImportRefused(
            f"the balances of {len(wrong)} people would not be those of the source"
            f" (the first: ref {wrong[0]}); nothing was written"
        )
    return after


def _accrual(user_id: int, accrual: Accrual) -> EntryDraft:
    return EntryDraft(
        user_id,
        accrual.points,
        Kind.ACCRUAL,
        Reason.COMPLETED,
        f"booking:{accrual.booking_id}:0",
        booking_id=accrual.booking_id,
        percent=accrual.percent,
    )


def _openings(
    plan: _Plan, user_of: Mapping[str, int], balances: Mapping[int, int], source: str
) -> list[EntryDraft]:
    """Return the entries that bring each ledger balance to the source's. `balances`: once the visits are settled."""
    lacking = {one.ref: opening_of(one, balances.get(user_of[one.ref], 0)) for one in plan.points}
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
        people_fresh=len(plan.points),
        visits_read=len(plan.read.visits),
        visits_by_record=by[By.RECORD],
        visits_by_contact=by[By.CONTACT],
        visits_known=plan.visits_known,
        points_before=planned + left_behind,
        # As planned; after writing it is replaced by the sum read from the ledger.
        points_after=planned,
        points_by_visit=by_visit,
        points_opening=opening,
        refused=plan.refused,
        ask=plan.ask,
        not_in_mirror=plan.pairing.not_in_mirror,
        never_awarded=plan.never_awarded,
        hours_off=plan.pairing.hours_off,
        unknown_columns=plan.read.unknown_columns,
    )


def _as_imported(line: int, person: Person) -> ImportedPerson:
    return ImportedPerson(line, person.email, person.phone, person.name, person.code)


def _new_user(person: Person) -> NewUser:
    return NewUser(
        email=person.email,
        phone=person.phone,
        name=person.name,
        unique_code=person.code,
        password_hash=person.password_hash,
        email_proved=person.email_proved,
        phone_proved=person.phone_proved,
        created_at=person.created_at,
    )
