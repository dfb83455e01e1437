"""Limits, faults and the control API over HTTP, in process."""

import json
from typing import Any

import httpx2
import pytest

from tests.support.emulator import Receiver, TurnedClock, caller, sample
from yclients_emulator import Emulator, EmulatorSettings, new_demo_emulator

CONTROL = "http://yclients/_control"


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def receiver() -> Receiver:
    return Receiver()


@pytest.fixture
def emulator(clock: TurnedClock, receiver: Receiver) -> Emulator:
    return new_demo_emulator(clock=clock, sleep=clock.sleep, sender=receiver)


async def call(emulator: Emulator, method: str, path: str, body: Any = None) -> httpx2.Response:
    async with caller(emulator) as client:
        return await client.request(method, path, json=body)


async def control(emulator: Emulator, method: str, path: str, body: Any = None) -> Any:
    answer = await call(emulator, method, CONTROL + path, body)
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- the rate limit


async def test_the_sixth_request_in_a_second_is_429_and_another_address_has_its_own_limit(
    emulator: Emulator, clock: TurnedClock
):
    statuses = [(await call(emulator, "GET", "company/100200")).status_code for _ in range(6)]
    assert statuses == [200] * 5 + [429]
    async with caller(emulator, address="10.0.0.2") as other:
        assert (await other.get("company/100200")).status_code == 200
    clock.pass_seconds(1)
    assert (await call(emulator, "GET", "company/100200")).status_code == 200


async def test_a_429_may_have_a_body_and_a_retry_after_or_neither(emulator: Emulator):
    await control(emulator, "PATCH", "/settings", {"rate_per_second": 1, "retry_after": True})
    await call(emulator, "GET", "company/100200")
    told = await call(emulator, "GET", "company/100200")
    await control(emulator, "PATCH", "/settings", {"rate_limit_body": False, "retry_after": False})
    bare = await call(emulator, "GET", "company/100200")

    assert (told.status_code, told.json(), told.headers["retry-after"]) == (429, sample("51"), "2")
    assert (bare.status_code, bare.content, bare.headers.get("retry-after")) == (429, b"", None)


async def test_the_limit_can_be_set_off_and_never_binds_the_control_api(emulator: Emulator):
    for _ in range(10):
        await control(emulator, "GET", "/settings")
    await control(emulator, "PATCH", "/settings", {"rate_limit": False})
    assert {(await call(emulator, "GET", "company/100200")).status_code for _ in range(10)} == {200}


# --- faults


@pytest.mark.parametrize(
    ("fault", "status"),
    [
        ({"kind": "status", "status": 500}, 500),
        ({"kind": "status", "status": 429, "retry_after": 7}, 429),
        ({"kind": "status", "status": 503, "empty_body": True}, 503),
        ({"kind": "html", "status": 502}, 502),
        ({"kind": "unauthorized"}, 401),
        ({"kind": "forbidden"}, 403),
        ({"kind": "licence"}, 403),
        ({"kind": "licence", "status": 402}, 402),
        ({"kind": "timeout", "seconds": 30}, 504),
    ],
)
async def test_a_fault_hits_the_next_matching_request_only(
    emulator: Emulator, fault: dict[str, Any], status: int
):
    await control(emulator, "POST", "/faults", fault | {"path": "^/company/", "next": 1})

    passed = await call(emulator, "GET", "staff/100200")
    hit = await call(emulator, "GET", "company/100200")
    again = await call(emulator, "GET", "company/100200")

    assert [passed.status_code, hit.status_code, again.status_code] == [200, status, 200]
    assert hit.headers.get("retry-after") == ("7" if fault.get("retry_after") else None)


async def test_success_false_comes_with_200(emulator: Emulator):
    await control(emulator, "POST", "/faults", {"kind": "success_false", "next": 1})

    answer = await call(emulator, "GET", "records/100200")

    assert (answer.status_code, answer.json()) == (200, sample("52"))


@pytest.mark.parametrize("kind", ["cut", "disconnect"])
async def test_a_cut_answer_is_half_of_its_json(emulator: Emulator, kind: str):
    whole = await call(emulator, "GET", "records/100200")
    await control(emulator, "POST", "/faults", {"kind": kind, "next": 1})

    half = await call(emulator, "GET", "records/100200")

    assert half.status_code == 200
    assert whole.content.startswith(half.content)
    with pytest.raises(json.JSONDecodeError):
        half.json()


async def test_a_hanging_answer_hangs_by_the_injected_sleep(emulator: Emulator, clock: TurnedClock):
    await control(emulator, "POST", "/faults", {"kind": "timeout", "seconds": 30, "next": 1})

    await call(emulator, "GET", "company/100200")

    assert clock.slept == [30]


async def test_a_fault_after_the_act_loses_only_the_answer(emulator: Emulator):
    fault = {"kind": "status", "path": "^/hooks_settings/", "after": True, "next": 1}
    await control(emulator, "POST", "/faults", fault)

    lost = await call(emulator, "POST", "hooks_settings/100200", {"urls": ["http://x"], "active": 1})

    assert lost.status_code == 503
    assert emulator.vendor.hooks[100200].urls == ("http://x",)


async def test_faults_are_listed_removed_and_healed(emulator: Emulator):
    first = (await control(emulator, "POST", "/faults", {"kind": "html", "next": 3}))["id"]
    second = (await control(emulator, "POST", "/faults", {"kind": "cut", "probability": 1}))["id"]
    await call(emulator, "GET", "company/100200")

    listed = await control(emulator, "GET", "/faults")
    assert listed[str(first)]["next"] == 2
    assert (await control(emulator, "DELETE", f"/faults/{first}")) == {"removed": True}
    assert list(await control(emulator, "GET", "/faults")) == [str(second)]
    await control(emulator, "POST", "/heal")
    assert (await control(emulator, "GET", "/faults")) == {}
    assert (await call(emulator, "GET", "company/100200")).json()["success"] is True


@pytest.mark.parametrize(
    "body",
    [{"kind": "flood"}, {"kind": "cut", "probability": "often"}, {"kind": "cut", "path": "("}, {"x": 1}],
)
async def test_a_fault_that_cannot_be_meant_is_refused(emulator: Emulator, body: dict[str, Any]):
    answer = await call(emulator, "POST", CONTROL + "/faults", body)

    assert answer.status_code == 400
    assert answer.json()["error"]


# --- the rest of the control API


async def test_records_are_made_and_changed_by_hand(
    emulator: Emulator, clock: TurnedClock, receiver: Receiver
):
    await control(emulator, "POST", "/hooks/urls", {"urls": ["http://zerkalo/hook"], "company_id": 100200})
    wanted = {"company_id": 100200, "service_ids": [3001], "phone": "8 000 000-01-01", "name": "Анна"}
    fact = await control(emulator, "POST", "/records", wanted)
    assert (fact["phone"], fact["attendance"]) == ("70000000101", 0)

    async def act(name: str, **body: Any) -> Any:
        return await control(emulator, "POST", f"/records/{fact['id']}/{name}", body)

    clock.pass_seconds(1)
    assert (await act("move", date="2026-12-20T12:00:00", staff_id=503))["staff_id"] == 503
    assert (await act("confirm"))["attendance"] == 2
    assert (await act("complete"))["attendance"] == 1
    assert (await act("no-show"))["attendance"] == -1
    assert (await act("wait"))["attendance"] == 0
    assert (await act("comment", comment="x"))["comment"] == "x"
    assert (await act("price", kopecks=99_050))["total_kopecks"] == 99_050
    assert (await act("phone", phone="70000004444"))["phone"] == "70000004444"
    assert (await act("services", service_ids=[3001, 3003]))["total_kopecks"] == 250_000 + 180_000
    assert (await act("drop-client"))["client_id"] is None
    assert (await act("delete"))["deleted"] is True
    restored = await act("restore")
    assert restored["deleted"] is False
    assert restored["changed_at"] == "2026-12-02T09:00:01+00:00"
    unknown = await call(emulator, "POST", f"{CONTROL}/records/{fact['id']}/explode", {})
    assert unknown.status_code == 404

    assert (await control(emulator, "GET", f"/truth/{fact['id']}")) == restored
    assert restored in (await control(emulator, "GET", "/truth?company_id=100200"))["items"]
    assert (await control(emulator, "POST", "/fast-forward", {"seconds": 5}))["sent"] == len(receiver.bodies)
    records = [one for one in receiver.bodies if one["resource"] == "record"]
    assert [one["status"] for one in records] == ["create", *["update"] * 9, "delete", "update"]
    shown = (await control(emulator, "GET", "/hooks/deliveries?limit=1"))["items"]
    assert (shown[0]["state"], shown[0]["http_status"]) == ("sent", 200)
    assert shown[0]["body"]["resource_id"] == fact["id"]


async def test_webhook_modes_are_set_and_shown(emulator: Emulator):
    modes = await control(emulator, "PUT", "/hooks/modes", {"delay_seconds": 0, "drop": {"next": 1}})
    assert (modes["delay_seconds"], modes["drop"]["next"]) == (0, 1)
    await control(emulator, "POST", "/hooks/urls", {"urls": ["http://zerkalo/hook"]})
    for _ in range(2):
        await control(emulator, "POST", "/records", {"company_id": 100200, "service_ids": [3001]})

    assert (await control(emulator, "GET", "/hooks/modes"))["drop"]["next"] == 0
    assert (await control(emulator, "POST", "/hooks/flush")) == {"sent": 1}
    states = [one["state"] for one in (await control(emulator, "GET", "/hooks/deliveries"))["items"]]
    assert states == ["dropped", "sent"]


async def test_a_million_records_are_loaded_and_any_page_is_served(emulator: Emulator):
    loaded = await control(emulator, "POST", "/bulk", {"company_id": 100201, "count": 1_000_000})
    page = (await call(emulator, "GET", "records/100201?page=4000&count=200&with_deleted=1")).json()

    assert page["meta"]["total_count"] > 1_000_000
    assert len(page["data"]) == 200
    assert (await call(emulator, "GET", f"record/100201/{loaded['first_id'] + 7}")).status_code == 200
    twice = await call(emulator, "POST", CONTROL + "/bulk", {"company_id": 100201, "count": 5})
    assert twice.status_code == 422


async def test_the_clock_goes_apart_and_time_goes_ahead(emulator: Emulator):
    apart = await control(emulator, "PUT", "/clock", {"seconds": -3600})
    assert (apart["now"], apart["time"]) == ("2026-12-02T08:00:00Z", "2026-12-02T09:00:00Z")
    ahead = await control(emulator, "POST", "/fast-forward", {"seconds": 60})
    assert ahead["now"] == "2026-12-02T08:01:00Z"


async def test_requests_are_remembered(emulator: Emulator):
    await call(emulator, "GET", "company/100200?x=1")
    await call(emulator, "GET", "company/9")

    items = (await control(emulator, "GET", "/requests"))["items"]

    assert [(one["path"], one["query"], one["http_status"]) for one in items] == [
        ("/company/100200", "x=1", 200),
        ("/company/9", "", 404),
    ]


async def test_black_listing_and_settings_reject_nonsense(emulator: Emulator):
    await control(emulator, "POST", "/black-list", {"company_id": 100200, "phone": "8 000 000-01-01"})
    assert (100200, "70000000101") in emulator.vendor.black_list
    await control(
        emulator, "POST", "/black-list", {"company_id": 100200, "phone": "70000000101", "listed": False}
    )
    assert emulator.vendor.black_list == set()
    for body in ({"list_order": "random"}, {"page_size_max": 0}, {"colour": "red"}):
        assert (await call(emulator, "PATCH", CONTROL + "/settings", body)).status_code == 400
    assert emulator.settings == EmulatorSettings()
