"""One batch in one transaction: read the rows concerned, have the rules decide, write what they decided.

Reads come first and writes last, both in sets; between them stand pure functions only. All questions are sent together,
and so are all writes: a batch waits for the database twice, and once more where a card changes or points move. Lock order:
bookings in the order of their lock numbers, cards, users, ledger.
"""

from collections.abc import Callable, Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from msgspec.structs import replace

from zerkalo.bookings import store as bookings
from zerkalo.bookings.model import Cause, Row
from zerkalo.clients.model import Key as CardKey
from zerkalo.db.pool import Connection
from zerkalo.form_bookings import store as form_bookings
from zerkalo.inbox import store as inbox
from zerkalo.inbox.model import Delivery, Finished
from zerkalo.kit.zones import zone_of
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.loyalty.service import settle_bookings
from zerkalo.mirror import store
from zerkalo.mirror.links import Cards, Linker
from zerkalo.mirror.model import Item, Key, Observation, Outcome, OutcomeStatus
from zerkalo.mirror.rules import Booking, Work, earning_states, events, named_by, observe, want
from zerkalo.mirror.snapshots import sights_of_client
from zerkalo.mirror.store import Known
from zerkalo.refetches import store as refetches

log = structlog.get_logger(__name__)

MISSING_USERS_LOGGED_MAX = 50
"""Records, and deliveries, named in one log line."""


@dataclass(frozen=True, slots=True)
class Applied:
    """What a batch did: an outcome for each item, in their order, and the companies that YCLIENTS is to be asked about."""

    outcomes: tuple[Outcome, ...]
    companies_to_ring: frozenset[int]
    cards_to_rematch: frozenset[CardKey] = frozenset()
    """Cards that have changed: their other bookings are to be matched anew."""


async def apply_batch(
    conn: Connection,
    items: Sequence[Item],
    *,
    policy: LoyaltyPolicy,
    now: datetime,
    order_now: datetime | None = None,
    email_counts_alone: bool = True,
    on_cards_held: Callable[[], None] | None = None,
) -> Applied:
    """Apply items and keep their deliveries, in the caller's transaction.

    `order_now` judges change times; None: the database's clock. `on_cards_held` is called once the cards that change are held.
    Writes bookings and their history, cards, candidates, ledger entries, refetch requests and deliveries. Raises what
    PostgreSQL raises; then nothing of the batch is written.
    """
    keys = sorted({item.observation.key for item in items if item.observation is not None})
    rows, known = await _read(conn, keys, items)
    work = Work(
        now=now,
        order_now=order_now or known.now or now,
        number=known.number,
        zones={company_id: zone_of(name) for company_id, name in known.zones},
        bookings={key: Booking(rows.get(key), rows.get(key)) for key in keys},
    )
    delivery_ids = _delivery_ids(items, known)
    outcomes: list[Outcome | None] = []
    for item, delivery_id in zip(items, delivery_ids, strict=True):
        outcomes.append(observe(work, item.observation, delivery_id) if item.observation else item.verdict)
        if item.refetch is not None:
            want(work, item.refetch)
        if item.client is not None and item.delivery is not None:
            company_id = item.delivery.company_id
            work.sights += sights_of_client(company_id, item.client, observation=work.number, now=now)
    changed = {key: booking for key, booking in work.bookings.items() if booking.is_changed}
    linker, cards = await _link(conn, work, changed, known, email_counts_alone=email_counts_alone)
    if on_cards_held is not None:
        on_cards_held()
    ids = await _write(conn, work, linker, known, policy)
    done = tuple(
        _with_ids(item, outcome, ids, delivery_id)
        for item, outcome, delivery_id in zip(items, outcomes, delivery_ids, strict=True)
    )
    _log_missing_users(work, items, delivery_ids)
    if work.refetches:
        await refetches.ask(conn, list(work.refetches.values()), now=now)
    await _keep(conn, items, done, now)
    await bookings.write_events(conn, events(work.bookings, ids), now=now)
    return Applied(done, frozenset(company_id for company_id, _ in work.refetches), cards.to_rematch)


async def keep_read(conn: Connection, observation: Observation, outcome: Outcome, now: datetime) -> None:
    """Keep a record that was read from the API and can't be applied."""
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
    email_counts_alone: bool = True,
    cause: Cause = "person",
) -> int:
    """Match these bookings anew, by what is stored of them. Returns how many rows changed."""
    await store.hold(conn, keys)
    rows = await bookings.rows_for_update(conn, keys)
    known = await store.answer(await store.ask(conn, list(rows)))
    found = {key: Booking(row, row, cause) for key, row in rows.items()}
    work = Work(now=now, order_now=now, number=known.number, zones={}, bookings=found)
    linker, _ = await _link(conn, work, found, known, email_counts_alone=email_counts_alone)
    ids = await _write(conn, work, linker, known, policy)
    await bookings.write_events(conn, events(found, ids), now=now)
    return sum(booking.is_changed for booking in found.values())


async def _read(
    conn: Connection, keys: Sequence[Key], items: Sequence[Item]
) -> tuple[Mapping[Key, Row], Known]:
    """Lock the bookings that items are about; read their rows, and what else the decisions may need."""
    cards, names, api_ids = named_by(items)
    deliveries_count = sum(item.delivery is not None for item in items)
    # The log names quarantined deliveries by their ids, so ids are reserved. Nothing names ignored ones: no wait for them.
    names_deliveries = any(
        item.verdict is not None and item.verdict.status is OutcomeStatus.QUARANTINED for item in items
    )
    if not keys and not cards and not names_deliveries:
        return {}, Known()
    if keys:
        await store.hold(conn, keys)
    asked_rows = await bookings.ask_rows_for_update(conn, keys)
    ask = partial(
        store.ask, conn, keys, cards=cards, names=names, api_ids=api_ids, deliveries_count=deliveries_count
    )
    asked = await ask()
    rows, known = await bookings.rows_of(asked_rows), await store.answer(asked)
    if known.is_answer_lost:
        await form_bookings.learn_records(conn, api_ids)
        known = await store.answer(await ask())
    return rows, known


async def _link(
    conn: Connection, work: Work, changed: Mapping[Key, Booking], known: Known, *, email_counts_alone: bool
) -> tuple[Linker, Cards]:
    """Update the cards by what was seen of them, and give these bookings their links."""
    pairs = [(booking.before, booking.row) for booking in changed.values()]
    known_cards = {card.key: card for card in known.cards}
    cards = await Cards.updated(conn, known_cards, work.sights, pairs, now=work.now)
    rows = {key: booking.row for key, booking in changed.items() if booking.row is not None}
    linker = await Linker.look_up(conn, rows, cards, known, email_counts_alone=email_counts_alone)
    for key in rows:
        work.bookings[key].row = linker.linked(key, work.bookings[key].before)
    return linker, cards


async def _write(
    conn: Connection, work: Work, linker: Linker, known: Known, policy: LoyaltyPolicy
) -> dict[Key, int]:
    """Write the bookings that changed, their candidates, and what they earn. Returns booking ids by key."""
    rows = {key: booking.row for key, booking in work.bookings.items() if booking.row is not None}
    ids = {(company_id, record_id): id_ for company_id, record_id, id_ in known.new_ids}
    ids |= {key: row.id for key, row in rows.items() if row.id is not None}
    fresh = {ids[key]: row for key, row in rows.items() if row.id is None}
    changed = {row.id: row for key, row in rows.items() if row.id and work.bookings[key].is_changed}
    await bookings.insert(conn, fresh, now=work.now)
    await bookings.update(conn, changed, now=work.now)
    await linker.remember_candidates(conn, ids, now=work.now)
    if states := earning_states(work.bookings, ids):
        await settle_bookings(conn, states, policy, work.now)
    return {key: ids[key] for key in rows}


def _log_missing_users(work: Work, items: Sequence[Item], delivery_ids: Sequence[int | None]) -> None:
    missing = [
        key
        for key, booking in work.bookings.items()
        if booking.before is None and booking.row is not None and booking.row.user_id is None
    ]
    if missing:
        named = {
            delivery_id
            for item, delivery_id in zip(items, delivery_ids, strict=True)
            if delivery_id is not None and item.observation is not None and item.observation.key in missing
        }
        log.info(
            "Пользователь не найден",
            yclients_record_ids=[record_id for _, record_id in missing[:MISSING_USERS_LOGGED_MAX]],
            delivery_ids=sorted(named)[:MISSING_USERS_LOGGED_MAX],
            count=len(missing),
        )


async def _keep(conn: Connection, items: Sequence[Item], outcomes: Sequence[Outcome], now: datetime) -> None:
    """Put the deliveries into the inbox with what they did; records read from the API that can't be applied too."""
    finished: list[Finished] = []
    for item, outcome in zip(items, outcomes, strict=True):
        if item.delivery is not None:
            finished.append(_finished(item.delivery, outcome))
        elif item.observation is not None and outcome.status is OutcomeStatus.QUARANTINED:
            await keep_read(conn, item.observation, outcome, now)
    await inbox.put(conn, finished, now=now)


def _finished(delivery: Delivery, outcome: Outcome) -> Finished:
    return Finished(delivery, outcome.status, outcome.reason, outcome.booking_id, outcome.delivery_id)


def _delivery_ids(items: Sequence[Item], known: Known) -> list[int | None]:
    """The id reserved for each item's delivery; None for an item without one, or where no ids were reserved."""
    reserved = iter(known.delivery_ids)
    return [next(reserved, None) if item.delivery is not None else None for item in items]


def _with_ids(
    item: Item, outcome: Outcome | None, ids: Mapping[Key, int], delivery_id: int | None
) -> Outcome:
    assert outcome is not None, "an item carries an observation or a verdict"
    if item.observation is None:
        return outcome if delivery_id is None else replace(outcome, delivery_id=delivery_id)
    return replace(outcome, booking_id=ids.get(item.observation.key), delivery_id=delivery_id)
