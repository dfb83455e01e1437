"""`merges`: the state before each merge, kept for a day so that the merge can be undone, and which ones were."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import class_row

from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json, scalar
from zerkalo.users.merging.model import Merge

_MERGE: LiteralString = "select id, at, from_id, into_id, before, after, undone_at from merges"


async def what_stands(conn: Connection, *, from_id: int, into_id: int) -> Mapping[str, Any]:
    """Both accounts, and by ids what the first one has: all that undoing a merge needs. The caller holds both users."""
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
    conn: Connection,
    before: Mapping[str, Any],
    *,
    from_id: int,
    into_id: int,
    admin_id: int | None,
    now: datetime,
) -> None:
    """Record a merge that has just been made."""
    await conn.execute(
        "insert into merges (at, from_id, into_id, admin_id, before, after)"
        " select %s, %s, u.id, %s, %s::jsonb, to_jsonb(u) from users u where u.id = %s",
        [now, from_id, admin_id, as_json(before), into_id],
    )


async def merges_into(conn: Connection, user_id: int, *, since: datetime) -> list[Merge]:
    """The merges into an account since a moment that stand, newest first."""
    sql = f"{_MERGE} where into_id = %s and at >= %s and undone_at is null order by id desc"
    async with conn.cursor(row_factory=class_row(Merge)) as cursor:
        await cursor.execute(sql, [user_id, since])
        return await cursor.fetchall()


async def merge_for_update(conn: Connection, merge_id: int) -> Merge | None:
    """Lock a recorded merge; None where there is none."""
    async with conn.cursor(row_factory=class_row(Merge)) as cursor:
        await cursor.execute(f"{_MERGE} where id = %s for update", [merge_id])
        return await cursor.fetchone()


async def write_undone(conn: Connection, merge_id: int, *, now: datetime) -> None:
    """Mark a merge as undone and empty its record."""
    await conn.execute(
        "update merges set undone_at = %s, before = '{}', after = '{}' where id = %s", [now, merge_id]
    )


async def forget_merges(
    conn: Connection, *, of_user: int | None = None, before: datetime | None = None
) -> None:
    """Delete the records of standing merges that a user, or an account merged into theirs, took part in; or all before a moment."""
    sql = """
        with recursive theirs (id) as (
            select %(user)s::bigint
            union select m.from_id from merges m join theirs t on m.into_id = t.id where m.undone_at is null)
        delete from merges where at < %(before)s
            or undone_at is null and (from_id in (select id from theirs) or into_id in (select id from theirs))
    """
    await conn.execute(sql, {"user": of_user, "before": before})
