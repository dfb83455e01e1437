"""The cards that a batch needs: taught by what it saw, joined where YCLIENTS merged them."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from zerkalo.bookings.model import Row
from zerkalo.clients import store
from zerkalo.clients.model import Card, Key, Sight
from zerkalo.clients.rules import is_email_late, is_same_person, joined, person_of, taught
from zerkalo.db.pool import Connection

Move = tuple[Key, Key]
"""The card that a booking had, and the one that it has now."""


class Cards:
    """The cards of a batch's bookings, as they are after it. `to_rematch`: those whose other bookings may be another's now."""

    def __init__(self, cards: Mapping[Key, Card], to_rematch: frozenset[Key] = frozenset()) -> None:
        self._cards = cards
        self.to_rematch = to_rematch

    def of(self, row: Row | None) -> Card | None:
        """The card that a booking names; None where it names none, or none that we know."""
        if row is None or row.client_id is None:
            return None
        return self._cards.get((row.company_id, row.client_id))

    @classmethod
    async def learn(
        cls,
        conn: Connection,
        known: Mapping[Key, Card],
        sights: Sequence[Sight],
        bookings: Iterable[tuple[Row | None, Row | None]],
        *,
        now: datetime,
    ) -> "Cards":
        """Write what `sights` and `bookings` (before, after) teach the `known` cards. Locks only what changes."""
        moves = [move for pair in bookings if (move := _move(*pair))]
        changed = _changed(known, _after(known, sights, moves))
        if not changed:
            return cls(known)
        await store.make_missing(conn, changed - known.keys(), now=now)
        known = {**known, **await store.cards_for_update(conn, changed)}
        after = _after(known, sights, moves)
        to_rematch = frozenset(key for key in changed if _names_others(known[key], after[key]))
        await store.write(conn, [after[key] for key in sorted(changed)], rematch=to_rematch, now=now)
        return cls(after, to_rematch)


def card_key(row: Row | None) -> Key | None:
    """(company, client id) of the card that a booking names."""
    return None if row is None or row.client_id is None else (row.company_id, row.client_id)


def _move(before: Row | None, row: Row | None) -> Move | None:
    old, new = card_key(before), card_key(row)
    return (old, new) if old is not None and new is not None and old != new else None


def _after(known: Mapping[Key, Card], sights: Sequence[Sight], moves: Sequence[Move]) -> dict[Key, Card]:
    after = dict(known)
    for sight in sights:
        after[sight.key] = taught(after.get(sight.key), sight)
    for old, new in moves:
        if is_same_person(person_of(after.get(old)), person_of(after.get(new))):
            after[new] = joined(after[new], after[old])
    return after


def _changed(known: Mapping[Key, Card], after: Mapping[Key, Card]) -> set[Key]:
    """The cards that say something new; a later sight of the same is none."""
    return {
        key
        for key, card in after.items()
        if key not in known or replace(card, observation=known[key].observation) != known[key]
    }


def _names_others(before: Card, after: Card) -> bool:
    """Whether bookings that the card had before may find another user now."""
    if before.observation == 0:
        return False
    was = (before.phone, before.email, before.user_id, is_email_late(before))
    return was != (after.phone, after.email, after.user_id, is_email_late(after))
