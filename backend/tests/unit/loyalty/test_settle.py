"""What a booking earns, as a table, and which entries say so."""

from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from zerkalo.loyalty.model import (
    BookingLedger,
    EarningState,
    Kind,
    LedgerLine,
    LoyaltyPolicy,
    Reason,
    Terms,
    Tier,
)
from zerkalo.loyalty.rules import ledger_of, may_earn, percent_for, points_for, settle, visit_on

FIVE = LoyaltyPolicy(enabled=True, percent=Decimal(5))
OFF = replace(FIVE, enabled=False)
STATE = EarningState(
    booking_id=7,
    revision=1,
    user_id=1,
    status="COMPLETED",
    price_kopecks=250_000,
    visit_on=date(2025, 6, 1),
)
NOTHING = BookingLedger()
EARNED = BookingLedger({1: 125}, Terms(Decimal(5), None), 1)


@pytest.mark.parametrize(
    ("price_kopecks", "percent", "points"),
    [
        (250_000, "5", 125),
        (199_999, "5", 99),
        (1_999, "5", 0),
        (2_000, "5", 1),
        (100_00, "7.5", 7),
        (100_00, "0", 0),
        (29_00, "100", 29),
        (30_000, "33.3333", 99),
        (10**15, "99.9999", 9_999_990_000_000),
        (-500_00, "5", 0),
    ],
)
def test_points_are_the_exact_floor_of_roubles_times_percent(price_kopecks, percent, points):
    assert points_for(price_kopecks, Decimal(percent)) == points


@pytest.mark.parametrize(
    "state",
    [
        replace(STATE, status="PENDING"),
        replace(STATE, status="CONFIRMED"),
        replace(STATE, status="CANCELLED"),
        replace(STATE, user_id=None),
        replace(STATE, price_kopecks=0),
        replace(STATE, price_kopecks=1_999),
    ],
)
def test_what_does_not_earn_makes_no_entry(state):
    assert settle(state, NOTHING, FIVE) == ()


@pytest.mark.parametrize(
    ("visit", "points"), [("2025-05-31", []), ("2025-06-01", [125]), ("2025-06-02", [125])]
)
def test_a_visit_earns_from_the_start_date_on(visit, points):
    policy = replace(FIVE, start_date=date(2025, 6, 1))

    drafts = settle(replace(STATE, visit_on=date.fromisoformat(visit)), NOTHING, policy)

    assert [draft.amount for draft in drafts] == points


def test_a_first_accrual_records_its_terms():
    (draft,) = settle(STATE, NOTHING, replace(FIVE, start_date=date(2025, 1, 1)))

    assert (draft.kind, draft.amount, draft.user_id, draft.booking_id) == (Kind.ACCRUAL, 125, 1, 7)
    assert (draft.percent, draft.start_date) == (Decimal(5), date(2025, 1, 1))


@pytest.mark.parametrize(
    ("changed", "entries"),
    [
        ({}, []),
        ({"price_kopecks": 300_000}, [(1, 25, Kind.ADJUSTMENT, Reason.PRICE_CHANGED)]),
        ({"price_kopecks": 100_000}, [(1, -75, Kind.ADJUSTMENT, Reason.PRICE_CHANGED)]),
        ({"price_kopecks": 0}, [(1, -125, Kind.ADJUSTMENT, Reason.PRICE_CHANGED)]),
        ({"status": "CANCELLED"}, [(1, -125, Kind.REVERSAL, Reason.NOT_EARNED)]),
        ({"status": "PENDING"}, [(1, -125, Kind.REVERSAL, Reason.NOT_EARNED)]),
        ({"user_id": None}, [(1, -125, Kind.REVERSAL, Reason.NOT_EARNED)]),
        (
            {"user_id": 2},
            [(1, -125, Kind.REVERSAL, Reason.OTHER_USER), (2, 125, Kind.ACCRUAL, Reason.COMPLETED)],
        ),
        (
            {"user_id": 2, "status": "CANCELLED"},
            [(1, -125, Kind.REVERSAL, Reason.OTHER_USER)],
        ),
    ],
)
def test_a_change_makes_the_entries_that_close_the_difference(changed, entries):
    drafts = settle(replace(STATE, **changed), EARNED, FIVE)

    assert [(draft.user_id, draft.amount, draft.kind, draft.reason) for draft in drafts] == entries
    assert len({draft.entry_key for draft in drafts}) == len(drafts)


@pytest.mark.parametrize(
    "policy",
    [
        OFF,
        replace(FIVE, percent=Decimal(50)),
        replace(FIVE, start_date=date(2026, 1, 1)),
        replace(FIVE, tiers=(Tier(1, Decimal(9)),)),
    ],
)
def test_settings_changed_later_take_nothing_back_and_add_nothing(policy):
    assert settle(STATE, EARNED, policy) == ()


def test_a_booking_that_accrued_is_settled_by_its_percent_even_when_the_programme_is_off():
    (draft,) = settle(replace(STATE, price_kopecks=300_000), EARNED, OFF)
    assert draft.amount == 25

    reversed_ledger = BookingLedger({1: 0}, Terms(Decimal(5), None), 2)
    (draft,) = settle(STATE, reversed_ledger, OFF)
    assert (draft.amount, draft.kind) == (125, Kind.ACCRUAL)


def test_an_earlier_start_newly_covers_a_booking_that_was_reversed_for_its_date():
    ledger = BookingLedger({1: 0}, Terms(Decimal(5), date(2025, 7, 1)), 2)

    assert settle(STATE, ledger, replace(FIVE, start_date=date(2025, 7, 1))) == ()
    assert [draft.amount for draft in settle(STATE, ledger, replace(FIVE, start_date=date(2025, 5, 1)))] == [
        125
    ]


@pytest.mark.parametrize(
    ("spent_kopecks", "percent"),
    [(0, "5"), (1_999_999, "5"), (2_000_000, "7"), (4_999_999, "7"), (5_000_000, "10"), (10**12, "10")],
)
def test_the_highest_tier_that_she_reached_gives_the_percent(spent_kopecks, percent):
    policy = replace(FIVE, tiers=(Tier(20_000, Decimal(7)), Tier(50_000, Decimal(10))))

    assert percent_for(policy, spent_kopecks) == Decimal(percent)


def test_a_ledger_keeps_the_first_percent_and_the_earliest_start():
    def line(user_id, amount, kind, percent=None, start=None):
        return LedgerLine(7, user_id, amount, kind, percent, start)

    ledgers = ledger_of(
        [
            line(1, 125, Kind.ACCRUAL, Decimal(5), date(2025, 7, 1)),
            line(1, -125, Kind.REVERSAL),
            line(2, 125, Kind.ACCRUAL, Decimal(5), date(2025, 3, 1)),
        ]
    )

    assert ledgers == {7: BookingLedger({1: 0, 2: 125}, Terms(Decimal(5), date(2025, 3, 1)), 3)}
    assert ledgers[7].percent == Decimal(5)


def test_only_a_state_that_the_settings_cover_may_earn():
    assert may_earn(STATE, FIVE)
    assert not may_earn(STATE, OFF)
    assert not may_earn(replace(STATE, user_id=None), FIVE)


def test_the_visits_date_is_that_of_the_salons_wall_clock():
    starts_at = datetime(2025, 5, 31, 22, 30, tzinfo=UTC)

    assert visit_on(starts_at, datetime(2025, 6, 1, 1, 30)) == date(2025, 6, 1)  # noqa: DTZ001  a wall clock
    assert visit_on(starts_at, None) == date(2025, 5, 31)
