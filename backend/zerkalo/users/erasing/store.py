"""What is held about a person, found by ids and proved contacts; and the record of each erasure.

Reads tables of several subjects, in one place on purpose: a test dumps the whole database after an erasure and searches
it for the person.
"""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import scalar_row, tuple_row

from zerkalo.bookings import store as bookings
from zerkalo.bookings.reading.store import phone_is_anothers
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json, scalar
from zerkalo.matching import store as matching
from zerkalo.users.erasing.model import Erasure, Key
from zerkalo.users.model import User

# Only what this user alone has proved: a claimed contact, or a number that two have proved, may be somebody else's.
_PROVED: LiteralString = """
    select u.id, lower(u.email) as email, null as phone, null as phone10 from users u
    where u.id = %(id)s and u.email_verified_at is not null
    union all
    select u.id, null, u.phone, u.phone10 from users u
    where u.id = %(id)s and u.phone_verified_at is not null and length(u.phone10) = 10
        and not exists (select from users o where o.phone10 = u.phone10 and o.phone_verified_at is not null and o.id <> u.id)
"""


def _is_linked_by_contact(user: LiteralString) -> LiteralString:
    """Return SQL for whether a visit (`b`) on a card (`c`) is this user's by a contact that the card and the account share.

    The link came by a proof, even where somebody else has proved the contact since.
    """
    return (
        f"b.company_id = c.company_id and b.client_id = c.client_id and b.user_id = {user}.id and ("
        f"(b.matched_by = 'phone' and {user}.phone = c.phone)"
        f" or (b.matched_by = 'email' and lower({user}.email) = c.email))"
    )


_CARDS: LiteralString = (
    "with proved as ("
    + _PROVED
    + """), found as (
        select c.company_id, c.client_id, c.phone, c.email from clients c join proved p on c.email = p.email
            -- An e-mail that came late can have been written there by whoever booked with the card's phone.
            where %(email_alone)s and not coalesce(c.email_came_late, false) and c.user_id is null and not """
    + phone_is_anothers("%(id)s", "c.phone")
    + """
        union select c.company_id, c.client_id, c.phone, c.email from clients c join proved p
            on c.phone10 = p.phone10 and c.phone = p.phone where c.user_id is null
    ), lost as (
        select c.company_id, c.client_id, c.phone, c.email
        from users u join bookings b on b.user_id = u.id join clients c on """
    + _is_linked_by_contact("u")
    + """
        where u.id = %(id)s and c.user_id is null and case b.matched_by when 'phone' then u.phone_verified_at is null
            else u.email_verified_at is null and %(email_alone)s and not coalesce(c.email_came_late, false) and not """
    + phone_is_anothers("u.id", "c.phone")
    + """ end
    ), weighed as (
        -- The limits keep it index lookups: PostgreSQL would hash the whole table for `exists`.
        select c.company_id, c.client_id, c.is_visited, (select true from bookings b join users o on """
    + _is_linked_by_contact("o")
    + """
            where o.id <> %(id)s and o.erased_at is null limit 1) is not null as is_anothers
        from (select *, (select true from bookings b where b.company_id = found.company_id
                and b.client_id = found.client_id and b.user_id = %(id)s limit 1) is not null as is_visited from found
            union select *, false from lost) c
    )
    select company_id, client_id from clients where user_id = %(id)s
    union select company_id, client_id from weighed where is_visited or not is_anothers
    order by 1, 2
"""
)


async def cards_of(conn: Connection, user: User, *, email_counts_alone: bool) -> list[Key]:
    """Cards that the staff linked to the user, or whose contact this user alone has proved: (company, client).

    Of a number that changed hands the card is that user's whose visits on it were linked by the number, until its new
    holder has visits on it too: the new holder's erasure leaves the earlier one's card, and the earlier one's takes it. A
    visit that somebody made with a stranger's phone keeps nothing, since its own user's erasure would not take the card.
    An e-mail counts only where nobody else has proved the card's phone, and only if `email_counts_alone`.
    """
    cursor = await conn.execute(_CARDS, {"id": user.id, "email_alone": email_counts_alone})
    return [(company_id, client_id) for company_id, client_id in await cursor.fetchall()]


async def cards_given_to(conn: Connection, user_id: int) -> set[Key]:
    """Cards that the staff linked to the user."""
    cursor = await conn.execute("select company_id, client_id from clients where user_id = %s", [user_id])
    return {(company_id, client_id) for company_id, client_id in await cursor.fetchall()}


async def booking_ids_of(
    conn: Connection, user: User, cards: Sequence[Key], *, email_counts_alone: bool
) -> list[int]:
    """The user's bookings, and unmatched ones with a contact that this user alone has proved or with a card of the user.

    `email_counts_alone`: as in `cards_of`.
    """
    sql: LiteralString = (
        "with proved as ("
        + _PROVED
        + """)
        select id from bookings where user_id = %(id)s
        union select b.id from bookings b join proved p on b.match_email = p.email
            where %(email_alone)s and b.user_id is null and b.erased_at is null and not exists (
                select from clients c
                where c.company_id = b.company_id and c.client_id = b.client_id and (c.email_came_late or """
        + phone_is_anothers("%(id)s", "c.phone")
        + """))
                and not """
        + phone_is_anothers("%(id)s", "b.phone")
        + """
        union select b.id from bookings b join proved p on b.match_phone10 = p.phone10
            where b.user_id is null and b.erased_at is null
                and (b.phone is null or b.phone = p.phone or left(b.phone, 1) <> '+')
        union select b.id from jsonb_to_recordset(%(cards)s::jsonb) as c (c bigint, k bigint)
            join bookings b on b.company_id = c.c and b.client_id = c.k
            where b.user_id is null and b.erased_at is null
        order by 1
    """
    )
    async with conn.cursor(row_factory=scalar_row) as cursor:
        values = {"id": user.id, "cards": _pairs(cards), "email_alone": email_counts_alone}
        await cursor.execute(sql, values)
        return await cursor.fetchall()


async def hold_bookings(conn: Connection, user_id: int, ids: Collection[int]) -> list[int]:
    """Lock the user's bookings and those of `ids` that are still unmatched, by id: the first lock to take."""
    sql = """
        select id from bookings
        where user_id = %(user_id)s or (id = any(%(ids)s) and user_id is null and erased_at is null)
        order by id for update
    """
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, {"user_id": user_id, "ids": list(ids)})
        return await cursor.fetchall()


async def hold_unmatched(conn: Connection, ids: Collection[int]) -> list[int]:
    """Lock those of these bookings that are still unmatched, by id."""
    sql = "select id from bookings where id = any(%s) and user_id is null and erased_at is null order by id for update"
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, [list(ids)])
        return await cursor.fetchall()


async def hold_returned(conn: Connection, erasure: Erasure) -> list[int]:
    """Lock bookings of an erasure that are not erased, by id: a restored backup or a later sync brought them."""
    sql = """
        select b.id from jsonb_to_recordset(%s::jsonb) as k (c bigint, k bigint)
        join bookings b on b.company_id = k.c and b.yclients_record_id = k.k
        where b.erased_at is null order by b.id for update of b
    """
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, [_pairs(erasure.bookings)])
        return await cursor.fetchall()


async def erase_bookings(conn: Connection, ids: Collection[int], *, now: datetime) -> list[Key]:
    """Unlink bookings, which the caller holds, and remove personal data from them; return their (company, record)."""
    if not ids:
        return []
    await bookings.erase(conn, ids, now=now)
    await matching.forget_bookings(conn, ids)
    async with conn.cursor(row_factory=tuple_row) as cursor:
        await cursor.execute(
            "select company_id, yclients_record_id from bookings where id = any(%s) order by id", [list(ids)]
        )
        return [(company_id, record_id) for company_id, record_id in await cursor.fetchall()]


async def insert_erasure(
    conn: Connection, user_id: int | None, keys: Sequence[Key], cards: Sequence[Key], *, now: datetime
) -> None:
    """Record who was erased, with which bookings and cards, by ids. Unfinished until the bodies are empty."""
    await conn.execute(
        "insert into erasures (at, user_id, bookings, cards) values (%s, %s, %s::jsonb, %s::jsonb)",
        [now, user_id, as_json(keys), as_json(cards)],
    )


async def remember_contacts(conn: Connection, digests: Collection[bytes], *, now: datetime) -> None:
    """Store digests of an erased person's contacts."""
    for digest in digests:
        await conn.execute(
            "insert into erased_contacts (digest, erased_at) values (%s, %s)"
            " on conflict (digest) do update set erased_at = excluded.erased_at",
            [digest, now],
        )


async def erased_among(conn: Connection, digests: Collection[bytes]) -> set[bytes]:
    """Those of the digests that belong to a contact of an erased person."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("select digest from erased_contacts where digest = any(%s)", [list(digests)])
        return set(await cursor.fetchall())


async def keep_erasure(conn: Connection, erasure: Erasure) -> None:
    """Record an erasure from a journal, once, as unfinished."""
    await conn.execute(
        "insert into erasures (at, user_id, bookings, cards)"
        " select %(at)s, %(user_id)s, %(bookings)s::jsonb, %(cards)s::jsonb where not exists ("
        "  select from erasures where at = %(at)s and user_id is not distinct from %(user_id)s"
        "   and bookings = %(bookings)s::jsonb)",
        {
            "at": erasure.at,
            "user_id": erasure.user_id,
            "bookings": as_json(erasure.bookings),
            "cards": as_json(erasure.cards),
        },
    )


async def read_erasures(conn: Connection) -> list[Erasure]:
    """Every erasure, oldest first."""
    return await _erasures(conn, "select at, user_id, bookings, cards, id from erasures order by id")


async def count_lacking(conn: Connection, erasures: Sequence[Erasure]) -> int:
    """Count the erasures of a journal that are not recorded here while their user or a booking of theirs is not erased."""
    sql = """
        select count(*)
        from jsonb_to_recordset(%s::jsonb) as e (at timestamptz, user_id bigint, bookings jsonb)
        where not exists (
                select from erasures k where k.at = e.at and k.user_id is not distinct from e.user_id
                    and k.bookings = e.bookings)
            and (exists (select from users u where u.id = e.user_id and u.erased_at is null and u.created_at <= e.at)
                or exists (select from jsonb_array_elements(e.bookings) as b
                    join bookings o on o.company_id = (b ->> 0)::bigint and o.yclients_record_id = (b ->> 1)::bigint
                    where o.erased_at is null))
    """
    rows = [{"at": one.at, "user_id": one.user_id, "bookings": one.bookings} for one in erasures]
    return await scalar(conn, sql, [as_json(rows)])


async def unfinished_erasures(conn: Connection) -> list[Erasure]:
    """Erasures of which a body or a returned booking may be left, oldest first."""
    sql = "select at, user_id, bookings, cards, id from erasures where finished_at is null order by id"
    return await _erasures(conn, sql)


async def finish_erasure(conn: Connection, erasure: Erasure, *, now: datetime) -> None:
    """Finish an erasure, unless a booking of it is still missing: a restored backup may be older than the booking."""
    sql = """
        update erasures set finished_at = %(now)s
        where id = %(id)s and not exists (
            select from jsonb_to_recordset(%(keys)s::jsonb) as k (c bigint, k bigint)
            where not exists (select from bookings b where b.company_id = k.c and b.yclients_record_id = k.k
                              and b.erased_at is not null))
    """
    await conn.execute(sql, {"id": erasure.id, "keys": _pairs(erasure.bookings), "now": now})


async def bookings_of_erased_forms(conn: Connection, *, limit: int) -> list[int]:
    """Unmatched bookings that were made in our form by somebody who was erased before their record showed up.

    Their form bookings have no digest; all others have one.
    """
    sql = """
        select b.id from form_bookings f
        join bookings b on b.company_id = f.company_id and b.yclients_record_id = f.record_id
        where f.user_id is null and f.request_digest is null and b.user_id is null and b.erased_at is null
        order by b.id limit %s
    """
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, [limit])
        return await cursor.fetchall()


async def erased_users_with_forms(conn: Connection, *, limit: int) -> list[int]:
    """Erased users whom form bookings name: a request that had read the user before the erasure wrote them after it."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "select u.id from users u where u.erased_at is not null and u.merged_into is null"
            " and exists (select from form_bookings f where f.user_id = u.id) order by u.id limit %s",
            [limit],
        )
        return await cursor.fetchall()


async def erased_users_with_bookings(conn: Connection, *, limit: int) -> list[int]:
    """Erased users that bookings are linked to: a batch had read the user just before the erasure."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "select u.id from users u where u.erased_at is not null"
            " and exists (select from bookings b where b.user_id = u.id) order by u.id limit %s",
            [limit],
        )
        return await cursor.fetchall()


async def _erasures(conn: Connection, sql: LiteralString) -> list[Erasure]:
    cursor = await conn.execute(sql)
    return [_erasure(*row) for row in await cursor.fetchall()]


def _erasure(at: datetime, user_id: int | None, keys: Any, cards: Any, id_: int) -> Erasure:
    return Erasure(at, user_id, _keys(keys), _keys(cards), id_)


def _keys(pairs: list[list[int]]) -> tuple[Key, ...]:
    return tuple((company_id, number) for company_id, number in pairs)


def _pairs(keys: Sequence[Key]) -> str:
    return as_json([{"c": company_id, "k": number} for company_id, number in keys])
