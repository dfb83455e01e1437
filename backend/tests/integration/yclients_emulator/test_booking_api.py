"""Online booking over HTTP, in process: the documented answers, every code, and slots that are never sold twice."""

import asyncio
from typing import Any

import httpx2
import msgspec
import pytest

from tests.support.emulator import NOON, PARTNER, Receiver, TurnedClock, caller, kinds, sample
from yclients_emulator import Emulator, EmulatorSettings, desk, new_demo_emulator

DAY = "2026-12-20"  # a Sunday beyond the demo's visits, on which all but the manicurist work
FREE = EmulatorSettings(rate_limit=False, quirks=False)


@pytest.fixture
def emulator() -> Emulator:
    return new_demo_emulator(FREE, clock=TurnedClock(), sender=Receiver())


def wish(time: str = "15:30", **fields: Any) -> dict[str, Any]:
    return {"id": 1, "services": [3001], "staff_id": 501, "datetime": f"{DAY}T{time}:00+03:00"} | fields


def request(*wishes: dict[str, Any], **fields: Any) -> dict[str, Any]:
    return sample("68") | {"appointments": list(wishes or [wish()])} | fields


async def call(emulator: Emulator, method: str, path: str, **options: Any) -> httpx2.Response:
    async with caller(emulator, PARTNER) as client:
        return await client.request(method, path, **options)


async def book(emulator: Emulator, body: dict[str, Any]) -> httpx2.Response:
    return await call(emulator, "POST", "book_record/100200", json=body)


# --- what is offered


@pytest.mark.parametrize("staff_id", [0, 501])
async def test_services_have_the_documented_shape_and_a_length_only_with_a_staff_filter(
    emulator: Emulator, staff_id: int
):
    answer = await call(emulator, "GET", "book_services/100200", params={"staff_id": staff_id})

    with_length, without = sample("60")["data"]["services"]
    expected = kinds(with_length if staff_id else without)
    assert all(kinds(one) == expected for one in answer.json()["data"]["services"])
    assert kinds(answer.json()["data"]["category"][0]) == kinds(sample("60")["data"]["category"][0])


async def test_staff_have_the_documented_shape(emulator: Emulator):
    answer = await call(emulator, "GET", "book_staff/100200", params={"service_ids[]": 3001})

    able, unable = sample("61")["data"]
    staff = {one["name"]: one for one in answer.json()["data"]}
    assert kinds(staff["Алиса Рощина"]) == kinds(able)
    assert set(staff["Администратор"]) == set(unable)
    assert "Нина Облакова" not in staff


async def test_dates_and_times_have_the_documented_shapes(emulator: Emulator):
    chosen = {"service_ids[]": 3001}
    dates = (await call(emulator, "GET", "book_dates/100200", params=chosen)).json()
    times = (await call(emulator, "GET", f"book_times/100200/501/{DAY}", params=chosen)).json()
    emulator.settings = EmulatorSettings(rate_limit=False, times_format="epoch")
    epochs = (await call(emulator, "GET", f"book_times/100200/501/{DAY}", params=chosen)).json()

    assert set(dates["data"]) == set(sample("62")["data"])
    assert DAY in dates["data"]["booking_dates"]
    assert "20" in dates["data"]["booking_days"]["12"]
    assert kinds(times["data"][0]) == kinds(sample("63")["data"][0])
    assert times["data"][0]["datetime"] == f"{DAY}T10:00:00+0300"
    assert kinds(epochs["data"][0]) == kinds(sample("64")["data"][0])
    assert [one["time"] for one in epochs["data"]] == [one["time"] for one in times["data"]]


async def test_the_nearest_seances_are_those_of_the_first_free_day(emulator: Emulator):
    body = (await call(emulator, "GET", "book_staff_seances/100200/501/")).json()["data"]
    times = (await call(emulator, "GET", f"book_times/100200/501/{body['seance_date']}")).json()["data"]

    assert body["seances"] == times


async def test_a_booked_time_is_offered_no_more_and_a_cancelled_one_again(emulator: Emulator):
    async def offered() -> set[str]:
        path = f"book_times/100200/501/{DAY}"
        answer = await call(emulator, "GET", path, params={"service_ids[]": 3001})
        return {one["time"] for one in answer.json()["data"]}

    before = await offered()
    made = (await book(emulator, request())).json()["data"][0]
    assert before - await offered() == {"15:00", "15:30", "16:00"}
    await call(emulator, "DELETE", f"user/records/{made['record_id']}/{made['record_hash']}")
    assert await offered() == before


async def test_the_form_says_whether_a_code_is_needed(emulator: Emulator):
    body = (await call(emulator, "GET", "bookform/300400")).json()["data"]

    assert (body["company_id"], body["phone_confirmation"]) == (100200, False)
    assert (await call(emulator, "GET", "bookform/1")).status_code == 404


@pytest.mark.parametrize(("phone", "valid"), [("70000000101", True), ("8 000", False), ("abc", False)])
async def test_validate_phone(emulator: Emulator, phone: str, valid: bool):
    body = (await call(emulator, "GET", f"validation/validate_phone/{phone}")).json()

    assert body == sample("73") | {"data": {"is_valid": valid}}


# --- booking


async def test_a_booking_makes_a_record_as_asked_and_tells_it(emulator: Emulator):
    emulator.set_hooks(100200, ["http://zerkalo/hook"])
    check = await call(emulator, "POST", "book_check/100200", json={"appointments": [wish()]})
    assert (check.status_code, check.json()) == (201, sample("66"))

    answer = await book(emulator, request())

    assert (answer.status_code, kinds(answer.json())) == (201, kinds(sample("69")))
    made = answer.json()["data"][0]
    fact = desk.truth(emulator, emulator.vendor.record(made["record_id"]))
    assert fact["record_hash"] == made["record_hash"]
    assert fact["comment"] == "Код клиента: ABC12345. Позвонить за час"
    assert (fact["api_id"], fact["online"], fact["phone"]) == ("app-000001", True, "70000000101")
    assert (fact["email"], fact["date"]) == ("client.one@example.com", f"{DAY} 15:30:00")
    told = [msgspec.json.decode(one.body) for one in emulator.hooks.take_due(everything=True)]
    assert [(one["resource"], one["status"]) for one in told] == [("client", "create"), ("record", "create")]
    assert told[1]["data"]["bookform_id"] == 300400


async def test_two_wishes_make_two_records_in_order_and_one_visit(emulator: Emulator):
    answer = await book(emulator, request(wish(), wish("17:00", id=2, services=[3003])))

    assert kinds(answer.json()) == kinds(sample("70"))
    first, second = (emulator.vendor.record(one["record_id"]) for one in answer.json()["data"])
    assert [one["id"] for one in answer.json()["data"]] == [1, 2]
    assert (first.lines[0].service_id, second.lines[0].service_id) == (3001, 3003)
    assert first.visit_id == second.visit_id


async def test_staff_0_takes_whoever_is_free_until_nobody_is(emulator: Emulator):
    taken = [await book(emulator, request(wish(staff_id=0))) for _ in range(4)]

    assert [one.status_code for one in taken] == [201, 201, 201, 422]
    masters = {emulator.vendor.record(one.json()["data"][0]["record_id"]).staff_id for one in taken[:3]}
    assert masters == {501, 502, 503}
    assert taken[3].json()["errors"]["code"] == 436


def code_of(answer: httpx2.Response) -> tuple[int, int]:
    return answer.status_code, answer.json()["errors"]["code"]


async def test_every_refusal_has_its_code(emulator: Emulator):
    assert (await book(emulator, request())).status_code == 201
    emulator.vendor.black_list.add((100200, "70000000666"))

    taken = await book(emulator, request())
    assert (taken.status_code, kinds(taken.json())) == (422, kinds(sample("47")))
    assert taken.json()["errors"]["code"] == 433
    assert code_of(await book(emulator, request(wish("09:00")))) == (422, 433)
    assert code_of(await book(emulator, request(wish("20:30")))) == (422, 433)
    assert code_of(await book(emulator, request(wish("11:00"), phone="123"))) == (422, 431)
    listed = await book(emulator, request(wish("11:00"), phone="+7 000 000-06-66"))
    assert (listed.status_code, listed.json()) == (403, sample("49"))
    assert code_of(await book(emulator, request(wish("11:00"), fullname=" "))) == (422, 435)
    overlap = request(wish("11:00"), wish("11:30", id=2))
    assert code_of(await book(emulator, overlap)) == (422, 437)
    assert (await book(emulator, overlap)).json()["errors"]["id"] == 2
    assert code_of(await book(emulator, request(wish("11:00", services=[9])))) == (422, 438)
    assert code_of(await book(emulator, request(wish("11:00", services=[3005])))) == (422, 438)
    assert (await book(emulator, {"phone": "70000000101", "fullname": "К"})).status_code == 422
    past = wish(datetime="2026-12-01T15:30:00+03:00")
    assert code_of(await book(emulator, request(past))) == (422, 433)


async def test_a_refused_request_books_nothing(emulator: Emulator):
    before = len(emulator.vendor.records[100200])

    answer = await book(emulator, request(wish("11:00"), wish("09:00", id=2)))

    assert answer.status_code == 422
    assert len(emulator.vendor.records[100200]) == before


async def test_a_code_is_needed_where_the_branch_says_so_and_counts_once(emulator: Emulator):
    control = "http://yclients/_control"
    await call(emulator, "PATCH", f"{control}/companies/100200", json={"phone_confirmation": True})
    assert code_of(await book(emulator, request())) == (422, 432)

    sent = await call(emulator, "POST", "book_code/100200", json={"phone": "70000000101", "fullname": "К"})
    assert (sent.status_code, sent.json()) == (201, sample("67"))
    (item,) = (await call(emulator, "GET", f"{control}/codes")).json()["items"]
    wrong = "0000" if item["code"] != "0000" else "1111"
    refused = await book(emulator, request(code=wrong))
    assert (refused.status_code, refused.json()) == (422, sample("48"))
    assert (await book(emulator, request(code=item["code"]))).status_code == 201
    assert code_of(await book(emulator, request(wish("11:00"), code=item["code"]))) == (422, 432)


@pytest.mark.parametrize(
    ("place", "where"),
    [("errors", ("errors", "code")), ("meta", ("meta", "code")), ("meta_errors", ("meta", "errors", "code"))],
)
async def test_the_code_stands_where_the_settings_say(emulator: Emulator, place: Any, where: tuple[str, ...]):
    emulator.settings = EmulatorSettings(rate_limit=False, booking_code_place=place)
    found: Any = (await book(emulator, request(phone="1"))).json()
    for key in where:
        found = found[key]
    assert found == 431


async def test_the_code_may_stand_nowhere(emulator: Emulator):
    emulator.settings = EmulatorSettings(rate_limit=False, booking_code_place="none")

    answer = await call(emulator, "POST", "book_check/100200", json={"appointments": [wish(services=[9])]})

    assert (answer.status_code, answer.json()) == (422, sample("50"))


async def test_twenty_at_once_sell_a_slot_once(emulator: Emulator):
    answers = await asyncio.gather(*(book(emulator, request(phone=f"7000000{n:04d}")) for n in range(20)))

    assert sorted(one.status_code for one in answers) == [201] + [422] * 19


# --- one's own booking


async def test_the_client_sees_moves_and_cancels_by_the_hash(emulator: Emulator):
    made = (await book(emulator, request())).json()["data"][0]
    own = f"user/records/{made['record_id']}/{made['record_hash']}"

    seen = await call(emulator, "GET", own)
    assert kinds(seen.json()) == kinds(sample("72"))
    assert (await call(emulator, "GET", own[:-1] + "x")).status_code == 404
    assert (await call(emulator, "GET", f"user/records/{made['record_id']}")).status_code == 404
    bare = await call(emulator, "GET", f"book_record/100200/{made['record_id']}/{made['record_hash']}")
    assert bare.json() == seen.json()["data"][0]

    path = f"book_record/100200/{made['record_id']}"
    moved = await call(emulator, "PUT", path, json={"datetime": f"{DAY}T16:00:00+03:00", "comment": "позже"})
    assert moved.status_code == 200
    fact = desk.truth(emulator, emulator.vendor.record(made["record_id"]))
    assert (fact["date"], fact["comment"]) == (f"{DAY} 16:00:00", "позже")
    busy = await call(emulator, "PUT", path, json={"datetime": f"{DAY}T08:00:00+03:00"})
    assert code_of(busy) == (422, 433)

    assert (await call(emulator, "DELETE", own)).status_code == 204
    assert (await call(emulator, "DELETE", own)).status_code == 404
    assert (await call(emulator, "GET", own)).json()["data"][0]["deleted"] is True


async def test_the_phone_s_owner_needs_no_hash(emulator: Emulator):
    made = (await book(emulator, request())).json()["data"][0]
    await call(emulator, "POST", "book_code/100200", json={"phone": "70000000101", "fullname": "К"})
    code = emulator.vendor.codes[(100200, "70000000101")]

    entered = await call(emulator, "POST", "user/auth", json={"phone": "70000000101", "code": code})
    token = entered.json()["data"]["user_token"]
    async with caller(emulator, {"Authorization": f"Bearer emulator-partner-token, User {token}"}) as client:
        seen = await client.get(f"user/records/{made['record_id']}")

    assert seen.json()["data"][0]["id"] == made["record_id"]


@pytest.mark.parametrize(
    ("rules", "status"),
    [
        ({"allow_delete_record": False, "allow_change_record": False}, 403),
        ({"allow_delete_record_delay_step": 86_400 * 30, "allow_change_record_delay_step": 86_400 * 30}, 403),
        ({"allow_delete_record_delay_step": 86_400, "allow_change_record_delay_step": 86_400}, 200),
    ],
)
async def test_the_branch_s_rules_bind_the_client(emulator: Emulator, rules: dict[str, Any], status: int):
    made = (await book(emulator, request())).json()["data"][0]
    await call(emulator, "PATCH", "http://yclients/_control/companies/100200", json=rules)

    path, body = f"book_record/100200/{made['record_id']}", {"datetime": f"{DAY}T17:00:00+03:00"}
    moved = await call(emulator, "PUT", path, json=body)
    deleted = await call(emulator, "DELETE", f"user/records/{made['record_id']}/{made['record_hash']}")

    assert moved.status_code == status
    assert deleted.status_code == (204 if status == 200 else status)


async def test_a_group_event_has_as_many_places_as_it_has(emulator: Emulator):
    body = {"phone": "70000000101", "fullname": "Клиент", "email": "", "clients_count": 4}
    path = "activity/100200/880001/book"

    first = await call(emulator, "POST", path, json=body)
    second = await call(emulator, "POST", path, json=body)

    assert (first.status_code, kinds(first.json())) == (200, kinds(sample("71")))
    record = emulator.vendor.record(first.json()["data"]["id"])
    assert (record.activity_id, record.clients_count) == (880001, 4)
    assert code_of(second) == (422, 433)
    assert record.date.date() > NOON.date()
