"""A report of a period, put together."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, tzinfo

from zerkalo.companies import store as companies
from zerkalo.db.pool import Connection
from zerkalo.kit.zones import zone_of
from zerkalo.reports import store
from zerkalo.reports.model import DayFigures, Group, Period, Report, Span
from zerkalo.reports.rules import days_of, instants_of, period_before


async def report_of(
    conn: Connection, period: Period, company_ids: Sequence[int], *, only: int | None = None
) -> Report:
    """The figures of these branches, or of `only` one of them. Points know no branch; their days are the first one's."""
    zones = {one.id: one.timezone_name for one in await companies.companies(conn, company_ids)}
    before = period_before(period)
    chosen = [id_ for id_ in company_ids if only in (None, id_)]
    parts = (_spans(period, chosen, zones), _spans(before, chosen, zones))
    figures, days = await store.read_figures(conn, parts)
    zone = zone_of(zones.get(min(company_ids))) or UTC if company_ids else UTC
    since, until = instants_of(period, zone)
    every = figures.pop("all", [Group(None)])[0]
    return Report(
        period=period,
        before=before,
        totals=(every.now, every.before),
        guests=await store.read_guests(conn, parts),
        points=await store.read_points(conn, (since, until), instants_of(before, zone)),
        days=_every_day(period, days),
        groups={
            "staff": _by_revenue(figures.get("staff", [])),
            "service": _by_revenue(await store.read_services(conn, parts)),
            "branch": _by_revenue(figures.get("branch", [])),
            "hour": _every(figures.get("hour", []), range(24), only_between=True),
            "weekday": _every(figures.get("weekday", []), range(1, 8)),
        },
        by_hand=await store.read_by_hand(conn, since, until),
    )


def _spans(period: Period, company_ids: Sequence[int], zones: Mapping[int, str | None]) -> list[Span]:
    return [
        Span(company_id, *instants_of(period, zone), _name_of(zone))
        for company_id in company_ids
        for zone in (zone_of(zones.get(company_id)) or UTC,)
    ]


def _name_of(zone: tzinfo) -> str:
    return getattr(zone, "key", "UTC")


def _by_revenue(groups: Sequence[Group]) -> list[Group]:
    return sorted(groups, key=lambda one: (-one.now.revenue, -one.now.visits, str(one.key)))


def _every(groups: Sequence[Group], keys: range, *, only_between: bool = False) -> list[Group]:
    """Every hour or weekday has its place; of the hours those between the first and the last with anything in them."""
    known = {int(str(one.key)): replace(one, key=int(str(one.key))) for one in groups}
    kept = range(min(known), max(known) + 1) if only_between and known else keys
    return [known.get(key, Group(key)) for key in kept] if known else []


def _every_day(period: Period, days: Sequence[DayFigures]) -> list[DayFigures]:
    known = {one.day: one for one in days}
    return [known.get(day, DayFigures(day, 0, 0)) for day in days_of(period)] if known else []
