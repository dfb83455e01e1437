"""Merging in sets: what one account has becomes another's. Writes tables of other domains, in one place on purpose:
a merge that forgets one of them loses somebody's bookings, and here it can be read whole.
"""

from collections.abc import Collection, Mapping
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import class_row

from zerkalo.bookings import store as bookings
from zerkalo.clients import store as clients
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json, scalar
from zerkalo.users.merging.model import Merge
from zerkalo.users.model import User
from zerkalo.users.store import USER_COLUMNS, delete_owned


async def lock_bookings_of(conn: Connection, user_ids: Collection[int]) -> None:
    """Holds the bookings of these users, by id: the first of the locks (bookings, users, ledger)."""
    await conn.execute(
        "select id from bookings where user_id = any(%s) order by id for update", [list(user_ids)]
    )


async def lock_users(
    conn: Connection, user_ids: Collection[int], *, links_too: bool = True
) -> dict[int, User]:
    """Hold these users, by id, with `links_too` against a new booking's link as well; returns those that are no shells."""
    sql = f"select {USER_COLUMNS} from users u where u.id = any(%s) order by u.id"
    sql += " for update of u" if links_too else " for no key update of u"
    async with conn.cursor(row_factory=class_row(User)) as cursor:
        await cursor.execute(sql, [list(user_ids)])
        return {user.id: user for user in await cursor.fetchall() if user.erased_at is None}


async def move_belongings(conn: Connection, *, from_id: int, into_id: int, now: datetime) -> None:
    """Gives bookings, candidacies and form bookings of the one to the other; ends the one's sessions and tokens."""
    both = {"from": from_id, "into": into_id, "now": now}
    await bookings.hand_on(conn, from_id=from_id, into_id=into_id, now=now)
    await clients.hand_on(conn, from_id=from_id, into_id=into_id, now=now)
    await conn.execute(
        "insert into match_candidates (booking_id, user_id, step, reason, created_at)"
        " select booking_id, %(into)s, step, reason, created_at from match_candidates where user_id = %(from)s"
        " on conflict do nothing",
        both,
    )
    for table in ("form_bookings", "clients", "origins"):
        await conn.execute(f"update {table} set user_id = %(into)s where user_id = %(from)s", both)
    await delete_owned(conn, from_id)


async def write_merged(conn: Connection, user: User, *, password_of: str | None, now: datetime) -> None:
    """Writes the account that stays, as `user` has it. `password_of` None: its password stays as it is."""
    sql = """
        update users set email = %(email)s, phone = %(phone)s, name = %(name)s, unique_code = %(code)s, note = %(note)s,
            email_verified_at = %(email_at)s, phone_verified_at = %(phone_at)s,
            password_hash = coalesce(%(password)s, password_hash), updated_at = %(now)s, rematch_wanted_at = %(now)s
        where id = %(id)s
    """
    values = {
        "id": user.id,
        "email": user.email,
        "phone": user.phone,
        "name": user.name,
        "note": user.note,
        "code": user.unique_code,
        "email_at": user.email_verified_at,
        "phone_at": user.phone_verified_at,
        "password": password_of,
        "now": now,
    }
    await conn.execute(sql, values)


async def keep_codes(
    conn: Connection, *, from_id: int, into_id: int, codes: Collection[str], now: datetime
) -> None:
    """Keeps codes that are no `unique_code` any more as names of the account that stays, the one's old ones too."""
    await conn.execute("update retired_codes set user_id = %s where user_id = %s", [into_id, from_id])
    for code in codes:
        await conn.execute(
            "insert into retired_codes (code, user_id, retired_at) values (%s, %s, %s)"
            " on conflict (code) do update set user_id = excluded.user_id",
            [code, into_id, now],
        )


_MERGE: LiteralString = "select id, at, from_id, into_id, before, after from merges"


async def what_stands(conn: Connection, *, from_id: int, into_id: int) -> Mapping[str, Any]:
    """Both accounts, and by ids what is the one's: what a merge must remember to be undone. Hold both users."""
    sql = """
        select jsonb_build_object(
            'from', (select to_jsonb(u) from users u where u.id = %(from)s),
            'into', (select to_jsonb(u) from users u where u.id = %(into)s),
            'bookings', coalesce((select jsonb_agg(id) from bookings where user_id = %(from)s), '[]'),
            'cards', coalesce((select jsonb_agg(jsonb_build_array(company_id, client_id)) from clients
                where user_id = %(from)s), '[]'),
            'forms', coalesce((select jsonb_agg(api_id) from form_bookings where user_id = %(from)s), '[]'),
            'origins', coalesce((select jsonb_agg(jsonb_build_array(source, kind, ref)) from origins
                where user_id = %(from)s), '[]'),
            'candidates', coalesce((select jsonb_agg(to_jsonb(m)) from match_candidates m
                where m.user_id in (%(from)s, %(into)s)), '[]'),
            'codes', coalesce((select jsonb_agg(code) from retired_codes where user_id = %(from)s), '[]'))
    """
    return await scalar(conn, sql, {"from": from_id, "into": into_id})


async def insert_merge(
    conn: Connection, before: Mapping[str, Any], *, from_id: int, into_id: int, admin_id: int, now: datetime
) -> None:
    """Remember a merge that has just been made."""
    await conn.execute(
        "insert into merges (at, from_id, into_id, admin_id, before, after)"
        " select %s, %s, u.id, %s, %s::jsonb, to_jsonb(u) from users u where u.id = %s",
        [now, from_id, admin_id, as_json(before), into_id],
    )


async def merges_into(conn: Connection, user_id: int, *, since: datetime) -> list[Merge]:
    """The merges into an account since a moment, newest first."""
    async with conn.cursor(row_factory=class_row(Merge)) as cursor:
        await cursor.execute(f"{_MERGE} where into_id = %s and at >= %s order by id desc", [user_id, since])
        return await cursor.fetchall()


async def merge_for_update(conn: Connection, merge_id: int) -> Merge | None:
    """A merge that can be undone, held; None where there is none."""
    async with conn.cursor(row_factory=class_row(Merge)) as cursor:
        await cursor.execute(f"{_MERGE} where id = %s for update", [merge_id])
        return await cursor.fetchone()


async def forget_merges(
    conn: Connection, *, of_user: int | None = None, before: datetime | None = None
) -> None:
    """Delete what is remembered of merges that a user has part in, or of those older than a moment."""
    await conn.execute(
        "delete from merges where from_id = %(user)s or into_id = %(user)s or at < %(before)s",
        {"user": of_user, "before": before},
    )


async def return_belongings(conn: Connection, merge: Merge, *, now: datetime) -> None:
    """Give back to the account that ended what the other took from it and still has. Hold both and their bookings."""
    from_id, into_id, before = merge.from_id, merge.into_id, merge.before
    await bookings.hand_on(conn, from_id=into_id, into_id=from_id, only=list(merge.bookings), now=now)
    cards = [(company_id, client_id) for company_id, client_id in before["cards"]]
    await clients.hand_on(conn, from_id=into_id, into_id=from_id, only=cards, now=now)
    both = {"from": from_id, "into": into_id, "now": now}
    await conn.execute(
        "update form_bookings set user_id = %(from)s where user_id = %(into)s and api_id = any(%(ids)s)",
        both | {"ids": before["forms"]},
    )
    await conn.execute(
        "update origins o set user_id = %(from)s from jsonb_array_elements(%(ids)s::jsonb) as k"
        " where o.user_id = %(into)s and o.source = k ->> 0 and o.kind = k ->> 1 and o.ref = k ->> 2",
        both | {"ids": as_json(before["origins"])},
    )
    # Who fits an unmatched booking is as it was; what has changed since is found by matching both anew.
    await conn.execute("delete from match_candidates where user_id = %(into)s", both)
    await conn.execute(
        "insert into match_candidates (booking_id, user_id, step, reason, created_at)"
        " select m.booking_id, m.user_id, m.step, m.reason, m.created_at"
        " from jsonb_populate_recordset(null::match_candidates, %(rows)s::jsonb) m"
        " join bookings b on b.id = m.booking_id and b.user_id is null on conflict do nothing",
        both | {"rows": as_json(before["candidates"])},
    )


async def restore_accounts(conn: Connection, merge: Merge, *, now: datetime) -> None:
    """Write both accounts as they were. A contact that somebody else has proved since is a claim; a new password stays."""
    values = {
        "from": merge.from_id,
        "into": merge.into_id,
        "codes": [code for code in (merge.before[one]["unique_code"] for one in ("from", "into")) if code],
        "codes_of_from": merge.before["codes"],
        "after": as_json(merge.after),
        "now": now,
    }
    await conn.execute("update users set unique_code = null where id in (%(from)s, %(into)s)", values)
    await conn.execute("delete from retired_codes where code = any(%(codes)s)", values)
    await conn.execute(
        "update retired_codes set user_id = %(from)s where user_id = %(into)s and code = any(%(codes_of_from)s)",
        values,
    )
    for one in ("into", "from"):  # first who gives up a proved contact
        await conn.execute(_RESTORE, values | {"before": as_json(merge.before[one])})


_RESTORE = """
    update users u set email = p.email, phone = p.phone, unique_code = p.unique_code, role = p.role,
        name = case when u.id = %(into)s and u.name <> a.name then u.name else p.name end,
        note = case when u.id = %(into)s and u.note <> a.note then u.note else p.note end,
        password_hash = case when u.id = %(into)s and u.password_hash is distinct from a.password_hash
            then u.password_hash else p.password_hash end,
        email_verified_at = case when not exists (select from users o where o.id <> u.id
            and lower(o.email) = lower(p.email) and o.email_verified_at is not null) then p.email_verified_at end,
        phone_verified_at = case when not exists (select from users o where o.id not in (%(from)s, %(into)s)
            and o.phone = p.phone and o.phone_verified_at > a.updated_at) then p.phone_verified_at end,
        earns_from = p.earns_from, erased_at = null, merged_into = null, rematch_wanted_at = %(now)s, updated_at = %(now)s
    from jsonb_populate_record(null::users, %(before)s::jsonb) p,
        jsonb_populate_record(null::users, %(after)s::jsonb) a
    where u.id = p.id
"""
