"""Matching by hand: an admin links a booking to a user, or gives them a card of YCLIENTS with all its visits."""

from collections.abc import Awaitable, Callable
from datetime import datetime

from zerkalo.auth.audit.service import audit, note_nothing
from zerkalo.bookings import store as bookings
from zerkalo.bookings.model import Change, Event, MatchedBy, ShownBooking
from zerkalo.bookings.reading import store as reading
from zerkalo.clients import store as clients
from zerkalo.clients.model import Card, Key
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.loyalty.service import settle_bookings_by_id
from zerkalo.matching import store as matching
from zerkalo.mirror.by_hand.rules import doubts_about
from zerkalo.users import store as users

Rematch = Callable[[Key], Awaitable[bool]]
"""`Rematcher.rematch_card`: match the bookings of a card anew."""


async def link_by_hand(
    pool: Pool, *, booking_id: int, user_id: int, admin_id: int, policy: LoyaltyPolicy, now: datetime
) -> ShownBooking:
    """Give a booking to a user because an admin says so; return it as it then stands.

    The link beats every other and stays. Notes, ledger (reversed for the user who had it, earned for the one who gets
    it), candidates and the audit entry are written in the same transaction. Doing it again changes nothing. The record's
    contacts do not become the user's by it. Raises `ProblemError`: 404 `not_found`, 404 `user_not_found` (a shell is none),
    409 `booking_erased`.
    """
    return await in_transaction(
        pool, lambda conn: _link(conn, booking_id, user_id, admin_id=admin_id, policy=policy, now=now)
    )


async def unlink_by_hand(
    pool: Pool, *, booking_id: int, admin_id: int, policy: LoyaltyPolicy, now: datetime
) -> ShownBooking:
    """Unlink a booking from its user for good: `matched_by` is `manual` without a user, and matching leaves it so.

    Everything else is as in `link_by_hand`, which also undoes this.
    """
    return await in_transaction(
        pool, lambda conn: _link(conn, booking_id, None, admin_id=admin_id, policy=policy, now=now)
    )


async def _link(
    conn: Connection,
    booking_id: int,
    user_id: int | None,
    *,
    admin_id: int,
    policy: LoyaltyPolicy,
    now: datetime,
) -> ShownBooking:
    before = await _locked(conn, booking_id)
    await _check_user(conn, user_id)
    if (before.user_id, before.matched_by) != (user_id, MatchedBy.MANUAL):
        await bookings.link(conn, booking_id, user_id, MatchedBy.MANUAL, now=now)
        await matching.replace_candidates(conn, {booking_id: frozenset()}, now=now)
        await settle_bookings_by_id(conn, [booking_id], policy, now)
        was = {"user_id": before.user_id, "matched_by": before.matched_by}
        change = Change("link", was, {"user_id": user_id, "matched_by": MatchedBy.MANUAL})
        event = Event(booking_id, change, "person", by_user_id=admin_id)
        await bookings.write_events(conn, [event], now=now)
        action = "booking.unlink" if user_id is None else "booking.link"
        details = {"user_id": user_id, "before": before.user_id, "before_by": before.matched_by}
        await audit(conn, admin_id, action, f"booking {booking_id}", details, now)
    else:
        note_nothing()
    shown = await reading.read_one(conn, booking_id)
    assert shown is not None, "locked above"
    return shown


async def _locked(conn: Connection, booking_id: int) -> ShownBooking:
    """Lock the booking, the first of the locks (bookings, users, ledger), and return it."""
    is_erased = await bookings.hold(conn, booking_id)
    shown = await reading.read_one(conn, booking_id)
    if is_erased is None or shown is None:
        raise ProblemError(404, "not_found", "There is no such booking.")
    if is_erased:
        # The client was erased; a link would bring them back against their will.
        raise ProblemError(409, "booking_erased", "Its client had their data erased.")
    return shown


async def _check_user(conn: Connection, user_id: int | None) -> None:
    """Lock the user, so that nobody erases or merges them meanwhile."""
    if user_id is None:
        return
    user = await users.read_user(conn, user_id, lock=True)
    if user is None or user.erased_at is not None:
        raise ProblemError(404, "user_not_found", "There is no such user.")


async def give_card(
    pool: Pool,
    rematch: Rematch,
    key: Key,
    user_id: int,
    *,
    admin_id: int,
    is_sure: bool,
    now: datetime,
) -> Card:
    """Give a card (company, client id) to a user because an admin says so, with every visit that no stronger evidence links.

    The card is committed first and its visits follow in steps; a periodic task finishes what a killed process leaves.
    Doing it again changes nothing. Raises `ProblemError`: 404 `not_found`, 404 `user_not_found`, 409 `card_erased`, 409
    `card_given` (to somebody else: take it back first), 409 `doubtful` where the evidence speaks against it and the
    admin has not said that they are sure.
    """

    async def write(conn: Connection) -> Card:
        card = await _locked_card(conn, key)
        user = await users.read_user(conn, user_id, lock=True)
        if user is None or user.erased_at is not None:
            raise ProblemError(404, "user_not_found", "There is no such user.")
        if card.user_id not in (None, user_id):
            raise ProblemError(409, "card_given", "The card is another user's: take it back first.")
        if not is_sure and doubts_about(card, user):
            raise ProblemError(
                409, "doubtful", 'The evidence speaks against it. Send "sure": true to do it all the same.'
            )
        if card.user_id is None:
            await clients.give(conn, key, user_id, now=now)
            await audit(conn, admin_id, "client.link", _subject(key), {"user_id": user_id}, now)
        else:
            note_nothing()
        return card

    await in_transaction(pool, write)
    return await _followed(pool, rematch, key)


async def take_card_back(pool: Pool, rematch: Rematch, key: Key, *, admin_id: int, now: datetime) -> Card:
    """Take a card back from the user it was given to: the visits linked by it are matched anew. Otherwise as `give_card`."""

    async def write(conn: Connection) -> None:
        card = await _locked_card(conn, key)
        if card.user_id is not None:
            await clients.give(conn, key, None, now=now)
            await audit(conn, admin_id, "client.unlink", _subject(key), {"before": card.user_id}, now)
        else:
            note_nothing()

    await in_transaction(pool, write)
    return await _followed(pool, rematch, key)


async def _locked_card(conn: Connection, key: Key) -> Card:
    card = (await clients.cards_for_update(conn, [key])).get(key)
    if card is None:
        raise ProblemError(404, "not_found", "There is no such client.")
    if card.erased_at is not None:
        raise ProblemError(409, "card_erased", "Its client had their data erased.")
    return card


async def _followed(pool: Pool, rematch: Rematch, key: Key) -> Card:
    await rematch(key)
    async with pool.connection() as conn:
        return (await clients.cards(conn, [key]))[key]


def _subject(key: Key) -> str:
    return f"client {key[1]} of company {key[0]}"
