"""Users looked up for matching, by codes, contacts and ids at once."""

from collections.abc import Collection
from typing import LiteralString

from psycopg.rows import args_row, scalar_row

from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json
from zerkalo.users.model import MatchUser

# To follow a `with named (codes, emails, phone10s, ids)`. Arrays, not joins with the values: PostgreSQL estimates a hundred
# rows for a function and would scan all users instead of looking up five hundred; for an array it estimates ten.
FOUND_BY_NAME: LiteralString = """
    found (id) as (
        select id from users where unique_code = any ((select codes from named)::text[])
        union
        select user_id from retired_codes where code = any ((select codes from named)::text[])
        union
        select id from users
            where lower(email) = any ((select emails from named)::text[]) and email_verified_at is not null
        union
        select id from users
            where phone10 = any ((select phone10s from named)::text[]) and phone_verified_at is not null
        union
        select unnest(ids) from named
    ),
    matched as (
        select u.id, u.unique_code,
            case when u.email_verified_at is not null then lower(u.email) end as email_proved,
            case when u.phone_verified_at is not null then u.phone end as phone_proved,
            array(select r.code from retired_codes r where r.user_id = u.id order by r.code) as also_codes
        from users u
        where u.id = any (array(select id from found)) and u.erased_at is null
        order by u.id
    )
"""
_MATCHING: LiteralString = f"""
    with asked (q) as (values (%s::jsonb)),
    named (codes, emails, phone10s, ids) as materialized (
        select array(select jsonb_array_elements_text(q -> 'codes')),
            array(select jsonb_array_elements_text(q -> 'emails')),
            array(select jsonb_array_elements_text(q -> 'phone10s')),
            array(select jsonb_array_elements_text(q -> 'ids')::bigint)
        from asked
    ),
    {FOUND_BY_NAME}
    select id, unique_code, email_proved, phone_proved, also_codes from matched
"""


async def users_for_matching(
    conn: Connection,
    *,
    codes: Collection[str] = (),
    emails: Collection[str] = (),
    phone10s: Collection[str] = (),
    ids: Collection[int] = (),
) -> list[MatchUser]:
    """Users found by code, proved e-mail, proved phone or id; each once, by id, none erased.

    `codes` canonical, `emails` in lower case, `phone10s` the last ten digits: the caller compares whole
    numbers (`kit.phone.same_phone`). One query on four indexes. Two users may share a proved phone (imports allow it), but
    no code and no proved e-mail. The code of a merged account names the account that stays: it is in `also_codes`.
    """
    asked = {"codes": list(codes), "emails": list(emails), "phone10s": list(phone10s), "ids": list(ids)}
    async with conn.cursor(row_factory=args_row(_match_user)) as cursor:
        await cursor.execute(_MATCHING, [as_json(asked)])
        return await cursor.fetchall()


def _match_user(
    id_: int, code: str | None, email: str | None, phone: str | None, also_codes: list[str]
) -> MatchUser:
    return MatchUser(id_, code, email, phone, tuple(also_codes))


async def rivals_of(conn: Connection, user_id: int) -> list[int]:
    """Users who may get the bookings that this user is a candidate for, once this user no longer competes.

    The other candidates, and everybody whom the bookings name by a code or a proved contact: with a competitor gone, a
    weaker step may decide. Ask before the candidacies are deleted; no later change of the booking would trigger it.
    """
    sql = """
        with theirs as (
            select b.id, b.match_codes, coalesce(c.email, b.match_email) as email,
                coalesce(c.phone10, b.match_phone10) as phone10, c.user_id as card_user_id
            from match_candidates m join bookings b on b.id = m.booking_id
            left join clients c on c.company_id = b.company_id and c.client_id = b.client_id
            where m.user_id = %(id)s
        ), others as (
            select rival.user_id as id from theirs join match_candidates rival on rival.booking_id = theirs.id
            union select u.id from theirs join users u on u.unique_code = any (theirs.match_codes)
            union select r.user_id from theirs join retired_codes r on r.code = any (theirs.match_codes)
            union select u.id from theirs join users u
                on lower(u.email) = theirs.email and u.email_verified_at is not null
            union select u.id from theirs join users u
                on u.phone10 = theirs.phone10 and u.phone_verified_at is not null
            union select card_user_id from theirs
        )
        select id from others where id <> %(id)s
    """
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, {"id": user_id})
        return await cursor.fetchall()
