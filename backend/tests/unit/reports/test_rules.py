"""Periods of the salon's calendar: which days, which before them, and where they begin and end on the clock."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerkalo.reports.model import Period
from zerkalo.reports.rules import (
    DAYS_MAX,
    FIRST_DAY,
    LAST_DAY,
    NAMES,
    bounded_period,
    days_of,
    instants_of,
    named_period,
    period_before,
    pieces_of,
)

TODAY = date(2026, 11, 27)  # a Friday
ZONES = ["Europe/Moscow", "Europe/Berlin", "Africa/Cairo", "America/Santiago", "Asia/Beirut", "Pacific/Apia"]


def period(first: str, last: str) -> Period:
    return Period(date.fromisoformat(first), date.fromisoformat(last))


@pytest.mark.parametrize(
    ("name", "first", "last"),
    [
        ("day", "2026-11-27", "2026-11-27"),
        ("week", "2026-11-23", "2026-11-29"),
        ("month", "2026-11-01", "2026-11-30"),
        ("last_month", "2026-10-01", "2026-10-31"),
        ("quarter", "2026-10-01", "2026-12-31"),
        ("year", "2026-01-01", "2026-12-31"),
        ("last_30", "2026-10-29", "2026-11-27"),
        ("nonsense", "2026-11-01", "2026-11-30"),
    ],
)
def test_a_period_by_its_name(name: str, first: str, last: str) -> None:
    assert named_period(name, TODAY) == period(first, last)


@pytest.mark.parametrize(
    ("now", "before"),
    [
        (("2026-11-01", "2026-11-30"), ("2026-10-01", "2026-10-31")),
        (("2026-03-01", "2026-03-31"), ("2026-02-01", "2026-02-28")),
        (("2024-03-01", "2024-03-31"), ("2024-02-01", "2024-02-29")),
        (("2026-01-01", "2026-03-31"), ("2025-10-01", "2025-12-31")),
        (("2024-01-01", "2024-12-31"), ("2023-01-01", "2023-12-31")),
        (("2026-11-23", "2026-11-29"), ("2026-11-16", "2026-11-22")),
        (("2026-11-27", "2026-11-27"), ("2026-11-26", "2026-11-26")),
        (("2026-11-01", "2026-11-29"), ("2026-10-03", "2026-10-31")),
    ],
)
def test_whole_months_are_compared_with_whole_months_and_days_with_as_many_days(
    now: tuple[str, str], before: tuple[str, str]
) -> None:
    assert period_before(period(*now)) == period(*before)


@given(st.dates(FIRST_DAY, LAST_DAY), st.integers(0, 800))
def test_the_period_before_ends_where_the_period_begins(first: date, days: int) -> None:
    now = Period(first, first + timedelta(days=days))

    before = period_before(now)

    assert before.last + timedelta(days=1) == now.first
    assert before.first <= before.last


@pytest.mark.parametrize("name", NAMES)
@given(today=st.dates(FIRST_DAY, LAST_DAY))
def test_every_named_period_but_the_last_month_holds_today(name: str, today: date) -> None:
    found = named_period(name, today)

    assert (found.first <= today <= found.last) is (name != "last_month")


def test_days_in_the_wrong_order_are_turned_and_a_missing_one_is_today() -> None:
    assert bounded_period(date(2026, 5, 9), date(2026, 5, 1), TODAY) == period("2026-05-01", "2026-05-09")
    assert bounded_period(date(2026, 11, 1), None, TODAY) == period("2026-11-01", "2026-11-27")
    assert bounded_period(None, None, TODAY) is None


@given(st.dates(), st.dates())
def test_any_two_days_make_a_period_that_can_be_asked_for(first: date, last: date) -> None:
    found = bounded_period(first, last, TODAY)

    assert found is not None
    assert found.days == len(days_of(found)) <= DAYS_MAX
    period_before(found)
    instants_of(found, ZoneInfo("Europe/Moscow"))


def test_a_day_on_which_the_clocks_change_has_23_or_25_hours() -> None:
    berlin = ZoneInfo("Europe/Berlin")
    lengths = []
    for day in ("2026-03-29", "2026-10-25", "2026-06-01"):
        since, until = instants_of(period(day, day), berlin)
        lengths.append((until - since) / timedelta(hours=1))

    assert lengths == [23, 25, 24]


def test_a_midnight_that_is_left_out_is_the_moment_of_the_change() -> None:
    """In Cairo the clocks went from 0:00 to 1:00 on 26 April 2024."""
    since, _ = instants_of(period("2024-04-26", "2024-04-26"), ZoneInfo("Africa/Cairo"))

    assert since == datetime(2024, 4, 25, 22, 0, tzinfo=UTC)


@pytest.mark.parametrize("name", ZONES)
@given(first=st.dates(date(2000, 1, 1), date(2037, 1, 1)), days=st.integers(0, 40))
def test_neighbouring_periods_share_no_instant_and_lose_none(name: str, first: date, days: int) -> None:
    zone, now = ZoneInfo(name), Period(first, first + timedelta(days=days))

    (since, until), (_, before_until) = instants_of(now, zone), instants_of(period_before(now), zone)

    assert before_until == since <= until


@given(first=st.dates(FIRST_DAY, date(2100, 1, 1)), days=st.integers(0, 900))
def test_pieces_are_the_period_and_months_among_them_are_whole(first: date, days: int) -> None:
    asked = Period(first, first + timedelta(days=days))

    pieces = pieces_of(asked)

    assert [pieces[0].since, *(one.until for one in pieces)] == [
        *(one.since for one in pieces),
        asked.last + timedelta(days=1),
    ]
    assert all(one.since.day == one.until.day == 1 for one in pieces if one.is_month)
    assert sum((one.until - one.since).days for one in pieces if not one.is_month) <= 2 * 31 + 1
