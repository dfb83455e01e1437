"""Choosing a day and a time, for booking and for moving: a calendar of the days that are free, and the times of one."""

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
"""Refusals after which another time is to be chosen."""

_MORNING_ENDS, _AFTERNOON_ENDS = 12, 17


@dataclass(frozen=True, slots=True)
class Month:
    """A month of the calendar. `weeks`: seven days each, from Monday, those with a free day and what lies between; None:
    of another month.
    """

    year: int
    month: int
    weeks: tuple[tuple[date | None, ...], ...]


@dataclass(frozen=True, slots=True)
class TimeChoice:
    """What can be chosen."""

    months: tuple[Month, ...]
    """Those with a free day, at most `MONTHS_MAX`."""
    free: frozenset[date]
    strip: tuple[date, ...]
    """Free days beside the one whose times are shown, the nearest first."""
    day: date | None
    """Whose times are shown; None: nothing is free at all."""
    parts: tuple[tuple[str, tuple[OfferedTime, ...]], ...]
    """The day's times in its parts: "morning", "afternoon", "evening"; empty ones left out."""


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
    """The free days and the times of one: of `day`, else of the first free one, or of the one nearest to `near`.

    `fresh`: nothing that was kept.

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
    """The free day nearest to a day, the later of two; without a day the first one. None where nothing is free."""
    if not free or near is None:
        return free[0] if free else None
    return min(free, key=lambda day: (abs(day - near), day < near))


def strip_of(free: Sequence[date], day: date) -> tuple[date, ...]:
    """The free days around one, at most `STRIP_DAYS`, in order."""
    first = max(min(free.index(day) - STRIP_DAYS // 2, len(free) - STRIP_DAYS), 0)
    return tuple(free[first : first + STRIP_DAYS])


def months_of(days: Sequence[date]) -> tuple[Month, ...]:
    """The months that have one of these days, in order."""
    named = sorted({(day.year, day.month) for day in days})[:MONTHS_MAX]
    return tuple(Month(year, month, _weeks(year, month, min(days), max(days))) for year, month in named)


def parts_of(times: Sequence[OfferedTime]) -> tuple[tuple[str, tuple[OfferedTime, ...]], ...]:
    """The times in the parts of their day, by the salon's clock."""
    parts: dict[str, list[OfferedTime]] = {"morning": [], "afternoon": [], "evening": []}
    for time in times:
        hour = time.starts_at.hour
        part = "morning" if hour < _MORNING_ENDS else "afternoon" if hour < _AFTERNOON_ENDS else "evening"
        parts[part].append(time)
    return tuple((name, tuple(found)) for name, found in parts.items() if found)


def read_day(text: str) -> date | None:
    """A day as addresses carry it; None for anything else."""
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
