"""Periods: their days, the period before, and their bounds as instants. Pure."""

from collections.abc import Sequence
from datetime import UTC, date, datetime, time, timedelta, tzinfo

from zerkalo.reports.model import Period, Piece

DAYS_MAX = 3660
"""Ten years: a longer period is cut at its beginning."""
FIRST_DAY, LAST_DAY = date(1990, 1, 1), date(2200, 1, 1)
"""Days are clamped to these, so that arithmetic on them never leaves the calendar."""
NAMES = ("month", "last_month", "week", "day", "quarter", "year", "last_30")


def named_period(name: str, today: date) -> Period:
    """Return a period by its name, by default the current month; it may reach beyond today."""
    monday = today - timedelta(days=today.weekday())
    quarter = date(today.year, 3 * ((today.month - 1) // 3) + 1, 1)
    match name:
        case "day":
            return Period(today, today)
        case "week":
            return Period(monday, monday + timedelta(days=6))
        case "last_month":
            return Period(_months_on(today.replace(day=1), -1), today.replace(day=1) - timedelta(days=1))
        case "quarter":
            return Period(quarter, _months_on(quarter, 3) - timedelta(days=1))
        case "year":
            return Period(date(today.year, 1, 1), date(today.year, 12, 31))
        case "last_30":
            return Period(today - timedelta(days=29), today)
        case _:
            first = today.replace(day=1)
            return Period(first, _months_on(first, 1) - timedelta(days=1))


def bounded_period(first: date | None, last: date | None, today: date) -> Period | None:
    """Return the period between two days, given in either order; a missing one is today. None if both are missing."""
    if first is None and last is None:
        return None
    low, high = sorted((_clamped(first or today), _clamped(last or today)))
    return Period(max(low, high - timedelta(days=DAYS_MAX - 1)), high)


def period_before(period: Period) -> Period:
    """Return the preceding period: as many whole months if the period is whole months, else as many days."""
    last = period.first - timedelta(days=1)
    next_day = period.last + timedelta(days=1)
    if period.first.day == 1 and next_day.day == 1:
        months = (next_day.year - period.first.year) * 12 + next_day.month - period.first.month
        return Period(_months_on(period.first, -months), last)
    return Period(period.first - timedelta(days=period.days), last)


def instants_of(period: Period, zone: tzinfo) -> tuple[datetime, datetime]:
    """Return the period's start and exclusive end in a zone, as UTC. A day may have 23 or 25 hours.

    A midnight skipped by a clock change is the moment of that change; of one that occurs twice the first counts.
    """
    return _midnight(period.first, zone), _midnight(period.last + timedelta(days=1), zone)


def pieces_of(period: Period) -> list[Piece]:
    """Split the period into whole months and the days before and after them; only days if it has no whole month."""
    until = period.last + timedelta(days=1)
    first_month = period.first if period.first.day == 1 else _months_on(period.first.replace(day=1), 1)
    last_month = until.replace(day=1)
    if first_month >= last_month:
        return [Piece(False, period.first, until)]
    pieces = [
        Piece(False, period.first, first_month),
        Piece(True, first_month, last_month),
        Piece(False, last_month, until),
    ]
    return [one for one in pieces if one.since < one.until]


def days_of(period: Period) -> Sequence[date]:
    """Return every day of the period."""
    return [period.first + timedelta(days=number) for number in range(period.days)]


def _midnight(day: date, zone: tzinfo) -> datetime:
    return datetime.combine(day, time(), zone).astimezone(UTC)


def _months_on(first: date, months: int) -> date:
    """Return the first of the month so many months later."""
    index = first.year * 12 + first.month - 1 + months
    return date(index // 12, index % 12 + 1, 1)


def _clamped(day: date) -> date:
    return min(max(day, FIRST_DAY), LAST_DAY)
