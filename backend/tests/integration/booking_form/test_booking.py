"""Booking through the form, on a real database against the emulator: written down first, never twice."""

import asyncio
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest

from tests.support.form import ASKER, CODE, MASTER, PHONE, SERVICE, FormSalon, open_form
from tests.support.sync import COMPANY_ID
from yclients_emulator import EmulatorSettings, desk
from zerkalo.booking_form.model import FormLimits
from zerkalo.booking_form.rules import SETTLE_SECONDS
from zerkalo.bookings.model import Source
from zerkalo.db.pool import Pool
from zerkalo.mirror.model import Observation

pytestmark = pytest.mark.integration

BOOK_RECORD = "^/book_record/"


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
            date=_wall_clock(wish["datetime"]),
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


async def test_the_same_request_twenty_times_counts_once(pool: Pool) -> None:
    usual = FormLimits()
    few = replace(usual, bookings_of_phone=replace(usual.bookings_of_phone, count_max=2))
    async with open_form(pool, limits=few) as salon:
        wish = await salon.guest_wish()

        answers = await asyncio.gather(
            *(salon.guest.post("/booking", json=wish, headers=keyed("a")) for _ in range(20))
        )
        another = await salon.guest.post(
            "/booking", json=wish | {"datetime": await salon.free_time(6)}, headers=keyed("b")
        )

        assert {one.status_code for one in answers} == {201}, {one.text for one in answers}
        assert another.status_code == 201, another.text


@pytest.mark.parametrize("kind", ["status", "cut", "disconnect", "html", "timeout", "success_false"])
async def test_an_answer_that_is_lost_is_looked_up(pool: Pool, kind: str) -> None:
    async with open_form(pool) as salon:
        user_id, anna = await salon.user()
        wish = await salon.wish()
        if kind == "success_false":
            # YCLIENTS's word that it was declined; here it lies, and the next sync brings it all the same.
            salon.fail(kind, BOOK_RECORD, after=True)
            await anna.post("/booking", json=wish, headers=keyed("a"))
            await salon.salon.sync()
            (record,) = salon.records()
            assert (await salon.salon.row(record["id"]))["user_id"] == user_id
            return
        salon.fail(kind, BOOK_RECORD, after=True)

        made = await anna.post("/booking", json=wish, headers=keyed("a"))
        again = await anna.post("/booking", json=wish, headers=keyed("a"))

        assert (made.status_code, again.json()) == (201, made.json()), made.text
        (record,) = salon.records()
        assert made.json()["yclients_record_id"] == record["id"]
        assert (made.json()["user_id"], made.json()["matched_by"]) == (user_id, "form")


@pytest.mark.parametrize("kind", ["status", "html", "timeout"])
async def test_an_unclear_booking_is_asked_for_again_only_when_it_can_not_come_any_more(
    pool: Pool, kind: str
) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()
        salon.fail(kind, BOOK_RECORD)

        first = await anna.post("/booking", json=wish, headers=keyed("a"))
        salon.salon.clock.pass_seconds(-60 if kind == "timeout" else 0)  # the emulator has slept its minute
        second = await anna.post("/booking", json=wish, headers=keyed("a"))
        assert [one.status_code for one in (first, second)] == [503, 503]
        assert first.json()["code"] == second.json()["code"] == "booking_unclear"
        assert 0 < int(second.headers["Retry-After"]) <= SETTLE_SECONDS
        asked = salon.salon.requests_to("/book_record")
        salon.salon.clock.pass_seconds(SETTLE_SECONDS)
        third = await anna.post("/booking", json=wish, headers=keyed("a"))

        assert third.status_code == 201, third.text
        assert (asked, salon.salon.requests_to("/book_record")) == (1, 2)
        assert len(salon.records()) == 1


async def test_where_looking_fails_too_the_same_request_finds_it_later(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()
        salon.fail("status", BOOK_RECORD, after=True)
        salon.fail("status", "^/records/", times=10)

        unclear = await anna.post("/booking", json=wish, headers=keyed("a"))
        salon.salon.emulator.faults.clear()
        found = await anna.post("/booking", json=wish, headers=keyed("a"))

        assert (unclear.status_code, unclear.json()["code"]) == (503, "booking_unclear")
        assert found.status_code == 201
        assert salon.salon.requests_to("/book_record") == 1
        assert len(salon.records()) == 1


async def test_a_late_first_asking_is_found_when_the_second_is_declined(pool: Pool) -> None:
    """The first request reaches the journal only after we have looked: its own booking takes the time for the second."""
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()
        salon.fail("status", BOOK_RECORD)
        await anna.post("/booking", json=wish, headers=keyed("a"))
        salon.salon.clock.pass_seconds(SETTLE_SECONDS)
        (form,) = await salon.salon.fetch("select api_id from form_bookings")

        def arrives_late(method: str, path: str) -> None:
            if method == "POST" and "book_record" in path and not salon.records():
                desk.create(
                    salon.salon.emulator,
                    company_id=COMPANY_ID,
                    service_ids=(SERVICE,),
                    staff_id=MASTER,
                    date=_wall_clock(wish["datetime"]),
                    api_id=form["api_id"],
                )

        salon.salon.emulator.before_request.append(arrives_late)
        made = await anna.post("/booking", json=wish, headers=keyed("a"))

        assert made.status_code == 201, made.text
        (record,) = salon.records()
        assert made.json()["yclients_record_id"] == record["id"]


async def test_the_same_key_gives_the_same_answer_and_another_body_is_refused(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()

        first = await anna.post("/booking", json=wish, headers=keyed("a"))
        again = await anna.post("/booking", json=wish, headers=keyed("a"))
        other = await anna.post("/booking", json=wish | {"comment": "иначе"}, headers=keyed("a"))
        guests = await salon.guest.post("/booking", json=await salon.guest_wish(), headers=keyed("a"))

        assert (again.status_code, again.json()) == (first.status_code, first.json())
        assert (other.status_code, other.json()["code"]) == (422, "idempotency_key_reused")
        assert guests.status_code == 201, "each has keys of her own"
        assert len([one for one in salon.records() if CODE in one["comment"]]) == 1


async def test_a_refusal_is_repeated_without_asking_again(pool: Pool) -> None:
    async with open_form(pool) as salon:
        salon.salon.emulator.vendor.black_list.add((COMPANY_ID, "79990000202"))
        wish = await salon.guest_wish()

        answers = [await salon.guest.post("/booking", json=wish, headers=keyed("a")) for _ in range(2)]

        assert answers[0].json() == answers[1].json()
        assert answers[0].json()["code"] == "blacklisted"
        assert salon.salon.requests_to("/book_record") == 1


@pytest.mark.parametrize("headers", [{"Idempotency-Key": "a"}, {}], ids=["with a key", "without"])
async def test_twenty_at_once_book_once(pool: Pool, headers: dict[str, str]) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()
        salon.salon.emulator.sleep = _real_sleep
        salon.fail("timeout", BOOK_RECORD, after=True, seconds=0.5)

        calls = [anna.post("/booking", json=wish, headers=headers) for _ in range(20)]
        answers = await asyncio.gather(*calls)

        assert {one.status_code for one in answers} == {201}
        assert len({one.text for one in answers}) == 1
        assert len(salon.records()) == 1
        assert salon.salon.requests_to("/book_record") == 1


async def test_without_a_key_the_same_booking_may_be_made_again_after_it_was_cancelled(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()

        first = (await anna.post("/booking", json=wish)).json()
        taken = await anna.post("/booking", json=wish)
        await anna.delete(f"/booking/{first['id']}")
        second = await anna.post("/booking", json=wish)

        assert taken.json()["code"] == "slot_taken"
        assert second.status_code == 201
        assert second.json()["id"] != first["id"]


@pytest.mark.parametrize("meanwhile", ["webhook", "sync"])
async def test_whatever_comes_between_asking_and_answer_there_is_one_row_of_hers(
    pool: Pool, meanwhile: str
) -> None:
    async with open_form(pool) as salon:
        user_id, anna = await salon.user()
        wish = await salon.wish()

        async def before_the_answer(seconds: float) -> None:
            if meanwhile == "sync":
                await salon.salon.sync()
            else:
                await _webhook(salon, Source.WEBHOOK)

        salon.salon.emulator.sleep = before_the_answer
        salon.fail("timeout", BOOK_RECORD, after=True)
        made = await anna.post("/booking", json=wish)

        (record,) = salon.records()
        (row,) = [one for one in await salon.salon.rows() if one["yclients_record_id"] == record["id"]]
        assert (row["user_id"], row["matched_by"]) == (user_id, "form")
        assert made.json()["id"] == row["id"]
        (form,) = await salon.salon.fetch("select * from form_bookings")
        assert (form["status"], form["record_hash"]) == ("booked", record["record_hash"])


async def test_webhook_and_sync_after_the_answer_find_it_there(pool: Pool) -> None:
    async with open_form(pool) as salon:
        user_id, anna = await salon.user()
        made = (await anna.post("/booking", json=await salon.wish())).json()
        before = await salon.salon.row(made["yclients_record_id"])

        await _webhook(salon, Source.WEBHOOK)
        await salon.salon.sync()

        after = await salon.salon.row(made["yclients_record_id"])
        assert (after["id"], after["user_id"], after["revision"]) == (
            before["id"],
            user_id,
            before["revision"],
        )


async def test_a_booking_that_can_not_be_read_back_is_made_and_left_to_the_worker(pool: Pool) -> None:
    async with open_form(pool) as salon:
        user_id, anna = await salon.user()
        wish = await salon.wish()
        salon.fail("status", "^/record/", times=10)

        made = await anna.post("/booking", json=wish, headers=keyed("a"))
        assert (made.status_code, made.json()["id"]) == (201, None)
        assert made.json()["appointment_datetime"] == wish["datetime"]
        assert salon.rung == [COMPANY_ID]
        salon.salon.emulator.faults.clear()
        salon.salon.clock.pass_seconds(60)  # a question that failed waits before it is asked again
        await salon.salon.refetcher.drain(COMPANY_ID)

        row = await salon.salon.row(made.json()["yclients_record_id"])
        assert (row["user_id"], row["matched_by"]) == (user_id, "form")


async def test_two_bookings_of_one_user_are_two_rows(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        first, second = await salon.free_time(0), await salon.free_time(6)

        for number, starts_at in enumerate((first, second)):
            wish = await salon.wish(datetime=starts_at)
            made = await anna.post("/booking", json=wish, headers=keyed(str(number)))
            assert made.status_code == 201, made.text

        own = (await anna.get("/booking", params={"upcoming_only": True})).json()["items"]
        assert [one["appointment_datetime"] for one in own] == [first, second]


async def test_a_process_that_dies_while_asking_leaves_a_booking_that_is_looked_up(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()
        salon.fail("timeout", BOOK_RECORD, after=True)

        async def dies(seconds: float) -> None:
            raise SystemError("killed")

        salon.salon.emulator.sleep = dies
        dead = await anna.post("/booking", json=wish, headers=keyed("a"))
        assert dead.status_code == 500
        found = await anna.post("/booking", json=wish, headers=keyed("a"))

        assert found.status_code == 201
        assert len(salon.records()) == 1


async def test_while_another_process_works_on_the_key_the_answer_says_so(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()
        salon.fail("status", BOOK_RECORD)
        await anna.post("/booking", json=wish, headers=keyed("a"))
        await salon.salon.execute("update form_bookings set claimed_until = now() + interval '1 hour'")
        salon.form.booker._requests._sleep = _no_sleep

        answer = await anna.post("/booking", json=wish, headers=keyed("a"))

        assert (answer.status_code, answer.json()["code"]) == (409, "booking_in_progress")
        assert "Retry-After" in answer.headers


async def test_where_yclients_refuses_us_nothing_was_booked_and_the_key_stays_free(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()
        salon.fail("unauthorized", BOOK_RECORD)

        refused = await anna.post("/booking", json=wish, headers=keyed("a"))
        made = await anna.post("/booking", json=wish, headers=keyed("a"))

        assert (refused.status_code, refused.json()["code"]) == (503, "yclients_refuses")
        assert "Retry-After" in refused.headers
        assert made.status_code == 201


async def test_a_throttled_booking_was_not_made_and_may_be_asked_again_at_once(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()
        salon.fail("status", BOOK_RECORD, times=2, status=429, retry_after=60)

        throttled = await anna.post("/booking", json=wish, headers=keyed("a"))
        salon.salon.emulator.faults.clear()
        made = await anna.post("/booking", json=wish, headers=keyed("a"))

        assert (throttled.status_code, throttled.json()["code"]) == (503, "yclients_unavailable")
        assert throttled.headers["Retry-After"] == "60"
        assert made.status_code == 201


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


async def _webhook(salon: FormSalon, source: Source) -> None:
    """The booking's own webhook, applied."""
    (record,) = salon.records()
    shown = await salon.salon.client.record(COMPANY_ID, record["id"])
    assert shown is not None
    observation = Observation(source=source, company_id=COMPANY_ID, record_id=record["id"], record=shown)
    await salon.salon.context.applier.apply([observation])


def _wall_clock(offered: str) -> datetime:
    return datetime.fromisoformat(offered[:19])


async def _real_sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def _no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)
