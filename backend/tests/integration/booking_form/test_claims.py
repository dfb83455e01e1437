"""A booking of YCLIENTS's own form, claimed by the hash of its success page."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from tests.support.emulator import PARTNER, TOKENS, caller
from tests.support.form import MASTER, SERVICE, FormSalon, open_form
from tests.support.sync import COMPANY_ID, NO_BONUSES
from zerkalo.booking_form.model import FormLimits
from zerkalo.bookings.model import Source
from zerkalo.db.pool import Pool
from zerkalo.mirror.model import Observation
from zerkalo.mirror.service import Applier

pytestmark = pytest.mark.integration

USER_RECORDS = "/user/records/"


async def made_elsewhere(salon: FormSalon, number: int = 0, phone: str = "79990000505") -> dict[str, Any]:
    """The body that claims a booking which somebody has made in YCLIENTS's own form."""
    booking = {
        "phone": phone,
        "fullname": "Вера Чужая",
        "email": "",
        "appointments": [
            {
                "id": 1,
                "services": [SERVICE],
                "staff_id": MASTER,
                "datetime": await salon.free_time(number),
            }
        ],
    }
    async with caller(salon.salon.emulator, PARTNER) as form:
        answer = await form.post(f"book_record/{COMPANY_ID}", json=booking)
    assert answer.status_code == 201, answer.text
    (made,) = answer.json()["data"]
    names = ("record_id", "record_hash")
    return {"company_id": COMPANY_ID} | {name: made[name] for name in names}


async def claim(client: httpx2.AsyncClient, body: dict[str, Any]) -> httpx2.Response:
    return await client.post("/booking/claim", json=body)


async def mirror(salon: FormSalon, body: dict[str, Any]) -> dict[str, Any]:
    """The record's webhook, applied; its row."""
    record_id = body["record_id"]
    shown = await salon.salon.client.record(COMPANY_ID, record_id)
    assert shown is not None
    await salon.salon.context.applier.apply(
        [Observation(source=Source.WEBHOOK, company_id=COMPANY_ID, record_id=record_id, record=shown)]
    )
    return await salon.salon.row(record_id)


@pytest.mark.parametrize("is_mirrored", [True, False], ids=["after its webhook", "before it"])
async def test_a_claimed_booking_is_the_users_as_if_made_in_our_form(pool: Pool, is_mirrored: bool) -> None:
    async with open_form(pool) as salon:
        user_id, anna = await salon.user()
        body = await made_elsewhere(salon)
        if is_mirrored:
            assert (await mirror(salon, body))["user_id"] is None

        claimed = await claim(anna, body)

        assert claimed.status_code == 200, claimed.text
        booking = claimed.json()
        assert (booking["user_id"], booking["matched_by"]) == (user_id, "form")
        assert booking["yclients_record_id"] == body["record_id"]
        (own,) = (await anna.get("/booking")).json()["items"]
        assert own == booking, "the hash tells no more than the account may see"
        assert (await mirror(salon, body))["user_id"] == user_id, "no webhook undoes it"


async def test_a_claim_whose_booking_was_held_is_fulfilled_by_the_periodic_task(pool: Pool) -> None:
    async with open_form(pool) as salon:
        user_id, anna = await salon.user()
        body = await made_elsewhere(salon)
        await mirror(salon, body)
        async with pool.connection() as conn, conn.transaction():
            await conn.execute("select from bookings for update")
            answer = await claim(anna, body)
        assert answer.status_code == 503, answer.text
        await salon.salon.sync()
        assert (await salon.salon.row(body["record_id"]))["user_id"] is None, (
            "for YCLIENTS nothing has changed"
        )

        applier = Applier(pool, clock=salon.salon.clock, policy=NO_BONUSES)
        await applier.rematcher.rematch_waiting_users()

        assert (await salon.salon.row(body["record_id"]))["user_id"] == user_id
        wanted = await salon.salon.fetch("select id from users where rematch_wanted_at is not null")
        assert wanted == []


async def test_a_claimed_booking_is_moved_and_cancelled_by_its_hash(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        body = await made_elsewhere(salon)
        booking = (await claim(anna, body)).json()

        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": await salon.free_time(6)})
        gone = await anna.delete(f"/booking/{booking['id']}")

        assert (moved.status_code, gone.status_code) == (200, 204)
        assert salon.salon.truths()[body["record_id"]]["deleted"]
        assert salon.salon.requests_to(f"/record/{COMPANY_ID}") <= 3, (
            "read back, never written by the salon's way"
        )


async def test_the_pair_is_asked_for_with_the_partner_token_alone(pool: Pool) -> None:
    """With a user's token YCLIENTS looks at the id only: any hash would do."""
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        body = await made_elsewhere(salon)
        path = f"user/records/{body['record_id']}/not-the-hash"

        async with caller(salon.salon.emulator, TOKENS) as with_user:
            assert (await with_user.get(path)).status_code == 200
            assert (await with_user.get(f"user/records/{body['record_id']}")).status_code == 200
        async with caller(salon.salon.emulator, PARTNER) as alone:
            assert (await alone.get(path)).status_code == 404
        salon.salon.emulator.requests.clear()
        refused = await claim(anna, body | {"record_hash": "not-the-hash"})
        granted = await claim(anna, body)
        booking = granted.json()
        await anna.patch(f"/booking/{booking['id']}", json={"datetime": await salon.free_time(6)})
        await anna.delete(f"/booking/{booking['id']}")

        assert (refused.status_code, granted.status_code) == (404, 200)
        asked = [one for one in salon.salon.emulator.requests if USER_RECORDS in one.path]
        assert len(asked) >= 4
        assert not any(one.with_user_token for one in asked)


@pytest.mark.parametrize(
    "wrong",
    [
        {"record_hash": "0" * 32},
        {"record_id": 1},
        {"record_hash": ".."},
        {"record_hash": "../../records/1"},
        {"record_hash": ""},
        {"record_id": 0},
        {"record_id": 2**63},
        {"company_id": 1},
        {"company_id": 100201},
    ],
    ids=str,
)
async def test_what_does_not_fit_gives_nothing(pool: Pool, wrong: dict[str, Any]) -> None:
    async with open_form(pool) as salon:
        body = await made_elsewhere(salon)
    async with open_form(pool, company_ids=(COMPANY_ID, 100201)) as both:
        both.salon.emulator.vendor.records = salon.salon.emulator.vendor.records
        _, anna = await both.user()

        refused = await claim(anna, body | wrong)

        assert refused.status_code in (404, 422), refused.text
        assert await salon.salon.fetch("select from form_bookings") == []
        assert await salon.salon.fetch("select from bookings where user_id is not null") == []


async def test_a_guest_has_nothing_to_claim_for(pool: Pool) -> None:
    async with open_form(pool) as salon:
        assert (await claim(salon.guest, await made_elsewhere(salon))).status_code == 401


async def test_the_same_claim_again_is_granted_again_without_asking(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        body = await made_elsewhere(salon)
        first = await claim(anna, body)
        salon.salon.emulator.requests.clear()

        again = [await claim(anna, body) for _ in range(15)]

        assert [(one.status_code, one.json()) for one in again] == [(200, first.json())] * 15
        assert not salon.salon.emulator.requests
        assert len(await salon.salon.fetch("select from form_bookings")) == 1


async def test_who_claims_second_gets_nothing(pool: Pool) -> None:
    async with open_form(pool) as salon:
        user_id, anna = await salon.user()
        _, other = await salon.user(phone="+79990000777", unique_code="ZZZ99999")
        body = await made_elsewhere(salon)
        await claim(anna, body)

        refused = await claim(other, body)

        assert (refused.status_code, refused.json()["code"]) == (409, "not_claimable")
        assert (await salon.salon.row(body["record_id"]))["user_id"] == user_id
        assert (await other.get("/booking")).json()["items"] == []


async def test_of_two_at_once_one_gets_it(pool: Pool) -> None:
    async with open_form(pool) as salon:
        people = [
            await salon.user(phone=f"+7999000077{number}", unique_code=f"ZZZ9999{number}")
            for number in range(2, 6)
        ]
        body = await made_elsewhere(salon)

        answers = await asyncio.gather(*(claim(client, body) for _, client in people for _ in range(2)))

        granted = {one.json()["user_id"] for one in answers if one.status_code == 200}
        assert len(granted) == 1
        assert {one.status_code for one in answers} == {200, 409}
        assert {(await salon.salon.row(body["record_id"]))["user_id"]} == granted


async def test_a_booking_of_our_form_is_not_claimed_by_another(pool: Pool) -> None:
    """Even where somebody has learned the hash: the one who booked it keeps it."""
    async with open_form(pool) as salon:
        user_id, anna = await salon.user()
        _, other = await salon.user(phone="+79990000777", unique_code="ZZZ99999")
        made = (await anna.post("/booking", json=await salon.wish())).json()
        record = salon.salon.truths()[made["yclients_record_id"]]
        body = {"company_id": COMPANY_ID, "record_id": record["id"], "record_hash": record["record_hash"]}

        refused = await claim(other, body)
        own = await claim(anna, body)

        assert (refused.status_code, own.status_code) == (409, 200)
        assert (await salon.salon.row(record["id"]))["user_id"] == user_id


async def test_an_admins_word_stands_against_a_claim(pool: Pool) -> None:
    async with open_form(pool) as salon:
        other_id, _ = await salon.user(phone="+79990000777", unique_code="ZZZ99999")
        _, anna = await salon.user()
        body = await made_elsewhere(salon)
        await mirror(salon, body)
        await salon.salon.execute("update bookings set user_id = %s, matched_by = 'manual'", other_id)

        refused = await claim(anna, body)

        assert (refused.status_code, refused.json()["code"]) == (409, "not_claimable")
        assert (await salon.salon.row(body["record_id"]))["user_id"] == other_id


async def test_a_claim_is_stronger_than_a_phone(pool: Pool) -> None:
    async with open_form(pool) as salon:
        owner_id, owner = await salon.user(
            phone="+79990000505", unique_code="ZZZ99999", phone_verified_at=salon.salon.clock()
        )
        user_id, anna = await salon.user()
        body = await made_elsewhere(salon)
        assert (await mirror(salon, body))["user_id"] == owner_id

        claimed = await claim(anna, body)

        assert (claimed.status_code, claimed.json()["user_id"]) == (200, user_id)
        assert (await owner.get("/booking")).json()["items"] == []


async def test_ten_tries_an_hour(pool: Pool) -> None:
    async with open_form(pool) as salon:
        user_id, anna = await salon.user()
        body = await made_elsewhere(salon)

        tries = [await claim(anna, body | {"record_hash": f"{number:032}"}) for number in range(11)]
        right = await claim(anna, body)
        salon.salon.clock.pass_seconds(3601)
        salon.api.runtime.now = salon.salon.clock()
        anna = await salon.api.as_user(user_id)

        assert [one.status_code for one in tries] == [404] * 10 + [429]
        assert (right.status_code, int(right.headers["Retry-After"]) > 0) == (429, True)
        assert salon.salon.requests_to(USER_RECORDS) == 10
        assert (await claim(anna, body)).status_code == 200


async def test_one_address_does_not_try_with_many_accounts(pool: Pool) -> None:
    limits = FormLimits()
    few = replace(limits, claims_of_address=replace(limits.claims_of_address, count_max=3))
    async with open_form(pool, limits=few) as salon:
        people = [
            await salon.user(phone=f"+7999000077{number}", unique_code=f"ZZZ9999{number}")
            for number in range(2, 6)
        ]
        wrong = {"company_id": COMPANY_ID, "record_id": 1, "record_hash": "0" * 32}

        assert [(await claim(client, wrong)).status_code for _, client in people] == [404] * 3 + [429]


@pytest.mark.parametrize("kind", ["status", "html", "timeout"])
async def test_while_yclients_is_away_nothing_is_claimed_and_it_can_be_tried_again(
    pool: Pool, kind: Any
) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        body = await made_elsewhere(salon)
        salon.fail(kind, f"^{USER_RECORDS}", times=5)

        away = await claim(anna, body)
        salon.salon.emulator.faults.clear()

        assert (away.status_code, away.json()["code"]) == (503, "yclients_unavailable")
        assert "Retry-After" in away.headers
        assert (await claim(anna, body)).status_code == 200


async def test_a_claim_whose_record_can_not_be_read_yet_is_kept(pool: Pool) -> None:
    async with open_form(pool) as salon:
        user_id, anna = await salon.user()
        body = await made_elsewhere(salon)
        salon.fail("status", "^/record/", times=10)

        unclear = await claim(anna, body)
        salon.salon.emulator.faults.clear()
        again = await claim(anna, body)

        assert (unclear.status_code, unclear.json()["code"]) == (503, "booking_unclear")
        assert (again.status_code, again.json()["user_id"]) == (200, user_id)
        assert salon.salon.requests_to(USER_RECORDS) == 1
