"""What a sync reads, and when."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from zerkalo.companies.model import Company
from zerkalo.mirror.model import Outcome, OutcomeStatus
from zerkalo.runs import rules
from zerkalo.runs.model import Counts, Progress, Slice

NOW = datetime(2026, 12, 2, 21, 30, tzinfo=UTC)
INTERVAL = timedelta(minutes=30)
MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
HONOLULU = ZoneInfo("Pacific/Honolulu")


def company(company_id: int = 1, **known: datetime | None) -> Company:
    facts: dict[str, Any] = {
        "zone_rules": "rules",
        "zone_data_version": "2025b",
        "known_since": NOW - timedelta(days=9),
        "last_run_started_at": None,
        "last_complete_read_at": NOW - INTERVAL,
        "history_read_at": NOW - timedelta(days=8),
        "changes_read_until": NOW - INTERVAL,
    }
    return Company(id=company_id, title="", timezone_name="Europe/Moscow", problem=None, **{**facts, **known})


@pytest.mark.parametrize(
    ("started_before", "due"),
    [(timedelta(minutes=29, seconds=59), False), (timedelta(minutes=30), True), (timedelta(days=3), True)],
)
def test_company_is_due_one_interval_after_its_last_start(started_before: timedelta, due: bool):
    one = company(last_run_started_at=NOW - started_before)

    assert rules.is_due(one, now=NOW, companies_count=1, interval=INTERVAL) is due


def test_times_that_lie_ahead_are_not_known_and_the_company_is_due():
    ahead = NOW + timedelta(hours=3)
    one = company(last_run_started_at=ahead, last_complete_read_at=ahead, changes_read_until=ahead)

    known = rules.believed(one, NOW)

    assert rules.is_due(known, now=NOW, companies_count=1, interval=INTERVAL)
    assert (known.last_complete_read_at, known.changes_read_until) == (None, None)
    assert known.history_read_at == one.history_read_at


def test_clock_of_another_machine_may_be_some_seconds_ahead():
    one = company(last_run_started_at=NOW + timedelta(seconds=30))

    assert rules.believed(one, NOW) == one
    assert not rules.is_due(one, now=NOW, companies_count=1, interval=INTERVAL)


def test_few_companies_have_their_first_run_at_once():
    new = [company(id_, known_since=NOW) for id_ in range(1, 11)]

    due = rules.due_companies(new, now=NOW, companies_count=10, interval=INTERVAL, limit=200)

    assert len(due) == 10


def test_first_runs_of_many_companies_are_spread_over_the_period():
    new = [company(id_, known_since=NOW) for id_ in range(100_200, 101_200)]
    due_at = [rules.due_at(one, companies_count=1000, interval=INTERVAL) for one in new]

    minutes = [
        sum(NOW + timedelta(minutes=m) <= at < NOW + timedelta(minutes=m + 1) for at in due_at)
        for m in range(30)
    ]

    assert sum(minutes) == 1000
    assert max(minutes) < 2 * 1000 / 30


def test_longest_due_company_comes_first():
    two = [company(1, last_run_started_at=NOW - INTERVAL), company(2, last_run_started_at=NOW - 2 * INTERVAL)]

    assert rules.due_companies(two, now=NOW, companies_count=2, interval=INTERVAL, limit=1) == (2,)


@pytest.mark.parametrize(
    ("zone", "start"),
    [(MOSCOW, date(2026, 11, 3)), (HONOLULU, date(2026, 11, 2)), (None, date(2026, 11, 1))],
)
def test_window_starts_in_the_salons_own_day(zone: ZoneInfo | None, start: date):
    """At 21:30 UTC it is past midnight in Moscow already; where the zone is unknown, a day more is read."""
    assert rules.window_start(NOW, zone, 30) == start


def test_changes_are_asked_for_on_the_salons_wall_clock_ten_minutes_back():
    assert rules.changed_after(NOW, MOSCOW) == datetime(2026, 12, 3, 0, 20)  # noqa: DTZ001 - a wall clock


def test_changes_of_an_unknown_zone_are_asked_for_early_enough_for_every_zone():
    asked = rules.changed_after(NOW, None)

    for name in ("Pacific/Honolulu", "America/New_York", "Europe/Moscow", "Asia/Kamchatka"):
        assert asked <= rules.changed_after(NOW, ZoneInfo(name))


@pytest.mark.parametrize(
    ("moment", "told"),
    [
        (datetime(2026, 10, 25, 0, 15, tzinfo=UTC), "2026-10-25T01:05"),
        (datetime(2026, 10, 25, 1, 5, tzinfo=UTC), "2026-10-25T01:55"),
        (datetime(2026, 10, 25, 1, 25, tzinfo=UTC), "2026-10-25T02:15"),
        (datetime(2026, 10, 25, 0, 5, tzinfo=UTC), "2026-10-25T01:55"),
    ],
    ids=["first pass", "just set back", "second pass", "before"],
)
def test_changes_are_asked_for_across_the_hour_that_comes_twice(moment: datetime, told: str):
    """Berlin: 3:00 becomes 2:00. Whichever of the two hours the vendor takes the wall clock for, no change is left out."""
    asked = rules.changed_after(moment, BERLIN)

    assert asked == datetime.fromisoformat(told)
    as_second_hour = asked.replace(tzinfo=BERLIN, fold=1).astimezone(UTC)
    walls = [(moment + timedelta(minutes=m)).astimezone(BERLIN).replace(tzinfo=None) for m in range(180)]
    assert as_second_hour <= moment
    assert asked <= min(walls)


def test_slices_of_a_first_run_cover_every_day_once():
    window, before = rules.first_slices(date(2026, 11, 1), history=True)

    assert (window.first, window.last) == (date(2026, 11, 1), None)
    assert (before.first, before.last) == (rules.HISTORY_FIRST_DAY, date(2026, 10, 31))


@pytest.mark.parametrize(
    "part",
    [
        Slice(date(2026, 11, 1)),
        Slice(date(2026, 12, 2)),
        Slice(date(2026, 12, 3)),
        Slice(date(2027, 5, 1)),
        Slice(date(2000, 1, 1), date(2026, 10, 31)),
        Slice(date(2026, 10, 1), date(2026, 10, 2)),
    ],
)
def test_halves_cover_exactly_the_slice(part: Slice):
    earlier, later = rules.halves(part, today=date(2026, 12, 2))

    assert earlier.first == part.first
    assert earlier.last is not None
    assert earlier.first <= earlier.last
    assert later.first == earlier.last + timedelta(days=1)
    assert later.last == part.last


@pytest.mark.parametrize("part", [Slice(date(2026, 12, 2), date(2026, 12, 2)), Slice(date(9999, 12, 30))])
def test_slice_that_can_not_be_divided_stays_whole(part: Slice):
    assert rules.halves(part, today=date(2026, 12, 2)) == (part,)


def test_halving_a_busy_future_comes_to_an_end():
    part, steps = Slice(date(2026, 11, 1)), 0
    while len(parts := rules.halves(part, today=date(2026, 12, 2))) == 2:
        part, steps = parts[1], steps + 1

    assert steps < 30


def test_progress_keeps_the_order_of_slices():
    window, before = rules.first_slices(date(2026, 11, 1), history=True)
    parts = rules.halves(window, today=date(2026, 12, 2))
    progress = rules.halved_slice(Progress(pending=(window, before)), parts)

    assert progress.pending == (*parts, before)
    assert rules.finished_slice(progress).pending == (parts[1], before)


def may_read_window(one: Company, *, records: int, companies: int = 1, windows_read: int = 0) -> bool:
    return rules.reads_full_window(
        one,
        now=NOW,
        interval=INTERVAL,
        expected_records=records,
        companies_count=companies,
        windows_read=windows_read,
        seconds_per_request=0.3,
    )


A_DAY_AGO = NOW - timedelta(hours=24)


@pytest.mark.parametrize(
    ("one", "records", "full"),
    [
        (company(), 0, True),
        (
            company(),
            299_000,
            True,
        ),  # twice 1,495 pages, one not full, one empty; and 5 requests
        (company(), 299_200, False),
        (company(history_read_at=None), 10_000_000, True),
        (company(last_complete_read_at=None), 10_000_000, True),
        (company(changes_read_until=None), 10_000_000, True),
        (company(last_complete_read_at=A_DAY_AGO), 10_000_000, True),
    ],
)
def test_window_is_read_when_it_fits_half_a_period_or_is_a_day_old(one: Company, records: int, full: bool):
    assert may_read_window(one, records=records) is full


def test_many_small_windows_count_with_all_the_requests_that_a_run_needs():
    """A salon of a few records is asked nine times for them; a thousand such salons would take the period and half of another."""
    assert may_read_window(company(), records=305 * 50, companies=305)
    assert not may_read_window(company(), records=1000 * 50, companies=1000)


def test_windows_that_are_a_day_old_leave_half_of_each_period_to_the_changes():
    """After a day's outage everybody's window is a day old; read all at once they would take eight hours."""
    overdue = company(last_complete_read_at=A_DAY_AGO)
    salons = {"records": 4000 * 1500, "companies": 4000}
    requests_each = rules.window_requests(records=4000 * 1500, companies_count=4000) / 4000

    allowed = next(n for n in range(4000) if not may_read_window(overdue, **salons, windows_read=n))

    assert requests_each == 24
    assert allowed == 125  # of 24 requests of 0.3 s are 900 s
    assert may_read_window(overdue, records=10_000_000, companies=1, windows_read=0)


def test_outcomes_are_counted_once_each():
    applied, status = OutcomeStatus.APPLIED, OutcomeStatus
    outcomes = [
        Outcome(applied, created=True),
        Outcome(applied, created=True, cancelled=True),
        Outcome(applied),
        Outcome(applied, cancelled=True),
        Outcome(status.UNCHANGED),
        Outcome(status.STALE),
        Outcome(status.IGNORED),
        Outcome(status.QUEUED),
        Outcome(status.QUARANTINED),
    ]

    counted = rules.count_outcomes(outcomes)

    assert counted == Counts(created=2, updated=1, cancelled=1, unchanged=1, stale=1, failed=1)
