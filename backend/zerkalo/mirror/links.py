"""Whose the bookings of a batch are: the cards as the batch leaves them, evidence looked up in sets, then `matching.rules`."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime

from msgspec.structs import replace

from zerkalo.bookings.merging.rules import masked
from zerkalo.bookings.model import Row
from zerkalo.clients import store as clients
from zerkalo.clients.model import (
    Card,
    Person,
    Sight,
    card_after,
    is_email_late,
    is_other_person,
    is_same_person,
    joined,
    person_of,
)
from zerkalo.clients.model import Key as CardKey
from zerkalo.db.pool import Connection
from zerkalo.kit.phone import TAIL_DIGITS, phone_key, same_phone
from zerkalo.matching import store as matching
from zerkalo.matching.model import Contacts, Evidence, Link, Match
from zerkalo.matching.rules import codes_in, decide_match, longest
from zerkalo.mirror.model import Key
from zerkalo.mirror.store import Known
from zerkalo.users.matching.store import users_for_matching
from zerkalo.users.model import MatchUser, Names

NO_USERS = frozenset[int]()
Move = tuple[CardKey, CardKey]
"""The card that a booking had, and the one that it has now."""


class Cards:
    """The cards of a batch's bookings, as they are after it. `to_rematch`: those whose other bookings may match another user now."""

    def __init__(self, cards: Mapping[CardKey, Card], to_rematch: frozenset[CardKey] = frozenset()) -> None:
        self._cards = cards
        self.to_rematch = to_rematch

    def of(self, row: Row | None) -> Card | None:
        """The card of a booking; None where it has none, or one that we don't have."""
        if row is None or row.client_id is None:
            return None
        return self._cards.get((row.company_id, row.client_id))

    @classmethod
    async def updated(
        cls,
        conn: Connection,
        known: Mapping[CardKey, Card],
        sights: Sequence[Sight],
        bookings: Iterable[tuple[Row | None, Row | None]],
        *,
        now: datetime,
    ) -> "Cards":
        """Write what `sights` and `bookings` (before, after) change of the `known` cards. Locks only the cards that change."""
        moves = [move for pair in bookings if (move := _move(*pair))]
        changed = _changed(known, _after(known, sights, moves))
        if not changed:
            return cls(known)
        await clients.make_missing(conn, changed - known.keys(), now=now)
        known = {**known, **await clients.cards_for_update(conn, changed)}
        after = _after(known, sights, moves)
        # Another batch may have written the same meanwhile. One that has just been made is not written yet.
        changed &= _changed({key: card for key, card in known.items() if card.observation}, after)
        to_rematch = frozenset(key for key in changed if _names_others(known[key], after[key]))
        await clients.write(conn, [after[key] for key in sorted(changed)], rematch=to_rematch, now=now)
        return cls(after, to_rematch)


class Linker:
    """The links of one batch. Made by `look_up`; `linked` gives the row with its link."""

    def __init__(
        self,
        rows: Mapping[Key, Row],
        people: Mapping[Key, Person],
        form: Mapping[Key, frozenset[int]],
        users: Iterable[MatchUser],
        cards: Cards,
        *,
        email_counts_alone: bool = True,
    ) -> None:
        self._rows = rows
        self._people = people
        self._cards = cards
        self._email_counts_alone = email_counts_alone
        self._users = {user.id: user for user in users}
        self._form = {key: ids & self._users.keys() for key, ids in form.items()}
        self._by_code = {code: user.id for user in self._users.values() for code in _codes_of(user)}
        self._by_email = _grouped((user.email_proved, user.id) for user in self._users.values())
        self._by_tail = _grouped((_tail(user.phone_proved), user.id) for user in self._users.values())
        self._matches: dict[Key, Match] = {}

    def __contains__(self, key: Key) -> bool:
        return key in self._rows

    @classmethod
    async def look_up(
        cls,
        conn: Connection,
        rows: Mapping[Key, Row],
        cards: Cards,
        known: Known,
        *,
        email_counts_alone: bool,
    ) -> "Linker":
        """Read whom the rows may belong to, where that is not known already."""
        form: dict[Key, frozenset[int]] = {}
        for company_id, record_id, user_id in known.form_users:
            form[company_id, record_id] = form.get((company_id, record_id), frozenset()) | {user_id}
        people = people_of(rows, cards)
        users = known.users
        if missing := _missing(_names(rows, people, cards), known.names):
            # A card changed after `known` was read, or its phone has another key than the digits that were looked up.
            users += tuple(
                await users_for_matching(
                    conn,
                    codes=missing.codes,
                    emails=missing.emails,
                    phone10s=missing.phone10s,
                    ids=missing.ids,
                )
            )
        return cls(rows, people, form, users, cards, email_counts_alone=email_counts_alone)

    def linked(self, key: Key, before: Row | None) -> Row:
        """The row with the link that its evidence leaves, and the linked user's code."""
        row = self._rows[key]
        if row.erased_at is not None:
            return masked(row)
        current = Link(row.user_id, row.matched_by)
        evidence = self._evidence(key, row, before)
        match = decide_match(current, evidence, email_counts_alone=self._email_counts_alone)
        self._matches[key] = match
        link = match.link
        # None also for a holder who has just been erased or merged: `users.erasing.service.sweep_erased` sees to those.
        holder = self._users.get(link.user_id) if link.user_id is not None else None
        return replace(
            row,
            user_id=link.user_id,
            handed_over=row.handed_over or evidence.is_handing_over,
            matched_by=link.step,
            user_code=holder.unique_code if holder else None,
        )

    async def remember_candidates(self, conn: Connection, ids: Mapping[Key, int], *, now: datetime) -> None:
        """Write the candidates between whom an admin must choose. A new booking without any costs no statement."""
        found = {
            ids[key]: match.candidates
            for key, match in self._matches.items()
            if match.candidates or self._rows[key].id is not None
        }
        await matching.replace_candidates(conn, found, now=now)

    def _evidence(self, key: Key, row: Row, before: Row | None) -> Evidence:
        known = [code for code in row.match_codes if code in self._by_code]
        # All codes of the comment are in `match_codes`: it is parsed only where one of them is a user's.
        now = codes_in(row.comment) if known else ()
        card = self._cards.of(row)
        return Evidence(
            form_user_ids=self._form.get(key, NO_USERS),
            code_user_ids=self._named([code for code in known if code in now]),
            earlier_code_user_ids=self._named(known),
            card_user_id=card.user_id if card else None,
            contacts=self._contacts(self._people[key], card),
            is_handed_over=row.handed_over,
            is_handing_over=self._is_handing_over(key, before, row),
        )

    def _contacts(self, client: Person, card: Card | None) -> Contacts:
        """Who has proved the contacts of the booking's card; without a card, the booking's own contacts."""
        phone = client.phone_key
        alike = self._by_tail.get(_tail(phone) or "", NO_USERS)
        return Contacts(
            self._by_email.get(client.email or "", NO_USERS),
            frozenset(
                id_ for id_ in alike if phone and same_phone(phone, self._users[id_].phone_proved or "")
            ),
            email_is_late=card is not None and is_email_late(card),
        )

    def _is_handing_over(self, key: Key, before: Row | None, row: Row) -> bool:
        """Whether the record passes from one person to another. One card is one person, whatever its contacts."""
        if before is None or (row.client_id is not None and card_key(before) == card_key(row)):
            return False
        return is_other_person(_client(before, self._cards), self._people[key])

    def _named(self, codes: Collection[str]) -> frozenset[int]:
        """The users whose codes these are; of codes that begin alike the longest counts."""
        return frozenset([self._by_code[code] for code in longest(codes)]) if codes else NO_USERS


def people_of(rows: Mapping[Key, Row], cards: Cards) -> dict[Key, Person]:
    """The contacts that tell the clients of these bookings from others; an erased booking has none."""
    return {key: _client(row, cards) for key, row in rows.items() if row.erased_at is None}


def _names(rows: Mapping[Key, Row], people: Mapping[Key, Person], cards: Cards) -> Names:
    """Everything by which the users of these rows are looked up: what the rows and their cards name."""
    asked = [rows[key] for key in people]
    given = [card.user_id for row in asked if (card := cards.of(row))]
    return Names(
        codes=frozenset(code for row in asked for code in row.match_codes),
        emails=frozenset(one.email for one in people.values() if one.email),
        phone10s=frozenset(tail for one in people.values() if (tail := _tail(one.phone_key))),
        ids=frozenset(id_ for id_ in (*given, *(row.user_id for row in asked)) if id_ is not None),
    )


def _missing(names: Names, known: Names) -> Names | None:
    """What of `names` has not been looked up yet; None: nothing."""
    missing = Names(
        names.codes - known.codes,
        names.emails - known.emails,
        names.phone10s - known.phone10s,
        names.ids - known.ids,
    )
    return None if missing == Names() else missing


def _codes_of(user: MatchUser) -> tuple[str, ...]:
    return (*((user.unique_code,) if user.unique_code else ()), *user.also_codes)


def _grouped(pairs: Iterable[tuple[str | None, int]]) -> dict[str, frozenset[int]]:
    grouped: dict[str, set[int]] = {}
    for value, user_id in pairs:
        if value:
            grouped.setdefault(value, set()).add(user_id)
    return {value: frozenset(user_ids) for value, user_ids in grouped.items()}


def _client(row: Row, cards: Cards) -> Person:
    """The contacts that tell a booking's client from others: the card's, else the booking's own."""
    if row.client_id is not None:
        return person_of(cards.of(row))
    whole = phone_key(row.phone) if row.phone and row.match_phone10 else None
    is_whole = whole is not None and whole.endswith(row.match_phone10 or "")
    return Person(whole if is_whole else row.match_phone10, row.match_email)


def _tail(phone: str | None) -> str | None:
    """The last ten digits, by which a phone is looked up."""
    return phone[-TAIL_DIGITS:] if phone and len(phone) >= TAIL_DIGITS else None


def card_key(row: Row | None) -> CardKey | None:
    """(company, client id) of a booking's card; None where it has none."""
    return None if row is None or row.client_id is None else (row.company_id, row.client_id)


def _move(before: Row | None, row: Row | None) -> Move | None:
    old, new = card_key(before), card_key(row)
    return (old, new) if old is not None and new is not None and old != new else None


def _after(
    known: Mapping[CardKey, Card], sights: Sequence[Sight], moves: Sequence[Move]
) -> dict[CardKey, Card]:
    after = dict(known)
    for sight in sights:
        after[sight.key] = card_after(after.get(sight.key), sight)
    for old, new in moves:
        if is_same_person(person_of(after.get(old)), person_of(after.get(new))):
            after[new] = joined(after[new], after[old])
    return after


def _changed(known: Mapping[CardKey, Card], after: Mapping[CardKey, Card]) -> set[CardKey]:
    """The cards whose content changes; a newer sight of the same content is no change."""
    return {
        key
        for key, card in after.items()
        if key not in known or replace(card, observation=known[key].observation) != known[key]
    }


def _names_others(before: Card, after: Card) -> bool:
    """Whether bookings that the card already had may match another user now."""
    if before.observation == 0:
        return False
    was = (before.phone, before.email, before.user_id, is_email_late(before))
    return was != (after.phone, after.email, after.user_id, is_email_late(after))
