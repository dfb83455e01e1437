"""Moving and cancelling through YCLIENTS: one's own only, under the salon's rules, and the mirror follows at once."""

from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import structs

from tests.support.form import CODE, MASTER, SERVICE, FormSalon, open_form
from tests.support.sync import COMPANY_ID
from yclients_emulator import desk
from zerkalo.bookings.model import Source
from zerkalo.db.pool import Pool
from zerkalo.mirror.model import Observation

pytestmark = pytest.mark.integration

WAYS = ["by its hash", "as the salon"]
"""Booked in our form, or elsewhere with the user's code in the comment."""


async def her_booking(salon: FormSalon, anna: Any, way: str, **fields: Any) -> dict[str, Any]:
    """A booking of hers, mirrored."""
    starts_at = await salon.free_time()
    if way == "by its hash":
        made = await anna.post("/booking", json=await salon.wish(datetime=starts_at, comment="У окна"))
        assert made.status_code == 201, made.text
        return made.json()
    record = desk.create(
        salon.salon.emulator,
        company_id=COMPANY_ID,
        service_ids=(SERVICE,),
        staff_id=MASTER,
        name="Анна",
        phone="79990000909",
        date=datetime.fromisoformat(starts_at[:19]),
        comment=f"Код клиента: {CODE}\nУ окна",
        **fields,
    )
    await apply(salon, record.id)
    row = await salon.salon.row(record.id)
    return (await anna.get(f"/booking/{row['id']}")).json()


async def apply(salon: FormSalon, record_id: int, source: Source = Source.WEBHOOK) -> None:
    """The record's webhook, applied."""
    shown = await salon.salon.client.record(COMPANY_ID, record_id)
    assert shown is not None
    await salon.salon.context.applier.apply([Observation(source, COMPANY_ID, record_id, shown)])


@pytest.mark.parametrize("way", WAYS)
async def test_a_moved_booking_stands_at_its_new_time_here_and_there(pool: Pool, way: str) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        before = salon.salon.truths()[booking["yclients_record_id"]]
        to = await salon.free_time(6)

        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": to})

        assert moved.status_code == 200, moved.text
        assert moved.json()["appointment_datetime"] == to
        assert (await anna.get(f"/booking/{booking['id']}")).json() == moved.json()
        after = salon.salon.truths()[booking["yclients_record_id"]]
        assert datetime.fromisoformat(after["starts_at"]) == datetime.fromisoformat(to)
        moves = ("date", "starts_at", "changed_at")
        assert {k: v for k, v in after.items() if k not in moves} == {
            k: v for k, v in before.items() if k not in moves
        }
        assert moved.json()["matched_by"] == booking["matched_by"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_cancelled_booking_is_cancelled_here_and_there(pool: Pool, way: str) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)

        gone = await anna.delete(f"/booking/{booking['id']}")
        again = await anna.delete(f"/booking/{booking['id']}")
        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": await salon.free_time()})

        assert gone.status_code == 204, gone.text
        shown = (await anna.get(f"/booking/{booking['id']}")).json()
        assert (shown["status"], shown["cancel_reason"]) == ("CANCELLED", "deleted")
        assert salon.salon.truths()[booking["yclients_record_id"]]["deleted"]
        for answer in (again, moved):
            assert (answer.status_code, answer.json()["code"]) == (409, "already_cancelled")


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_late", [False, True], ids=["not at all", "not so late"])
async def test_what_the_branch_does_not_allow_is_not_done(pool: Pool, way: str, is_late: bool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        week = 7 * 24 * 3600
        if is_late:
            salon.rules(allow_delete_record_delay_step=week, allow_change_record_delay_step=week)
        else:
            salon.rules(allow_delete_record=False, allow_change_record=False)

        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": await salon.free_time(6)})
        gone = await anna.delete(f"/booking/{booking['id']}")

        for answer in (moved, gone):
            assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed_by_salon"), answer.text
        record = salon.salon.truths()[booking["yclients_record_id"]]
        assert not record["deleted"]
        starts_at = datetime.fromisoformat(booking["appointment_datetime"])
        assert datetime.fromisoformat(record["starts_at"]) == starts_at


@pytest.mark.parametrize("way", WAYS)
async def test_a_time_that_is_taken_or_at_night_is_not_given(pool: Pool, way: str) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        taken = await salon.free_time(6)
        desk.create(
            salon.salon.emulator,
            company_id=COMPANY_ID,
            service_ids=(SERVICE,),
            staff_id=MASTER,
            date=datetime.fromisoformat(taken[:19]),
        )

        for to in (taken, f"{taken[:10]}T03:00:00"):
            answer = await anna.patch(f"/booking/{booking['id']}", json={"datetime": to})
            assert (answer.status_code, answer.json()["code"]) == (409, "slot_taken"), answer.text
        past = await anna.patch(f"/booking/{booking['id']}", json={"datetime": "2020-01-01T12:00:00"})
        assert (past.status_code, past.json()["code"]) == (422, "time_not_ahead")


async def test_anothers_booking_is_not_there(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, "by its hash")
        _, other = await salon.user(phone="+79990000777", unique_code="ZZZ99999")
        to = await salon.free_time(6)

        for path in (f"/booking/{booking['id']}", "/booking/999999", "/booking/x", f"/booking/{2**70}"):
            moved = await other.patch(path, json={"datetime": to})
            gone = await other.delete(path)
            assert [one.status_code for one in (moved, gone)] == [404, 404]
        assert (await salon.guest.delete(f"/booking/{booking['id']}")).status_code == 401
        assert not salon.salon.truths()[booking["yclients_record_id"]]["deleted"]


async def test_a_visit_that_has_begun_is_over_for_changes(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, "by its hash")
        starts_at = datetime.fromisoformat(booking["appointment_datetime"])
        to = (starts_at + timedelta(days=1)).isoformat()
        salon.salon.clock.now = starts_at
        salon.api.runtime.now = starts_at
        anna = await salon.api.as_user(booking["user_id"])

        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": to})
        gone = await anna.delete(f"/booking/{booking['id']}")

        for answer in (moved, gone):
            assert (answer.status_code, answer.json()["code"]) == (409, "already_past")


@pytest.mark.parametrize("way", WAYS)
async def test_a_change_whose_answer_is_lost_is_seen_to_be_done(pool: Pool, way: str) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        to = await salon.free_time(6)

        salon.fail("status", "^/(book_record|record)/", after=True, times=1, method="PUT", status=504)
        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": to})
        salon.fail("html", "^/(user/records|record)/", after=True, times=1, method="DELETE")
        gone = await anna.delete(f"/booking/{booking['id']}")

        assert (moved.status_code, gone.status_code) == (200, 204), (moved.text, gone.text)
        assert moved.json()["appointment_datetime"] == to
        assert (await anna.get(f"/booking/{booking['id']}")).json()["status"] == "CANCELLED"


@pytest.mark.parametrize("way", WAYS)
async def test_a_change_that_never_arrived_is_told_as_unclear(pool: Pool, way: str) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        to = await salon.free_time(6)
        salon.fail("status", "^/", times=3, method="PUT")
        salon.fail("status", "^/", times=3, method="DELETE")

        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": to})
        gone = await anna.delete(f"/booking/{booking['id']}")

        for answer in (moved, gone):
            assert (answer.status_code, answer.json()["code"]) == (503, "booking_unclear")
            assert "Retry-After" in answer.headers
        assert (await anna.get(f"/booking/{booking['id']}")).json() == booking


async def test_a_place_in_a_group_event_is_not_moved(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, "as the salon")
        desk.change(salon.salon.emulator, booking["yclients_record_id"], activity_id=5)

        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": await salon.free_time(6)})

        assert (moved.status_code, moved.json()["code"]) == (403, "not_allowed_by_salon")


async def test_a_booking_that_the_salon_deleted_meanwhile_is_found_cancelled(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, "as the salon")
        desk.delete(salon.salon.emulator, booking["yclients_record_id"])

        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": await salon.free_time(6)})

        assert (moved.status_code, moved.json()["code"]) == (409, "already_cancelled")
        assert (await anna.get(f"/booking/{booking['id']}")).json()["status"] == "CANCELLED"


async def test_a_row_of_an_older_system_can_not_be_changed(pool: Pool) -> None:
    async with open_form(pool) as salon:
        user_id, anna = await salon.user()
        await salon.salon.execute(
            "insert into bookings (user_id, appointment_datetime) values (%s, %s)",
            user_id,
            salon.salon.clock() + timedelta(days=1),
        )
        (row,) = await salon.salon.rows()

        gone = await anna.delete(f"/booking/{row['id']}")

        assert (gone.status_code, gone.json()["code"]) == (403, "not_allowed_by_salon")


def _with_comment(record: Any, comment: str) -> Any:
    return structs.replace(record, comment=comment)
