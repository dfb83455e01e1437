"""Booking through the form, on a real database against the emulator: written down first, never twice."""

from dataclasses import replace
from typing import Any

import pytest

from tests.support.form import ASKER, CODE, MASTER, PHONE, SERVICE, open_form, wall_clock
from tests.support.sync import COMPANY_ID
from yclients_emulator import EmulatorSettings, desk
from zerkalo.booking_form.model import FormLimits
from zerkalo.db.pool import Pool

pytestmark = pytest.mark.integration


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


async def test_a_signed_in_user_finds_her_booking_at_once(pool: Pool) -> None:
    async with open_form(pool) as salon:
        user_id, anna = await salon.user()

        made = await anna.post("/booking", json=await salon.wish(comment="Позвоните за час"))

        assert made.status_code == 201, made.text
        booking = made.json()
        (own,) = (await anna.get("/booking", params={"upcoming_only": True})).json()["items"]
        assert booking == own
        assert (booking["user_id"], booking["matched_by"]) == (user_id, "form")
        (record,) = salon.records()
        assert record["comment"] == f"Код клиента: {CODE}\nПозвоните за час"
        assert (record["phone"], record["online"]) == (PHONE.lstrip("+"), True)
        assert booking["yclients_record_id"] == record["id"]


async def test_a_guest_books_without_a_code(pool: Pool) -> None:
    async with open_form(pool) as salon:
        made = await salon.guest.post("/booking", json=await salon.guest_wish(comment="У окна"))

        assert made.status_code == 201, made.text
        (record,) = salon.records()
        assert (record["comment"], record["phone"]) == ("У окна", "79990000202")
        row = await salon.salon.row(record["id"])
        assert (row["user_id"], row["matched_by"]) == (None, None)


async def test_a_guest_who_types_anothers_phone_sees_nothing_of_her(pool: Pool) -> None:
    async with open_form(pool) as salon:
        user_id, _ = await salon.user(phone_verified_at=salon.salon.clock())

        made = await salon.guest.post("/booking", json=await salon.guest_wish(phone=PHONE))

        (record,) = salon.records()
        assert (await salon.salon.row(record["id"]))["user_id"] == user_id
        assert CODE not in made.text
        assert made.json()["user_id"] is None
        assert made.json()["notes"] is None


async def test_what_she_types_goes_before_her_account(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()

        wish = await salon.wish(name="Вера", phone="8 (999) 000-03-03", email="Vera@Example.com ")
        made = await anna.post("/booking", json=wish)

        assert made.status_code == 201, made.text
        (record,) = salon.records()
        assert (record["client_name"], record["phone"]) == ("Вера", "79990000303")
        assert record["email"] == "vera@example.com"


async def test_a_time_without_an_offset_is_the_salons(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        offered = await salon.free_time()

        made = await anna.post("/booking", json=await salon.wish(datetime=offered[:19]))

        assert made.json()["appointment_datetime"] == offered


NOT_IN_ORDER: list[tuple[dict[str, Any], int, str]] = [
    ({"consent": False}, 422, "consent_missing"),
    ({"name": " "}, 422, "name_missing"),
    ({"phone": None}, 422, "phone_missing"),
    ({"phone": "12"}, 422, "phone_invalid"),
    ({"email": "нет"}, 422, "email_invalid"),
    ({"datetime": "2020-01-01T10:00:00+03:00"}, 422, "time_not_ahead"),
    ({"datetime": "9999-12-31T23:59:59"}, 422, "time_not_ahead"),
    ({"datetime": "1733130000"}, 422, "invalid_request"),
    ({"datetime": 1733130000}, 422, "invalid_request"),
    ({"service_ids": []}, 422, "invalid_request"),
    ({"service_ids": [2**63]}, 422, "invalid_request"),
    ({"staff_id": -1}, 422, "invalid_request"),
    ({"comment": "я" * 2001}, 422, "invalid_request"),
    ({"company_id": 1}, 404, "company_unknown"),
]


async def test_a_wish_that_is_not_in_order_is_never_sent(pool: Pool) -> None:
    async with open_form(pool) as salon:
        wish, guest = await salon.guest_wish(), salon.guest

        for fields, status, code in NOT_IN_ORDER:
            answer = await guest.post("/booking", json=wish | fields, headers=keyed("a"))
            assert (answer.status_code, answer.json()["code"]) == (status, code), fields
        assert salon.salon.requests_to("/book_record") == 0
        # The key is free: nothing was done with it.
        assert (await guest.post("/booking", json=wish, headers=keyed("a"))).status_code == 201


async def test_missing_keys_are_named(pool: Pool) -> None:
    async with open_form(pool) as salon:
        answer = await salon.guest.post("/booking", json={})

        named = {one["field"] for one in answer.json()["errors"]}
        assert named == {"body.service_ids", "body.staff_id", "body.datetime", "body.consent"}


@pytest.mark.parametrize("place", ["errors", "meta", "meta_errors", "none"])
async def test_a_taken_slot_is_told_wherever_its_code_stands_and_the_times_are_fresh(
    pool: Pool, place: Any
) -> None:
    settings = EmulatorSettings(rate_limit=False, booking_code_place=place)
    async with open_form(pool, settings=settings) as salon:
        wish = await salon.guest_wish()
        taken = {"datetime": wish["datetime"], "duration": 60}
        day = {"date": wish["datetime"][:10], "staff_id": MASTER, "service_ids": [SERVICE]}
        _, anna = await salon.user()
        assert wish["datetime"] in {
            one["datetime"] for one in (await anna.get("/booking/times", params=day)).json()["items"]
        }
        desk.create(
            salon.salon.emulator,
            company_id=COMPANY_ID,
            service_ids=(SERVICE,),
            staff_id=MASTER,
            date=wall_clock(wish["datetime"]),
        )

        answer = await salon.guest.post("/booking", json=wish)

        assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken")
        fresh = (await anna.get("/booking/times", params=day)).json()["items"]
        assert taken["datetime"] not in {one["datetime"] for one in fresh}


async def test_each_refusal_has_its_code(pool: Pool) -> None:
    async with open_form(pool) as salon:
        emulator, guest = salon.salon.emulator, salon.guest
        emulator.vendor.black_list.add((COMPANY_ID, "79990000404"))
        midnight = (await salon.free_time())[:10] + "T00:00:00+03:00"
        wishes = {
            "blacklisted": await salon.guest_wish(phone="+79990000404"),
            "phone_invalid": await salon.guest_wish(phone="+376123456"),
            "no_staff": await salon.guest_wish(staff_id=0, datetime=midnight),
            "service_gone": await salon.guest_wish(service_ids=[3005]),
        }

        for code, wish in wishes.items():
            answer = await guest.post("/booking", json=wish)
            assert answer.json()["code"] == code, answer.text
            assert answer.status_code == {"blacklisted": 403, "phone_invalid": 422}.get(code, 409)
        assert salon.records() == []


async def test_the_salons_sms_code_is_asked_for_sent_and_taken(pool: Pool) -> None:
    async with open_form(pool) as salon:
        salon.rules(phone_confirmation=True)
        wish, guest = await salon.guest_wish(), salon.guest

        refused = await guest.post("/booking", json=wish)
        assert (refused.status_code, refused.json()["code"]) == (422, "code_wrong")
        assert (await guest.post("/booking/code", json={"phone": wish["phone"]})).status_code == 204
        sent = salon.salon.emulator.vendor.codes[COMPANY_ID, wish["phone"].lstrip("+")]
        wrong = await guest.post("/booking", json=wish | {"code": "x" + sent})
        assert wrong.json()["code"] == "code_wrong"
        made = await guest.post("/booking", json=wish | {"code": sent})

        assert made.status_code == 201, made.text
        assert len(salon.records()) == 1


async def test_codes_are_not_sent_again_and_again(pool: Pool) -> None:
    async with open_form(pool) as salon:
        body = {"phone": "+79990000202"}

        answers = [await salon.guest.post("/booking/code", json=body) for _ in range(2)]

        assert [one.status_code for one in answers] == [204, 429]
        assert 0 < int(answers[1].headers["Retry-After"]) <= 60
        assert salon.salon.requests_to("/book_code") == 1
        others = [f"+7999000{number:04d}" for number in range(30)]
        last = [await salon.guest.post("/booking/code", json={"phone": phone}) for phone in others][-1]
        assert last.status_code == 429
        assert salon.salon.requests_to("/book_code") == 20


async def test_one_phone_does_not_fill_the_journal(pool: Pool) -> None:
    async with open_form(pool) as salon:
        wish = await salon.guest_wish(datetime=(await salon.free_time())[:10] + "T00:00:00+03:00")

        codes = [(await salon.guest.post("/booking", json=wish)).json()["code"] for _ in range(16)]

        assert codes == ["slot_taken"] * 15 + ["too_many_requests"]
        assert salon.salon.requests_to("/book_record") == 15


@pytest.mark.parametrize("whose", ["bookings_of_address", "bookings_of_phone", "bookings_of_company"])
async def test_what_is_over_a_limit_writes_no_row(pool: Pool, whose: str) -> None:
    """Before: a row was written and deleted again before its limit counted, and a company had none."""
    usual = FormLimits()
    few = replace(usual, **{whose: replace(getattr(usual, whose), count_max=1)})
    async with open_form(pool, limits=few) as salon:
        wishes = [await salon.guest_wish(datetime=await salon.free_time(number)) for number in (0, 6)]
        await salon.guest.post("/booking", json=wishes[0])
        rows = "select count(*), max(xmin::text::bigint) as newest from form_bookings"
        before = await salon.salon.fetch(rows)

        refused = await salon.guest.post("/booking", json=wishes[1])

        assert (refused.status_code, int(refused.headers["Retry-After"]) > 0) == (429, True)
        assert await salon.salon.fetch(rows) == before
        assert salon.salon.requests_to("/book_record") == 1


async def test_a_token_that_does_not_hold_books_for_nobody(pool: Pool) -> None:
    async with open_form(pool) as salon:
        answer = await salon.api.client("no token").post("/booking", json=await salon.guest_wish())

        assert answer.status_code == 401
        assert salon.records() == []


async def test_with_the_form_off_everything_is_503(pool: Pool) -> None:
    async with open_form(pool, enabled=False) as salon:
        _, anna = await salon.user()
        wish = await salon.guest_wish(datetime="2026-12-03T12:00:00+03:00")

        answers = [
            await salon.guest.post("/booking", json=wish),
            await salon.guest.post("/booking/code", json={"phone": PHONE}),
            *[await anna.get(f"/booking/{what}") for what in ("companies", "services", "staff", "dates")],
            await anna.get("/booking/times", params={"date": "2026-12-03"}),
        ]

        assert {(one.status_code, one.json()["code"]) for one in answers} == {(503, "yclients_disabled")}
        assert all("Retry-After" in one.headers for one in answers)


async def test_with_several_branches_one_must_be_named(pool: Pool) -> None:
    async with open_form(pool, company_ids=(COMPANY_ID, 100201)) as salon:
        _, anna = await salon.user()
        (day, *_) = await salon.form.offers.dates(ASKER, COMPANY_ID, service_ids=(SERVICE,), staff_id=MASTER)
        times = await salon.form.offers.times(
            ASKER, COMPANY_ID, day=day, service_ids=(SERVICE,), staff_id=MASTER
        )
        wish = await salon.wish(datetime=times[0].starts_at.isoformat())

        unnamed = await anna.post("/booking", json=wish)
        named = await anna.post("/booking", json=wish | {"company_id": COMPANY_ID})

        assert (unnamed.status_code, unnamed.json()["code"]) == (422, "company_missing")
        assert named.status_code == 201, named.text
