"""The rate limit's windows, and which requests a fault hits."""

from random import Random

import pytest

from tests.support.emulator import TurnedClock
from yclients_emulator.faults import Fault, Faults
from yclients_emulator.limits import RateLimiter


def test_the_sixth_request_within_a_second_is_refused_and_the_next_second_is_free():
    limiter, clock = RateLimiter(), TurnedClock()

    assert [limiter.admit("a", clock(), 5, 200) for _ in range(5)] == [0.0] * 5
    assert limiter.admit("a", clock(), 5, 200) == pytest.approx(1.0)
    assert limiter.admit("b", clock(), 5, 200) == 0.0
    clock.pass_seconds(1)
    assert limiter.admit("a", clock(), 5, 200) == 0.0


def test_two_hundred_a_minute_pass_and_no_more():
    limiter, clock = RateLimiter(), TurnedClock()
    passed = 0
    for _ in range(4 * 59):
        passed += limiter.admit("a", clock(), 5, 200) == 0.0
        clock.pass_seconds(0.25)

    assert passed == 200
    clock.pass_seconds(60)
    assert limiter.admit("a", clock(), 5, 200) == 0.0


def test_a_request_every_300_milliseconds_is_never_refused():
    limiter, clock = RateLimiter(), TurnedClock()
    for _ in range(1000):
        assert limiter.admit("a", clock(), 5, 200) == 0.0
        clock.pass_seconds(0.3)


def test_skip_passes_then_next_hits_then_nothing():
    faults = Faults(Random(1))
    faults.add(Fault(kind="status", path="^/records/", skip=2, next=1))

    hits = [faults.pick("GET", "/records/1") is not None for _ in range(5)]

    assert hits == [False, False, True, False, False]


def test_only_matching_requests_are_hit_or_counted():
    faults = Faults(Random(1))
    faults.add(Fault(kind="cut", path="^/book_record/", method="POST", next=1))

    assert faults.pick("POST", "/records/1") is None
    assert faults.pick("GET", "/book_record/1/2/3") is None
    assert faults.pick("POST", "/book_record/1") is not None


def test_probability_is_the_seed_s():
    def hits() -> list[bool]:
        faults = Faults(Random(9))
        faults.add(Fault(kind="status", probability=0.3))
        return [faults.pick("GET", "/x") is not None for _ in range(100)]

    assert hits() == hits()
    assert 10 < sum(hits()) < 50
