"""Which points expire, as stories."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

from zerkalo.loyalty.model import Kind, Movement, Reason
from zerkalo.loyalty.rules import expire, expiry_drafts, expiry_drafts_again, next_expiry

DAY_0 = datetime(2025, 1, 1, tzinfo=UTC)


def day(number):
    return DAY_0 + timedelta(days=number)


def accrual(amount, at, booking_id=1):
    return Movement(amount, Kind.ACCRUAL, booking_id, day(at))


def reversal(amount, at, booking_id=1):
    return Movement(-amount, Kind.REVERSAL, booking_id, day(at))


def redemption(amount, at):
    return Movement(-amount, Kind.REDEMPTION, None, day(at))


def expiry(amount, at):
    return Movement(amount, Kind.EXPIRY, None, day(at))


def test_old_points_that_are_left_expire_and_young_ones_stay():
    assert expire([accrual(100, 0), accrual(50, 200, 2)], day(100)) == ((-100, Reason.EXPIRED),)


def test_points_expire_only_when_they_are_older_than_the_bound():
    assert expire([accrual(100, 0)], day(0)) == ()


def test_without_a_bound_nothing_expires():
    assert expire([accrual(100, 0)], None) == ()


def test_redemptions_consume_the_oldest_first():
    movements = [accrual(100, 0), accrual(50, 200, 2), redemption(80, 210)]

    assert expire(movements, day(100)) == ((-20, Reason.EXPIRED),)


def test_spent_points_do_not_expire_when_expiry_is_switched_on_later():
    assert expire([accrual(100, 0), redemption(100, 400)], day(300)) == ()


def test_what_expired_does_not_expire_again():
    assert expire([accrual(100, 0), expiry(-100, 100)], day(300)) == ()


def test_a_reversal_of_points_that_expired_takes_them_once():
    movements = [accrual(100, 0), expiry(-100, 366), reversal(100, 400)]

    assert expire(movements, day(35)) == ((100, Reason.EXPIRED_NOT_EARNED),)
    assert expire([*movements, expiry(100, 400)], day(35)) == ()


def test_a_reversal_of_spent_points_leaves_a_debt_that_later_points_fill():
    movements = [accrual(100, 0), redemption(100, 10), reversal(100, 20), accrual(150, 30, 2)]

    assert expire(movements, day(300)) == ((-50, Reason.EXPIRED),)


def test_a_price_cut_takes_first_what_is_left_then_what_expired_then_what_was_spent():
    movements = [
        accrual(100, 0),
        redemption(60, 10),
        expiry(-40, 366),
        Movement(-50, Kind.ADJUSTMENT, 1, day(400)),
    ]

    # Of the fifty not earned forty had expired: they come back. Ten were spent: she owes them.
    assert expire(movements, day(35)) == ((40, Reason.EXPIRED_NOT_EARNED),)
    assert sum(movement.amount for movement in movements) + 40 == -10


def test_a_price_cut_undoes_the_newest_points_of_the_visit():
    movements = [
        accrual(100, 0),
        Movement(50, Kind.ADJUSTMENT, 1, day(200)),
        Movement(-50, Kind.ADJUSTMENT, 1, day(210)),
    ]

    assert expire(movements, day(100)) == ((-100, Reason.EXPIRED),)


def test_the_key_of_an_expiry_names_the_entry_that_it_follows():
    movements = [replace(accrual(100, 0), id=31), replace(expiry(-10, 1), id=7)]

    drafts = expiry_drafts(5, movements, day(300), 32)

    assert [(draft.entry_key, draft.amount, draft.kind) for draft in drafts] == [
        ("expiry:5:after:32:0", -90, Kind.EXPIRY)
    ]


def test_expiries_computed_anew_count_from_before_what_was_spent_since():
    """Points that had expired by then are not what was spent; what is spent at the same moment comes after."""
    spent = replace(redemption(40, 101), id=3)
    movements = [replace(accrual(50, 0), id=1), replace(accrual(100, 90, 2), id=2), spent]

    drafts = expiry_drafts_again(5, movements, [spent], timedelta(days=100), 7)

    (draft,) = drafts
    assert (draft.amount, draft.entry_key) == (-50, "expiry:5:after:7:0")
    assert draft.effective_at is not None
    assert day(101) - timedelta(seconds=1) < draft.effective_at < day(101)
    again = replace(expiry(-50, 101), effective_at=draft.effective_at)
    assert expire([*movements[:2], again, spent], day(2)) == ()
    assert expiry_drafts_again(5, movements, [spent], None, 7) == [], "points live for ever"


def test_the_first_points_to_expire_are_what_is_left_of_the_oldest_day():
    movements = [accrual(100, 0), accrual(50, 0.5, 2), accrual(70, 200, 3), redemption(120, 210)]

    assert next_expiry(movements, 365, UTC) == (30, day(365).date())
    assert next_expiry([*movements, redemption(30, 220)], 365, UTC) == (70, day(565).date())
    assert next_expiry([*movements, redemption(100, 220)], 365, UTC) is None


def test_the_day_on_which_points_expire_is_the_salons():
    late = [accrual(100, 0.9)]

    assert next_expiry(late, 365, ZoneInfo("Asia/Vladivostok")) == (100, day(366).date())
