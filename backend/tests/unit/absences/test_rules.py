"""When records that YCLIENTS does not know are left to a person: more than 20 a day and over 5 % of the window."""

import pytest

from zerkalo.absences.model import AbsenceLimits
from zerkalo.absences.rules import waits_for_a_person


@pytest.mark.parametrize(
    ("absent", "in_window", "waits"),
    [
        (20, 20, False),
        (21, 419, True),
        (21, 420, False),
        (125, 2500, False),
        (126, 2500, True),
        (1, 0, False),
    ],
)
def test_many_and_a_large_share_wait_for_a_person(absent: int, in_window: int, waits: bool):
    assert waits_for_a_person(absent, in_window=in_window, limits=AbsenceLimits()) is waits
