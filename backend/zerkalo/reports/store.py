"""The queries of a report, over the stored sums (`sums`) and the ledger. Reads only."""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import LiteralString

from psycopg.rows import args_row, class_row

from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json
from zerkalo.reports.model import ByHand, DayFigures, Group, Guests, Period, Points, Totals
from zerkalo.reports.rules import pieces_of

# `part` is 0 in the period and 1 in the one before it.
# `offset 0` makes the planner look up each piece at each branch separately, whatever row counts it estimates.
SUMS: LiteralString = """
    select p.part, s.company_id, s.kind, s.key, sum(s.visits)::bigint, sum(s.revenue)::bigint, sum(s.no_shows)::bigint,
        sum(s.cancellations)::bigint, sum(s.ahead)::bigint, sum(s.revenue_ahead)::bigint
    from jsonb_to_recordset(%(pieces)s::jsonb) as p (part int, is_month boolean, since date, until date),
        unnest(%(companies)s::bigint[]) as c (id), lateral (
            select * from report_sums s where s.company_id = c.id and s.is_month = p.is_month
                and s.since >= p.since and s.since < p.until offset 0
        ) as s
    group by 1, 2, 3, 4
"""
DAYS: LiteralString = """
    select s.since, sum(s.visits)::bigint, sum(s.revenue)::bigint
    from unnest(%(companies)s::bigint[]) as c (id), lateral (
        select * from report_sums s where s.company_id = c.id and not s.is_month
            and s.since >= %(first)s and s.since <= %(last)s and s.kind = 'weekday' offset 0
    ) as s
    group by 1 order by 1
"""
# A person counts once, by their first visit in the period: the one whose previous visit is before the period.
_GUESTS: LiteralString = """
    select count(*) filter (where is_first and first_on >= %(first)s), count(*) filter (where is_first and first_on < %(first)s),
        count(*) filter (where first_on is null)
    from (
        select first_on, {previous} is null or {previous} < %(first)s as is_first from report_visits
        where company_id = any (%(companies)s::bigint[]) and visit_on >= %(first)s and visit_on <= %(last)s and is_completed
    ) as v
"""
GUESTS_EVERYWHERE: LiteralString = _GUESTS.replace("{previous}", "previous_on")
GUESTS_HERE: LiteralString = _GUESTS.replace("{previous}", "previous_here_on")
# Some of several branches: `previous_on` may be a visit at another branch, so group the visits of the period by person.
GUESTS_OF_SOME: LiteralString = """
    select count(*) filter (where first_on >= %(first)s), count(*) filter (where first_on < %(first)s),
        coalesce(sum(visits) filter (where first_on is null), 0)::bigint
    from (
        select min(first_on) as first_on, count(*) as visits from report_visits
        where company_id = any (%(companies)s::bigint[]) and visit_on >= %(first)s and visit_on <= %(last)s and is_completed
        group by user_id, case when user_id is null then company_id end, case when user_id is null then client_id end
    ) as people
"""
HAS_OTHERS: LiteralString = """
    select exists (
        select from companies c, lateral (
            select from report_sums s where s.company_id = c.id and s.is_month
                and s.since >= date_trunc('month', %(first)s::date) and s.since <= %(last)s limit 1
        ) as s where c.id <> all (%(companies)s::bigint[])
    )
"""
# Entries moved by a merge of accounts are not counted: their copies at the other account keep the original time.
_OWN: LiteralString = """
    e.undoes is null and e.id not in (select u.undoes from bonus_entries u where u.undoes is not null)
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
# Both periods in one scan of the ledger.
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
    select e.created_by as user_id, coalesce(nullif(u.name, ''), u.email, '') as name,
        coalesce(sum(e.amount) filter (where e.amount > 0), 0)::bigint as given,
        coalesce(-sum(e.amount) filter (where e.amount < 0 and e.kind = 'adjustment'), 0)::bigint as taken,
        coalesce(-sum(e.amount) filter (where e.kind = 'redemption'), 0)::bigint as spent,
        count(*) as count
    from bonus_entries e join users u on u.id = e.created_by
    where e.created_by is not null and e.effective_at >= %(since)s and e.effective_at < %(until)s and {_OWN}
    group by e.created_by, u.name, u.email order by given desc, e.created_by
"""

Bounds = tuple[datetime, datetime]


async def read_sums(
    conn: Connection, periods: tuple[Period, Period], company_ids: Sequence[int]
) -> dict[str, list[Group]]:
    """Return totals by `staff`, `service`, `hour`, `weekday` and `branch`, in the period and in the one before."""
    pieces = [
        {"part": part, "is_month": piece.is_month, "since": piece.since, "until": piece.until}
        for part, period in enumerate(periods)
        for piece in pieces_of(period)
    ]
    groups: dict[str, dict[str | None, Group]] = defaultdict(dict)
    values = {"pieces": as_json(pieces), "companies": list(company_ids)}
    for part, company_id, kind, key, *figures in await (await conn.execute(SUMS, values)).fetchall():
        totals = Totals(*figures)
        _add(groups[kind], key, part, totals)
        if kind == "weekday":
            _add(groups["branch"], str(company_id), part, totals)
    return {kind: list(found.values()) for kind, found in groups.items()}


async def read_days(conn: Connection, period: Period, company_ids: Sequence[int]) -> list[DayFigures]:
    """Return the days of the period that have any figures."""
    values = {"first": period.first, "last": period.last, "companies": list(company_ids)}
    async with conn.cursor(row_factory=args_row(DayFigures)) as cursor:
        await cursor.execute(DAYS, values)
        return await cursor.fetchall()


async def read_guests(conn: Connection, period: Period, company_ids: Sequence[int]) -> Guests:
    """Count the new and returning people of a period."""
    values = {"first": period.first, "last": period.last, "companies": list(company_ids)}
    statement = GUESTS_HERE
    if len(company_ids) != 1:
        ((has_others,),) = await (await conn.execute(HAS_OTHERS, values)).fetchall()
        statement = GUESTS_OF_SOME if has_others else GUESTS_EVERYWHERE
    async with conn.cursor(row_factory=args_row(Guests)) as cursor:
        await cursor.execute(statement, values)
        (found,) = await cursor.fetchall()
        return found


async def read_points(conn: Connection, now: Bounds, before: Bounds) -> tuple[Points, Points]:
    """Return the movements in both periods, and the points owed at their ends. Reads the ledger once."""
    values = {"since": now[0], "until": now[1], "since_before": before[0], "until_before": before[1]}
    row = await (await conn.execute(POINTS, values)).fetchone()
    assert row is not None, "an aggregate has a row"
    half = len(row) // 2
    return Points(*row[:half]), Points(*row[half:])


async def read_by_hand(conn: Connection, since: datetime, until: datetime) -> list[ByHand]:
    """Return how much each member of the staff gave or took."""
    async with conn.cursor(row_factory=class_row(ByHand)) as cursor:
        await cursor.execute(BY_HAND, {"since": since, "until": until})
        return await cursor.fetchall()


def _add(groups: dict[str | None, Group], key: str | None, part: int, totals: Totals) -> None:
    known = groups.get(key, Group(key))
    groups[key] = (
        replace(known, now=known.now + totals) if part == 0 else replace(known, before=known.before + totals)
    )
