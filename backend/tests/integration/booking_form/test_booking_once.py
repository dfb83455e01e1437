"""One booking, however often it is asked for and whatever becomes of the answer."""

import asyncio
from dataclasses import replace
from typing import Any

import httpx2
import pytest

from tests.support.form import CODE, MASTER, SERVICE, FormSalon, open_form, wall_clock
from tests.support.sync import COMPANY_ID
from yclients_emulator import desk
from zerkalo.booking_form.model import FormLimits
from zerkalo.booking_form.rules import SETTLE_SECONDS
from zerkalo.bookings.model import Source
from zerkalo.db.pool import Pool
from zerkalo.mirror.model import Observation

pytestmark = pytest.mark.integration


BOOK_RECORD = "^/book_record/"
OTHER_SERVICE = 3002


def keyed(key: str) -> dict[str, str]:
    return {"Idempotency-Key": key}


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
                    date=wall_clock(wish["datetime"]),
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


@pytest.mark.parametrize("is_signed_in", [True, False], ids=["by a user", "by a guest"])
async def test_a_booking_given_to_another_client_is_told_no_more_by_repeating_its_request(
    pool: Pool, is_signed_in: bool
) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        client, wish = (anna, await salon.wish()) if is_signed_in else (salon.guest, await salon.guest_wish())
        made = (await client.post("/booking", json=wish, headers=keyed("a"))).json()
        record_id, vendor = made["yclients_record_id"], salon.salon.emulator.vendor
        other = vendor.save_client(salon.salon.clock(), COMPANY_ID, "79990000303", name="Вера").id
        desk.change(salon.salon.emulator, record_id, client_id=other, attendance=1)
        await salon.salon.refetcher.read_now(COMPANY_ID, record_id)
        assert (await salon.salon.row(record_id))["handed_over"]

        again = await client.post("/booking", json=wish, headers=keyed("a"))

        assert (again.status_code, again.json()["yclients_record_id"]) == (201, record_id)
        assert (again.json()["id"], again.json()["service_name"], again.json()["staff_name"]) == (
            None,
            None,
            None,
        )
        assert again.json()["status"] == "PENDING", "the visit that is another client's now has taken place"


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
        await anna.delete(f"/booking/{first['id']}")
        second = await anna.post("/booking", json=wish)

        assert second.status_code == 201
        assert second.json()["id"] != first["id"]


async def test_without_a_key_a_wish_said_again_within_ten_minutes_is_the_same_booking(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish(staff_id=0)

        first, again = [await anna.post("/booking", json=wish) for _ in range(2)]
        asked = [salon.salon.requests_to("/book_record")]
        await anna.post("/booking", json=wish | {"comment": "Для дочери"})
        asked.append(salon.salon.requests_to("/book_record"))
        long_ago = "update form_bookings set claimed_until = claimed_until - interval '11 minutes'"
        await salon.salon.execute(long_ago)
        await anna.post("/booking", json=wish)
        asked.append(salon.salon.requests_to("/book_record"))

        assert (again.status_code, again.json()) == (201, first.json())
        assert asked == [1, 2, 3], "another comment, or ten minutes later, is another wish"


async def moved_by_her(salon: FormSalon, made: dict[str, Any], anna: httpx2.AsyncClient) -> None:
    moved = await anna.patch(f"/booking/{made['id']}", json={"datetime": await salon.free_time(6)})
    assert moved.status_code == 200, moved.text


async def moved_by_the_salon(salon: FormSalon, made: dict[str, Any], anna: httpx2.AsyncClient) -> None:
    desk.move(salon.salon.emulator, made["yclients_record_id"], wall_clock(await salon.free_time(6)))
    await salon.salon.refetcher.read_now(COMPANY_ID, made["yclients_record_id"])


async def moved_unseen(salon: FormSalon, made: dict[str, Any], anna: httpx2.AsyncClient) -> None:
    desk.move(salon.salon.emulator, made["yclients_record_id"], wall_clock(await salon.free_time(6)))
    salon.salon.clock.pass_seconds(60)


async def cancelled_unseen(salon: FormSalon, made: dict[str, Any], anna: httpx2.AsyncClient) -> None:
    desk.delete(salon.salon.emulator, made["yclients_record_id"])
    salon.salon.clock.pass_seconds(60)


async def given_to_another(salon: FormSalon, made: dict[str, Any], anna: httpx2.AsyncClient) -> None:
    other = salon.salon.emulator.vendor.save_client(
        salon.salon.clock(), COMPANY_ID, "79990000303", name="Вера"
    )
    desk.change(salon.salon.emulator, made["yclients_record_id"], client_id=other.id)
    await salon.salon.refetcher.read_now(COMPANY_ID, made["yclients_record_id"])


async def given_other_services(salon: FormSalon, made: dict[str, Any], anna: httpx2.AsyncClient) -> None:
    lines = (salon.salon.emulator.vendor.line(OTHER_SERVICE),)
    desk.change(salon.salon.emulator, made["yclients_record_id"], lines=lines)
    await salon.salon.refetcher.read_now(COMPANY_ID, made["yclients_record_id"])


@pytest.mark.parametrize("change", [moved_by_her, moved_by_the_salon, moved_unseen, cancelled_unseen])
async def test_without_a_key_a_wish_is_a_new_one_where_its_booking_is_not_what_was_wished(
    pool: Pool, change: Any
) -> None:
    """Before: it was answered 201 with that booking, and nothing was booked."""
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish(staff_id=0)
        made = (await anna.post("/booking", json=wish)).json()
        await change(salon, made, anna)

        again, repeated = [await anna.post("/booking", json=wish) for _ in range(2)]

        assert again.status_code == 201, again.text
        assert again.json()["yclients_record_id"] != made["yclients_record_id"]
        assert again.json()["appointment_datetime"] == wish["datetime"]
        assert repeated.json() == again.json(), "the new booking is the answer from now on"
        assert len(salon.records()) == 2


@pytest.mark.parametrize("change", [given_to_another, given_other_services])
async def test_without_a_key_a_wish_whose_booking_became_another_is_asked_of_yclients(
    pool: Pool, change: Any
) -> None:
    """Before: it was answered 201, without an id where the booking was another client's by then."""
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()
        made = (await anna.post("/booking", json=wish)).json()
        await change(salon, made, anna)

        again = await anna.post("/booking", json=wish)

        assert (again.status_code, again.json()["code"]) == (409, "slot_taken"), again.text


async def test_without_a_key_a_booking_that_can_not_be_looked_at_now_is_not_made_again(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish(staff_id=0)
        made = await anna.post("/booking", json=wish)
        salon.salon.clock.pass_seconds(60)
        salon.fail("status", "^/record/", times=10)

        again = await anna.post("/booking", json=wish)

        assert (again.status_code, again.json()) == (201, made.json())
        assert salon.salon.requests_to("/book_record") == 1


async def test_a_wish_said_over_and_over_without_a_key_asks_yclients_once_a_minute(pool: Pool) -> None:
    async with open_form(pool) as salon:
        wish = await salon.guest_wish()

        asked: list[int] = []
        for _ in range(3):
            await asyncio.gather(*(salon.guest.post("/booking", json=wish) for _ in range(4)))
            asked.append(salon.salon.requests_to("/record/"))
            salon.salon.clock.pass_seconds(61)

        assert asked == [1, 2, 3]


async def test_whoever_repeats_a_guests_wish_without_a_key_is_told_no_more_than_they_said(pool: Pool) -> None:
    """Before: they were told the specialist, the price, and the time to which the guest had moved it."""
    async with open_form(pool) as salon:
        wish = await salon.guest_wish(staff_id=0)
        made = (await salon.guest.post("/booking", json=wish)).json()
        desk.set_attendance(salon.salon.emulator, made["yclients_record_id"], 2)
        await salon.salon.refetcher.read_now(COMPANY_ID, made["yclients_record_id"])

        again = await salon.guest.post("/booking", json=wish)

        told = {name: value for name, value in again.json().items() if value is not None}
        assert (again.status_code, told) == (
            201,
            {
                "company_id": COMPANY_ID,
                "yclients_record_id": made["yclients_record_id"],
                "appointment_datetime": wish["datetime"],
                "status": "PENDING",
            },
        )
        assert len(salon.records()) == 1


async def test_whoever_ends_a_guests_lost_wish_without_a_key_is_told_no_more_than_they_said(
    pool: Pool,
) -> None:
    async with open_form(pool) as salon:
        wish = await salon.guest_wish()
        salon.fail("status", BOOK_RECORD, after=True)
        salon.fail("status", "^/records/", times=10)
        unclear = await salon.guest.post("/booking", json=wish)
        salon.salon.emulator.faults.clear()

        found = await salon.guest.post("/booking", json=wish)

        (record,) = salon.records()
        assert [one.status_code for one in (unclear, found)] == [503, 201], found.text
        assert (found.json()["yclients_record_id"], found.json()["staff_name"]) == (record["id"], None)


async def test_without_a_key_a_refused_wish_may_be_asked_again_at_once(pool: Pool) -> None:
    async with open_form(pool) as salon:
        salon.salon.emulator.vendor.black_list.add((COMPANY_ID, "79990000202"))
        wish = await salon.guest_wish()

        refused = await salon.guest.post("/booking", json=wish)
        salon.salon.emulator.vendor.black_list.clear()
        made = await salon.guest.post("/booking", json=wish)

        assert (refused.json()["code"], made.status_code) == ("blacklisted", 201), made.text


@pytest.mark.parametrize("meanwhile", ["webhook", "sync"])
async def test_without_a_key_what_came_by_itself_after_a_lost_answer_is_a_new_wish_once_cancelled(
    pool: Pool, meanwhile: str
) -> None:
    """Before: the key stayed for ever, and a new wish was answered 201 with the visit that had been cancelled."""
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        wish = await salon.wish()
        salon.fail("status", BOOK_RECORD, after=True)
        salon.fail("status", "^/records/", times=10)
        unclear = await anna.post("/booking", json=wish)
        salon.salon.emulator.faults.clear()
        await (salon.salon.sync() if meanwhile == "sync" else _webhook(salon, Source.WEBHOOK))

        found = await anna.post("/booking", json=wish)
        await anna.delete(f"/booking/{found.json()['id']}")
        made = await anna.post("/booking", json=wish)

        assert [one.status_code for one in (unclear, found, made)] == [503, 201, 201], made.text
        assert made.json()["id"] != found.json()["id"]
        assert made.json()["status"] == "PENDING"


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


async def _webhook(salon: FormSalon, source: Source) -> None:
    """The booking's own webhook, applied."""
    (record,) = salon.records()
    shown = await salon.salon.client.record(COMPANY_ID, record["id"])
    assert shown is not None
    observation = Observation(source=source, company_id=COMPANY_ID, record_id=record["id"], record=shown)
    await salon.salon.context.applier.apply([observation])


async def _real_sleep(seconds: float) -> None:
    await asyncio.sleep(seconds)


async def _no_sleep(seconds: float) -> None:
    await asyncio.sleep(0)
