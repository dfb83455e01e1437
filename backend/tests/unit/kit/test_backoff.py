"""Pauses double, end at their bound, and are shortened by up to a half."""

import pytest

from zerkalo.kit.backoff import Backoff

BACKOFF = Backoff(0.5, 30)


@pytest.mark.parametrize(("failures", "seconds"), [(0, 0.5), (1, 0.5), (2, 1), (4, 4), (7, 30), (10**9, 30)])
def test_pauses_double_up_to_their_bound(failures: int, seconds: float):
    assert BACKOFF.seconds(failures) == seconds


def test_chance_shortens_a_pause_by_up_to_a_half():
    assert (BACKOFF.seconds(2, 0.0), BACKOFF.seconds(2, 0.5), BACKOFF.seconds(2, 1.0)) == (0.5, 0.75, 1.0)
