"""Any bytes, and any damage to the bodies we know, end in a value or in one of three typed errors."""

import json
from collections.abc import Callable
from contextlib import suppress
from copy import deepcopy
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerkalo.yclients import answers, fields, refusals
from zerkalo.yclients.payloads import (
    NotEnvelope,
    NotJson,
    Record,
    UnreadableRecord,
    parse_record,
    parse_record_answer,
    parse_records_page,
    parse_webhook,
)

FIXTURES = Path(__file__).parents[2] / "fixtures" / "yclients"
BODIES = [path.read_bytes() for path in sorted(FIXTURES.glob("*.json"))]
ODD = [
    None,
    True,
    False,
    0,
    1,
    -1,
    2**31,
    2**63,
    2**64,
    10**30,
    1.5,
    "",
    "0",
    "1",
    "1 800,50",
    "\x00",
    "\ud800",
]
ODD += [
    [],
    {},
    [[]],
    {"0": {}},
    [None],
    "0000-00-00 00:00:00",
    "2026-12-03 15:30:00",
    "9999-12-31T23:59:59-23:59",
]
ODD += ["0001-01-01T00:00:00+23:59", "+7" + "0" * 10, "x" * 30_000, 70000000101, 1e308, -0.0, "1e400000"]
ODD_VALUES = st.sampled_from(ODD) | st.text(alphabet=st.characters(codec=None), max_size=20) | st.integers()
RAW_NUMBERS = st.sampled_from(
    [b"1e400000", b"-1e-400000", b"1e99999999999999999999", b"9" * 400, b"9" * 5000]
)
OTHER_ANSWERS: list[Callable[[bytes], Any]] = [
    answers.parse_nothing,
    answers.parse_company,
    answers.parse_hooks_settings,
    answers.parse_services,
    answers.parse_usual_durations,
    answers.parse_staff,
    answers.parse_dates,
    answers.parse_times,
    answers.parse_booked,
    lambda body: answers.parse_user_record(body, 100200, 1700001),
]


def check(body: bytes) -> None:
    for parse in (
        parse_webhook,
        parse_records_page,
        parse_record,
        lambda raw: parse_record_answer(raw, 100200),
    ):
        with suppress(NotJson, NotEnvelope):  # any other error fails the test
            check_answer(parse, body)
    for parse in OTHER_ANSWERS:
        with suppress(NotJson, NotEnvelope, UnreadableRecord):
            parse(body)
    assert refusals.parse_error(body) is not None


def check_answer(parse: Callable[[bytes], Any], body: bytes) -> None:
    parsed: Any = None
    unreadable: list[Any] = []
    try:
        parsed = parse(body)
    except UnreadableRecord as error:
        unreadable.append(error)
    for item in (parsed, getattr(parsed, "record", None), *getattr(parsed, "items", ()), *unreadable):
        if isinstance(item, Record):
            check_bounds(item)
        elif isinstance(item, UnreadableRecord):
            assert item.reason
            item.raw.decode()


def check_bounds(record: Record) -> None:
    """Nothing in a record can fail in SQL."""
    for identifier in (record.company_id, record.record_id, record.staff_id):
        assert not isinstance(identifier, int) or 1 <= identifier <= fields.ID_MAX
    assert not isinstance(record.duration_seconds, int) or 0 <= record.duration_seconds <= 864_000
    for text in strings(msgspec.to_builtins(msgspec.structs.replace(record, raw=b""))):
        assert "\x00" not in text
        text.encode()
    assert b"\x00" not in record.raw
    record.raw.decode()


def strings(value: Any) -> list[str]:
    if isinstance(value, str):
        return [value]
    if isinstance(value, dict):
        value = [*value, *value.values()]
    return [text for inner in value for text in strings(inner)] if isinstance(value, list | tuple) else []


@given(st.binary(max_size=300))
def test_any_bytes_end_in_a_typed_error(body: bytes) -> None:
    check(body)


@given(st.recursive(ODD_VALUES, lambda inner: st.lists(inner) | st.dictionaries(st.text(max_size=5), inner)))
def test_any_json_ends_in_a_typed_error(value: Any) -> None:
    check(json.dumps(value).encode())


def places(value: Any) -> list[tuple[Any, Any]]:
    """Every (container, key) in it."""
    pairs = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return [place for key, inner in list(pairs) for place in [(value, key), *places(inner)]]


@given(st.sampled_from(BODIES), st.data())
def test_any_value_put_anywhere_in_a_known_body_is_survived(body: bytes, data: st.DataObject) -> None:
    document = json.loads(body)
    for _ in range(data.draw(st.integers(1, 3))):
        container, key = data.draw(st.sampled_from(places(document)))
        if data.draw(st.booleans()):
            container[key] = deepcopy(data.draw(ODD_VALUES))  # the next round may change what it holds
        elif isinstance(container, dict):
            del container[key]
        document_places = places(document)
        if not document_places:
            break

    check(json.dumps(document, ensure_ascii=data.draw(st.booleans())).encode(errors="surrogatepass"))


@given(st.sampled_from(BODIES), st.data())
def test_any_number_written_anywhere_in_a_known_body_is_survived(body: bytes, data: st.DataObject) -> None:
    document = json.loads(body)
    container, key = data.draw(st.sampled_from(places(document)))
    container[key] = "HERE"

    check(json.dumps(document).encode().replace(b'"HERE"', data.draw(RAW_NUMBERS)))


@given(st.sampled_from(BODIES), st.data())
def test_a_body_cut_off_or_damaged_anywhere_is_survived(body: bytes, data: st.DataObject) -> None:
    start = data.draw(st.integers(0, len(body)))
    end = data.draw(st.integers(start, min(len(body), start + 40)))
    junk = data.draw(st.binary(max_size=8))

    check(body[:start])
    check(body[:start] + junk + body[end:])


@pytest.mark.parametrize("opening", [b"[", b'{"a":', b'{"company_id":1,"data":[', b'{"data":[{"x":'])
def test_any_depth_is_survived(opening: bytes) -> None:
    for depth in (100, 1_000, 100_000):
        check(opening * depth)


@pytest.mark.parametrize("number", ["22", "46", "47", "60", "61", "62", "63", "69", "72"])
def test_every_odd_value_in_every_place_of_an_answer_is_survived(number: str) -> None:
    (path,) = FIXTURES.glob(f"{number}-*.json")
    document = json.loads(path.read_bytes())
    for container, key in places(document):
        kept = container[key]
        for odd in ODD:
            container[key] = odd
            body = json.dumps(document).encode()
            for parse in OTHER_ANSWERS:
                with suppress(NotJson, NotEnvelope, UnreadableRecord):
                    parse(body)
            refusals.parse_error(body)
        container[key] = kept
