"""Every body of the fact sheet, and every quirk it names, as a table."""

from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from msgspec import UNSET

from zerkalo.kit.text import storable_json
from zerkalo.mirror.snapshots import snapshot_of
from zerkalo.yclients import fields
from zerkalo.yclients.payloads import (
    NotEnvelope,
    NotJson,
    Record,
    SalonClient,
    ServiceLine,
    UnreadableRecord,
    parse_list_page,
    parse_record,
    parse_record_answer,
    parse_records_page,
    parse_webhook,
    read_listed,
)

BODIES = Path(__file__).parents[2] / "fixtures" / "yclients"


def body(number: str) -> bytes:
    return next(BODIES.glob(f"{number}-*.json")).read_bytes()


def event_record(number: str) -> Record:
    record = parse_webhook(body(number)).record
    assert record is not None
    return record


def record_with(**keys: Any) -> Record:
    return parse_record(msgspec.json.encode({"id": 7, "company_id": 1, **keys}))


def test_a_created_record_is_read_whole() -> None:
    event = parse_webhook(body("01"))

    assert (event.company_id, event.resource, event.resource_id, event.status) == (
        100200,
        "record",
        1700001,
        "create",
    )
    assert event.status == "create"
    record = event_record("01")
    assert msgspec.structs.replace(record, raw=b"") == Record(
        company_id=100200,
        record_id=1700001,
        version=datetime(2026, 11, 28, 9, 5, 41, tzinfo=UTC),
        local_start=datetime(2026, 12, 3, 15, 30),  # noqa: DTZ001  a wall clock
        instant=datetime(2026, 12, 3, 12, 30, tzinfo=UTC),
        instant_offset_minutes=180,
        duration_seconds=3600,
        services=(ServiceLine("Стрижка", Decimal(1800), Decimal(1800), Decimal(0), 1, 3001),),
        client=SalonClient(
            "Примеров Клиент", "+70000000101", "0000000101", "client.one@example.com", client_id=9001
        ),
        staff_name="Мастер Первый",
        staff_id=501,
        attendance=0,
        deleted=False,
        comment="Код клиента: ABC12345. Позвонить за час",
        api_id="app-000001",
        paid_full=False,
        prepaid=False,
        online=True,
        created_by=0,
        raw=b"",
    )
    assert record.raw in body("01")


@pytest.mark.parametrize(
    ("number", "status", "attendance", "deleted"),
    [
        ("02", "update", 0, False),
        ("03", "update", 1, False),
        ("04", "update", 2, False),
        ("05", "update", -1, False),
        ("06", "delete", 0, True),
        ("13", "update", 0, False),
    ],
)
def test_every_change_of_a_record_is_told(number: str, status: str, attendance: int, deleted: bool) -> None:
    event, record = parse_webhook(body(number)), event_record(number)

    assert (event.status, record.attendance, record.deleted) == (status, attendance, deleted)
    assert record.version is not None


def test_missing_keys_are_unset() -> None:
    record = event_record("12")

    assert record.comment == "test"
    for name in (
        "local_start",
        "instant",
        "duration_seconds",
        "services",
        "client",
        "staff_name",
        "staff_id",
    ):
        assert getattr(record, name) is UNSET
    assert record.version is None
    assert (record.attendance, record.deleted, record.api_id) == (UNSET, UNSET, UNSET)


def test_a_reduced_delete_is_deleted() -> None:
    event, record = parse_webhook(body("07")), event_record("07")

    assert event.status == "delete"
    assert (record.record_id, record.deleted, record.services) == (1700002, True, UNSET)


def test_a_delete_that_does_not_say_deleted_is_deleted_all_the_same() -> None:
    said = {"company_id": 1, "resource": "record", "resource_id": 7, "status": "delete"}

    quiet = parse_webhook(msgspec.json.encode({**said, "data": {"id": 7}})).record
    contrary = parse_webhook(msgspec.json.encode({**said, "data": {"id": 7, "deleted": False}})).record

    assert quiet is not None
    assert quiet.deleted is True
    assert contrary is not None
    assert contrary.deleted is False


@pytest.mark.parametrize("data", [[], {}, None, "", False, ...])
def test_a_bare_event_names_its_record_and_nothing_else(data: Any) -> None:
    said = {"company_id": "1", "resource": "record", "resource_id": "7", "status": "delete"}
    event = parse_webhook(msgspec.json.encode(said if data is ... else {**said, "data": data}))

    assert (event.company_id, event.resource_id, event.status, event.record) == (1, 7, "delete", None)


def test_nobody_and_unknown_are_told_apart() -> None:
    assert event_record("08").client is None
    assert event_record("08").services == ()
    assert event_record("09").client is None
    assert record_with(client={}).client is None
    assert record_with(client={"name": None, "phone": None}).client is None
    assert record_with(client={"id": 5}).client == SalonClient("", UNSET, UNSET, UNSET, client_id=5)
    assert record_with().client is UNSET
    second = parse_records_page(body("30")).items[1]
    assert isinstance(second, Record)
    assert second.client is UNSET


def test_a_client_whose_contacts_are_hidden_is_a_client() -> None:
    assert record_with(client={"id": 5, "phone": "", "email": ""}).client == SalonClient(client_id=5)


def test_several_services_with_discount_amount_and_fraction() -> None:
    record = event_record("10")

    assert record.services == (
        ServiceLine("Стрижка", Decimal(1620), Decimal(1800), Decimal(10), 1, 3001),
        ServiceLine("Окрашивание", Decimal(4500), Decimal(4500), Decimal(0), 2, 3002),
        ServiceLine("Укладка", Decimal("990.5"), Decimal("990.5"), Decimal(0), 1, 3003),
    )
    assert isinstance(record.services, tuple)
    assert snapshot_of(record, None, complete=False).price_kopecks == 1_161_050
    assert record.client == SalonClient("Клиент", "+70000000102", "0000000102", None, client_id=9002)


def test_group_places_and_custom_fields_are_ordinary_records() -> None:
    assert event_record("11").services == (
        ServiceLine("Групповое занятие", Decimal(700), Decimal(700), Decimal(0), 1, 3010),
    )
    assert event_record("14").record_id == 1700007


@pytest.mark.parametrize(
    ("number", "resource", "resource_id"),
    [
        ("15", "client", 9001),
        ("16", "schedule", 501),
        ("17", "finances_operation", 4400001),
        ("18", "marketplace", None),
    ],
)
def test_other_events_are_recognised_and_hold_no_record(
    number: str, resource: str, resource_id: int | None
) -> None:
    event = parse_webhook(body(number))

    assert (event.company_id, event.resource, event.resource_id) == (100200, resource, resource_id)
    assert event.record is None


def test_a_page_holds_its_records_and_its_count() -> None:
    page = parse_records_page(body("30"), 100200)

    assert (page.raw_count, page.total_count) == (3, 403)
    assert [item.record_id for item in page.items] == [1700010, 1700011, 1700012]
    assert [item.deleted for item in page.items if isinstance(item, Record)] == [False, False, True]


def test_a_page_past_the_end_is_empty() -> None:
    page = parse_records_page(body("31"))

    assert (page.items, page.raw_count, page.total_count) == ((), 0, 403)


def test_one_unreadable_record_spoils_no_other() -> None:
    answer = {"success": True, "data": [{"id": 1}, {"id": 2, "date": "завтра"}, 5, {"id": 4}], "meta": []}

    page = parse_records_page(msgspec.json.encode(answer), 9)

    first, second, third, fourth = page.items
    assert (page.raw_count, page.total_count) == (4, None)
    assert isinstance(first, Record)
    assert isinstance(fourth, Record)
    assert isinstance(second, UnreadableRecord)
    assert (second.company_id, second.record_id, second.reason) == (9, 2, "date: not a date with a time")
    assert second.raw == '{"id":2,"date":"завтра"}'.encode()
    assert isinstance(third, UnreadableRecord)
    assert third.record_id is None


@pytest.mark.parametrize(
    "text",
    [b"caf\xe9", b"\\u0000", b"\\ud800", b"\xff\\\\", b"\xd0"],
    ids=("latin-1", "zero", "surrogate", "backslashes", "cut off"),
)
def test_a_record_that_no_store_takes_is_cleaned_when_it_is_read_and_spoils_no_page(text: bytes) -> None:
    told = b'{"id":1,"comment":"' + text + b'"}'
    answer = b'\xef\xbb\xbf{"success":true,"data":[%s,{"id":2}],"meta":{"total_count":2,"note":"%s"}}'

    listed = parse_list_page(answer % (told, text))
    cleaned = parse_records_page(storable_json(answer % (told, text)))
    plain = parse_list_page(b'{"data":[%s]}' % told)

    assert ([item.record_id for item in listed.items], listed.total_count) == ([1, 2], 2)
    assert [read_listed(item, 9, None) for item in (*listed.items, *plain.items)] == [
        *(read_listed(item, 9, None) for item in parse_list_page(storable_json(answer % (told, text))).items),
        parse_record(told, 9),
    ]
    assert [item.record_id for item in cleaned.items] == [1, 2]


@pytest.mark.parametrize("number", ["40", "41", "44", "45", "52"])
def test_an_error_is_never_taken_for_an_empty_page(number: str) -> None:
    with pytest.raises(NotEnvelope):
        parse_records_page(body(number))


@pytest.mark.parametrize("data", [None, {}, "", 0])
def test_what_is_no_list_is_never_taken_for_an_empty_page(data: Any) -> None:
    with pytest.raises(NotEnvelope):
        parse_records_page(msgspec.json.encode({"success": True, "data": data, "meta": []}))


def test_a_php_list_with_holes_is_a_list() -> None:
    page = parse_records_page(b'{"success":true,"data":{"0":{"id":1},"2":{"id":3}}}', 9)

    assert [item.record_id for item in page.items] == [1, 3]
    assert record_with(services={"0": {"title": "a"}, "2": {"title": "b"}}).services == (
        ServiceLine("a"),
        ServiceLine("b"),
    )


def test_one_record_has_an_integer_phone_and_a_string_visit_id() -> None:
    record = parse_record_answer(body("32"), 100200)

    assert isinstance(record.client, SalonClient)
    assert record.client.phone == "+70000000101"


@pytest.mark.parametrize("answer", [b'{"success":true,"data":[],"meta":[]}', b'{"success":true}', b"{}"])
def test_an_answer_without_a_record_is_no_record(answer: bytes) -> None:
    with pytest.raises(NotEnvelope):
        parse_record_answer(answer, 1)


@pytest.mark.parametrize(
    ("written", "expected"),
    [
        (1800, "1800"),
        ("1800", "1800"),
        ("1 800,50", "1800.50"),
        ("1\u00a0800.5", "1800.5"),
        ("1.800,50", "1800.50"),
        ("1,800.50", "1800.50"),
        ("-5", "-5"),
        (0, "0"),
        (None, None),
        ("", None),
    ],
)
def test_money_is_read_as_number_or_text(written: Any, expected: str | None) -> None:
    services = record_with(services=[{"title": "a", "cost": written}]).services

    assert isinstance(services, tuple)
    assert services[0].cost == (None if expected is None else Decimal(expected))


def test_money_never_passes_a_binary_float() -> None:
    raw = b'{"id":1,"company_id":1,"services":[{"cost":1234567.1234567891234567,"discount":1E1}]}'

    services = parse_record(raw).services

    assert services == (ServiceLine(UNSET, Decimal("1234567.1234567891234567"), None, Decimal(10), 1),)


@pytest.mark.parametrize(
    "written", ["1,800", "много", "1e5", True, [], {}, 10**9 + 1, "9" * 30, "1.2.3", "0." + "1" * 50]
)
def test_money_that_makes_no_sense_is_never_guessed_at(written: Any) -> None:
    with pytest.raises(UnreadableRecord, match="services"):
        record_with(services=[{"cost": written}])


@pytest.mark.parametrize(
    "written", [b"1e400000", b"1e99999999999999999999", b"-1e10", b"1e-400000", b"1e-41"]
)
def test_a_number_too_large_or_too_fine_is_refused(written: bytes) -> None:
    with pytest.raises(UnreadableRecord):
        parse_record(b'{"id":1,"company_id":1,"services":[{"cost":%s}]}' % written)


@pytest.mark.parametrize(
    ("written", "amount"), [(None, 1), (0, 1), ("0", 1), (3, 3), ("3", 3), ("2.000", 2), (10_000, 10_000)]
)
def test_no_amount_counts_as_one(written: Any, amount: int) -> None:
    assert record_with(services=[{"amount": written}]).services == (ServiceLine(UNSET, amount=amount),)


@pytest.mark.parametrize(
    "written",
    [
        "2026-11-28T12:05:41+0300",
        "2026-11-28T12:05:41+03:00",
        "2026-11-28T12:05:41.000+03:00",
        "2026-11-28T09:05:41Z",
        "2026-11-28t09:05:41z",
        " 2026-11-28 13:05:41+0400 ",
        1795856741,
        "1795856741",
    ],
)
def test_change_times_are_read_in_every_writing_seen(written: Any) -> None:
    version = record_with(last_change_date=written).version

    if written == "1795856741":
        assert version is None  # digits in quotes are no date in any body seen
    else:
        assert version == datetime(2026, 11, 28, 9, 5, 41, tzinfo=UTC)


def test_a_change_time_without_offset_is_the_salons() -> None:
    naive = {"id": 1, "company_id": 1, "last_change_date": "2026-11-28 12:05:41"}
    dated = msgspec.json.encode({**naive, "datetime": "2026-12-03T15:30:00+03:00"})

    assert parse_record(msgspec.json.encode(naive)).version is None
    assert parse_record(dated).version == datetime(2026, 11, 28, 9, 5, 41, tzinfo=UTC)
    assert parse_record(dated, zone=ZoneInfo("Asia/Omsk")).version == datetime(
        2026, 11, 28, 6, 5, 41, tzinfo=UTC
    )


def test_an_unreadable_change_time_is_none_so_that_the_record_is_fetched() -> None:
    assert record_with(last_change_date="вчера").version is None
    assert record_with(last_change_date="0000-00-00 00:00:00").version is None


def test_date_is_a_wall_clock_whatever_it_carries() -> None:
    wall = datetime(2026, 12, 3, 15, 30)  # noqa: DTZ001  a wall clock

    assert record_with(date="2026-12-03 15:30:00").local_start == wall
    assert record_with(date="2026-12-03T15:30:00+03:00").local_start == wall
    naive = record_with(datetime="2026-12-03T15:30:00")
    assert (naive.local_start, naive.instant, naive.instant_offset_minutes) == (wall, UNSET, UNSET)
    assert record_with(date="", datetime=None).local_start is UNSET


def test_a_date_that_cannot_be_read_spoils_no_record_whose_datetime_can() -> None:
    instant = datetime(2026, 12, 3, 12, 30, tzinfo=UTC)

    for date in ("завтра", [], int(instant.timestamp())):
        record = record_with(date=date, datetime="2026-12-03T15:30:00+03:00")
        assert (record.local_start, record.instant) == (UNSET, instant)
    assert record_with(date=int(instant.timestamp())).instant == instant
    wall = record_with(date="2026-12-03 15:30:00", datetime="завтра")
    assert (wall.local_start, wall.instant) == (datetime(2026, 12, 3, 15, 30), UNSET)  # noqa: DTZ001  a wall clock


@pytest.mark.parametrize(
    "written", ["2026-12-03", "15:30", "1969-01-01 00:00:00", "2201-01-01 00:00:00", [], True]
)
def test_a_visit_at_no_readable_time_is_unreadable(written: Any) -> None:
    with pytest.raises(UnreadableRecord, match="date"):
        record_with(date=written)


@pytest.mark.parametrize(
    ("keys", "seconds"),
    [
        ({"seance_length": 3600, "length": 60}, 3600),
        ({"seance_length": None, "length": "5400"}, 5400),
        ({"seance_length": "", "length": "5400"}, 5400),
        ({"seance_length": ""}, UNSET),
        ({"length": 0}, 0),
        ({}, UNSET),
    ],
)
def test_duration_is_the_seances_else_the_length(keys: dict[str, Any], seconds: Any) -> None:
    assert record_with(**keys).duration_seconds == seconds


@pytest.mark.parametrize(
    ("keys", "attendance"),
    [
        ({"attendance": 1, "visit_attendance": 0}, 1),
        ({"attendance": None, "visit_attendance": "-1"}, -1),
        ({"attendance": 17}, 17),
        ({"attendance": None}, UNSET),
        ({"attendance": "", "visit_attendance": 1}, 1),
        ({"attendance": "пришёл"}, fields.ATTENDANCE_UNKNOWN),
        ({"attendance": True}, fields.ATTENDANCE_UNKNOWN),
        ({"attendance": 1.5}, fields.ATTENDANCE_UNKNOWN),
        ({"attendance": 2**40}, fields.ATTENDANCE_UNKNOWN),
    ],
)
def test_attendance_is_the_records_else_the_visits(keys: dict[str, Any], attendance: Any) -> None:
    assert record_with(**keys).attendance == attendance


@pytest.mark.parametrize(
    ("written", "deleted"),
    [
        (True, True),
        (1, True),
        ("1", True),
        ("true", True),
        (False, False),
        (0, False),
        ("0", False),
        ("", False),
        (None, UNSET),
    ],
)
def test_deleted_is_read_as_php_writes_it(written: Any, deleted: Any) -> None:
    assert record_with(deleted=written).deleted is deleted


def test_null_text_is_empty_and_numbers_are_their_digits() -> None:
    record = record_with(comment=None, api_id=42)

    assert (record.comment, record.api_id) == ("", "42")
    assert record_with(comment=[], api_id=None).comment == ""


def test_staff_may_be_nobody() -> None:
    assert record_with(staff=[]).staff_name is None
    assert record_with(staff={}).staff_name is None
    assert record_with(staff={"id": 5}).staff_name is UNSET
    assert record_with(staff=None, staff_id=0).staff_id is UNSET
    assert record_with(staff={"id": "502", "name": ""}).staff_id == 502


def test_titles_and_names_are_read_as_people_read_them() -> None:
    """Entities are decoded once: what was typed as an entity itself stays one. A comment stays as it came."""
    record = record_with(
        services=[{"title": " Уход &quot;Люкс&quot; &amp;lt; &#39;x&#39; &#0;"}],
        staff={"name": "Анна &amp; Ко"},
        client={"name": "O&#039;Brien", "phone": "+79990000000"},
        comment="&quot;",
    )
    assert isinstance(record.services, tuple)
    assert record.services[0].title == "Уход \"Люкс\" &lt; 'x' \ufffd"
    assert record.staff_name == "Анна & Ко"
    assert isinstance(record.client, SalonClient)
    assert record.client.name == "O'Brien"
    assert record.comment == "&quot;"


def test_endless_text_is_cut() -> None:
    record = record_with(comment="я" * 30_000)

    assert record.comment == "я" * fields.TEXT_CHARACTERS_MAX


@pytest.mark.parametrize(
    "keys",
    [
        {"id": 0},
        {"id": 2**63},
        {"id": True},
        {"id": None},
        {"id": "7a"},
        {"company_id": -1},
        {"services": "x"},
        {"services": [5]},
        {"services": [{}] * 1001},
        {"services": [{"amount": 10_001}]},
        {"services": [{"amount": -1}]},
        {"services": [{"amount": "1.5"}]},
        {"client": [1]},
        {"client": {"phone": {}, "email": {"a": 1}}},
        {"seance_length": 864_001},
        {"seance_length": -1},
        {"deleted": "да"},
        {"comment": {"a": 1}},
        {"comment": True},
    ],
)
def test_what_is_out_of_bounds_or_shape_is_unreadable(keys: dict[str, Any]) -> None:
    with pytest.raises(UnreadableRecord) as caught:
        record_with(**keys)

    assert caught.value.reason


def test_a_reason_never_quotes_the_record() -> None:
    with pytest.raises(UnreadableRecord) as caught:
        record_with(client={"phone": True, "email": "client.one@example.com"}, comment="тайна")

    assert str(caught.value) == "record 7 of company 1: client: not text"


@pytest.mark.parametrize(
    ("envelope", "reason"),
    [
        ({"company_id": 1, "resource": "record", "resource_id": 7, "data": {"id": 8}}, "id: another record"),
        ({"company_id": 1, "resource": "record", "data": {"id": 7, "company_id": 2}}, "company_id: another"),
        (
            {"company_id": 1, "resource": "record", "resource_id": 0, "data": {"id": 7}},
            "resource_id: not an id",
        ),
        ({"company_id": 1, "resource": "record", "data": []}, "resource_id: not an id"),
        ({"company_id": 1, "resource": "record", "data": {}}, "resource_id: not an id"),
        ({"company_id": 1, "resource": "record", "resource_id": 7, "data": [{"id": 7}]}, "Expected `object`"),
    ],
)
def test_an_event_that_contradicts_itself_goes_to_quarantine(envelope: dict[str, Any], reason: str) -> None:
    with pytest.raises(UnreadableRecord, match=reason) as caught:
        parse_webhook(msgspec.json.encode({"status": "update", **envelope}))

    assert caught.value.company_id == 1


@pytest.mark.parametrize(
    "said",
    [
        [],
        5,
        {},
        {"company_id": 1},
        {"company_id": 1, "resource": "record"},
        {"company_id": 0, "resource": "record", "status": "create"},
        {"company_id": 2**63, "resource": "record", "status": "create"},
        {"company_id": 1, "resource": 5, "status": "create"},
        {"company_id": 1, "resource": "", "status": "create"},
        {"salon_id": "x", "event": "uninstall"},
    ],
)
def test_json_that_is_not_the_envelope_is_told_apart(said: Any) -> None:
    with pytest.raises(NotEnvelope):
        parse_webhook(msgspec.json.encode(said))


@pytest.mark.parametrize(
    "said",
    [
        b"",
        b"{",
        b"<html></html>",
        b'{"company_id": NaN}',
        b'{"a": Infinity}',
        b"[" * 100_000,
        b'{"a":1} x',
        b"\x00",
    ],
)
def test_what_is_no_json_is_told_apart(said: bytes) -> None:
    with pytest.raises(NotJson):
        parse_webhook(said)


def test_an_unknown_status_is_other_and_an_unknown_resource_is_kept() -> None:
    event = parse_webhook(b'{"company_id":1,"resource":"Loyalty_Card","resource_id":"x","status":"frozen"}')

    assert (event.resource, event.status, event.resource_id) == ("loyalty_card", "other", None)


def test_unknown_keys_may_hold_anything_and_raw_is_storable_text() -> None:
    odd = (
        b'{"id":1,"company_id":1,"comment":"a\\u0000b\\ud800","x":1e400000,"y":' + b"9" * 5000 + b","
        b'"z":{"id":[[[{}]]],"\xff":"\\udfff"},"api_id":"\xff"}'
    )

    record = parse_record(b"\xef\xbb\xbf" + odd)

    assert (record.comment, record.api_id) == ("a\ufffdb\ufffd", "\ufffd")
    assert "\x00" not in record.raw.decode()
    assert b"\\u0000" not in record.raw
    assert b"\\ud" not in record.raw
