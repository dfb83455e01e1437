"""Choosing a day and a time, for booking and for moving: a calendar of the free days, and the free times of one."""

from calendar import Calendar
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date

from zerkalo.booking_form.model import Asker, OfferedTime
from zerkalo.booking_form.offering.service import Offers

MONTHS_MAX = 3
STRIP_DAYS = 7
"""Free days shown at once; the others are in the calendar below."""
TIME_TAKEN = frozenset({"slot_taken", "no_staff", "overlap", "time_not_ahead"})
"""Problem codes after which another time has to be chosen."""

_MORNING_ENDS, _AFTERNOON_ENDS = 12, 17


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the calendar. `weeks`: from the first to the last week with a free day, seven days each from Monday;
    None: a day of another month.
    """

    year: int
    month: int
    weeks: tuple[tuple[date | None, ...], ...]


@dataclass(frozen=True, slots=True)
class TimeChoice:
    """The days and times that can be chosen."""

    months: tuple[Month, ...]
    """Months with a free day, at most `MONTHS_MAX`."""
    free: frozenset[date]
    strip: tuple[date, ...]
    """Up to `STRIP_DAYS` free days around `day`, in order."""
    day: date | None
    """The day whose times are shown; None: no day is free."""
    parts: tuple[tuple[str, tuple[OfferedTime, ...]], ...]
    """The day's times by part of the day: "morning", "afternoon", "evening"; empty parts are left out."""


async def choice_of_times(
    offers: Offers,
    asker: Asker,
    company_id: int,
    *,
    service_ids: tuple[int, ...],
    staff_id: int,
    day: date | None,
    near: date | None = None,
    fresh: bool = False,
) -> TimeChoice:
    """Read the free days and the times of one: of `day`, else of the free day nearest to `near`, else of the first.

    `fresh`: read everything anew, nothing from the cache.

    Raises what `Offers` raises.
    """
    if fresh:
        offers.forget_times(company_id)
    free = await offers.dates(asker, company_id, service_ids=service_ids, staff_id=staff_id)
    shown = day if day in free else nearest_day(free, near)
    times: Sequence[OfferedTime] = ()
    if shown is not None:
        times = await offers.times(asker, company_id, day=shown, service_ids=service_ids, staff_id=staff_id)
        following = next((one for one in free if one > shown), None)
        if following is not None:
            offers.ask_ahead(asker, company_id, service_ids=service_ids, staff_id=staff_id, day=following)
    return TimeChoice(
        months_of(free), frozenset(free), strip_of(free, shown) if shown else (), shown, parts_of(times)
    )


def nearest_day(free: Sequence[date], near: date | None) -> date | None:
    """Return the free day nearest to `near`, the later of two; without `near` the first. None where no day is free."""
    if not free or near is None:
        return free[0] if free else None
    return min(free, key=lambda day: (abs(day - near), day < near))


def strip_of(free: Sequence[date], day: date) -> tuple[date, ...]:
    """Return the free days around one, at most `STRIP_DAYS`, in order."""
    first = max(min(free.index(day) - STRIP_DAYS // 2, len(free) - STRIP_DAYS), 0)
    return tuple(free[first : first + STRIP_DAYS])


def months_of(days: Sequence[date]) -> tuple[Month, ...]:
    """Return the months that have one of these days, in order."""
    named = sorted({(day.year, day.month) for day in days})[:MONTHS_MAX]
    return tuple(Month(year, month, _weeks(year, month, min(days), max(days))) for year, month in named)


def parts_of(times: Sequence[OfferedTime]) -> tuple[tuple[str, tuple[OfferedTime, ...]], ...]:
    """Group times by part of the day, by the salon's clock."""
    parts: dict[str, list[OfferedTime]] = {"morning": [], "afternoon": [], "evening": []}
    for time in times:
        hour = time.starts_at.hour
        part = "morning" if hour < _MORNING_ENDS else "afternoon" if hour < _AFTERNOON_ENDS else "evening"
        parts[part].append(time)
    return tuple((name, tuple(found)) for name, found in parts.items() if found)


def read_day(text: str) -> date | None:
    """Parse a day as addresses carry it; None for anything else."""
    try:
        return date.fromisoformat(text)
    except ValueError:
        return None


def _weeks(year: int, month: int, first: date, last: date) -> tuple[tuple[date | None, ...], ...]:
    weeks = Calendar().monthdatescalendar(year, month)
    return tuple(
        tuple(day if day.month == month else None for day in week)
        for week in weeks
        if week[-1] >= first and week[0] <= last
    )
