"""How long services take, of the branch's catalogue, in each shape that was seen."""

import json
from typing import Any

import pytest

from zerkalo.yclients.answers import parse_usual_durations


@pytest.mark.parametrize(
    ("about", "seconds"),
    [
        ({"duration": 3600}, 3600),
        ({"duration": 3600, "staff": []}, 3600),
        ({"duration": 3600, "staff": [{"id": 1, "seance_length": 0}]}, 3600),
        ({"duration": 3600, "staff": [{"id": 1, "seance_length": 5400}]}, 5400),
        ({"staff": [{"id": 1, "seance_length": 5400}, {"id": 2, "seance_length": 5400}]}, 5400),
        ({"staff": [{"id": 1, "seance_length": 3600}, {"id": 2, "seance_length": 5400}]}, None),
        ({"staff": [{"id": 1, "seance_length": 0}]}, None),
        ({"duration": 0}, None),
        ({"duration": None}, None),
        ({}, None),
    ],
)
def test_a_duration_is_told_where_all_masters_take_the_same_time(
    about: dict[str, Any], seconds: int | None
) -> None:
    body = json.dumps({"success": True, "data": [{"id": 3001, **about}], "meta": []}).encode()

    assert parse_usual_durations(body) == ({} if seconds is None else {3001: seconds})
