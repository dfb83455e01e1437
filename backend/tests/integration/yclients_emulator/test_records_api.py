"""Records, branches, webhook settings and log-in over HTTP, in process, against the collected bodies."""

from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.emulator import PARTNER, TOKENS, Receiver, TurnedClock, caller, kinds, sample
from yclients_emulator import Emulator, EmulatorSettings, desk, new_demo_emulator

FREE = EmulatorSettings(rate_limit=False, error_shape="meta", quirks=False)


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def emulator(clock: TurnedClock) -> Emulator:
    return new_demo_emulator(FREE, clock=clock, sleep=clock.sleep, sender=Receiver())


def book(emulator: Emulator, **fields: Any) -> Any:
    return desk.create(
        emulator, company_id=100200, service_ids=(3001,), phone="70000000101", name="Анна", **fields
    )


async def get(emulator: Emulator, path: str, **query: Any) -> Any:
    async with caller(emulator) as client:
        answer = await client.get(path, params=query)
    assert answer.status_code == 200, answer.text
    return answer.json()


# --- tokens and errors


@pytest.mark.parametrize(
    "headers",
    [
        {},
        PARTNER,
        {"Authorization": "Bearer nobody, User emulator-user-token"},
        {"Authorization": "Bearer emulator-partner-token, User nobody"},
        {"Authorization": "Bearer emulator-partner-token,emulator-user-token"},
    ],
)
async def test_records_need_both_tokens(emulator: Emulator, headers: dict[str, str]):
    async with caller(emulator, headers) as client:
        answer = await client.get("records/100200")

    assert (answer.status_code, answer.json()) == (401, sample("40"))


async def test_booking_needs_the_partner_token_only(emulator: Emulator):
    async with caller(emulator, PARTNER) as client:
        assert (await client.get("book_services/100200")).status_code == 200
    async with caller(emulator, {}) as client:
        assert (await client.get("book_services/100200")).status_code == 401


@pytest.mark.parametrize(("shape", "number"), [("meta", "44"), ("errors", "45")])
@pytest.mark.parametrize("path", ["records/1", "record/100200/1", "record/100201/1700001", "no-such-thing"])
async def test_what_is_not_there_is_404_in_the_chosen_shape(
    clock: TurnedClock, shape: Any, number: str, path: str
):
    emulator = new_demo_emulator(EmulatorSettings(error_shape=shape), clock=clock)
    async with caller(emulator) as client:
        answer = await client.get(path)

    assert (answer.status_code, answer.json()) == (404, sample(number))


async def test_shapes_rotate_through_all_three(clock: TurnedClock):
    emulator = new_demo_emulator(EmulatorSettings(rate_limit=False), clock=clock)
    async with caller(emulator) as client:
        bodies = [(await client.get("records/1")).json() for _ in range(6)]

    assert sum("errors" in body for body in bodies) == 2
    assert sum("errors" in body["meta"] for body in bodies) == 2


async def test_a_filter_that_cannot_be_read_is_400(emulator: Emulator):
    async with caller(emulator) as client:
        for query in ({"start_date": "вчера"}, {"changed_after": "x"}, {"page": "first"}):
            assert (await client.get("records/100200", params=query)).status_code == 400


# --- the list


async def test_a_page_has_the_documented_shape_and_the_last_one_is_empty(emulator: Emulator):
    body = await get(emulator, "records/100200", page=1, count=3)
    documented = sample("30")

    assert set(body) == set(documented)
    assert kinds(body["meta"]) == kinds(documented["meta"])
    assert set(body["data"][0]) == set(documented["data"][0])
    total = body["meta"]["total_count"]
    past = await get(emulator, "records/100200", page=total // 200 + 2, count=200)
    assert past == sample("31") | {"meta": {"page": total // 200 + 2, "total_count": total}}


async def test_count_is_clamped_without_a_word(emulator: Emulator, clock: TurnedClock):
    assert len((await get(emulator, "records/100200", count=1000))["data"]) == 200
    assert len((await get(emulator, "records/100200"))["data"]) == 50
    emulator.settings = EmulatorSettings(rate_limit=False, page_size_max=300)
    assert len((await get(emulator, "records/100200", count=1000))["data"]) == 300


async def test_dates_are_inclusive_and_branch_local(emulator: Emulator):
    moscow_midnight = book(emulator, date=datetime.fromisoformat("2026-12-10 00:30"), staff_id=501)

    shown = await get(emulator, "records/100200", start_date="2026-12-10", end_date="2026-12-10", count=200)

    assert moscow_midnight.id in {one["id"] for one in shown["data"]}
    assert {one["date"][:10] for one in shown["data"]} == {"2026-12-10"}


@pytest.mark.parametrize(
    "after", ["2026-12-02T12:00:00", "2026-12-02T12:00:00+03:00", "2026-12-02T09:00:00Z"]
)
async def test_changed_after_is_branch_local_unless_it_has_an_offset(
    emulator: Emulator, clock: TurnedClock, after: str
):
    before = await get(emulator, "records/100200", changed_after=after, with_deleted=1)
    record = book(emulator)
    clock.pass_seconds(-60)
    book(emulator)

    shown = await get(emulator, "records/100200", changed_after=after, with_deleted=1)

    assert before["data"] == []
    assert [one["id"] for one in shown["data"]] == [record.id]


async def test_deleted_ones_are_shown_only_when_asked_for(emulator: Emulator, clock: TurnedClock):
    record = book(emulator)
    clock.pass_seconds(1)
    async with caller(emulator) as client:
        answer = await client.delete(f"record/100200/{record.id}")
        assert (answer.status_code, answer.content) == (204, b"")
        assert (await client.delete(f"record/100200/{record.id}")).status_code == 404
    asked = {"changed_after": "2026-12-02T12:00:00", "count": 200}

    assert (await get(emulator, "records/100200", **asked))["data"] == []
    (shown,) = (await get(emulator, "records/100200", **asked, with_deleted=1))["data"]
    assert (shown["id"], shown["deleted"]) == (record.id, True)
    assert (await get(emulator, f"record/100200/{record.id}"))["data"]["deleted"] is True
    emulator.settings = EmulatorSettings(deleted_get="404", rate_limit=False)
    async with caller(emulator) as client:
        assert (await client.get(f"record/100200/{record.id}")).status_code == 404


async def test_staff_and_client_filters(emulator: Emulator):
    record = book(emulator)
    for name in ("staff_id", "client_id"):
        shown = await get(emulator, "records/100200", count=200, **{name: getattr(record, name)})
        assert record.id in {one["id"] for one in shown["data"]}
        key = (lambda one: one["staff_id"]) if name == "staff_id" else (lambda one: one["client"]["id"])
        assert {key(one) for one in shown["data"]} == {getattr(record, name)}


async def test_a_record_changed_during_the_read_shifts_the_pages(emulator: Emulator):
    emulator.settings = EmulatorSettings(rate_limit=False, list_order="changed")
    total = (await get(emulator, "records/100200", count=1))["meta"]["total_count"]
    last = (await get(emulator, "records/100200", page=total, count=1))["data"][0]
    seen: list[int] = []

    def change_between_pages(method: str, path: str) -> None:
        if len(seen) == 100:
            desk.change(emulator, last["id"], comment="во время чтения")

    emulator.before_request.append(change_between_pages)
    for page in range(1, total // 100 + 2):
        body = await get(emulator, "records/100200", page=page, count=100)
        seen += [one["id"] for one in body["data"]]

    assert last["id"] not in seen
    assert len(seen) == total
    assert len(set(seen)) == total - 1


# --- one record


async def test_one_record_has_the_documented_shape(emulator: Emulator):
    body = await get(emulator, f"record/100200/{book(emulator).id}")
    documented = sample("32")

    body["data"]["client"]["phone"] = 70000000101
    assert kinds(body["data"]["client"]) == kinds(documented["data"]["client"])
    assert set(body["data"]) == set(documented["data"])
    assert body["meta"] == []


async def test_an_administrator_books_moves_and_marks_by_the_api(emulator: Emulator, clock: TurnedClock):
    wanted = sample("33") | {"datetime": "2026-12-20T10:00:00+03:00"}
    async with caller(emulator) as client:
        made = await client.post("records/100200", json=wanted)
        assert made.status_code == 201
        (record,) = made.json()["data"]
        busy = await client.post("records/100200", json=wanted)
        assert busy.status_code == 422
        assert (await client.post("records/100200", json=wanted | {"save_if_busy": True})).status_code == 201

        clock.pass_seconds(60)
        partial = await client.put(f"record/100200/{record['id']}", json={"comment": "x"})
        assert partial.status_code == 422
        assert set(partial.json()["meta"]["errors"]) >= {"datetime", "services"}
        moved = wanted | {"datetime": "2026-12-20T15:00:00+03:00", "attendance": 2}
        put = await client.put(f"record/100200/{record['id']}", json=moved)
        assert put.status_code == 201
        visit = await client.put(
            f"visits/{record['visit_id']}/{record['id']}", json={"attendance": 1, "comment": "пришла"}
        )
        assert visit.status_code == 200

    fact = desk.truth(emulator, emulator.vendor.record(record["id"]))
    assert fact["date"] == "2026-12-20 15:00:00"
    assert (fact["attendance"], fact["comment"], fact["total_kopecks"]) == (1, "пришла", 180_000)
    assert fact["changed_at"] == "2026-12-02T09:01:00+00:00"


async def test_validation_errors_name_their_fields(emulator: Emulator):
    async with caller(emulator) as client:
        answer = await client.post("records/100200", json={"staff_id": 501})

    assert answer.status_code == 422
    assert kinds(answer.json()) == kinds(sample("46")) | {
        "meta": {
            "message": "str",
            "errors": {name: ["str"] for name in ("services", "datetime", "seance_length")},
        }
    }


async def test_a_block_has_neither_client_nor_services(emulator: Emulator):
    wanted = {"staff_id": 501, "services": [], "datetime": "2026-12-20 10:00:00", "seance_length": 5400}
    async with caller(emulator) as client:
        made = await client.post("records/100200", json=wanted | {"comment": "не записывать"})

    (block,) = made.json()["data"]
    assert (block["client"], block["services"]) == (None, [])
    assert desk.truth(emulator, emulator.vendor.record(block["id"]))["is_block"]


async def test_own_changes_come_back_only_with_self_sending(emulator: Emulator):
    emulator.set_hooks(100200, ["http://zerkalo/hook"])
    record = book(emulator)
    emulator.hooks.take_due(everything=True)
    settings = {"urls": ["http://zerkalo/hook"], "active": 1, "record": 1}
    async with caller(emulator) as client:
        await client.post("hooks_settings/100200", json=settings | {"self_sending": 0})
        await client.put(f"visits/{record.visit_id}/{record.id}", json={"attendance": 2, "comment": ""})
        assert emulator.hooks.take_due(everything=True) == []
        await client.post("hooks_settings/100200", json=settings | {"self_sending": 1})
        await client.delete(f"record/100200/{record.id}")
        assert len(emulator.hooks.take_due(everything=True)) == 1


# --- branches, hooks, log-in


async def test_branches_tell_their_zones(emulator: Emulator):
    companies = (await get(emulator, "companies", my=1))["data"]

    assert [(one["id"], one["timezone_name"], one["timezone"]) for one in companies] == [
        (100200, "Europe/Moscow", 3),
        (100201, "Asia/Yekaterinburg", 5),
        (100202, "Europe/Berlin", 1),
    ]
    assert (await get(emulator, "company/100201"))["data"] == companies[1]


async def test_staff_and_services_are_listed(emulator: Emulator):
    staff = (await get(emulator, "company/100200/staff"))["data"]
    services = (await get(emulator, "company/100200/services"))["data"]

    assert len(staff) == 5
    assert (await get(emulator, f"company/100200/staff/{staff[0]['id']}"))["data"] == staff[0]
    assert {one["title"] for one in services} >= {"Женская стрижка", "Педикюр"}


async def test_hook_settings_are_a_shared_list_a_branch(emulator: Emulator):
    async with caller(emulator) as client:
        posted = await client.post("hooks_settings/100200", json=sample("23"))
        assert posted.status_code == 201
        incomplete = await client.post("hooks_settings/100200", json={"record": 1})
        assert incomplete.status_code == 422

    body = await get(emulator, "hooks_settings/100200")
    assert kinds(body["data"]) | {"urls": 0} == kinds(sample("22")["data"]) | {"urls": 0}
    assert body["data"]["urls"] == sample("23")["urls"]
    assert (await get(emulator, "hooks_settings/100201"))["data"]["urls"] == []


async def test_log_in_gives_the_user_token_and_may_ask_for_a_second_factor(emulator: Emulator):
    login = {"login": "admin@example.com", "password": "emulator-password"}
    async with caller(emulator, PARTNER) as client:
        direct = await client.post("auth", json=login)
        assert (direct.status_code, kinds(direct.json())) == (201, kinds(sample("20")))
        assert TOKENS["Authorization"].endswith(direct.json()["data"]["user_token"])
        assert (await client.post("auth", json=login | {"password": "x"})).status_code == 401

        emulator.settings = EmulatorSettings(two_factor=True, rate_limit=False)
        asked = await client.post("auth", json=login)
        assert (asked.status_code, kinds(asked.json())) == (200, kinds(sample("21")))
        (code,) = (await client.get("http://yclients/_control/codes")).json()["items"]
        second = {"uuid": code["phone"], "secret": code["code"]}
        assert (await client.post("auth", json=login | {"2fa": second})).status_code == 201


async def test_without_the_accept_header_the_old_format_has_no_envelope(emulator: Emulator):
    emulator.settings = EmulatorSettings(require_accept=True, rate_limit=False)
    async with caller(emulator) as client:
        old = await client.get("company/100200")
        new = await client.get("company/100200", headers={"Accept": "application/vnd.yclients.v2+json"})

    assert old.json() == new.json()["data"]


async def test_the_vendor_s_clock_may_go_apart(emulator: Emulator, clock: TurnedClock):
    emulator.skew = timedelta(hours=-2)

    record = book(emulator)

    assert record.changed_at == clock() - timedelta(hours=2)
