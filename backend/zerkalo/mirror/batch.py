"""One batch in one transaction: read the rows concerned, ask the rules, write what they said.

Reads come before, writes after, both in sets; between them nothing but pure functions. Lock order: bookings in the
order of their lock numbers, users, ledger.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from msgspec import UnsetType
from msgspec.structs import replace

from zerkalo.bookings import rules
from zerkalo.bookings import store as bookings
from zerkalo.bookings.merge_rules import ATTENDANCE_STATUS, learn_codes
from zerkalo.bookings.model import Row, Snapshot, Source, Status
from zerkalo.db.pool import Connection
from zerkalo.loyalty.model import EarningState, LoyaltyPolicy
from zerkalo.loyalty.service import settle_bookings
from zerkalo.matching import store as matching
from zerkalo.mirror.keeping import keep_deliveries
from zerkalo.mirror.links import Linker
from zerkalo.mirror.model import HINT_LIMIT, Item, Observation, Outcome, OutcomeStatus
from zerkalo.mirror.overheard import codes_overheard
from zerkalo.mirror.snapshots import digest_of, snapshot_of, zone_of
from zerkalo.refetches import requests
from zerkalo.refetches.requests import Request

log = structlog.get_logger(__name__)

Key = tuple[int, int]
"""(company, record)."""

_HINTS = 0
"""Stands for a record id, which begin at 1, in the claim of what a company's unsigned calls have left behind."""
MISSING_USERS_LOGGED_MAX = 50
"""Record ids in one log line."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a batch did: an outcome an item, in the items' order, and the companies that YCLIENTS is to be asked about."""

    outcomes: tuple[Outcome, ...]
    companies_to_ring: frozenset[int]


@dataclass(slots=True)
class _Booking:
    """A booking while the batch is decided."""

    before: Row | None
    row: Row | None
    removed_ids: list[int] = field(default_factory=list[int])
    api_id: str | None = None
    adoptable: bookings.Adoptable | None = None
    """`before` is a row of an older system, which stands for this booking by its note only."""
    is_adopted: bool = False
    """It is to get the key, whatever else changes."""
    overheard: list[Snapshot] = field(default_factory=list[Snapshot])
    """Believed showings that came in this batch while no row could remember them."""

    @property
    def is_changed(self) -> bool:
        """Whether there is something to write."""
        return self.row is not None and (self.is_adopted or self.row != self.before)

    @property
    def has_remembering_row(self) -> bool:
        """Whether there is a row that signed calls and API reads teach their codes."""
        return self.row is not None and self.row.verified

    @property
    def is_first_believed(self) -> bool:
        """Whether this batch made it a row that remembers."""
        was_remembering = self.before is not None and self.before.verified and not self.is_adopted
        return self.has_remembering_row and not was_remembering

    def learn(self, told: Iterable[Snapshot]) -> None:
        """Teach the row the codes of what was told before it could remember them."""
        for snapshot in told:
            assert self.row is not None, "only a believed row learns"
            self.row = learn_codes(self.row, snapshot)


@dataclass(slots=True)
class _Work:
    """What the batch has decided so far."""

    now: datetime
    zones: Mapping[int, ZoneInfo | None]
    bookings: dict[Key, _Booking]
    hint_room: dict[int, int]
    outcomes: list[Outcome | None]
    requests: dict[Key, Request] = field(default_factory=dict[Key, Request])
    relink_all: bool = False
    """Look for the user of every booking, changed or not."""


async def take_batch(
    conn: Connection, items: Sequence[Item], *, policy: LoyaltyPolicy, now: datetime
) -> Taken:
    """Take items in and keep their deliveries, in the caller's transaction.

    Writes bookings, candidates, ledger entries, refetch requests and deliveries. Raises what PostgreSQL raises; then
    nothing of the batch stands.
    """
    observed = [item.observation for item in items if item.observation is not None]
    work = await _read(conn, observed, now, [item.verdict for item in items])
    for index, item in enumerate(items):
        if item.observation is not None:
            work.outcomes[index] = _observe(work, item.observation)
    ids = await _write(conn, work, policy)
    outcomes = tuple(_with_id(item, outcome, ids) for item, outcome in zip(items, work.outcomes, strict=True))
    told = await keep_deliveries(conn, items, outcomes, now)
    return Taken(tuple(told), frozenset(company_id for company_id, _ in work.requests))


async def rematch_batch(
    conn: Connection,
    keys: Collection[Key],
    *,
    policy: LoyaltyPolicy,
    now: datetime,
    first: Callable[[Key, Row], Row] = lambda _key, row: row,
) -> int:
    """Look again whose these bookings are, from what was seen of them before. Returns how many rows changed.

    `first` is done to each row before: what else somebody knows of whose it is.
    """
    await matching.enter(conn)
    await bookings.claim(conn, keys)
    rows = await bookings.rows_for_update(conn, keys)
    found = {key: _Booking(before=row, row=first(key, row)) for key, row in rows.items()}
    work = _Work(now=now, zones={}, bookings=found, hint_room={}, outcomes=[], relink_all=True)
    await _write(conn, work, policy)
    return sum(booking.row != booking.before for booking in found.values())


async def _read(
    conn: Connection, observed: Sequence[Observation], now: datetime, verdicts: Sequence[Outcome | None]
) -> _Work:
    keys = sorted({observation.key for observation in observed})
    work = _Work(now=now, zones={}, bookings={}, hint_room={}, outcomes=list(verdicts))
    if not keys:
        return work
    hinting = {one.company_id for one in observed if one.source is Source.HINT}
    # One way to the server and back for the four: a batch of a few events costs as many of these as a large one.
    async with conn.pipeline():
        await matching.enter(conn)
        # Batches with unsigned calls take turns: two that count what these have left behind must not both find room.
        await bookings.claim(conn, [*keys, *((company_id, _HINTS) for company_id in hinting)])
        companies = await conn.execute(_COMPANIES, [list({company_id for company_id, _ in keys})])
        rows, adoptable = await bookings.known_and_adoptable(conn, keys)
        work.zones = {company_id: zone_of(name) for company_id, name in await companies.fetchall()}
    work.bookings = {key: _Booking(before=rows.get(key), row=rows.get(key)) for key in keys}
    for key, one in adoptable.items():
        work.bookings[key] = _Booking(before=one.row, row=one.row, adoptable=one)
    for company_id in hinting:
        waiting = await requests.hint_count(conn, company_id)
        unverified = await bookings.unverified_count(conn, company_id)
        work.hint_room[company_id] = bookings.UNVERIFIED_MAX - max(waiting, unverified)
    return work


_COMPANIES = "select id, timezone_name from companies where id = any(%s)"


def _observe(work: _Work, observation: Observation) -> Outcome:
    """Decide on one observation and bring the booking's state in the batch forward by it."""
    booking = work.bookings[observation.key]
    snapshot = _snapshot(work, observation)
    showing = rules.Showing(
        source=observation.source,
        snapshot=snapshot,
        is_delete=observation.is_delete,
        gone=observation.gone,
        remembered_revision=observation.remembered_revision,
    )
    decision = rules.decide(_row_for(booking, observation), showing, now=work.now)
    if observation.source is Source.HINT and not _admit_hint(work, observation, decision):
        return Outcome(OutcomeStatus.QUEUED, reason=HINT_LIMIT)
    if snapshot is not None and snapshot.api_id and observation.source is not Source.HINT:
        booking.api_id = snapshot.api_id
    if booking.adoptable is not None and observation.source is not Source.HINT and not observation.gone:
        booking.is_adopted = True
    _ask(work, observation, decision)
    _log_unknown_attendance(observation, snapshot, decision)
    outcome = _carry_out(booking, observation, decision)
    if snapshot is not None and observation.source is not Source.HINT and not booking.has_remembering_row:
        booking.overheard.append(snapshot)
    return outcome


def _row_for(booking: _Booking, observation: Observation) -> Row | None:
    """The row that an observation is about. That one company does not know a record says nothing of a row that names none."""
    adoptable = booking.adoptable
    if observation.gone and adoptable is not None and not (adoptable.knows_company or booking.is_adopted):
        return None
    return booking.row


def _log_unknown_attendance(
    observation: Observation, snapshot: Snapshot | None, decision: rules.Decision
) -> None:
    """An attendance that we have no word for counts as waiting; a person should hear of it, once a change."""
    if (
        snapshot is None
        or not isinstance(decision, rules.Insert | rules.Update)
        or isinstance(snapshot.attendance, UnsetType)
    ):
        return
    if observation.source is not Source.HINT and snapshot.attendance not in ATTENDANCE_STATUS:
        log.warning(
            "unknown attendance", yclients_record_id=snapshot.record_id, attendance=snapshot.attendance
        )


def _snapshot(work: _Work, observation: Observation) -> Snapshot | None:
    if observation.record is None:
        return None
    complete = observation.source in (Source.PAGE, Source.REFETCH)
    return snapshot_of(observation.record, work.zones.get(observation.company_id), complete=complete)


def _admit_hint(work: _Work, observation: Observation, decision: rules.Decision) -> bool:
    """Bound what unsigned calls can leave behind: rows and requests, `UNVERIFIED_MAX` a company."""
    asks_again = observation.key in work.requests
    if isinstance(decision, rules.Ignore) or (asks_again and isinstance(decision, rules.Refetch)):
        return True
    if work.hint_room[observation.company_id] <= 0:
        return False
    work.hint_room[observation.company_id] -= 1
    return True


def _ask(work: _Work, observation: Observation, decision: rules.Decision) -> None:
    match decision:
        case rules.Refetch(reason) | rules.Insert(refetch=str(reason)) | rules.Update(refetch=str(reason)):
            hint = observation.source is Source.HINT
            asked = work.requests.get(observation.key)
            work.requests[observation.key] = Request(
                *observation.key, reason=reason, hint=hint and (not asked or asked.hint)
            )
        case _:
            pass


def _carry_out(booking: _Booking, observation: Observation, decision: rules.Decision) -> Outcome:
    match decision:
        case rules.Insert(row):
            booking.row = _with_digest(row, observation)
            cancelled = row.status is Status.CANCELLED
            return Outcome(OutcomeStatus.APPLIED, created=True, cancelled=cancelled)
        case rules.Update(row):
            was = booking.row
            booking.row = replace(_with_digest(row, observation), revision=row.revision + 1)
            cancelled = row.status is Status.CANCELLED and (was is None or was.status is not Status.CANCELLED)
            return Outcome(OutcomeStatus.APPLIED, cancelled=cancelled)
        case rules.Remove():
            if booking.row is not None and booking.row.id is not None:
                booking.removed_ids.append(booking.row.id)
            booking.row = None
            return Outcome(OutcomeStatus.APPLIED, reason="YCLIENTS does not know it: removed")
        case rules.Stale(row):
            booking.row = row or booking.row
            return Outcome(OutcomeStatus.STALE)
        case rules.Unchanged():
            return Outcome(OutcomeStatus.UNCHANGED)
        case rules.Refetch(reason, row):
            booking.row = row or booking.row
            return Outcome(OutcomeStatus.QUEUED, reason=reason)
        case rules.Ignore(reason):
            return Outcome(OutcomeStatus.IGNORED, reason=reason)
        case rules.Quarantine(reason):
            return Outcome(OutcomeStatus.QUARANTINED, reason=reason)


def _with_digest(row: Row, observation: Observation) -> Row:
    """Remember which bytes an API read showed; a webhook's bytes have another shape and are no use for that."""
    shown_by_api = observation.source in (Source.PAGE, Source.REFETCH) and row.erased_at is None
    digest = digest_of(observation.record) if shown_by_api and observation.record is not None else None
    return replace(row, raw_digest=digest)


async def _write(conn: Connection, work: _Work, policy: LoyaltyPolicy) -> dict[Key, int]:
    """Link what changed, write it, settle the ledger, ask for refetches. Returns booking ids by key."""
    removed = [id_ for booking in work.bookings.values() for id_ in booking.removed_ids]
    await bookings.remove(conn, removed)
    await _learn_overheard(conn, work)
    linker = await Linker.look_up(
        conn, {key: (b.row, b.api_id) for key, b in work.bookings.items() if _may_link(work, b)}
    )
    for key, booking in work.bookings.items():
        if key in linker:
            booking.row = linker.linked(key, booking.before)
    fresh = [b.row for b in work.bookings.values() if b.row is not None and b.row.id is None]
    changed = [
        b.row for b in work.bookings.values() if b.row is not None and b.row.id is not None and b.is_changed
    ]
    ids = {key: b.row.id for key, b in work.bookings.items() if b.row is not None and b.row.id is not None}
    ids |= await bookings.insert(conn, fresh, now=work.now)
    await bookings.update(conn, changed, now=work.now)
    await linker.remember_candidates(conn, ids, now=work.now)
    await settle_bookings(conn, _earning_states(work, ids), policy, work.now)
    await requests.ask(conn, list(work.requests.values()), now=work.now)
    _log_missing_users(work, linker)
    return ids


async def _learn_overheard(conn: Connection, work: _Work) -> None:
    """Teach rows that are new to belief what was told of their records before: in this batch, and in earlier ones."""
    first = [key for key, booking in work.bookings.items() if booking.is_first_believed]
    for key in first:
        work.bookings[key].learn(work.bookings[key].overheard)
    for key, snapshot in await codes_overheard(conn, first) if first else ():
        work.bookings[key].learn([snapshot])


def _may_link(work: _Work, booking: _Booking) -> bool:
    return booking.row is not None and (work.relink_all or booking.is_changed)


def _earning_states(work: _Work, ids: Mapping[Key, int]) -> list[EarningState]:
    """The bookings whose points this batch may have changed."""
    states: list[EarningState] = []
    for key, booking in work.bookings.items():
        row, before = booking.row, booking.before
        # What an old row said earned nothing before it was adopted.
        earned = None if booking.is_adopted else _earning(before)
        if row is None or _earning(row) == earned or row.appointment_datetime is None:
            continue
        states.append(
            EarningState(
                booking_id=ids[key],
                revision=1 if before is None or before.id is None else before.revision + 1,
                user_id=row.user_id,
                status=row.status,
                price_kopecks=row.service_price,
                visit_on=(row.appointment_local or row.appointment_datetime).date(),
                verified=row.verified,
            )
        )
    return states


def _earning(row: Row | None) -> tuple[object, ...] | None:
    """What of a row decides on its points; None: it can't have any and can't have had any."""
    if row is None:
        return None
    on = row.appointment_local or row.appointment_datetime
    could_earn = row.status is Status.COMPLETED and row.user_id is not None and row.verified
    return (row.user_id, row.service_price, on and on.date()) if could_earn else None


def _log_missing_users(work: _Work, linker: Linker) -> None:
    missing = [
        key
        for key, b in work.bookings.items()
        if b.row is not None and b.row.id is None and b.row.user_id is None and key in linker
    ]
    if missing:
        records = [record_id for _, record_id in missing[:MISSING_USERS_LOGGED_MAX]]
        log.info("Пользователь не найден", yclients_record_ids=records, count=len(missing))


def _with_id(item: Item, outcome: Outcome | None, ids: Mapping[Key, int]) -> Outcome:
    assert outcome is not None, "an item carries an observation or a verdict"
    if item.observation is None:
        return outcome
    return replace(outcome, booking_id=ids.get(item.observation.key))
