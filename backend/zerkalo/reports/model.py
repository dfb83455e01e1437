"""A report, frozen. Money in kopecks; days are the salon's."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, fields
from datetime import date


@dataclass(frozen=True, slots=True)
class Period:
    """Whole days of the salon's calendar, both ends included."""

    first: date
    last: date

    @property
    def days(self) -> int:
        """How many there are."""
        return (self.last - self.first).days + 1


@dataclass(frozen=True, slots=True)
class Piece:
    """Whole months, or days, that are added up: from `since`, before `until`."""

    is_month: bool
    since: date
    until: date


@dataclass(frozen=True, slots=True)
class Totals:
    """What happened in a period, of all bookings whose visit is in it."""

    visits: int = 0
    """Bookings that were completed."""
    revenue: int = 0
    """What the completed ones cost."""
    no_shows: int = 0
    cancellations: int = 0
    """Bookings that the salon or the client deleted."""
    ahead: int = 0
    """Bookings that are neither completed nor cancelled."""
    revenue_ahead: int = 0

    def __add__(self, other: "Totals") -> "Totals":
        return Totals(*(getattr(self, one.name) + getattr(other, one.name) for one in fields(self)))

    @property
    def average(self) -> int | None:
        """Revenue by visit, rounded to kopecks; None without a visit."""
        return round(self.revenue / self.visits) if self.visits else None

    @property
    def no_show_share(self) -> float | None:
        """Of those who were awaited and whose time has come."""
        awaited = self.visits + self.no_shows
        return self.no_shows / awaited if awaited else None


@dataclass(frozen=True, slots=True)
class Guests:
    """People with a completed visit in the period, by whether they had one before it."""

    new: int = 0
    returning: int = 0
    nameless: int = 0
    """Completed visits of which neither a card nor a user is known: they count as neither new nor returning."""


@dataclass(frozen=True, slots=True)
class Group:
    """A specialist, a service, a branch, an hour or a weekday, in the period and in the one before."""

    key: str | int | None
    """A name or a number; None: it is not told."""
    now: Totals = field(default_factory=Totals)
    before: Totals = field(default_factory=Totals)


@dataclass(frozen=True, slots=True)
class Points:
    """Movements of the ledger in a period; an account that was merged counts once."""

    given: int = 0
    """For visits and by hand."""
    spent: int = 0
    expired: int = 0
    taken_back: int = 0
    """Of visits that were not completed after all, and by hand."""
    owed: int = 0
    """On all accounts at the period's end."""


@dataclass(frozen=True, slots=True)
class ByHand:
    """What one of the staff gave and took by hand in the period."""

    user_id: int
    name: str
    """Their e-mail where they have no name."""
    given: int
    taken: int
    spent: int
    count: int


@dataclass(frozen=True, slots=True)
class DayFigures:
    """A day of the chart."""

    day: date
    visits: int
    revenue: int


@dataclass(frozen=True, slots=True)
class Report:
    """A period beside the one before."""

    period: Period
    before: Period
    totals: tuple[Totals, Totals]
    guests: tuple[Guests, Guests]
    points: tuple[Points, Points]
    days: Sequence[DayFigures]
    groups: Mapping[str, Sequence[Group]]
    """Of `staff`, `service`, `branch`, `hour` (0 to 23) and `weekday` (1, Monday, to 7)."""
    by_hand: Sequence[ByHand]
    waiting: int = 0
    """Bookings that are not counted yet: there were too many at once, as after a first sync."""
