"""One batch in one transaction: know the rows concerned, have the rules decide, write what they said.

Reads come before, writes after, both in sets; between them nothing but pure functions. All that is asked goes out
together, and so does all that is written: a batch is waited for twice, and once more where a card changes or points
move. Lock order: bookings in the order of their lock numbers, cards, users, ledger.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial

import structlog
from msgspec.structs import replace

from zerkalo.bookings import store as bookings
from zerkalo.bookings.history.model import Cause
from zerkalo.bookings.history.store import write_events
from zerkalo.bookings.model import Row
from zerkalo.clients.model import Key as CardKey
from zerkalo.db.pool import Connection
from zerkalo.form_bookings import store as form_bookings
from zerkalo.inbox import store as inbox
from zerkalo.inbox.model import Delivery, Finished
from zerkalo.kit.zones import zone_of
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.loyalty.service import settle_bookings
from zerkalo.mirror import store
from zerkalo.mirror.cards import Cards
from zerkalo.mirror.links import Linker
from zerkalo.mirror.model import Item, Key, Observation, Outcome, OutcomeStatus
from zerkalo.mirror.rules import Booking, Work, earning_states, events, named_by, observe, want
from zerkalo.mirror.snapshots import sights_of_clients
from zerkalo.mirror.store import Known
from zerkalo.refetches import store as refetches

log = structlog.get_logger(__name__)

MISSING_USERS_LOGGED_MAX = 50
"""Record ids in one log line."""


@dataclass(frozen=True, slots=True)
class Taken:
    """What a batch did: an outcome an item, in the items' order, and the companies that YCLIENTS is to be asked about."""

    outcomes: tuple[Outcome, ...]
    companies_to_ring: frozenset[int]
    cards_to_rematch: frozenset[CardKey] = frozenset()
    """Cards that say something else than before: their other bookings are to be looked at again."""


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
    rows, known = await _know(conn, items)
    work = Work(
        now=now,
        order_now=order_now or known.now or now,
        number=known.number,
        zones={company_id: zone_of(name) for company_id, name in known.zones},
        bookings={
            item.observation.key: Booking(rows.get(item.observation.key), rows.get(item.observation.key))
            for item in items
            if item.observation is not None
        },
    )
    delivery_ids = _delivery_ids(items, known)
    outcomes = [
        observe(work, item.observation, delivery_id) if item.observation else item.verdict
        for item, delivery_id in zip(items, delivery_ids, strict=True)
    ]
    for item in items:
        if item.refetch is not None:
            want(work, item.refetch)
    shown = [(one.delivery.company_id, one.client) for one in items if one.delivery and one.client]
    work.sights += sights_of_clients(shown, observation=work.number, now=now)
    changed = {key: booking for key, booking in work.bookings.items() if booking.is_changed}
    linker, cards = await _link(conn, work, changed, known, email_counts_alone=email_counts_alone)
    ids = await _write(conn, work, linker, known, policy)
    done = tuple(
        _with_ids(item, outcome, ids, delivery_id)
        for item, outcome, delivery_id in zip(items, outcomes, delivery_ids, strict=True)
    )
    _log_missing_users(work, items, delivery_ids)
    await refetches.ask(conn, list(work.refetches.values()), now=now)
    await _keep(conn, items, done, now)
    await write_events(conn, events(work.bookings, ids), now=now)
    return Taken(done, frozenset(company_id for company_id, _ in work.refetches), cards.to_rematch)


async def keep_read(conn: Connection, observation: Observation, outcome: Outcome, now: datetime) -> None:
    """Keep a record that the API showed and that we can't apply."""
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
    """Look again whose these bookings are, from what was seen of them before. Returns how many rows changed."""
    await store.hold(conn, keys)
    rows = await bookings.rows_for_update(conn, keys)
    known = await store.answer(await store.ask(conn, list(rows)))
    found = {key: Booking(row, row, cause) for key, row in rows.items()}
    work = Work(now=now, order_now=now, number=known.number, zones={}, bookings=found)
    linker, _ = await _link(conn, work, found, known, email_counts_alone=email_counts_alone)
    ids = await _write(conn, work, linker, known, policy)
    await write_events(conn, events(found, ids), now=now)
    return sum(booking.is_changed for booking in found.values())


async def _know(conn: Connection, items: Sequence[Item]) -> tuple[Mapping[Key, Row], Known]:
    """Hold the bookings that items are about; read their rows, and what the decisions on them may need."""
    keys = sorted({item.observation.key for item in items if item.observation is not None})
    cards, names, api_ids = named_by(items)
    deliveries_count = sum(item.delivery is not None for item in items)
    # What was not understood is looked for by its number; of what is ignored nobody asks, so nothing is waited for.
    is_told = any(
        item.verdict is not None and item.verdict.status is OutcomeStatus.QUARANTINED for item in items
    )
    if not keys and not cards and not is_told:
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
    """Teach the cards what was seen of them, and give these bookings their links."""
    pairs = [(booking.before, booking.row) for booking in changed.values()]
    known_cards = {card.key: card for card in known.cards}
    cards = await Cards.learn(conn, known_cards, work.sights, pairs, now=work.now)
    rows = {key: booking.row for key, booking in changed.items() if booking.row is not None}
    linker = await Linker.look_up(conn, rows, cards, known, email_counts_alone=email_counts_alone)
    for key in rows:
        work.bookings[key].row = linker.linked(key, work.bookings[key].before)
    return linker, cards


async def _write(
    conn: Connection, work: Work, linker: Linker, known: Known, policy: LoyaltyPolicy
) -> dict[Key, int]:
    """Write the bookings that changed, who may be whose, and what they earn. Returns booking ids by key."""
    rows = {key: booking.row for key, booking in work.bookings.items() if booking.row is not None}
    ids = {(company_id, record_id): id_ for company_id, record_id, id_ in known.new_ids}
    ids |= {key: row.id for key, row in rows.items() if row.id is not None}
    fresh = {ids[key]: row for key, row in rows.items() if row.id is None}
    changed = {row.id: row for key, row in rows.items() if row.id and work.bookings[key].is_changed}
    await bookings.insert(conn, fresh, now=work.now)
    await bookings.update(conn, changed, now=work.now)
    await linker.remember_candidates(conn, ids, now=work.now)
    await settle_bookings(conn, earning_states(work.bookings, ids), policy, work.now)
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
    """Put the deliveries into the inbox with what they did, and records of the API's that can't be applied."""
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
    """The id reserved for each item's delivery; None for what no call brought, or where none was asked for."""
    reserved = iter(known.delivery_ids)
    return [next(reserved, None) if item.delivery is not None else None for item in items]


def _with_ids(
    item: Item, outcome: Outcome | None, ids: Mapping[Key, int], delivery_id: int | None
) -> Outcome:
    assert outcome is not None, "an item carries an observation or a verdict"
    if item.observation is None:
        return outcome if delivery_id is None else replace(outcome, delivery_id=delivery_id)
    return replace(outcome, booking_id=ids.get(item.observation.key), delivery_id=delivery_id)
