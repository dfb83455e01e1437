"""Matching by card: an admin gives a card of YCLIENTS to a user, with all its visits past and to come, or takes it back."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime

from zerkalo.auth.audit.service import audit, note_nothing
from zerkalo.clients import store as clients
from zerkalo.clients.model import Card, Key
from zerkalo.clients.rules import is_email_late
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.phone import phone_key, same_phone
from zerkalo.kit.problem import ProblemError
from zerkalo.users import store as users
from zerkalo.users.model import User

Rematch = Callable[[Key], Awaitable[bool]]
"""`Applier.rematch_card`: look again whose the bookings of a card are."""


@dataclass(frozen=True, slots=True)
class Doubts:
    """What speaks against a card's being a user's. Nothing does where all are False."""

    phone_differs: bool
    email_differs: bool
    email_came_late: bool
    """It names the user, but came to the card after we had seen the card with its phone: anybody could write it."""

    def __bool__(self) -> bool:
        return self.phone_differs or self.email_differs or self.email_came_late


def doubts_about(card: Card, user: User) -> Doubts:
    """What speaks against giving this card to this user: proved contacts that differ, an e-mail that came late."""
    phone = user.phone if user.phone_verified_at is not None else None
    email = user.email.lower() if user.email is not None and user.email_verified_at is not None else None
    card_phone = phone_key(card.phone) if card.phone else None
    same_number = phone is not None and card_phone is not None and same_phone(phone, card_phone)
    return Doubts(
        phone_differs=phone is not None and card_phone is not None and not same_number,
        email_differs=email is not None and card.email is not None and email != card.email,
        email_came_late=email is not None and email == card.email and is_email_late(card) and not same_number,
    )


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
    """Give a card (company, client id) to a user because an admin says so, with every visit that nothing stronger names.

    Committed first, then the visits follow (in steps; what a killed process leaves, a periodic task finishes). Doing
    it again changes nothing. Raises `ProblemError`: 404 `not_found`, 404 `user_not_found`, 409 `card_erased`, 409
    `card_given` (to somebody else: take it back first), 409 `doubtful` where the evidence speaks against it and the
    admin has not said that they are sure.
    """

    async def write(conn: Connection) -> Card:
        card = await _held(conn, key)
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
    """Take a card back from whom it was given to: the visits linked by it are matched anew. Else as `give_card`."""

    async def write(conn: Connection) -> None:
        card = await _held(conn, key)
        if card.user_id is not None:
            await clients.give(conn, key, None, now=now)
            await audit(conn, admin_id, "client.unlink", _subject(key), {"before": card.user_id}, now)
        else:
            note_nothing()

    await in_transaction(pool, write)
    return await _followed(pool, rematch, key)


async def _held(conn: Connection, key: Key) -> Card:
    """The card, locked."""
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
