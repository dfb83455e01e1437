"""What the online booking says of a specialist: the rating where it is shown, the description as plain text."""

import json
from typing import Any

import pytest

from zerkalo.yclients.answers import DESCRIPTION_CHARACTERS_MAX, parse_staff
from zerkalo.yclients.model import BookableStaff

KNOWN = {"id": 1, "name": "Вера", "bookable": True, "show_rating": "1", "rating": "4.9", "votes_count": "12"}


def read(**said: Any) -> BookableStaff:
    (staff,) = parse_staff(json.dumps({"success": True, "data": [KNOWN | said], "meta": []}).encode())
    return staff


@pytest.mark.parametrize(
    "said",
    [
        {"show_rating": "0"},
        {"votes_count": "0"},
        {"rating": "0"},
        {"rating": None},
        {"rating": "много"},
        {"rating": 17},
        {"votes_count": []},
        {"show_rating": "?"},
    ],
)
def test_a_rating_that_is_hidden_empty_or_odd_is_none_and_costs_nobody_the_booking(said: dict[str, Any]):
    staff = read(**said)

    assert (staff.rating, staff.votes, staff.name) == (None, 0, "Вера")


@pytest.mark.parametrize(
    ("information", "text"),
    [
        ("<span></span>", ""),
        ("<p>Стрижки и&nbsp;<b>уклад</b>ки.</p><p>12 лет<br/>опыта</p>", "Стрижки и укладки. 12 лет опыта"),
        ("5 < 10", "5 < 10"),
        (None, ""),
        ([], ""),
        ("&lt;b&gt;", "<b>"),
    ],
)
def test_a_description_is_plain_text(information: Any, text: str):
    assert read(information=information).description == text


def test_a_long_description_ends_at_a_word():
    description = read(information="слово " * 200).description

    assert len(description) <= DESCRIPTION_CHARACTERS_MAX
    assert description.endswith("слово…")
