"""One batch in one transaction: read the rows concerned, ask the rules, write what they said.

Reads come before, writes after, both in sets; between them nothing but pure functions. Lock order: bookings in the
order of their lock numbers, cards, users, ledger.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from msgspec import UnsetType
from msgspec.structs import replace

from zerkalo.bookings import rules
from zerkalo.bookings import store as bookings
from zerkalo.bookings.history import Cause, Event, changes_between, write_events
from zerkalo.bookings.merge_rules import ATTENDANCE_STATUS
from zerkalo.bookings.model import Row, Snapshot, Source, Status
from zerkalo.clients.model import Key as CardKey
from zerkalo.clients.model import Sight
from zerkalo.db.pool import Connection
from zerkalo.inbox import store as inbox
from zerkalo.inbox.model import Finished
from zerkalo.kit.zones import rules_of, zone_of
from zerkalo.loyalty.model import EarningState, LoyaltyPolicy
from zerkalo.loyalty.service import settle_bookings
from zerkalo.matching import store as matching
from zerkalo.mirror.cards import Cards, sights_of, sights_of_clients, teaches
from zerkalo.mirror.links import Linker
from zerkalo.mirror.model import Item, Observation, Outcome, OutcomeStatus
from zerkalo.mirror.snapshots import digest_of, snapshot_of
from zerkalo.refetches import store as refetches
from zerkalo.refetches.model import Refetch

log = structlog.get_logger(__name__)

Key = tuple[int, int]
"""(company, record)."""

CAUSES: Mapping[Source, Cause] = {Source.WEBHOOK: "call", Source.PAGE: "sync", Source.REFETCH: "read"}
MISSING_USERS_LOGGED_MAX = 50
"""Record ids in one log line."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a batch did: an outcome an item, in the items' order, and the companies that YCLIENTS is to be asked about."""

    outcomes: tuple[Outcome, ...]
    companies_to_ring: frozenset[int]
    cards_to_rematch: frozenset[CardKey] = frozenset()
    """Cards that say something else than before: their other bookings are to be looked at again."""


@dataclass(slots=True)
class _Booking:
    """A booking while the batch is decided."""

    before: Row | None
    row: Row | None
    api_id: str | None = None
    cause: Cause = "person"
    """What the last change in this batch came by; a rematch follows somebody's proof or word."""

    @property
    def is_changed(self) -> bool:
        """Whether there is something to write."""
        return self.row is not None and self.row != self.before


@dataclass(slots=True)
class _Work:
    """What the batch has decided so far."""

    now: datetime
    order_now: datetime
    """The database's time, against which change times are judged."""
    number: int
    """Of the calls in this batch, in the sequence of observations."""
    zones: Mapping[int, ZoneInfo | None]
    bookings: dict[Key, _Booking]
    outcomes: list[Outcome | None]
    new_ids: Mapping[Key, int] = field(default_factory=dict[Key, int])
    """Reserved for the bookings that have no row yet."""
    email_counts_alone: bool = True
    """The setting `MATCH_EMAIL_ALONE`."""
    sights: list[Sight] = field(default_factory=list[Sight])
    """What was seen of cards."""
    cards: Cards = field(default_factory=lambda: Cards({}))
    refetches: dict[Key, Refetch] = field(default_factory=dict[Key, Refetch])
    relink_all: bool = False
    """Look for the user of every booking, changed or not."""


async def take_batch(
    conn: Connection,
    items: Sequence[Item],
    *,
    policy: LoyaltyPolicy,
    now: datetime,
    order_now: datetime | None = None,
    email_counts_alone: bool = True,
) -> Taken:
    """Take items in and keep their deliveries, in the caller's transaction.

    `order_now` judges change times; None: the database's clock.
    Writes bookings, cards, candidates, ledger entries, refetch requests and deliveries. Raises what PostgreSQL raises; then
    nothing of the batch stands.
    """
    observed = [item.observation for item in items if item.observation is not None]
    work = await _read(conn, observed, now, order_now, [item.verdict for item in items])
    work.email_counts_alone = email_counts_alone
    for index, item in enumerate(items):
        if item.observation is not None:
            work.outcomes[index] = _observe(work, item.observation)
        if item.refetch is not None:
            _want(work, item.refetch)
    shown = [(one.delivery.company_id, one.client) for one in items if one.delivery and one.client]
    if shown:
        number = work.number or await bookings.next_observation(conn)
        work.sights += sights_of_clients(shown, observation=number, now=work.now)
    ids = await _write(conn, work, policy)
    outcomes = tuple(_with_id(item, outcome, ids) for item, outcome in zip(items, work.outcomes, strict=True))
    await _keep(conn, items, outcomes, now)
    await write_events(conn, _events(work, ids), now=now)
    companies = frozenset(company_id for company_id, _ in work.refetches)
    return Taken(outcomes, companies, work.cards.to_rematch)


async def keep_read(conn: Connection, observation: Observation, outcome: Outcome, now: datetime) -> None:
    """Keep a record that the API showed and that we can't take in."""
    await inbox.quarantine_record(
        conn,
        company_id=observation.company_id,
        record_id=observation.record_id,
        raw=observation.record.raw if observation.record else b"",
        reason=outcome.reason or "",
        now=now,
    )


async def rematch_batch(
    conn: Connection,
    keys: Collection[Key],
    *,
    policy: LoyaltyPolicy,
    now: datetime,
    first: Callable[[Key, Row], Row] = lambda _key, row: row,
    email_counts_alone: bool = True,
) -> int:
    """Look again whose these bookings are, from what was seen of them before. Returns how many rows changed.

    `first` is done to each row before: what else somebody knows of whose it is.
    """
    await matching.enter(conn)
    await bookings.claim(conn, keys)
    rows = await bookings.rows_for_update(conn, keys)
    found = {key: _Booking(before=row, row=first(key, row)) for key, row in rows.items()}
    work = _Work(now=now, order_now=now, number=0, zones={}, bookings=found, outcomes=[], relink_all=True)
    work.email_counts_alone = email_counts_alone
    ids = await _write(conn, work, policy)
    await write_events(conn, _events(work, ids), now=now)
    return sum(booking.row != booking.before for booking in found.values())


async def _read(
    conn: Connection,
    observed: Sequence[Observation],
    now: datetime,
    order_now: datetime | None,
    verdicts: Sequence[Outcome | None],
) -> _Work:
    keys = sorted({observation.key for observation in observed})
    work = _Work(now=now, order_now=now, number=0, zones={}, bookings={}, outcomes=list(verdicts))
    if not keys:
        return work
    # All go together in a pipeline: a batch of a few events costs as many ways to the server as a large one.
    await matching.enter(conn)
    await bookings.claim(conn, keys)
    companies = await conn.execute(_COMPANIES, [list({company_id for company_id, _ in keys})])
    received = await conn.execute("select nextval('observations'), clock_timestamp()")
    new_ids = await bookings.reserve_ids(conn, keys)
    rows = await bookings.rows_for_update(conn, keys)
    ((work.number, database_now),) = await received.fetchall()
    work.order_now = database_now if order_now is None else order_now
    work.zones = {company_id: zone_of(name) for company_id, name in await companies.fetchall()}
    work.new_ids = await bookings.reserved(new_ids)
    work.bookings = {key: _Booking(before=rows.get(key), row=rows.get(key)) for key in keys}
    return work


_COMPANIES = "select id, timezone_name from companies where id = any(%s)"


def _observe(work: _Work, observation: Observation) -> Outcome:
    """Decide on one observation and bring the booking's state in the batch forward by it."""
    booking = work.bookings[observation.key]
    snapshot = _snapshot(work, observation)
    if observation.source is Source.WEBHOOK:
        observation = replace(observation, number=work.number)
    decision = rules.decide(booking.row, snapshot, observation, now=work.order_now)
    if snapshot is not None and snapshot.api_id:
        booking.api_id = snapshot.api_id
    _ask(work, observation, decision)
    _log_unknown_attendance(observation, snapshot, decision)
    if snapshot is not None and teaches(booking.row, observation.source, decision):
        work.sights += sights_of(snapshot, observation=observation.number, now=work.now)
    return _carry_out(work, booking, observation, decision)


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
    if snapshot.attendance not in ATTENDANCE_STATUS:
        log.warning(
            "unknown attendance", yclients_record_id=snapshot.record_id, attendance=snapshot.attendance
        )


def _snapshot(work: _Work, observation: Observation) -> Snapshot | None:
    if observation.record is None:
        return None
    complete = observation.source in (Source.PAGE, Source.REFETCH)
    return snapshot_of(observation.record, work.zones.get(observation.company_id), complete=complete)


def _ask(work: _Work, observation: Observation, decision: rules.Decision) -> None:
    match decision:
        case rules.Refetch(reason) | rules.Insert(refetch=str(reason)) | rules.Update(refetch=str(reason)):
            # Whoever asks for a single record reads a contradiction once more without being told to.
            if not (reason == rules.CONTRADICTION and observation.source is Source.REFETCH):
                _want(work, Refetch(*observation.key, reason=reason))
        case _:
            pass


def _want(work: _Work, refetch: Refetch) -> None:
    key = (refetch.company_id, refetch.record_id)
    asked = work.refetches.get(key)
    work.refetches[key] = replace(refetch, unsigned=refetch.unsigned and (asked is None or asked.unsigned))


def _carry_out(work: _Work, booking: _Booking, observation: Observation, decision: rules.Decision) -> Outcome:
    match decision:
        case rules.Insert(row):
            booking.row = replace(_with_digest(work, row, observation), observation=observation.number)
            booking.cause = CAUSES[observation.source]
            cancelled = row.status is Status.CANCELLED
            return Outcome(OutcomeStatus.APPLIED, created=True, cancelled=cancelled)
        case rules.Update(row):
            was = booking.row
            booking.cause = CAUSES[observation.source]
            booking.row = replace(
                _with_digest(work, row, observation),
                revision=row.revision + 1,
                observation=max(row.observation, observation.number),
            )
            cancelled = row.status is Status.CANCELLED and (was is None or was.status is not Status.CANCELLED)
            return Outcome(OutcomeStatus.APPLIED, cancelled=cancelled)
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


def _with_digest(work: _Work, row: Row, observation: Observation) -> Row:
    """Remember which bytes an API read showed; a webhook's bytes have another shape and are no use for that."""
    shown_by_api = observation.source in (Source.PAGE, Source.REFETCH) and row.erased_at is None
    if not shown_by_api or observation.record is None:
        return replace(row, raw_digest=None)
    zone = work.zones.get(observation.company_id)
    zone_rules = rules_of(zone).fingerprint if zone else None
    return replace(row, raw_digest=digest_of(observation.record.raw, zone_rules))


async def _write(conn: Connection, work: _Work, policy: LoyaltyPolicy) -> dict[Key, int]:
    """Link what changed, write it, settle the ledger, ask for refetches. Returns booking ids by key."""
    to_link = {key: booking for key, booking in work.bookings.items() if _may_link(work, booking)}
    pairs = [(booking.before, booking.row) for booking in to_link.values()]
    work.cards = await Cards.learn(conn, work.sights, pairs, now=work.now)
    linker = await Linker.look_up(
        conn,
        {key: (booking.row, booking.api_id) for key, booking in to_link.items()},
        work.cards,
        email_counts_alone=work.email_counts_alone,
    )
    for key, booking in work.bookings.items():
        if key in linker:
            booking.row = linker.linked(key, booking.before)
    fresh = {key: b.row for key, b in work.bookings.items() if b.row is not None and b.row.id is None}
    changed = [
        b.row for b in work.bookings.values() if b.row is not None and b.row.id is not None and b.is_changed
    ]
    ids = {key: b.row.id for key, b in work.bookings.items() if b.row is not None and b.row.id is not None}
    ids |= {key: work.new_ids[key] for key in fresh}
    await bookings.insert(conn, [replace(row, id=ids[key]) for key, row in fresh.items()], now=work.now)
    await bookings.update(conn, changed, now=work.now)
    await linker.remember_candidates(conn, ids, now=work.now)
    await settle_bookings(conn, _earning_states(work, ids), policy, work.now)
    await refetches.ask(conn, list(work.refetches.values()), now=work.now)
    _log_missing_users(work, linker)
    return ids


def _may_link(work: _Work, booking: _Booking) -> bool:
    return booking.row is not None and (work.relink_all or booking.is_changed)


def _earning_states(work: _Work, ids: Mapping[Key, int]) -> list[EarningState]:
    """The bookings whose points this batch may have changed."""
    states: list[EarningState] = []
    for key, booking in work.bookings.items():
        row, before = booking.row, booking.before
        if row is None or _earning(row) == _earning(before) or row.appointment_datetime is None:
            continue
        states.append(
            EarningState(
                booking_id=ids[key],
                revision=1 if before is None or before.id is None else before.revision + 1,
                user_id=row.user_id,
                status=row.status,
                price_kopecks=row.service_price,
                visit_on=(row.appointment_local or row.appointment_datetime).date(),
            )
        )
    return states


def _earning(row: Row | None) -> tuple[object, ...] | None:
    """What of a row decides on its points; None: it can't have any and can't have had any."""
    if row is None:
        return None
    on = row.appointment_local or row.appointment_datetime
    could_earn = row.status is Status.COMPLETED and row.user_id is not None
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


async def _keep(conn: Connection, items: Sequence[Item], outcomes: Sequence[Outcome], now: datetime) -> None:
    """Put the deliveries into the inbox with what they did, and records of the API's that can't be taken in."""
    finished: list[Finished] = []
    for item, outcome in zip(items, outcomes, strict=True):
        if item.delivery is not None:
            finished.append(Finished(item.delivery, outcome.status, outcome.reason, outcome.booking_id))
        elif item.observation is not None and outcome.status is OutcomeStatus.QUARANTINED:
            await keep_read(conn, item.observation, outcome, now)
    await inbox.put(conn, finished, now=now)


def _events(work: _Work, ids: Mapping[Key, int]) -> list[Event]:
    """What happened to the bookings of this batch."""
    return [
        Event(booking_id=ids[key], change=change, cause=booking.cause)
        for key, booking in work.bookings.items()
        if booking.row is not None and booking.is_changed
        for change in changes_between(booking.before, booking.row)
    ]


def _with_id(item: Item, outcome: Outcome | None, ids: Mapping[Key, int]) -> Outcome:
    assert outcome is not None, "an item carries an observation or a verdict"
    if item.observation is None:
        return outcome
    return replace(outcome, booking_id=ids.get(item.observation.key))
