"""Which bookings are to be matched anew: their keys, in the order of their ids."""

from collections.abc import Collection, Sequence

from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json
from zerkalo.mirror.model import Key


async def keys_of_evidence(
    conn: Connection,
    *,
    user_id: int,
    codes: Sequence[str],
    email: str | None,
    phone10: str | None,
    cards: Collection[tuple[int, int]],
    after_id: int,
    limit: int,
) -> list[tuple[int, Key]]:
    """(id, key) of the bookings that may be a user's: by code, proved contact or card, made or claimed, or linked to them.

    By id, from `after_id` on, at most `limit`. `phone10`: last ten digits; `email` in lower case; `cards`: (company,
    client id) of the cards that carry their contacts or were given to them.
    """
    statement = """
        select id, company_id, yclients_record_id from (
            select id, company_id, yclients_record_id from bookings where user_id = %(user_id)s
            union select id, company_id, yclients_record_id from bookings
                where match_codes && %(codes)s::text[] and match_codes <> '{}'
            union select id, company_id, yclients_record_id from bookings where match_email = %(email)s
            union select id, company_id, yclients_record_id from bookings where match_phone10 = %(phone10)s
            union select b.id, b.company_id, b.yclients_record_id
                from jsonb_to_recordset(%(cards)s::jsonb) as k (c bigint, i bigint)
                join bookings b on b.company_id = k.c and b.client_id = k.i
            union select b.id, b.company_id, b.yclients_record_id from form_bookings f
                join bookings b on b.company_id = f.company_id and b.yclients_record_id = f.record_id
                where f.user_id = %(user_id)s
        ) as theirs
        where id > %(after_id)s
        order by id limit %(limit)s
    """
    values = {"user_id": user_id, "codes": list(codes), "email": email, "phone10": phone10} | {
        "cards": as_json([{"c": company_id, "i": client_id} for company_id, client_id in cards]),
        "after_id": after_id,
        "limit": limit,
    }
    cursor = await conn.execute(statement, values)
    return [(id_, (company_id, record_id)) for id_, company_id, record_id in await cursor.fetchall()]


async def keys_of_card(
    conn: Connection, card: tuple[int, int], *, after_id: int, limit: int
) -> list[tuple[int, Key]]:
    """(id, key) of the bookings of a card (company, client id), by id, from `after_id` on, at most `limit`."""
    cursor = await conn.execute(
        "select id, yclients_record_id from bookings where company_id = %s and client_id = %s and id > %s"
        " order by id limit %s",
        [*card, after_id, limit],
    )
    return [(id_, (card[0], record_id)) for id_, record_id in await cursor.fetchall()]
