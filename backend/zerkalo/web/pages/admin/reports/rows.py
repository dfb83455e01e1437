"""A report as the rows of its tables, for the page and for the file. Pure."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

from zerkalo.kit.language import Language
from zerkalo.reports.model import DayFigures, Group, Report, Totals
from zerkalo.web.pages.admin.reports.words import FIGURES, UNTOLD
from zerkalo.web.pages.wording import WEEKDAYS_SHORT

MONEY = frozenset({"revenue", "average", "revenue_ahead"})
DAYS_BY_DAY_MAX = 62
"""The chart of a longer period is by week."""
WEEK_DAYS = 7
ROWS_MAX = 100
"""Rows of one table on the page; the file has all."""

Value = int | None


@dataclass(frozen=True, slots=True)
class Figure:
    """One of the main figures in both periods; `share`: its part of a whole, where the figure has one."""

    name: str
    now: Value
    before: Value
    share: float | None = None

    @property
    def change(self) -> float | None:
        """Relative growth; None where the earlier figure is zero."""
        if self.now is None or not self.before:
            return None
        return (self.now - self.before) / abs(self.before)


@dataclass(frozen=True, slots=True)
class Step:
    """A bar of the chart: a day, or a week by its Monday."""

    day: date
    visits: int
    revenue: int


def figures_of(report: Report) -> list[Figure]:
    """Return the main figures, in the order of their words."""
    (now, before), (guests, guests_before) = report.totals, report.guests
    points, points_before = report.points
    values = {
        **{name: (getattr(now, name), getattr(before, name)) for name in _TOTALS},
        **{name: (getattr(guests, name), getattr(guests_before, name)) for name in _GUESTS},
        **{name: (getattr(points, name), getattr(points_before, name)) for name in _POINTS},
    }
    shares = {"no_shows": now.no_show_share}
    return [Figure(name, *values[name], share=shares.get(name)) for name in FIGURES]


_TOTALS = ("revenue", "visits", "average", "no_shows", "cancellations", "ahead", "revenue_ahead")
_GUESTS = ("new", "returning", "nameless")
_POINTS = ("given", "spent", "expired", "taken_back", "owed")


def title_of(kind: str, group: Group, language: Language, branch: str) -> str:
    """Return the title of a table's row; `branch`: the name of the branch whose id is the key."""
    if group.key is None:
        return UNTOLD.get(kind, UNTOLD["service"])[language]
    if kind == "branch":
        return branch or str(group.key)
    if kind == "weekday":
        return WEEKDAYS_SHORT[language][int(group.key) - 1]
    return f"{int(group.key):02}:00" if kind == "hour" else str(group.key)


def steps_of(days: Sequence[DayFigures]) -> tuple[int, list[Step]]:
    """Return how many days each bar stands for, and the bars."""
    if len(days) <= DAYS_BY_DAY_MAX:
        return 1, [Step(one.day, one.visits, one.revenue) for one in days]
    weeks: dict[date, Step] = {}
    for one in days:
        monday = one.day - timedelta(days=one.day.weekday())
        known = weeks.get(monday, Step(monday, 0, 0))
        weeks[monday] = Step(monday, known.visits + one.visits, known.revenue + one.revenue)
    return WEEK_DAYS, list(weeks.values())


def part_of(value: int, groups: Sequence[Group]) -> int:
    """Return the length of a bar of visits, in percent of the longest."""
    longest = max((one.now.visits for one in groups), default=0)
    return round(100 * value / longest) if longest else 0


def group_cells(totals: Totals) -> list[int | Decimal | None]:
    """Return the cells of a group in a file: visits, revenue, average, no-shows, cancellations."""
    average = totals.average
    return [
        totals.visits,
        Decimal(totals.revenue) / 100,
        None if average is None else Decimal(average) / 100,
        totals.no_shows,
        totals.cancellations,
    ]
