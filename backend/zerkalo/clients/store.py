"""The rows of `clients`: read in sets, and locked only where something about them changes."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import class_row

from zerkalo.clients.model import Card, CardCandidate, Key, UnmatchedCard
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json

CARD_COLUMNS: LiteralString = """
    c.company_id, c.client_id, c.name, c.phone, c.email, c.email_known_since, c.first_email, c.first_observation,
    c.observation, c.user_id, c.erased_at
"""
_READ = f"""
    select {CARD_COLUMNS} from jsonb_to_recordset(%s::jsonb) as k (c bigint, i bigint),
        lateral (select * from clients c where c.company_id = k.c and c.client_id = k.i offset 0) as c
"""

CARDS_OF_USER_MAX = 1000
"""A person has a card a branch; so many are looked at."""


async def cards(conn: Connection, keys: Collection[Key]) -> dict[Key, Card]:
    """The cards of these keys as they stand; one that we don't have is not in the answer."""
    if not keys:
        return {}
    async with conn.cursor(row_factory=class_row(Card)) as cursor:
        await cursor.execute(_READ, [_encoded(keys)])
        return {card.key: card async for card in cursor}


async def make_missing(conn: Connection, keys: Collection[Key], *, now: datetime) -> None:
    """Make the cards of these keys that we don't have, empty."""
    await conn.execute(
        """
        insert into clients (company_id, client_id, created_at, updated_at)
        select k.c, k.i, %s, %s from jsonb_to_recordset(%s::jsonb) as k (c bigint, i bigint) order by 1, 2
        on conflict do nothing
        """,
        [now, now, _encoded(keys)],
    )


async def cards_for_update(conn: Connection, keys: Collection[Key]) -> dict[Key, Card]:
    """The cards of these keys, held until the transaction ends.

    In the order of their keys, so that two batches can't wait for each other.
    """
    async with conn.cursor(row_factory=class_row(Card)) as cursor:
        await cursor.execute(
            f"""
            select {CARD_COLUMNS} from clients c join jsonb_to_recordset(%s::jsonb) as k (c bigint, i bigint)
                on c.company_id = k.c and c.client_id = k.i
            order by c.company_id, c.client_id for no key update of c
            """,
            [_encoded(keys)],
        )
        return {card.key: card async for card in cursor}


async def write(
    conn: Connection, changed: Sequence[Card], *, rematch: Collection[Key], now: datetime
) -> None:
    """Overwrite these cards; the bookings of those in `rematch` are to be looked at again. The caller holds them."""
    rows = [
        {
            "company_id": card.company_id,
            "client_id": card.client_id,
            "name": card.name,
            "phone": card.phone,
            "email": card.email,
            "email_known_since": card.email_known_since,
            "first_email": card.first_email,
            "first_observation": card.first_observation,
            "observation": card.observation,
            "user_id": card.user_id,
            "rematch": card.key in rematch,
        }
        for card in changed
    ]
    await conn.execute(
        """
        update clients c set name = x.name, phone = x.phone, email = x.email, email_known_since = x.email_known_since,
            first_email = x.first_email, first_observation = x.first_observation, observation = x.observation,
            user_id = x.user_id, updated_at = %(now)s,
            rematch_wanted_at = case when x.rematch then %(now)s::timestamptz else c.rematch_wanted_at end
        from jsonb_to_recordset(%(rows)s::jsonb) as x (
            company_id bigint, client_id bigint, name text, phone text, email text, email_known_since timestamptz,
            first_email text, first_observation bigint, observation bigint, user_id bigint, rematch boolean)
        where c.company_id = x.company_id and c.client_id = x.client_id
        """,
        {"rows": as_json(rows), "now": now},
    )


async def keys_of_user(
    conn: Connection, user_id: int, *, email: str | None, phone10: str | None
) -> list[Key]:
    """The cards that an admin gave to the user, or that carry this e-mail or these last ten digits of a phone."""
    cursor = await conn.execute(
        """
        select company_id, client_id from clients where user_id = %(user_id)s
        union select company_id, client_id from clients where email = %(email)s
        union select company_id, client_id from clients where phone10 = %(phone10)s
        order by 1, 2 limit %(limit)s
        """,
        {"user_id": user_id, "email": email, "phone10": phone10, "limit": CARDS_OF_USER_MAX},
    )
    return [(company_id, client_id) for company_id, client_id in await cursor.fetchall()]


async def give(conn: Connection, key: Key, user_id: int | None, *, now: datetime) -> None:
    """Give a card to a user, or take it back (None); its bookings are to be looked at again. The caller holds it."""
    await conn.execute(
        "update clients set user_id = %s, rematch_wanted_at = %s, updated_at = %s"
        " where company_id = %s and client_id = %s",
        [user_id, now, now, *key],
    )


async def hand_on(
    conn: Connection, *, from_id: int, into_id: int, only: Collection[Key] | None = None, now: datetime
) -> None:
    """Give the cards of one account, or `only` some, to another one."""
    sql = """
        update clients c set user_id = %(into_id)s, updated_at = %(now)s
        where c.user_id = %(from_id)s and (%(only)s::jsonb is null or exists (
            select from jsonb_to_recordset(%(only)s::jsonb) as k (c bigint, i bigint)
            where k.c = c.company_id and k.i = c.client_id))
    """
    keys = None if only is None else _encoded(only)
    await conn.execute(sql, {"from_id": from_id, "into_id": into_id, "only": keys, "now": now})


async def erase(conn: Connection, keys: Collection[Key], *, now: datetime) -> None:
    """Take out of these cards what names their person; they are marked, and what a later sight shows is masked."""
    sql = """
        update clients c set name = '', phone = null, email = null, email_known_since = null, user_id = null,
            first_email = null, first_observation = null, note = '', erased_at = coalesce(c.erased_at, %(now)s), updated_at = %(now)s
        from jsonb_to_recordset(%(cards)s::jsonb) as k (c bigint, i bigint)
        where c.company_id = k.c and c.client_id = k.i
    """
    if keys:
        await conn.execute(sql, {"cards": _encoded(keys), "now": now})


async def to_rematch(conn: Connection, *, limit: int) -> list[tuple[Key, datetime]]:
    """(key, wanted at) of cards whose bookings are still to be looked at again, longest waiting first."""
    cursor = await conn.execute(
        "select company_id, client_id, rematch_wanted_at from clients where rematch_wanted_at is not null"
        " order by rematch_wanted_at, company_id, client_id limit %s",
        [limit],
    )
    return [((company_id, client_id), at) for company_id, client_id, at in await cursor.fetchall()]


async def finish_rematch(conn: Connection, key: Key, *, wanted_at: datetime) -> None:
    """Forget a want that was fulfilled; a newer one stays."""
    await conn.execute(
        "update clients set rematch_wanted_at = null where company_id = %s and client_id = %s and rematch_wanted_at = %s",
        [*key, wanted_at],
    )


def _encoded(keys: Collection[Key]) -> str:
    return as_json([{"c": company_id, "i": client_id} for company_id, client_id in sorted(set(keys))])


UNMATCHED_LOOKED_AT = 5000
"""Of so many of the latest visits that no user has one page's cards are taken; the next page goes on behind them."""
_IS_UNMATCHED: LiteralString = """
    b.user_id is null and b.matched_by is null and b.erased_at is null and b.status <> 'CANCELLED' and b.client_id is not null
"""


async def unmatched_cards(
    conn: Connection, *, after: tuple[datetime, int, int] | None, limit: int
) -> list[UnmatchedCard]:
    """Cards with visits that no user has, those with the latest visit first; behind `after`, the place of one."""
    sql = f"""
        with latest as materialized (
            select b.company_id, b.client_id from bookings b
            where {_IS_UNMATCHED} and (%(at)s::timestamptz is null or b.appointment_datetime <= %(at)s)
            order by b.appointment_datetime desc, b.id desc limit %(looked_at)s
        )
        select {CARD_COLUMNS}, u.visits, u.latest_at from (select distinct company_id, client_id from latest) as l
        join clients c on c.company_id = l.company_id and c.client_id = l.client_id,
            lateral (select count(*)::int as visits, max(b.appointment_datetime) as latest_at from bookings b
                where b.company_id = l.company_id and b.client_id = l.client_id and {_IS_UNMATCHED}) as u
        where %(at)s::timestamptz is null
            or (u.latest_at, c.company_id, c.client_id) < (%(at)s, %(company_id)s, %(client_id)s)
        order by u.latest_at desc, c.company_id desc, c.client_id desc limit %(limit)s
    """
    at, company_id, client_id = after or (None, None, None)
    values = {"at": at, "company_id": company_id, "client_id": client_id, "limit": limit}
    cursor = await conn.execute(sql, values | {"looked_at": UNMATCHED_LOOKED_AT})
    return [UnmatchedCard(_card(row[:-2]), row[-2], row[-1]) for row in await cursor.fetchall()]


async def unmatched_card(conn: Connection, key: Key) -> UnmatchedCard | None:
    """One card with its visits that no user has; None where there is no such card, or no such visit."""
    sql = f"""
        select {CARD_COLUMNS}, count(*)::int, max(b.appointment_datetime) from clients c
        join bookings b on b.company_id = c.company_id and b.client_id = c.client_id
        where c.company_id = %s and c.client_id = %s and {_IS_UNMATCHED} group by c.company_id, c.client_id
    """
    row = await (await conn.execute(sql, list(key))).fetchone()
    return UnmatchedCard(_card(row[:-2]), row[-2], row[-1]) if row else None


async def candidates_of(conn: Connection, keys: Collection[Key]) -> dict[Key, list[CardCandidate]]:
    """Whom the visits of these cards that no user has may belong to, each with how many of them speak for that."""
    cursor = await conn.execute(
        """
        select b.company_id, b.client_id, m.user_id, m.step, m.reason, count(*)::int
        from jsonb_to_recordset(%s::jsonb) as k (c bigint, i bigint)
        join bookings b on b.company_id = k.c and b.client_id = k.i and b.user_id is null
        join match_candidates m on m.booking_id = b.id
        group by 1, 2, 3, 4, 5 order by 1, 2, 6 desc, 3
        """,
        [_encoded(keys)],
    )
    found: dict[Key, list[CardCandidate]] = {}
    async for company_id, client_id, *columns in cursor:
        found.setdefault((company_id, client_id), []).append(CardCandidate(*columns))
    return found


async def read_note(conn: Connection, key: Key) -> str:
    """What the staff wrote about a card's person; "" for nothing."""
    cursor = await conn.execute(
        "select note from clients where company_id = %s and client_id = %s", list(key)
    )
    row = await cursor.fetchone()
    return row[0] if row else ""


async def write_note(conn: Connection, key: Key, note: str, *, now: datetime) -> bool:
    """Keep what the staff wrote; False where there is no such card, or its person had themself erased."""
    cursor = await conn.execute(
        "update clients set note = %s, updated_at = %s where company_id = %s and client_id = %s and erased_at is null",
        [note, now, *key],
    )
    return cursor.rowcount > 0


async def visits_of(conn: Connection, key: Key) -> tuple[int, int]:
    """How many visits a card has, and how many of them a user has."""
    cursor = await conn.execute(
        "select count(*), count(user_id) from bookings where company_id = %s and client_id = %s", list(key)
    )
    row = await cursor.fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _card(columns: Sequence[Any]) -> Card:
    return Card(**dict(zip(_NAMES, columns, strict=True)))


_NAMES = tuple(name.strip().removeprefix("c.") for name in CARD_COLUMNS.split(","))
