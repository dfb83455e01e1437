"""Counts over time for the admin page's charts, and the ledger's totals. Reads only, over bounded periods."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import LiteralString
from zoneinfo import ZoneInfo

from zerkalo.db.pool import Connection

CHART_DAYS = 30
"""How far back the charts go; that of bookings goes as far ahead too."""


@dataclass(frozen=True, slots=True)
class Day:
    """A day of a chart: counts by status or outcome, without zeros."""

    day: date
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class LedgerTotals:
    """Points in the whole ledger: their sum, the sums by kind, and how many people have a balance below zero."""

    balance: int = 0
    by_kind: Mapping[str, int] = field(default_factory=dict[str, int])
    negative_balances: int = 0


# By company, since the index of the window begins with it.
BOOKINGS_BY_DAY = """
    select coalesce(b.appointment_local, b.appointment_datetime at time zone 'UTC')::date as day, b.status, count(*)
    from companies c join bookings b on b.company_id = c.id
    where b.appointment_datetime >= %(since)s and b.appointment_datetime < %(until)s
    group by 1, 2 order by 1, 2
"""
DELIVERIES_BY_DAY = """
    select (d.received_at at time zone 'UTC' + %(offset)s::interval)::date as day, d.outcome, count(*)
    from deliveries d where d.received_at >= %(since)s
    group by 1, 2 order by 1, 2
"""
FAILED_RUNS_BY_DAY = """
    select (r.started_at at time zone 'UTC' + %(offset)s::interval)::date as day, 'failed_runs', count(*)
    from sync_runs r where r.started_at >= %(since)s and r.status = 'failed'
    group by 1, 2 order by 1, 2
"""
# Entries that were undone are not counted, and those by which a merge of accounts moved them: their copies at the other
# account keep the original time.
POINTS_BY_DAY = """
    select (e.effective_at at time zone 'UTC' + %(offset)s::interval)::date as day,
        case when e.amount > 0 then 'given' else 'taken' end, abs(sum(e.amount))::bigint
    from bonus_entries e where e.effective_at >= %(since)s and e.undoes is null
        and not exists (select from bonus_entries u where u.undoes = e.id)
    group by 1, 2 order by 1, 2
"""
LEDGER_BY_KIND = """
    select e.kind, sum(e.amount)::bigint from bonus_entries e where e.undoes is null
        and not exists (select from bonus_entries u where u.undoes = e.id)
    group by e.kind order by e.kind
"""
NEGATIVE_BALANCES = """
    select count(*) from (select user_id from bonus_entries group by user_id having sum(amount) < 0) as negative
    join users u on u.id = negative.user_id and u.erased_at is null
"""


async def bookings_by_day(conn: Connection, *, now: datetime) -> list[Day]:
    """Count bookings by day of visit, in the salon's zone, and status."""
    span = timedelta(days=CHART_DAYS)
    cursor = await conn.execute(BOOKINGS_BY_DAY, {"since": now - span, "until": now + span})
    return _days(await cursor.fetchall())


async def deliveries_by_day(conn: Connection, *, now: datetime) -> list[Day]:
    """Count deliveries by the salon's day and outcome. The zone is the first company's, with its current offset."""
    return await _since(conn, DELIVERIES_BY_DAY, now)


async def failed_runs_by_day(conn: Connection, *, now: datetime) -> list[Day]:
    """Count failed syncs by the salon's day, as `failed_runs`."""
    return await _since(conn, FAILED_RUNS_BY_DAY, now)


async def points_by_day(conn: Connection, *, now: datetime) -> list[Day]:
    """Sum points `given` and `taken`, both positive, by the salon's day. Reads the whole ledger."""
    return await _since(conn, POINTS_BY_DAY, now)


async def ledger_totals(conn: Connection) -> LedgerTotals:
    """Read the ledger's totals."""
    by_kind = {kind: points async for kind, points in await conn.execute(LEDGER_BY_KIND)}
    row = await (await conn.execute("select coalesce(sum(amount), 0)::bigint from bonus_entries")).fetchone()
    negative = await (await conn.execute(NEGATIVE_BALANCES)).fetchone()
    assert row is not None
    assert negative is not None
    return LedgerTotals(row[0], by_kind, negative[0])


async def _since(conn: Connection, sql: LiteralString, now: datetime) -> list[Day]:
    values = {"since": now - timedelta(days=CHART_DAYS), "offset": await _offset(conn, now)}
    return _days(await (await conn.execute(sql, values)).fetchall())


async def _offset(conn: Connection, now: datetime) -> timedelta:
    cursor = await conn.execute(
        "select timezone_name from companies where timezone_name is not null order by id limit 1"
    )
    row = await cursor.fetchone()
    try:
        zone = ZoneInfo(row[0]) if row else UTC
    except (KeyError, ValueError):
        # The zone's name is unknown on this machine.
        zone = UTC
    return now.astimezone(zone).utcoffset() or timedelta(0)


def _days(rows: list[tuple[date, str, int]]) -> list[Day]:
    days: dict[date, dict[str, int]] = {}
    for day, name, count in rows:
        days.setdefault(day, {})[name] = count
    return [Day(day, counts) for day, counts in days.items()]
