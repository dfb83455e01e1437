"""Assemble the report of a period."""

from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import UTC

from zerkalo.companies import store as companies
from zerkalo.db.pool import Connection, Pool
from zerkalo.kit.zones import zone_of
from zerkalo.reports import store
from zerkalo.reports.model import DayFigures, Group, Period, Report, Totals
from zerkalo.reports.rules import days_of, instants_of, period_before
from zerkalo.reports.sums.service import bring_up_to_date


async def read_report(
    pool: Pool, period: Period, company_ids: Sequence[int], *, only: int | None = None
) -> Report:
    """Bring the sums up to date and return the report."""
    waiting = await bring_up_to_date(pool)
    async with pool.connection() as conn:
        return replace(await report_of(conn, period, company_ids, only=only), waiting=waiting)


async def report_of(
    conn: Connection, period: Period, company_ids: Sequence[int], *, only: int | None = None
) -> Report:
    """Return the report of these branches, or of `only` one of them, from the sums as they are. Points are of all branches."""
    zones = {one.id: one.timezone_name for one in await companies.companies(conn, company_ids)}
    periods = (period, period_before(period))
    chosen = [id_ for id_ in company_ids if only in (None, id_)]
    groups = await store.read_sums(conn, periods, chosen)
    zone = zone_of(zones.get(min(company_ids))) or UTC if company_ids else UTC
    since, until = instants_of(period, zone)
    branches = _by_revenue(groups.get("branch", []))
    return Report(
        period=period,
        before=periods[1],
        totals=(_sum(one.now for one in branches), _sum(one.before for one in branches)),
        guests=(
            await store.read_guests(conn, period, chosen),
            await store.read_guests(conn, periods[1], chosen),
        ),
        points=await store.read_points(conn, (since, until), instants_of(periods[1], zone)),
        days=_every_day(period, await store.read_days(conn, period, chosen)),
        groups={
            "staff": _by_revenue(groups.get("staff", [])),
            "service": _by_revenue(groups.get("service", [])),
            "branch": branches,
            "hour": _every(groups.get("hour", []), range(24), only_between=True),
            "weekday": _every(groups.get("weekday", []), range(1, 8)),
        },
        by_hand=await store.read_by_hand(conn, since, until),
    )


def _sum(totals: Iterable[Totals]) -> Totals:
    return sum(totals, Totals())


def _by_revenue(groups: Sequence[Group]) -> list[Group]:
    return sorted(groups, key=lambda one: (-one.now.revenue, -one.now.visits, str(one.key)))


def _every(groups: Sequence[Group], keys: range, *, only_between: bool = False) -> list[Group]:
    """Add empty groups for missing keys: all `keys`, or only those between the first and the last known one."""
    known = {int(str(one.key)): replace(one, key=int(str(one.key))) for one in groups}
    kept = range(min(known), max(known) + 1) if only_between and known else keys
    return [known.get(key, Group(key)) for key in kept] if known else []


def _every_day(period: Period, days: Sequence[DayFigures]) -> list[DayFigures]:
    known = {one.day: one for one in days}
    return [known.get(day, DayFigures(day, 0, 0)) for day in days_of(period)] if known else []
