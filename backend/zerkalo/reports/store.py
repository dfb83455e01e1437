"""The questions of a report. Each reads the visits of a span by the index of a branch's window. Reads only."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import date, datetime
from typing import Any, LiteralString

from psycopg.rows import class_row

from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json
from zerkalo.reports.model import ByHand, DayFigures, Group, Guests, Points, Span, Totals

# `part` is 0 in the period and 1 in the one before it.
# `offset 0`: the planner takes the spans for many and would read all bookings instead.
_SPANS: LiteralString = """
    jsonb_to_recordset(%(spans)s::jsonb) as s (
        part int, company_id bigint, since timestamptz, until timestamptz, timezone_name text)
    cross join lateral (
        select o.company_id, o.status, o.cancel_reason, o.service_price, o.service_name, o.staff_name, o.user_id, o.client_id,
            o.lines, coalesce(o.appointment_local, o.appointment_datetime at time zone s.timezone_name) as local
        from bookings o
        where o.company_id = s.company_id and o.appointment_datetime >= s.since and o.appointment_datetime < s.until
        offset 0
    ) as b
"""
_TOTALS: LiteralString = """
    count(*) filter (where b.status = 'COMPLETED') as visits,
    coalesce(sum(b.service_price) filter (where b.status = 'COMPLETED'), 0)::bigint as revenue,
    count(*) filter (where b.cancel_reason = 'no_show') as no_shows,
    count(*) filter (where b.status = 'CANCELLED' and b.cancel_reason is distinct from 'no_show') as cancellations,
    count(*) filter (where b.status in ('PENDING', 'CONFIRMED')) as ahead,
    coalesce(sum(b.service_price) filter (where b.status in ('PENDING', 'CONFIRMED')), 0)::bigint as revenue_ahead
"""
# Counted by the hour first: what is grouped in every way is then a fraction of the bookings.
FIGURES = f"""
    with b as materialized (
        select s.part, b.company_id, b.staff_name, b.local::date as day, extract(hour from b.local)::int as hour, {_TOTALS}
        from {_SPANS} group by 1, 2, 3, 4, 5
    )
    select case when grouping(b.staff_name) = 0 then 'staff' when grouping(b.company_id) = 0 then 'branch'
            when grouping(b.hour) = 0 then 'hour' when grouping(extract(isodow from b.day)) = 0 then 'weekday'
            when grouping(b.day) = 0 then 'day' else 'all' end,
        coalesce(b.staff_name, b.company_id::text, b.hour::text, extract(isodow from b.day)::text, b.day::text), b.part,
        sum(visits)::bigint, sum(revenue)::bigint, sum(no_shows)::bigint, sum(cancellations)::bigint, sum(ahead)::bigint,
        sum(revenue_ahead)::bigint
    from b
    group by grouping sets ((b.part), (b.part, b.staff_name), (b.part, b.company_id), (b.part, b.hour),
        (b.part, extract(isodow from b.day)), (b.part, b.day))
"""
# A booking of several services counts once for each of them; one whose services are not told one by one, by its name.
SERVICES = f"""
    select coalesce(l.line ->> 'title', nullif(b.service_name, '')), s.part, {_TOTALS.replace("b.service_price", "coalesce((l.line ->> 'cost')::bigint, b.service_price)")}
    from {_SPANS} left join lateral jsonb_array_elements(b.lines) as l (line) on true
    group by 1, 2
"""
# A person is a user, over all branches, else a card of one. Each is looked for before the period once, by an index.
GUESTS = f"""
    select p.part, count(*) filter (where p.person is not null and not p.was_here),
        count(*) filter (where p.was_here),
        coalesce(sum(p.visits) filter (where p.person is null), 0)::bigint
    from (
        select g.part, g.person, g.visits, case
            when g.user_id is not null then (
                select true from bookings o where o.user_id = g.user_id and o.status = 'COMPLETED'
                    and o.appointment_datetime < g.since limit 1) is not null
            when g.client_id is not null then (
                select true from bookings o where o.company_id = g.company_id and o.client_id = g.client_id
                    and o.status = 'COMPLETED' and o.appointment_datetime < g.since limit 1) is not null
            else false end as was_here
        from (
            select s.part, min(s.since) as since, b.user_id, coalesce(b.user_id::text, c.card) as person,
                case when b.user_id is null then b.client_id end as client_id,
                case when b.user_id is null and b.client_id is not null then b.company_id end as company_id,
                count(*) as visits
            from {_SPANS}
            cross join lateral (select b.company_id || '/' || b.client_id as card) as c
            where b.status = 'COMPLETED'
            group by s.part, b.user_id, 4, 5, 6
        ) as g
        offset 0
    ) as p
    group by p.part
"""
# What a merge moved away is neither given nor taken: the copy at the other account keeps its own time.
_OWN: LiteralString = """
    e.undoes is null and not exists (select from bonus_entries u where u.undoes = e.id)
"""
_MOVED: LiteralString = """
    coalesce(sum(e.amount) filter (where e.is_in and e.amount > 0 and e.kind in ('accrual', 'adjustment')), 0)::bigint,
    coalesce(-sum(e.amount) filter (where e.is_in and e.kind = 'redemption'), 0)::bigint,
    coalesce(-sum(e.amount) filter (where e.is_in and e.kind = 'expiry'), 0)::bigint,
    coalesce(-sum(e.amount) filter (
        where e.is_in and (e.kind = 'reversal' or e.kind = 'adjustment' and e.amount < 0)), 0)::bigint,
    coalesce(sum(e.amount) filter (where e.is_past), 0)::bigint
"""
_OF_PERIOD: LiteralString = _MOVED.replace("is_in", "is_now").replace("is_past", "is_until")
_OF_BEFORE: LiteralString = _MOVED.replace("is_in", "is_before").replace("is_past", "is_until_before")
# Both periods in one reading of the ledger.
POINTS = f"""
    select {_OF_PERIOD}, {_OF_BEFORE}
    from (
        select e.amount, e.kind, e.effective_at < %(until)s as is_until,
            e.effective_at < %(until)s and e.effective_at >= %(since)s as is_now,
            e.effective_at < %(until_before)s as is_until_before,
            e.effective_at < %(until_before)s and e.effective_at >= %(since_before)s as is_before
        from bonus_entries e where {_OWN}
    ) as e
"""
BY_HAND = f"""
    select e.created_by as user_id, u.name,
        coalesce(sum(e.amount) filter (where e.amount > 0), 0)::bigint as given,
        coalesce(-sum(e.amount) filter (where e.amount < 0 and e.kind = 'adjustment'), 0)::bigint as taken,
        coalesce(-sum(e.amount) filter (where e.kind = 'redemption'), 0)::bigint as spent,
        count(*) as count
    from bonus_entries e join users u on u.id = e.created_by
    where e.created_by is not null and e.effective_at >= %(since)s and e.effective_at < %(until)s and {_OWN}
    group by e.created_by, u.name order by given desc, e.created_by
"""

Bounds = tuple[datetime, datetime]
Parts = tuple[Sequence[Span], Sequence[Span]]
"""The spans of the period, and of the one before."""


async def read_figures(conn: Connection, parts: Parts) -> tuple[dict[str, list[Group]], list[DayFigures]]:
    """Totals by `all`, `staff`, `branch`, `hour` and `weekday`, and the days of the period with anything in them."""
    groups: dict[str, dict[str | None, Group]] = defaultdict(dict)
    days: list[DayFigures] = []
    rows = await (await conn.execute(FIGURES, _values(parts))).fetchall()
    for kind, key, part, *figures in rows:
        totals = Totals(*figures)
        if kind == "day":
            days += [DayFigures(date.fromisoformat(key), totals.visits, totals.revenue)] if part == 0 else []
        else:
            groups[kind][key] = _with(groups[kind].get(key, Group(key)), part, totals)
    return {kind: list(found.values()) for kind, found in groups.items()}, sorted(
        days, key=lambda one: one.day
    )


async def read_services(conn: Connection, parts: Parts) -> list[Group]:
    """Totals by service."""
    found: dict[str | None, Group] = {}
    for title, part, *figures in await (await conn.execute(SERVICES, _values(parts))).fetchall():
        found[title] = _with(found.get(title, Group(title)), part, Totals(*figures))
    return list(found.values())


async def read_guests(conn: Connection, parts: Parts) -> tuple[Guests, Guests]:
    """New and returning people of both periods."""
    rows = await (await conn.execute(GUESTS, _values(parts))).fetchall()
    found = {part: Guests(*figures) for part, *figures in rows}
    return found.get(0, Guests()), found.get(1, Guests())


async def read_points(conn: Connection, now: Bounds, before: Bounds) -> tuple[Points, Points]:
    """Movements between the bounds of both periods, and what was owed at their ends. Reads the ledger once."""
    values = {"since": now[0], "until": now[1], "since_before": before[0], "until_before": before[1]}
    row = await (await conn.execute(POINTS, values)).fetchone()
    assert row is not None, "an aggregate has a row"
    half = len(row) // 2
    return Points(*row[:half]), Points(*row[half:])


async def read_by_hand(conn: Connection, since: datetime, until: datetime) -> list[ByHand]:
    """Who of the staff gave or took how much."""
    async with conn.cursor(row_factory=class_row(ByHand)) as cursor:
        await cursor.execute(BY_HAND, {"since": since, "until": until})
        return await cursor.fetchall()


def _values(parts: Parts) -> dict[str, Any]:
    spans = [
        {
            "part": part,
            "company_id": span.company_id,
            "since": span.since,
            "until": span.until,
            "timezone_name": span.timezone_name,
        }
        for part, spans in enumerate(parts)
        for span in spans
    ]
    return {"spans": as_json(spans)}


def _with(group: Group, part: int, totals: Totals) -> Group:
    return replace(group, now=totals) if part == 0 else replace(group, before=totals)
