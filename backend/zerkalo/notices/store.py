"""What users were notified of (`told_visits`, `told_points`), their channels (`notice_choices`), and what changed since."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Any, LiteralString

from psycopg.rows import args_row

from zerkalo.bookings.model import with_offset
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json, scalar
from zerkalo.notices.model import Movement, Reach, Visit, WouldBe

LOOK = "look"
KEPT = timedelta(days=7)
_VISIT = """
    select b.id, b.user_id, b.status, b.appointment_datetime, b.appointment_local, b.service_name, b.staff_name,
        coalesce(c.title, ''), greatest(b.vendor_changed_at, b.cancelled_at, case when b.vendor_changed_at is null then b.updated_at end),
        b.created_at, t.user_id, t.starts_at, coalesce(t.is_cancelled, false)
    from bookings b left join told_visits t on t.booking_id = b.id left join companies c on c.id = b.company_id
"""
_CHANGED = (
    _VISIT
    + """
    where b.updated_at >= %(since)s and b.updated_at < %(until)s and b.user_id is not null and b.erased_at is null
        and b.appointment_datetime > %(now)s
        and (t.booking_id is null or t.user_id <> b.user_id or t.starts_at <> b.appointment_datetime
            or t.is_cancelled <> (b.status = 'CANCELLED'))
    order by b.updated_at, b.id limit %(limit)s
"""
)
_TO_REMIND = (
    _VISIT
    + """
    where b.company_id in (select id from companies) and b.user_id is not null and b.erased_at is null
        and b.status in ('PENDING', 'CONFIRMED')
        and b.appointment_datetime > greatest(%(now)s::timestamptz, %(since)s::timestamptz + %(before)s::interval)
        and b.appointment_datetime <= %(now)s::timestamptz + %(before)s::interval
        and b.created_at < b.appointment_datetime - %(before)s::interval
        and t.reminded_for is distinct from b.appointment_datetime
    order by b.appointment_datetime, b.id limit %(limit)s
"""
)
_REMEMBER_ALL = """
    insert into told_visits (booking_id, user_id, starts_at, is_cancelled)
    select b.id, b.user_id, b.appointment_datetime, b.status = 'CANCELLED' from bookings b
    where b.company_id in (select id from companies) and b.appointment_datetime > %(now)s
        and b.user_id is not null and b.updated_at < %(since)s
    on conflict (booking_id) do update set user_id = excluded.user_id, starts_at = excluded.starts_at,
        is_cancelled = excluded.is_cancelled
"""
_REMEMBER = """
    insert into told_visits (booking_id, user_id, starts_at, is_cancelled, reminded_for)
    select v.b, v.u, v.s, v.c, v.r
    from jsonb_to_recordset(%(rows)s::jsonb) as v (b bigint, u bigint, s timestamptz, c boolean, r timestamptz)
    on conflict (booking_id) do update set user_id = excluded.user_id, starts_at = excluded.starts_at,
        is_cancelled = excluded.is_cancelled, reminded_for = coalesce(excluded.reminded_for, told_visits.reminded_for)
"""
# Of points earned by visits only recent visits count: points that a sweep awards for the past are no news. A visit's
# entries since its user's last notice are summed: points given, reversed and given again are reported once. What a merge of
# two accounts repeats (`loyalty.store.MOVE_HERE`) is no news.
_MOVEMENTS = """
    select m.user_id, coalesce(sum(m.amount) filter (where not m.by_hand), 0)::bigint,
        coalesce(sum(m.amount) filter (where m.by_hand), 0)::bigint, max(m.id),
        (select sum(amount)::bigint from bonus_entries a where a.user_id = m.user_id),
        case when min(m.booking_id) = max(m.booking_id) and count(m.booking_id) = count(*) then min(m.booking_id) end
    from (
        select b.user_id, net.amount, net.id, net.created_at, false as by_hand, b.id as booking_id
        from (
            select distinct e.user_id, e.booking_id from bonus_entries e
            where e.effective_at >= %(since)s and e.amount > 0 and e.kind = 'accrual'
        ) given
        join bookings b on b.id = given.booking_id and b.user_id = given.user_id
        left join told_points p on p.user_id = b.user_id
        cross join lateral (
            select sum(r.amount) as amount, max(r.id) as id, max(r.created_at) as created_at from bonus_entries r
            where r.booking_id = b.id and r.user_id = b.user_id and r.id > coalesce(p.entry_id, 0)
                and r.entry_key not like 'merge:%%'
        ) net
        where b.status = 'COMPLETED' and b.appointment_datetime > %(recent)s and net.amount > 0
        union all
        select e.user_id, e.amount, e.id, e.created_at, true, e.visit_id
        from bonus_entries e
        where e.effective_at >= %(since)s and e.created_by is not null and e.entry_key not like 'merge:%%'
    ) m left join told_points p on p.user_id = m.user_id
    where m.id > coalesce(p.entry_id, 0)
    group by m.user_id having max(m.created_at) < %(until)s order by m.user_id limit %(limit)s
"""
_WOULD_BE = """
    with happened as (
        select case e.kind when 'created' then 'confirmation' when 'moved' then 'moved' else 'cancelled' end as kind,
            e.booking_id, b.user_id, date_trunc('minute', e.at) as at
        from booking_events e join bookings b on b.id = e.booking_id left join sync_runs r on r.id = e.run_id
        where e.at >= %(since)s and e.at < b.appointment_datetime and b.user_id is not null
            and (e.kind = 'moved'
                or (e.kind = 'created' and e.cause <> 'import' and not coalesce(r.full_history, false)
                    and coalesce(b.vendor_changed_at >= e.at - interval '1 hour', true) and e.after ->> 'status' <> 'CANCELLED')
                or (e.kind = 'status' and e.after ->> 'status' = 'CANCELLED' and e.before ->> 'status' <> 'CANCELLED'))
        group by 1, 2, 3, 4
        union all
        select 'reminder', b.id, b.user_id, b.appointment_datetime from bookings b
        where b.company_id in (select id from companies)
            and b.appointment_datetime >= %(since)s::timestamptz + %(before)s::interval
            and b.appointment_datetime < %(now)s::timestamptz + %(before)s::interval
            -- a visit that was over when we first read it was booked we don't know when, most likely in time
            and (b.created_at < b.appointment_datetime - %(before)s::interval or b.created_at > b.appointment_datetime)
            and b.status <> 'CANCELLED' and b.user_id is not null
        union all
        select 'points', min(e.id), e.user_id, date_trunc('hour', e.created_at)
        from bonus_entries e left join bookings b on b.id = e.booking_id
        where e.effective_at >= %(since)s and e.entry_key not like 'merge:%%'
            and (e.created_by is not null or e.amount > 0 and e.kind = 'accrual'
                and b.appointment_datetime > e.created_at - interval '2 days')
        group by e.user_id, date_trunc('hour', e.created_at)
        union all
        select 'burning', min(e.id), e.user_id, min(e.created_at) from bonus_entries e
        where e.effective_at >= %(since)s and e.kind = 'expiry' group by e.user_id
    ),
    reached as (
        select h.kind, h.user_id, u.email_verified_at is not null and coalesce(n.by_email, true) as by_email,
            u.phone_verified_at is not null and coalesce(n.by_phone, false) as by_phone,
            n.chat_id is not null and coalesce(n.by_telegram, true) and %(has_telegram)s as by_telegram
        from happened h join users u on u.id = h.user_id left join notice_choices n on n.user_id = h.user_id
    )
    select kind, count(*), count(distinct user_id), count(*) filter (where by_email), count(*) filter (where by_phone),
        count(*) filter (where by_telegram), count(*) filter (where not (by_email or by_phone or by_telegram))
    from reached group by kind order by kind
"""
_REACH = """
    select u.id, case when u.email_verified_at is not null then u.email end,
        case when u.phone_verified_at is not null then u.phone end, n.chat_id,
        coalesce(n.by_email, true), coalesce(n.by_phone, false), coalesce(n.by_telegram, true),
        coalesce(u.language, 'ru')
    from users u left join notice_choices n on n.user_id = u.id
    where u.id = any(%s) and u.erased_at is null
"""


async def hold(conn: Connection, *, now: datetime) -> datetime | None:
    """Lock the notices for this transaction and record the run; return when the last run was, None for never.

    The row is the lock: one worker runs at a time, and the next one sees what it wrote.
    """
    _, last = await hold_state(conn, LOOK)
    await write_state(conn, LOOK, None, now=now)
    return last


async def hold_state(conn: Connection, name: str) -> tuple[Any, datetime | None]:
    """Lock a named state until the transaction ends; return its value and when it was written, (None, None) if never."""
    await conn.execute("insert into notice_state (name) values (%s) on conflict do nothing", [name])
    cursor = await conn.execute(
        "select value, updated_at from notice_state where name = %s for update", [name]
    )
    row = await cursor.fetchone()
    assert row is not None, "inserted above"
    return row[0], row[1]


async def write_state(conn: Connection, name: str, value: object, *, now: datetime) -> None:
    """Write the value of a state that `hold_state` locked."""
    await conn.execute(
        "update notice_state set value = %s::jsonb, updated_at = %s where name = %s",
        [as_json(value), now, name],
    )


async def remember_all(conn: Connection, *, now: datetime, since: datetime) -> None:
    """Mark every future visit as notified, so that nobody is notified of changes made before notices were switched on."""
    await conn.execute(_REMEMBER_ALL, {"now": now, "since": since})


async def changed_visits(
    conn: Connection, *, since: datetime, until: datetime, now: datetime, limit: int
) -> list[Visit]:
    """Return future visits that differ from what their users were last told and have not changed since `until`."""
    return await _visits(conn, _CHANGED, {"since": since, "until": until, "now": now, "limit": limit})


async def visits_to_remind_of(
    conn: Connection, *, before: timedelta, since: datetime, now: datetime, limit: int
) -> list[Visit]:
    """Return visits whose reminder became due after `since`, and that were booked before it was due."""
    return await _visits(conn, _TO_REMIND, {"before": before, "since": since, "now": now, "limit": limit})


async def remember(conn: Connection, visits: Sequence[Visit], *, is_reminder: bool = False) -> None:
    """Record what the users of these visits have now been told."""
    rows = [
        {
            "b": one.booking_id,
            "u": one.user_id,
            "s": one.starts_at,
            "c": one.is_cancelled,
            "r": one.starts_at if is_reminder else None,
        }
        for one in visits
    ]
    await conn.execute(_REMEMBER, {"rows": as_json(rows)})


async def movements(
    conn: Connection, *, since: datetime, recent: datetime, until: datetime, limit: int
) -> list[Movement]:
    """Return points moved since `since`, for visits after `recent` or by hand, that users were not notified of yet."""
    values = {"since": since, "recent": recent, "until": until, "limit": limit}
    async with conn.cursor(row_factory=args_row(Movement)) as cursor:
        await cursor.execute(_MOVEMENTS, values)
        return await cursor.fetchall()


async def remember_points(conn: Connection, told: Sequence[Movement]) -> None:
    """Record up to which entry users were notified of their points."""
    await conn.execute(
        "insert into told_points (user_id, entry_id)"
        " select v.u, v.e from jsonb_to_recordset(%s::jsonb) as v (u bigint, e bigint)"
        " on conflict (user_id) do update set entry_id = excluded.entry_id",
        [as_json([{"u": one.user_id, "e": one.entry_id} for one in told])],
    )


async def not_told_of_burning(conn: Connection, user_ids: Sequence[int], *, since: datetime) -> list[int]:
    """Return the users among these who were not notified of expiring points since `since`."""
    cursor = await conn.execute(
        "select u.id from users u left join told_points p on p.user_id = u.id"
        " where u.id = any(%s) and coalesce(p.burning_at, '-infinity') < %s order by u.id",
        [list(user_ids), since],
    )
    return [user_id for (user_id,) in await cursor.fetchall()]


async def remember_burning(conn: Connection, user_id: int, *, now: datetime) -> None:
    """Record that a user was notified of expiring points."""
    await conn.execute(
        "insert into told_points (user_id, burning_at) values (%s, %s)"
        " on conflict (user_id) do update set burning_at = excluded.burning_at",
        [user_id, now],
    )


async def reach_of(conn: Connection, user_ids: Sequence[int]) -> dict[int, Reach]:
    """Return the contacts and chosen channels of these users, by id. The default is mail and Telegram, no SMS."""
    async with conn.cursor(row_factory=args_row(Reach)) as cursor:
        await cursor.execute(_REACH, [list(user_ids)])
        return {one.user_id: one for one in await cursor.fetchall()}


async def write_choices(
    conn: Connection, user_id: int, *, by_email: bool, by_phone: bool, by_telegram: bool
) -> None:
    """Write the channels that a user chose."""
    await conn.execute(
        "insert into notice_choices (user_id, by_email, by_phone, by_telegram) values (%s, %s, %s, %s)"
        " on conflict (user_id) do update set by_email = excluded.by_email, by_phone = excluded.by_phone,"
        " by_telegram = excluded.by_telegram",
        [user_id, by_email, by_phone, by_telegram],
    )


async def would_have_been(
    conn: Connection, *, since: datetime, now: datetime, before: timedelta, has_telegram: bool
) -> list[WouldBe]:
    """Estimate the notices since `since` from what happened. Reminders are counted so long `before` a visit.

    The first read of the history is no news, a change counts while the visit is ahead, and points within an hour are
    one message. Reads all events of that time.
    """
    values = {"since": since, "now": now, "before": before, "has_telegram": has_telegram}
    async with conn.cursor(row_factory=args_row(WouldBe)) as cursor:
        await cursor.execute(_WOULD_BE, values)
        return await cursor.fetchall()


async def insert_code(conn: Connection, user_id: int, digest: bytes, *, expires_at: datetime) -> None:
    """Write the digest of a user's code for Telegram, replacing the previous one."""
    await conn.execute(
        "insert into telegram_codes (user_id, code_hash, expires_at) values (%s, %s, %s)"
        " on conflict (user_id) do update set code_hash = excluded.code_hash, expires_at = excluded.expires_at",
        [user_id, digest, expires_at],
    )


async def has_codes(conn: Connection, *, now: datetime) -> bool:
    """Return whether there is a code that has not expired."""
    return bool(await scalar(conn, "select exists (select from telegram_codes where expires_at > %s)", [now]))


async def take_code(conn: Connection, digest: bytes, *, now: datetime) -> int | None:
    """Use a code up and return its user's id; None where it is unknown or expired."""
    return await scalar(
        conn,
        "delete from telegram_codes where code_hash = %s and expires_at > %s returning user_id",
        [digest, now],
    )


async def connect_chat(conn: Connection, user_id: int, chat_id: int) -> bool:
    """Connect a chat to a user, disconnecting any other user from it. Return whether there was one."""
    taken = await conn.execute(
        "update notice_choices set chat_id = null where chat_id = %s and user_id <> %s", [chat_id, user_id]
    )
    await conn.execute(
        "insert into notice_choices (user_id, chat_id) values (%s, %s)"
        " on conflict (user_id) do update set chat_id = excluded.chat_id, by_telegram = true",
        [user_id, chat_id],
    )
    return taken.rowcount > 0


async def disconnect_chat(conn: Connection, user_id: int) -> None:
    """Disconnect a user's chat."""
    await conn.execute("update notice_choices set chat_id = null where user_id = %s", [user_id])


async def end_chat(conn: Connection, user_id: int) -> None:
    """Disconnect a user's chat, and delete a code that could connect one."""
    await disconnect_chat(conn, user_id)
    await conn.execute("delete from telegram_codes where user_id = %s", [user_id])


async def forget_user(conn: Connection, user_id: int) -> None:
    """Delete all rows of this user."""
    await conn.execute("delete from told_visits where user_id = %s", [user_id])
    await conn.execute("delete from told_points where user_id = %s", [user_id])
    await conn.execute("delete from notice_choices where user_id = %s", [user_id])
    await conn.execute("delete from telegram_codes where user_id = %s", [user_id])


async def prune(conn: Connection, *, now: datetime) -> None:
    """Delete rows of visits that started more than `KEPT` ago, and expired codes."""
    await conn.execute("delete from told_visits where starts_at < %s", [now - KEPT])
    await conn.execute("delete from telegram_codes where expires_at < %s", [now])


async def _visits(conn: Connection, sql: LiteralString, values: dict[str, object]) -> list[Visit]:
    cursor = await conn.execute(sql, values)
    return [
        Visit(id_, user_id, status, with_offset(at, local), service, staff, salon, changed, *rest)
        for id_, user_id, status, at, local, service, staff, salon, changed, *rest in await cursor.fetchall()
    ]
