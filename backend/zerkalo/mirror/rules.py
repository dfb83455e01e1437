"""What a batch does to bookings, cards and refetches: one decision after another, on values. Pure."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from zoneinfo import ZoneInfo

import structlog
from msgspec import UnsetType
from msgspec.structs import replace

from zerkalo.bookings import rules
from zerkalo.bookings.merging.rules import ATTENDANCE_STATUS, changes_between
from zerkalo.bookings.model import Cause, Event, Row, Snapshot, Source, Status
from zerkalo.clients.model import Key as CardKey
from zerkalo.clients.model import Sight
from zerkalo.kit.zones import rules_of
from zerkalo.loyalty.model import EarningState
from zerkalo.matching.rules import codes_in
from zerkalo.mirror.model import Item, Key, Observation, Outcome, OutcomeStatus
from zerkalo.mirror.snapshots import counts_for_card, digest_of, sights_of, snapshot_of
from zerkalo.refetches.model import Refetch
from zerkalo.users.model import Names
from zerkalo.yclients.model import SalonClient

log = structlog.get_logger(__name__)

CAUSES: Mapping[Source, Cause] = {Source.WEBHOOK: "call", Source.PAGE: "sync", Source.REFETCH: "read"}


@dataclass(slots=True)
class Booking:
    """A booking while its batch is being decided."""

    before: Row | None
    row: Row | None
    cause: Cause = "person"
    """What brought the last change in this batch; of a rematch: a person, or a card."""
    run_id: int | None = None
    """The sync run that brought it."""
    delivery_id: int | None = None
    """The call that brought it."""

    @property
    def is_changed(self) -> bool:
        """Whether there is something to write."""
        return self.row is not None and self.row != self.before


@dataclass(slots=True)
class Work:
    """What the batch has decided so far."""

    now: datetime
    order_now: datetime
    """The database's time, against which change times are judged."""
    number: int
    """The number of this batch's calls in the sequence of observations."""
    zones: Mapping[int, ZoneInfo | None]
    bookings: dict[Key, Booking]
    sights: list[Sight] = field(default_factory=list[Sight])
    """Cards as this batch's records and `client` events have them."""
    refetches: dict[Key, Refetch] = field(default_factory=dict[Key, Refetch])


def named_by(items: Iterable[Item]) -> tuple[frozenset[CardKey], Names, dict[str, Key]]:
    """The cards and the users that items name, and their records by the `api_id` they carry."""
    cards, codes, emails, phone10s = set[CardKey](), set[str](), set[str](), set[str]()
    api_ids: dict[str, Key] = {}
    for item in items:
        observation, record = item.observation, item.observation and item.observation.record
        client = record.client if record else item.client
        company_id = observation.company_id if observation else item.delivery and item.delivery.company_id
        if isinstance(client, SalonClient):
            if isinstance(client.client_id, int) and company_id is not None:
                cards.add((company_id, client.client_id))
            if isinstance(client.email, str):
                emails.add(client.email)
            if isinstance(client.phone10, str):
                phone10s.add(client.phone10)
        if observation and record:
            codes.update(
                codes_in(record.comment) if isinstance(record.comment, str) and record.comment else ()
            )
            if isinstance(record.api_id, str) and record.api_id:
                api_ids[record.api_id] = observation.key
    names = Names(codes=frozenset(codes), emails=frozenset(emails), phone10s=frozenset(phone10s))
    return frozenset(cards), names, api_ids


def observe(work: Work, observation: Observation, delivery_id: int | None = None) -> Outcome:
    """Decide on one observation and apply the decision to its booking in the batch. `delivery_id`: the call that brought it."""
    booking = work.bookings[observation.key]
    snapshot = _snapshot(work, observation)
    if observation.source is Source.WEBHOOK:
        observation = replace(observation, number=work.number)
    decision = rules.decide(booking.row, snapshot, observation, now=work.order_now)
    _ask(work, observation, decision)
    if snapshot is not None and counts_for_card(booking.row, observation.source, decision):
        work.sights += sights_of(snapshot, observation=observation.number, now=work.now)
    if isinstance(decision, rules.Write):
        _log_unknown_attendance(snapshot, delivery_id)
        booking.cause, booking.run_id = CAUSES[observation.source], observation.run_id
        booking.delivery_id = delivery_id
    return _carry_out(work, booking, observation, decision)


def _log_unknown_attendance(snapshot: Snapshot | None, delivery_id: int | None) -> None:
    """Warn of an attendance code that we don't know, once a change: the booking counts as PENDING meanwhile."""
    if snapshot is None or isinstance(snapshot.attendance, UnsetType):
        return
    if snapshot.attendance not in ATTENDANCE_STATUS:
        log.warning(
            "unknown attendance",
            yclients_record_id=snapshot.record_id,
            attendance=snapshot.attendance,
            delivery_id=delivery_id,
        )


def _snapshot(work: Work, observation: Observation) -> Snapshot | None:
    if observation.record is None:
        return None
    complete = observation.source in (Source.PAGE, Source.REFETCH)
    return snapshot_of(observation.record, work.zones.get(observation.company_id), complete=complete)


def _ask(work: Work, observation: Observation, decision: rules.Decision) -> None:
    if isinstance(decision, rules.Refetch):
        reason = decision.reason
    else:
        reason = decision.refetch if isinstance(decision, rules.Write) else None
    # `refetching` reads a contradiction once more by itself.
    if reason and not (reason == rules.CONTRADICTION and observation.source is Source.REFETCH):
        want(work, Refetch(*observation.key, reason=reason))


def want(work: Work, refetch: Refetch) -> None:
    """Note a record to ask for, once a batch; it counts as unsigned only if nothing but unsigned calls wants it."""
    key = (refetch.company_id, refetch.record_id)
    asked = work.refetches.get(key)
    work.refetches[key] = replace(refetch, unsigned=refetch.unsigned and (asked is None or asked.unsigned))


def _carry_out(work: Work, booking: Booking, observation: Observation, decision: rules.Decision) -> Outcome:
    match decision:
        case rules.Insert(row):
            booking.row = replace(
                row, raw_digest=_digest(work, row, observation), observation=observation.number
            )
            cancelled = row.status is Status.CANCELLED
            return Outcome(OutcomeStatus.APPLIED, created=True, cancelled=cancelled)
        case rules.Update(row):
            was = booking.row
            booking.row = replace(
                row,
                raw_digest=_digest(work, row, observation),
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


def _digest(work: Work, row: Row, observation: Observation) -> str | None:
    """The digest of what an API read brought; None for a webhook, whose records have another shape."""
    is_read = observation.source in (Source.PAGE, Source.REFETCH) and row.erased_at is None
    if not is_read or observation.record is None:
        return None
    zone = work.zones.get(observation.company_id)
    zone_rules = rules_of(zone).fingerprint if zone else None
    if observation.shown is not None and observation.shown.zone_rules == zone_rules:
        return observation.shown.digest
    return digest_of(observation.record.raw, zone_rules)


def earning_states(bookings: Mapping[Key, Booking], ids: Mapping[Key, int]) -> list[EarningState]:
    """The bookings whose points this batch may have changed."""
    states: list[EarningState] = []
    for key, booking in bookings.items():
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
    """What of a row its points depend on; None: it earns none."""
    if row is None:
        return None
    on = row.appointment_local or row.appointment_datetime
    could_earn = row.status is Status.COMPLETED and row.user_id is not None
    return (row.user_id, row.service_price, on and on.date()) if could_earn else None


def events(bookings: Mapping[Key, Booking], ids: Mapping[Key, int]) -> list[Event]:
    """The history of this batch's bookings, one event a change."""
    return [
        Event(ids[key], change, booking.cause, run_id=booking.run_id, delivery_id=booking.delivery_id)
        for key, booking in bookings.items()
        if booking.row is not None and booking.is_changed
        for change in changes_between(booking.before, booking.row)
    ]
