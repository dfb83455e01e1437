"""A cursor goes on where it was made, in its own list, and nothing else is taken for one."""

from base64 import urlsafe_b64encode
from datetime import UTC, datetime, timedelta, timezone

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerkalo.kit.cursor import ID_MAX, decode_cursor, encode_cursor
from zerkalo.kit.problem import ProblemError

AT = datetime(2025, 6, 1, 9, 0, 0, 123456, tzinfo=UTC)


@given(
    at=st.datetimes(timezones=st.integers(-839, 839).map(lambda m: timezone(timedelta(minutes=m)))).filter(
        lambda at: 2 < at.year < 9998
    ),
    row_id=st.integers(0, ID_MAX),
)
def test_a_cursor_comes_back_as_it_was_made(at, row_id):
    assert decode_cursor(encode_cursor("list", at, row_id), "list", datetime, int) == (at, row_id)


def raw(text):
    return urlsafe_b64encode(text.encode()).decode().rstrip("=")


@pytest.mark.parametrize(
    "cursor",
    [
        "",
        "x",
        "%%%",
        "ё",
        "A" * 1000,
        raw("[]"),
        raw("{}"),
        raw("null"),
        raw("[" * 250),
        raw('["list"]'),
        raw('["list", "2025-06-01T09:00:00+00:00"]'),
        raw('["list", "2025-06-01T09:00:00", 1]'),
        raw('["list", "gestern", 1]'),
        raw('["list", 1, "2025-06-01T09:00:00+00:00"]'),
        raw('["list", "0001-01-01T00:00:00+14:00", 1]'),
        raw('["list", "2025-06-01T09:00:00+00:00", -1]'),
        raw('["list", "2025-06-01T09:00:00+00:00", true]'),
        raw('["list", "2025-06-01T09:00:00+00:00", 1.5]'),
        raw('["list", "2025-06-01T09:00:00+00:00", NaN]'),
        raw(f'["list", "2025-06-01T09:00:00+00:00", {ID_MAX + 1}]'),
        raw('["list", "2025-06-01T09:00:00+00:00", 1, 2]'),
        encode_cursor("other", AT, 1),
    ],
)
def test_anything_else_is_refused_with_a_problem(cursor):
    with pytest.raises(ProblemError, match="422 invalid_cursor"):
        decode_cursor(cursor, "list", datetime, int)


@given(st.text(max_size=500))
def test_no_text_makes_it_fail_otherwise(cursor):
    with pytest.raises(ProblemError, match="422 invalid_cursor"):
        decode_cursor(cursor, "list", datetime, int)
