"""Find bookings whose sums are outdated, and recount them. Writes `report_visits`, `report_sums`, `report_progress`."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import LiteralString

from psycopg.rows import class_row

from zerkalo.db.locks import lock
from zerkalo.db.pool import Connection

LOOK_BACK = timedelta(minutes=1)
"""How far `updated_at` may be behind the database's clock, or before the start of its transaction."""


@dataclass(frozen=True, slots=True)
class Progress:
    """The progress of the counting; see the table `report_progress`."""

    looked_until: datetime
    swept_id: int
    is_whole: bool


@dataclass(frozen=True, slots=True)
class _Counted:
    """The sums that a booking is part of: its day at a branch, and its person."""

    company_id: int
    visit_on: date
    user_id: int | None
    client_id: int | None


async def hold_progress(conn: Connection) -> tuple[Progress, datetime]:
    """Lock the progress until the transaction ends; return it, and the time before which all writes are committed."""
    await lock(conn, "reports")
    ((until,),) = await (await conn.execute(COMMITTED_UNTIL)).fetchall()
    await conn.execute(
        "insert into report_progress (looked_until) values (%s) on conflict do nothing", [until]
    )
    cursor = conn.cursor(row_factory=class_row(Progress))
    (progress,) = await (
        await cursor.execute("select looked_until, swept_id, is_whole from report_progress")
    ).fetchall()
    return progress, until


async def put_progress(conn: Connection, progress: Progress) -> None:
    """Write the progress."""
    await conn.execute(
        "update report_progress set looked_until = %s, swept_id = %s, is_whole = %s",
        [progress.looked_until, progress.swept_id, progress.is_whole],
    )


async def changed(conn: Connection, since: datetime, limit: int) -> list[int]:
    """Return bookings written since then whose counted revision is outdated or missing."""
    cursor = await conn.execute(CHANGED, {"since": since - LOOK_BACK, "limit": limit})
    return [id_ for (id_,) in await cursor.fetchall()]


async def differing(conn: Connection, after_id: int, width: int) -> tuple[list[int], int | None]:
    """Return the outdated among the next `width` bookings by id, and the last id compared, None at the end."""
    cursor = await conn.execute(
        "select case when count(*) = %(width)s then max(id) end"
        " from (select id from bookings where id > %(after)s order by id limit %(width)s) as b",
        {"after": after_id, "width": width},
    )
    ((last_id,),) = await cursor.fetchall()
    found = await (await conn.execute(DIFFERING, {"after": after_id, "last": last_id})).fetchall()
    return [id_ for (id_,) in found], last_id


async def waiting_count(conn: Connection, after_id: int) -> int:
    """Count the bookings that the first round has not reached. Reads the index of their ids."""
    ((count,),) = await (
        await conn.execute("select count(*) from bookings where id > %s", [after_id])
    ).fetchall()
    return count


async def recount(conn: Connection, booking_ids: Sequence[int]) -> None:
    """Recount these bookings: the days, months and persons they belong to now and belonged to before."""
    values = {"ids": list(booking_ids)}
    async with conn.cursor(row_factory=class_row(_Counted)) as cursor:
        await cursor.execute(_BEFORE, values)
        touched = set(await cursor.fetchall())
        await cursor.execute(_PUT, values)
        touched |= set(await cursor.fetchall())
    await conn.execute(
        "delete from report_visits v where booking_id = any (%(ids)s) and not exists (select from bookings b where b.id = v.booking_id)",
        values,
    )
    await _recount_days(conn, {(one.company_id, one.visit_on) for one in touched})
    await conn.execute(
        PERSONS,
        {
            "users": sorted({one.user_id for one in touched if one.user_id is not None}),
            **_columns({(one.company_id, one.client_id) for one in touched if one.client_id is not None}),
        },
    )


async def _recount_days(conn: Connection, days: Collection[tuple[int, date]]) -> None:
    of_days = {**_columns(days), "is_month": False}
    of_months = {
        **_columns({(company_id, day.replace(day=1)) for company_id, day in days}),
        "is_month": True,
    }
    await conn.execute(_FORGET, of_days)
    await conn.execute(DAYS, of_days)
    await conn.execute(_FORGET, of_months)
    await conn.execute(MONTHS, of_months)


def _columns(pairs: Collection[tuple[int, int | date]]) -> dict[str, list[int | date]]:
    ordered = sorted(pairs)
    return {"companies": [one for one, _ in ordered], "others": [other for _, other in ordered]}


# Rows of a transaction that still runs have times after its start.
COMMITTED_UNTIL: LiteralString = """
    select least(clock_timestamp(), (
        select min(xact_start) from pg_stat_activity where datname = current_database() and pid <> pg_backend_pid()))
"""
CHANGED: LiteralString = """
    select b.id from bookings b left join lateral (
        select v.revision from report_visits v where v.booking_id = b.id offset 0
    ) as v on true
    where b.updated_at >= %(since)s and v.revision is distinct from b.revision
    order by b.updated_at, b.id limit %(limit)s
"""
DIFFERING: LiteralString = """
    select coalesce(b.id, v.booking_id) from (
        select id, revision from bookings where id > %(after)s and id <= coalesce(%(last)s, 9223372036854775807)
    ) as b full join (
        select booking_id, revision from report_visits
        where booking_id > %(after)s and booking_id <= coalesce(%(last)s, 9223372036854775807)
    ) as v on v.booking_id = b.id
    where b.revision is distinct from v.revision order by 1
"""
_BEFORE: LiteralString = """
    select company_id, visit_on, user_id, client_id from report_visits where booking_id = any (%(ids)s)
"""
_LOCAL: LiteralString = "coalesce(b.appointment_local, b.appointment_datetime at time zone 'UTC')"
_PUT: LiteralString = f"""
    insert into report_visits (booking_id, revision, company_id, visit_on, is_completed, user_id, client_id)
    select b.id, b.revision, b.company_id, {_LOCAL}::date, b.status = 'COMPLETED', b.user_id, b.client_id
    from bookings b where b.id = any (%(ids)s) order by b.id
    on conflict (booking_id) do update set revision = excluded.revision, company_id = excluded.company_id,
        visit_on = excluded.visit_on, is_completed = excluded.is_completed, user_id = excluded.user_id,
        client_id = excluded.client_id, first_on = null, previous_on = null, previous_here_on = null
    returning company_id, visit_on, user_id, client_id
"""
_FORGET: LiteralString = """
    delete from report_sums s using unnest(%(companies)s::bigint[], %(others)s::date[]) as d (company_id, since)
    where s.company_id = d.company_id and s.since = d.since and s.is_month = %(is_month)s
"""
# A booking of several services counts once for each; one without a list of services counts under its service name.
DAYS: LiteralString = f"""
    with b as materialized (
        select d.company_id, d.since, b.*, extract(hour from {_LOCAL})::int::text as hour
        from unnest(%(companies)s::bigint[], %(others)s::date[]) as d (company_id, since),
        lateral (
            select v.booking_id from report_visits v where v.company_id = d.company_id and v.visit_on = d.since offset 0
        ) as v,
        lateral (
            select b.status, b.cancel_reason, b.service_price, b.service_name, b.staff_name, b.lines, b.appointment_local,
                b.appointment_datetime
            from bookings b where b.id = v.booking_id offset 0
        ) as b
    )
    insert into report_sums (company_id, is_month, since, kind, key, visits, revenue, no_shows, cancellations, ahead, revenue_ahead)
    select b.company_id, %(is_month)s, b.since, k.kind, k.key,
        count(*) filter (where b.status = 'COMPLETED'),
        coalesce(sum(k.price) filter (where b.status = 'COMPLETED'), 0),
        count(*) filter (where b.cancel_reason = 'no_show'),
        count(*) filter (where b.status = 'CANCELLED' and b.cancel_reason is distinct from 'no_show'),
        count(*) filter (where b.status in ('PENDING', 'CONFIRMED')),
        coalesce(sum(k.price) filter (where b.status in ('PENDING', 'CONFIRMED')), 0)
    from b, lateral (
        values ('staff', b.staff_name, b.service_price), ('hour', b.hour, b.service_price),
            ('weekday', extract(isodow from b.since)::int::text, b.service_price)
        union all
        select 'service', coalesce(l.line ->> 'title', nullif(b.service_name, '')),
            coalesce((l.line ->> 'cost')::bigint, b.service_price)
        from (select true) as one left join lateral jsonb_array_elements(b.lines) as l (line) on true
    ) as k (kind, key, price)
    group by b.company_id, b.since, k.kind, k.key
"""
MONTHS: LiteralString = """
    insert into report_sums (company_id, is_month, since, kind, key, visits, revenue, no_shows, cancellations, ahead, revenue_ahead)
    select s.company_id, %(is_month)s, d.since, s.kind, s.key,
        sum(s.visits), sum(s.revenue), sum(s.no_shows), sum(s.cancellations), sum(s.ahead), sum(s.revenue_ahead)
    from unnest(%(companies)s::bigint[], %(others)s::date[]) as d (company_id, since), lateral (
        select * from report_sums s where s.company_id = d.company_id and not s.is_month
            and s.since >= d.since and s.since < d.since + interval '1 month' offset 0
    ) as s
    group by s.company_id, d.since, s.kind, s.key
"""
# A person is a user over all branches, else a card of one branch; a card's earlier visits include those linked to a user.
PERSONS: LiteralString = f"""
    with visits as (
        select b.id, b.user_id, b.company_id, b.client_id, b.day, b.appointment_datetime as at, true as is_users
        from unnest(%(users)s::bigint[]) as u (id), lateral (
            select b.*, {_LOCAL}::date as day from bookings b where b.user_id = u.id and b.status = 'COMPLETED' offset 0
        ) as b
        union all
        select b.id, b.user_id, b.company_id, b.client_id, b.day, b.appointment_datetime, false
        from unnest(%(companies)s::bigint[], %(others)s::bigint[]) as c (company_id, client_id), lateral (
            select b.*, {_LOCAL}::date as day from bookings b
            where b.company_id = c.company_id and b.client_id = c.client_id and b.status = 'COMPLETED' offset 0
        ) as b
    ), told as (
        select id, first_value(day) over person as first_on, lag(day) over person as previous_on,
            lag(day) over (partition by user_id, company_id order by day, at, id) as previous_here_on
        from visits where is_users window person as (partition by user_id order by day, at, id)
        union all
        select id, first_on, previous_on, previous_on from (
            select id, user_id, first_value(day) over person as first_on,
                lag(day) over (partition by company_id, client_id, user_id is null order by day, at, id) as previous_on
            from visits where not is_users window person as (partition by company_id, client_id order by day, at, id)
        ) as of_cards where user_id is null
    )
    update report_visits v
    set first_on = t.first_on, previous_on = t.previous_on, previous_here_on = t.previous_here_on
    from told t where v.booking_id = t.id and v.is_completed
        and (v.first_on, v.previous_on, v.previous_here_on) is distinct from (t.first_on, t.previous_on, t.previous_here_on)
"""
