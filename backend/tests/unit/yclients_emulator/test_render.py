"""The emulator's bodies against the collected ones: the same keys, values of the same kinds."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest
from msgspec import structs

from tests.support.emulator import TurnedClock, kinds, sample
from yclients_emulator import desk, new_demo_emulator
from yclients_emulator.model import Client, Company, Line, Record, Staff
from yclients_emulator.rendering.records import phone_forms, render_record, visit_time

MOSCOW = Company(id=100200, title="Салон Пример", zone_name="Europe/Moscow")
STAFF = Staff(
    id=501,
    company_id=100200,
    name="Мастер Первый",
    specialization="Барбер",
    position=(31, "Мастер"),
    rating=4.9,
    votes_count=12,
)
MADE = datetime(2026, 11, 28, 9, 5, 41, tzinfo=UTC)
CLIENT = Client(
    id=9001,
    company_id=100200,
    name="Клиент",
    surname="Примеров",
    phone="70000000101",
    email="client.one@example.com",
    success_visits_count=2,
    changed_at=MADE,
)
RECORD = Record(
    id=1700001,
    company_id=100200,
    staff_id=501,
    date=datetime.fromisoformat("2026-12-03 15:30"),
    seance_length=3600,
    lines=(Line(service_id=3001, title="Стрижка", unit=180_000),),
    client_id=9001,
    visit_id=2200001,
    record_hash="0" * 32,
    created_at=MADE,
    changed_at=MADE,
    comment="Код клиента: ABC12345. Позвонить за час",
    online=True,
    api_id="app-000001",
    bookform_id=300400,
    record_from="Форма на сайте",
    from_url="https://app.example.com/",
)


def without_invented_ids(body: dict[str, Any]) -> dict[str, Any]:
    return {key: value for key, value in body.items() if key != "documents"}


def test_plain_webhook_record_equals_the_captured_body():
    captured = sample("01")["data"]

    shown = render_record(RECORD, MOSCOW, STAFF, CLIENT, "hook", quirks=False)

    assert without_invented_ids(shown) | {"staff": None} == without_invented_ids(captured) | {"staff": None}
    assert kinds(shown["staff"]) == kinds(captured["staff"])
    assert kinds(shown["documents"]) == kinds(captured["documents"])


@pytest.mark.parametrize(("number", "view"), [("30", "list"), ("32", "get")])
def test_rest_record_has_the_documented_keys_and_kinds(number: str, view: Any):
    documented = sample(number)["data"]
    documented = documented[0] if isinstance(documented, list) else documented

    shown = render_record(RECORD, MOSCOW, STAFF, CLIENT, view, quirks=False)

    shown["client"]["phone"] = documented["client"]["phone"]
    assert kinds(shown) == kinds(documented)


@pytest.mark.parametrize("number", ["03", "04", "05", "06", "10", "11", "13", "14"])
def test_every_captured_record_has_keys_that_the_emulator_shows(number: str):
    shown = render_record(RECORD, MOSCOW, STAFF, CLIENT, "hook", quirks=False)

    assert set(shown) == set(sample(number)["data"])


def test_money_is_whole_roubles_or_a_float_as_in_the_multi_service_sample():
    lines = (
        Line(service_id=3001, title="Стрижка", unit=180_000, discount=10),
        Line(service_id=3002, title="Окрашивание", unit=450_000, amount=2),
        Line(service_id=3003, title="Укладка", unit=99_050),
    )
    record = structs.replace(RECORD, lines=lines)

    shown = render_record(record, MOSCOW, STAFF, CLIENT, "hook", quirks=False)

    assert shown["services"] == sample("10")["data"]["services"]
    assert record.total == 162_000 + 900_000 + 99_050


def test_cost_may_cover_the_whole_line():
    line = Line(service_id=3002, title="Окрашивание", unit=450_000, amount=2)
    record = structs.replace(RECORD, lines=(line,))

    shown = render_record(record, MOSCOW, STAFF, CLIENT, "hook", quirks=False, cost_covers="total")

    assert shown["services"][0]["cost"] == 9000
    assert shown["services"][0]["cost_per_unit"] == 4500


def test_one_number_is_shown_in_all_known_forms():
    assert phone_forms("70000000101") == (
        "+70000000101",
        70000000101,
        "70000000101",
        "+7 000 000-01-01",
        "80000000101",
    )
    assert phone_forms("") == ("",)


def test_visit_time_carries_the_winter_offset_in_summer_where_the_branch_is_so_wrong():
    summer = datetime.fromisoformat("2026-07-01 12:00")
    right = Company(id=1, title="", zone_name="Europe/Berlin")
    wrong = Company(id=1, title="", zone_name="Europe/Berlin", wrong_summer_offset=True)

    assert visit_time(right, summer) == "2026-07-01T12:00:00+02:00"
    assert visit_time(wrong, summer) == "2026-07-01T12:00:00+01:00"
    assert visit_time(right, summer, "compact") == "2026-07-01T12:00:00+0200"
    assert visit_time(right, summer, "millis") == "2026-07-01T12:00:00.000+02:00"


def test_the_demo_shows_every_quirk():
    emulator = new_demo_emulator(clock=TurnedClock())
    records = list(emulator.vendor.records[100200].values())
    shown = [emulator.record_body(record, "list") for record in records]

    assert {type(one["visit_id"]) for one in shown} == {int, str}
    assert {type(one["custom_fields"]) for one in shown} == {list, dict}
    assert {type(one["staff"]["position"]) for one in shown} == {list, dict}
    assert {type(one["client"]["phone"]) for one in shown if one.get("client")} == {int, str}
    empty = [one.get("client", "absent") for one in shown if not one.get("client")]
    assert [] in empty
    assert {} in empty
    assert None in empty
    assert "absent" in empty
    costs = [line["cost"] for one in shown for line in one["services"]]
    assert {type(cost) for cost in costs} == {int, float}
    assert {one["datetime"][19:] for one in shown} == {"+03:00", ".000+03:00", "+0300"}


def test_a_cached_body_is_made_again_when_record_client_or_settings_change():
    demo = new_demo_emulator(clock=TurnedClock())
    record = next(one for one in demo.vendor.records[100200].values() if one.client_id and one.lines)
    first = demo.record_bytes(record, "list")

    assert demo.record_bytes(record, "list") is first
    changed = desk.change(demo, record.id, comment="новое")
    assert "новое" in demo.record_bytes(changed, "list").decode()
    desk.set_client_phone(demo, record.id, "70000009999")
    assert "0000009999" in demo.record_bytes(changed, "hook").decode()


@pytest.mark.parametrize(("number", "resource"), [("15", "client"), ("17", "finances_operation")])
async def test_other_events_have_the_collected_keys_and_kinds(number: str, resource: str):
    emulator = new_demo_emulator(clock=TurnedClock())
    emulator.set_hooks(100200, ["http://there"], client=1, finances_operation=1)
    record = desk.create(emulator, company_id=100200, service_ids=(3001,), phone="70000004242", name="Нина")
    desk.set_attendance(emulator, record.id, 1)

    bodies = [emulator_body(one.body) for one in emulator.hooks.take_due(everything=True)]

    (told,) = [one for one in bodies if one["resource"] == resource]
    collected = sample(number)
    told["status"] = collected["status"]
    told["data"]["categories"] = collected["data"].get("categories")
    collected["data"]["categories"] = collected["data"].get("categories")
    assert kinds(told) == kinds(collected)


def emulator_body(body: bytes) -> Any:
    return msgspec.json.decode(body)


def test_schedule_event_has_an_empty_list_for_data():
    emulator = new_demo_emulator(clock=TurnedClock())
    emulator.set_hooks(100200, ["http://there"])

    emulator.tell_schedule(100200, 501)

    (delivery,) = emulator.hooks.take_due(everything=True)
    assert emulator_body(delivery.body) == sample("16")
