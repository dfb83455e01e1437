"""After any history of a booking and of the settings its entries sum to what its state earns."""

from dataclasses import replace
from datetime import date, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, invariant, precondition, rule

from zerkalo.loyalty.model import BookingLedger, EarningState, Kind, LedgerLine, LoyaltyPolicy
from zerkalo.loyalty.rules import ledger_of, settle

START = date(2025, 3, 1)
dates = st.integers(-40, 40).map(lambda days: START + timedelta(days=days))
users = st.sampled_from([1, 2, 3])
percents = st.decimals(0, 100, places=4)
prices = st.integers(0, 10_000_000)


class BookingLife(RuleBasedStateMachine):
    """One booking, its ledger as a list, and the settings; every change is settled at once, as `apply` does."""

    def __init__(self):
        super().__init__()
        self.policy = LoyaltyPolicy(enabled=False, percent=Decimal(5))
        self.state = EarningState(1, 1, None, "PENDING", 0, START)
        self.lines: list[LedgerLine] = []
        self.keys: set[str] = set()

    def ledger(self):
        return ledger_of(self.lines).get(1, BookingLedger())

    def settle(self):
        drafts = settle(self.state, self.ledger(), self.policy)
        for draft in drafts:
            assert draft.entry_key not in self.keys
            self.keys.add(draft.entry_key)
            assert draft.amount != 0
            assert draft.booking_id == 1
            self.lines.append(
                LedgerLine(1, draft.user_id, draft.amount, draft.kind, draft.percent, draft.start_date)
            )

    def change(self, **fields):
        self.state = replace(self.state, revision=self.state.revision + 1, **fields)
        self.settle()

    def change_settings(self, **fields):
        before = dict(self.ledger().sums)
        self.policy = replace(self.policy, **fields)
        self.settle()
        after = self.ledger().sums
        assert all(after[user] >= points for user, points in before.items()), "settings took points back"

    @rule(user_id=st.none() | users)
    def belongs_to(self, user_id):
        self.change(user_id=user_id)

    @rule(status=st.sampled_from(["PENDING", "CONFIRMED", "COMPLETED", "COMPLETED", "CANCELLED"]))
    def stands(self, status):
        self.change(status=status)

    @rule(price_kopecks=prices)
    def costs(self, price_kopecks):
        self.change(price_kopecks=price_kopecks)

    @rule(visit_on=dates)
    def is_moved_to(self, visit_on):
        self.change(visit_on=visit_on)

    @rule()
    def is_told_again(self):
        self.settle()

    @rule(enabled=st.booleans())
    def programme_is_switched(self, enabled):
        self.change_settings(enabled=enabled)

    @rule(percent=percents)
    def percent_is_set(self, percent):
        self.change_settings(percent=percent)

    @rule(start_date=st.none() | dates)
    def start_is_set(self, start_date):
        # Only a visit that an accrual of its own covers is safe from a later start: one that was moved before the
        # start while an earlier one covered it has no accrual under that, and goes by today's.
        before = dict(self.ledger().sums)
        self.policy = replace(self.policy, start_date=start_date)
        self.settle()
        covered = [line.start_date for line in self.lines if line.kind is Kind.ACCRUAL]
        if any(start is None or start <= self.state.visit_on for start in covered):
            after = self.ledger().sums
            assert all(after[user] >= points for user, points in before.items())

    @invariant()
    def sum_is_what_the_state_earns(self):
        accruals = [line for line in self.lines if line.kind is Kind.ACCRUAL]
        starts = [line.start_date for line in accruals]
        if self.policy.enabled:
            starts.append(self.policy.start_date)
        covered = any(start is None or start <= self.state.visit_on for start in starts)
        percent = accruals[0].percent if accruals else self.policy.percent
        assert percent is not None
        earned = 0
        if covered and self.state.status == "COMPLETED" and self.state.user_id is not None:
            earned = floor(Fraction(self.state.price_kopecks, 100) * Fraction(percent) / 100)
        sums = {user: points for user, points in self.ledger().sums.items() if points}
        assert sums == ({self.state.user_id: earned} if earned else {})

    @invariant()
    def twice_is_once(self):
        assert settle(self.state, self.ledger(), self.policy) == ()

    @invariant()
    def one_percent_for_ever(self):
        assert len({line.percent for line in self.lines if line.kind is Kind.ACCRUAL}) <= 1

    @precondition(lambda self: self.lines)
    @invariant()
    def nobody_ever_owes_for_a_booking(self):
        assert all(points >= 0 for points in self.ledger().sums.values())


TestBookingLife = BookingLife.TestCase
