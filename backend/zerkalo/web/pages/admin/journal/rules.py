"""How the bookings of a day or a week are laid out by specialist. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from zerkalo.bookings.journal.model import JournalBooking

WEEK_DAYS = 7


@dataclass(frozen=True, slots=True)
class Column:
    """A specialist's bookings. `days`: the bookings of each day shown, in order."""

    name: str
    days: Sequence[Sequence[JournalBooking]]

    @property
    def count(self) -> int:
        """The number of bookings on all days."""
        return sum(map(len, self.days))


def columns_of(bookings: Sequence[JournalBooking], days: Sequence[date]) -> list[Column]:
    """Group bookings by specialist and day; specialists by name, bookings without one last."""
    placed: dict[str, dict[date, list[JournalBooking]]] = {}
    for one in bookings:
        of_specialist = placed.setdefault(one.staff_name or "", {day: [] for day in days})
        of_specialist[one.starts_at.date()].append(one)
    names = sorted(placed, key=lambda name: (not name, name))
    return [Column(name, [placed[name][day] for day in days]) for name in names]


def week_of(day: date) -> tuple[date, ...]:
    """Return the days from Monday to Sunday around a day; fewer at the calendar's ends."""
    monday = day.toordinal() - day.weekday()
    last = date.max.toordinal()
    return tuple(
        date.fromordinal(number) for number in range(max(1, monday), min(last, monday + WEEK_DAYS - 1) + 1)
    )


def shifted(day: date, days: int) -> date | None:
    """Return the day so many days later; None beyond the calendar."""
    try:
        return day + timedelta(days=days)
    except OverflowError:
        return None
