"""A discrete simulation of one address and its salons, for `scale`: which run is due, what it reads, when its questions may leave.

Who is due, what a run reads and how far apart questions leave are the production's own rules; runs are carried at once as
the worker does it. Left out: the time that applying a page takes (milliseconds), and failures but for the outage that is asked
for. Nothing is random: the sizes and the places of the salons follow from their numbers. Times are seconds from the beginning.
"""

import heapq
import math
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from itertools import count

from zerkalo.companies.model import Company
from zerkalo.runs import rules
from zerkalo.runs.lists.rules import PAGE_RECORDS
from zerkalo.runs.service import TICK_COMPANIES_MAX
from zerkalo.settings import Settings
from zerkalo.worker import HISTORIES_AT_ONCE, RUNS_AT_ONCE
from zerkalo.yclients.limiter import spacing_seconds

BEGINNING = datetime(2026, 1, 12, tzinfo=UTC)
INTERVAL = timedelta(minutes=30)
DAY_SECONDS = 86_400
PER_SECOND: int = Settings.model_fields["yclients_requests_per_second"].default
PER_MINUTE: int = Settings.model_fields["yclients_requests_per_minute"].default
SECONDS_A_REQUEST = max(1 / PER_SECOND, 60 / PER_MINUTE)
TICK_SECONDS = 60
ANSWER_SECONDS = 0.3
"""A question and its answer on their way. A guess; /metrics shows the true one."""
OPEN_HOURS = range(9, 21)
"""In these hours something has changed since the last run, so the list has a page before the empty one."""
OTHERS_SHARE = 0.2
"""Of the limit, for people at the form, refetches and unsigned calls. A guess, on the large side."""

VISITS_A_DAY = (5, 10, 10, 20, 55)
"""Of every five salons; 20 on average."""
CHANGES_A_VISIT = 3
"""Booked, confirmed or moved, done."""
BOOKED_AHEAD_DAYS = 7.5
"""As if every visit of so many days ahead were booked already."""
WINDOW_DAYS = 30
HISTORY_DAYS = 3 * 365


@dataclass
class Salon:
    """A company with what the simulation knows of it."""

    company: Company
    visits_a_day: int
    has_shown_window: bool = False
    """A run that read the window has told how many records it has; until then it counts as none."""
    changes_read_at: float | None = None
    gaps: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])
    """(when, seconds since the changes were read before)."""
    window_ages: list[tuple[float, float]] = field(default_factory=list[tuple[float, float]])

    @classmethod
    def average(cls) -> "Salon":
        """One of as many visits as the average."""
        return cls(_company(0), sum(VISITS_A_DAY) // len(VISITS_A_DAY))

    @property
    def window_read_at(self) -> float:
        """When its last whole reading of the window began; before the beginning where there was none."""
        at = self.company.last_complete_read_at
        return (at - BEGINNING).total_seconds() if at else -math.inf

    @property
    def window_records(self) -> int:
        return int(self.visits_a_day * (WINDOW_DAYS + BOOKED_AHEAD_DAYS))

    @property
    def history_requests(self) -> int:
        """Of the first run: the history's pages and what a window costs."""
        pages = -(-self.visits_a_day * HISTORY_DAYS // PAGE_RECORDS)
        return pages + rules.window_requests(self.window_records, 1)


@dataclass
class Place:
    """One of the runs that a worker carries at once."""

    queue: deque[Salon]
    salon: Salon | None = None
    requests_left: int = 0
    reads_window: bool = False
    began_at: float = 0.0


class Address:
    """One address with its salons. `is_new`: all owe their history; else all is read, and spread over the day before."""

    def __init__(self, salons: int, *, is_new: bool) -> None:
        self.now = 0.0
        self.requests = 0
        self.salons = [_salon(number, salons, is_new=is_new) for number in range(salons)]
        self._spacing = spacing_seconds(PER_SECOND, PER_MINUTE) / (1 - OTHERS_SHARE)
        self._next_slot = 0.0
        self._sync_queue, self._history_queue = deque[Salon](), deque[Salon]()
        self._idle = [Place(self._sync_queue) for _ in range(RUNS_AT_ONCE)]
        self._idle += [Place(self._history_queue) for _ in range(HISTORIES_AT_ONCE)]
        self._order = count()
        self._answers: list[tuple[float, int, Place]] = []
        self._due = [(self._due_at(one), number) for number, one in enumerate(self.salons)]
        heapq.heapify(self._due)
        self._number = {one.company.id: number for number, one in enumerate(self.salons)}
        self._windows: list[float] = []
        self._known_records = sum(one.window_records for one in self.salons if one.has_shown_window)

    def pass_seconds(self, seconds: float, *, is_out: bool = False) -> None:
        """Let time pass. `is_out`: nothing of ours runs; what was under way is carried on after it."""
        end = self.now + seconds
        if is_out:
            self._answers = [(at + seconds, order, place) for at, order, place in self._answers]
        while not is_out and self.now < end:
            self._tick()
            until = min(end, self.now + TICK_SECONDS)
            while self._answers and self._answers[0][0] <= until:
                self.now, _, place = heapq.heappop(self._answers)
                self._answered(place)
            self.now = until
        self.now = end

    def pass_until(self, holds: Callable[[], bool]) -> None:
        """Let time pass, tick by tick, until something holds."""
        while not holds():
            self.pass_seconds(TICK_SECONDS)

    def _tick(self) -> None:
        waiting: list[Company] = []
        while self._due and self._due[0][0] <= self.now:
            waiting.append(self.salons[heapq.heappop(self._due)[1]].company)
        chosen = rules.due_companies(
            waiting,
            now=_instant(self.now),
            companies_count=len(self.salons),
            interval=INTERVAL,
            limit=TICK_COMPANIES_MAX,
        )
        for company_id in chosen:
            salon = self.salons[self._number[company_id]]
            owes = salon.company.history_read_at is None
            (self._history_queue if owes else self._sync_queue).append(salon)
        for one in waiting:
            if one.id not in chosen:
                number = self._number[one.id]
                heapq.heappush(self._due, (self._due_at(self.salons[number]), number))
        for place in list(self._idle):
            if place.queue:
                self._idle.remove(place)
                self._begin(place)

    def _begin(self, place: Place) -> None:
        salon = place.salon = place.queue.popleft()
        place.began_at = self.now
        place.reads_window = self._reads_window(salon.company)
        if salon.company.history_read_at is None:
            place.requests_left = salon.history_requests
        elif place.reads_window:
            place.requests_left = rules.window_requests(salon.window_records, 1)
        else:
            place.requests_left = self._requests_for_changes(salon)
        salon.company = replace(salon.company, last_run_started_at=_instant(self.now))
        if salon.changes_read_at is not None:
            salon.gaps.append((self.now, self.now - salon.changes_read_at))
        self._ask(place)

    def _requests_for_changes(self, salon: Salon) -> int:
        hours_since = (self.now - (salon.changes_read_at or 0)) / 3600
        changes = hours_since / 24 * salon.visits_a_day * CHANGES_A_VISIT
        is_open = int(self.now / 3600) % 24 in OPEN_HOURS
        pages = max(int(is_open), int(changes // PAGE_RECORDS))
        return pages + 1

    def _reads_window(self, company: Company) -> bool:
        while self._windows and self._windows[0] <= self.now - INTERVAL.total_seconds():
            heapq.heappop(self._windows)
        return rules.reads_full_window(
            company,
            now=_instant(self.now),
            interval=INTERVAL,
            expected_records=self._known_records,
            companies_count=len(self.salons),
            windows_read=len(self._windows),
            seconds_per_request=SECONDS_A_REQUEST,
        )

    def _ask(self, place: Place) -> None:
        slot = max(self._next_slot, self.now)
        self._next_slot = slot + self._spacing
        self.requests += 1
        place.requests_left -= 1
        heapq.heappush(self._answers, (slot + ANSWER_SECONDS, next(self._order), place))

    def _answered(self, place: Place) -> None:
        if place.requests_left:
            self._ask(place)
            return
        self._finish(place)
        if place.queue:
            self._begin(place)
        else:
            self._idle.append(place)

    def _finish(self, place: Place) -> None:
        salon = place.salon
        assert salon is not None, "who is answered has asked"
        salon.changes_read_at = place.began_at
        began = _instant(place.began_at)
        if place.reads_window:
            before = salon.company.last_complete_read_at
            if before is not None:
                salon.window_ages.append((place.began_at, (began - before).total_seconds()))
            if salon.company.history_read_at is not None and not salon.has_shown_window:
                salon.has_shown_window = True
                self._known_records += salon.window_records
            heapq.heappush(self._windows, place.began_at)
            salon.company = replace(
                salon.company,
                last_complete_read_at=began,
                history_read_at=salon.company.history_read_at or _instant(self.now),
            )
        salon.company = replace(salon.company, changes_read_until=began)
        number = self._number[salon.company.id]
        heapq.heappush(self._due, (self._due_at(salon), number))

    def _due_at(self, salon: Salon) -> float:
        due = rules.due_at(salon.company, companies_count=len(self.salons), interval=INTERVAL)
        return (due - BEGINNING).total_seconds()


def _salon(number: int, salons: int, *, is_new: bool) -> Salon:
    """Salon `number` of so many. One that is not new last ran at a place of its own in the period, its window in the day."""
    visits_a_day = VISITS_A_DAY[number % len(VISITS_A_DAY)]
    if is_new:
        return Salon(_company(number), visits_a_day)
    read = BEGINNING - (1 - number / salons) * INTERVAL
    known = replace(
        _company(number),
        last_run_started_at=read,
        changes_read_until=read,
        history_read_at=BEGINNING - timedelta(days=9),
        last_complete_read_at=BEGINNING - (number * 7 % salons) / salons * timedelta(days=1),
    )
    return Salon(
        known, visits_a_day, has_shown_window=True, changes_read_at=(read - BEGINNING).total_seconds()
    )


def _company(number: int) -> Company:
    return Company(
        id=100_000 + number,
        title="",
        timezone_name="Europe/Moscow",
        zone_rules=None,
        zone_data_version=None,
        known_since=BEGINNING,
        last_run_started_at=None,
        last_complete_read_at=None,
        history_read_at=None,
        changes_read_until=None,
        problem=None,
    )


def _instant(seconds: float) -> datetime:
    return BEGINNING + timedelta(seconds=seconds)
