"""The law of expiry, against a model in which every single point is a thing with a fate of its own."""

from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hypothesis import given
from hypothesis import strategies as st

from zerkalo.loyalty.model import Kind, Movement, Reason
from zerkalo.loyalty.rules import expire

EXPIRE_DAYS = 30
DAY_0 = datetime(2025, 1, 1, tzinfo=UTC)

steps = st.lists(
    st.one_of(
        st.tuples(st.just("earn"), st.integers(1, 3), st.integers(1, 12)),
        st.tuples(st.just("unearn"), st.integers(1, 3), st.integers(1, 12)),
        st.tuples(st.just("reverse"), st.integers(1, 3), st.just(0)),
        st.tuples(st.just("redeem"), st.just(0), st.integers(1, 12)),
        st.tuples(st.just("give"), st.just(0), st.integers(1, 12)),
        st.tuples(st.just("take"), st.just(0), st.integers(1, 12)),
        st.tuples(st.just("wait"), st.just(0), st.integers(1, 25)),
        st.tuples(st.just("sweep"), st.just(0), st.just(0)),
    ),
    max_size=40,
)


@dataclass(eq=False)
class Point:
    booking: int | None
    day: int
    fate: str = "left"


class PointByPoint:
    """One point, one object. What is spent without a point is a debt that the next points fill."""

    def __init__(self):
        self.points: list[Point] = []
        self.debt = 0

    def come(self, booking, amount, day):
        for _ in range(amount):
            point = Point(booking, day)
            if self.debt:
                self.debt -= 1
                point.fate = "spent"
            self.points.append(point)

    def spend(self, amount):
        for _ in range(amount):
            oldest = next((point for point in self.points if point.fate == "left"), None)
            if oldest is None:
                self.debt += 1
            else:
                oldest.fate = "spent"

    def unearn(self, booking, amount):
        own = [point for point in self.points if point.booking == booking]
        for fate in ("left", "expired"):
            for point in [point for point in own if point.fate == fate][::-1][:amount]:
                point.fate = "void"
                amount -= 1
        self.spend(amount)

    def expire(self, before_day):
        for point in self.points:
            if point.fate == "left" and point.day < before_day:
                point.fate = "expired"

    @property
    def balance(self):
        return sum(point.fate == "left" for point in self.points) - self.debt

    @property
    def expired(self):
        return sum(point.fate == "expired" for point in self.points)


def settle_expiry(movements: list[Movement], day: int) -> list[tuple[int, Reason]]:
    now = DAY_0 + timedelta(days=day)
    due = expire(movements, now - timedelta(days=EXPIRE_DAYS))
    movements += [Movement(amount, Kind.EXPIRY, None, now) for amount, _ in due]
    return list(due)


@given(steps)
def test_expiry_agrees_with_the_fate_of_every_single_point(history):
    model, movements, day = PointByPoint(), [], 0
    earned: dict[int, int] = {}

    def move(amount, kind, booking=None):
        movements.append(Movement(amount, kind, booking, DAY_0 + timedelta(days=day)))

    for step, booking, amount in history:
        if step == "earn":
            move(amount, Kind.ADJUSTMENT if earned.get(booking) else Kind.ACCRUAL, booking)
            earned[booking] = earned.get(booking, 0) + amount
            model.come(booking, amount, day)
        elif step in {"unearn", "reverse"}:
            taken = min(amount, earned.get(booking, 0)) if step == "unearn" else earned.get(booking, 0)
            if taken:
                move(-taken, Kind.REVERSAL, booking)
                earned[booking] -= taken
                model.unearn(booking, taken)
        elif step == "redeem" and sum(movement.amount for movement in movements) >= amount:
            settle_expiry(movements, day)  # as redeeming does
            model.expire(day - EXPIRE_DAYS)
            if sum(movement.amount for movement in movements) >= amount:
                move(-amount, Kind.REDEMPTION)
                model.spend(amount)
        elif step == "give":
            move(amount, Kind.ADJUSTMENT)
            model.come(None, amount, day)
        elif step == "take":
            move(-amount, Kind.ADJUSTMENT)
            model.spend(amount)
        elif step == "wait":
            day += amount
        elif step == "sweep":
            before = sum(movement.amount for movement in movements)
            due = settle_expiry(movements, day)
            model.expire(day - EXPIRE_DAYS)
            after = sum(movement.amount for movement in movements)
            given_back = sum(amount for amount, reason in due if reason is Reason.EXPIRED_NOT_EARNED)
            assert after >= min(0, before + given_back), "expiry made a balance negative"
        if step in {"unearn", "reverse"}:
            # As settling does: what an expiry had taken already is given back at once, nothing expires by it.
            movements += [
                Movement(amount, Kind.EXPIRY, None, DAY_0 + timedelta(days=day))
                for amount, _ in expire(movements, None)
            ]
        settled = [*movements]
        assert expire(settled, None) == (), "what was to be given back has been"
        assert sum(movement.amount for movement in settled) == model.balance
        assert -sum(movement.amount for movement in settled if movement.kind is Kind.EXPIRY) == model.expired

    settle_expiry(movements, day)
    assert settle_expiry(movements, day) == [], "twice is once"


@given(amounts=st.lists(st.integers(1, 1000), min_size=1, max_size=5), other=st.integers(1, 1000))
def test_a_reversal_of_wholly_expired_points_leaves_the_balance_as_it_was(amounts, other):
    movements = [Movement(amount, Kind.ACCRUAL, 1, DAY_0) for amount in amounts]
    settle_expiry(movements, 100)
    movements.append(Movement(other, Kind.ACCRUAL, 2, DAY_0 + timedelta(days=100)))

    movements.append(Movement(-sum(amounts), Kind.REVERSAL, 1, DAY_0 + timedelta(days=101)))
    settle_expiry(movements, 101)

    assert sum(movement.amount for movement in movements) == other
