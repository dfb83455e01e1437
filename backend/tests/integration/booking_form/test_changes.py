"""Moving and cancelling through YCLIENTS: one's own only, under the salon's rules, and the mirror follows at once."""

import asyncio
from contextlib import ExitStack
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

import pytest
from msgspec import UNSET, structs

from tests.support.form import CODE, MASTER, SERVICE, FormSalon, open_form
from tests.support.sync import COMPANY_ID, hidden
from yclients_emulator import desk
from zerkalo.absences.model import AbsenceLimits
from zerkalo.booking_form.model import Asker, FormLimits
from zerkalo.bookings.model import Source
from zerkalo.db.pool import Pool
from zerkalo.kit.problem import ProblemError
from zerkalo.mirror.context import Limits
from zerkalo.mirror.model import Observation

pytestmark = pytest.mark.integration

WAYS = ["by its hash", "as the salon"]
"""Booked in our form, or elsewhere with the user's code in the comment."""

NONE_IS_BELIEVED = Limits(absences=AbsenceLimits(records=0, share_of_window=0.0))
"""Every 404 waits for a person."""


async def her_booking(salon: FormSalon, anna: Any, way: str, **fields: Any) -> dict[str, Any]:
    """A booking of hers, mirrored."""
    starts_at = await salon.free_time()
    if way == "by its hash":
        made = await anna.post("/booking", json=await salon.wish(datetime=starts_at, comment="У окна"))
        assert made.status_code == 201, made.text
        return made.json()
    row = await booked_by_the_salon(salon, starts_at, **fields)
    return (await anna.get(f"/booking/{row['id']}")).json()


async def booked_by_the_salon(salon: FormSalon, starts_at: str, **fields: Any) -> dict[str, Any]:
    """The row of a record with her code that the salon has made."""
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
    return await salon.salon.row(record.id)


async def apply(salon: FormSalon, record_id: int, source: Source = Source.WEBHOOK) -> None:
    """The record's webhook, applied."""
    shown = await salon.salon.client.record(COMPANY_ID, record_id)
    assert shown is not None
    await salon.salon.context.applier.apply(
        [Observation(source=source, company_id=COMPANY_ID, record_id=record_id, record=shown)]
    )


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


@pytest.mark.parametrize("lost", [1, 2], ids=["once", "again and again"])
@pytest.mark.parametrize("way", WAYS)
async def test_a_change_whose_answer_is_lost_is_seen_to_be_done(pool: Pool, way: str, lost: int) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        to = await salon.free_time(6)

        salon.fail("status", "^/(book_record|record)/", after=True, times=1, method="PUT", status=504)
        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": to})
        salon.fail("html", "^/(user/records|record)/", after=True, times=lost, method="DELETE")
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


@pytest.mark.parametrize("way", WAYS)
async def test_a_note_that_the_salon_writes_while_a_visit_is_moved_stays(pool: Pool, way: str) -> None:
    """The record is written back whole. Before: as it had been read seconds ago."""
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        record_id = booking["yclients_record_id"]
        to = await salon.free_time(6)
        # The last question before the record is read for the last time.
        last_before = "/book_times/" if way == "as the salon" else f"/user/records/{record_id}"

        def at_the_desk(method: str, path: str) -> None:
            if last_before in path:
                desk.change(salon.salon.emulator, record_id, comment="Аллергия на лак")

        salon.salon.emulator.before_request.append(at_the_desk)
        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": to})

        assert moved.status_code == 200, moved.text
        after = salon.salon.truths()[record_id]
        assert datetime.fromisoformat(after["starts_at"]) == datetime.fromisoformat(to)
        assert after["comment"] == "Аллергия на лак"
        assert (await salon.salon.row(record_id))["comment"] == "Аллергия на лак"
        assert "Аллергия" not in moved.json()["notes"], "nothing is proved, and it is not what was typed"


@pytest.mark.parametrize(
    "change", [{"staff_id": 502}, {"date": datetime.fromisoformat("2026-12-08T12:00")}], ids=["who", "when"]
)
async def test_a_visit_that_the_salon_makes_another_one_meanwhile_is_left_to_it(
    pool: Pool, change: dict[str, Any]
) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, "as the salon")
        record_id = booking["yclients_record_id"]
        to = await salon.free_time(6)

        def at_the_desk(method: str, path: str) -> None:
            if "/book_times/" in path:
                desk.change(salon.salon.emulator, record_id, **change)

        salon.salon.emulator.before_request.append(at_the_desk)
        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": to})
        after = salon.salon.truths()[record_id]

        assert (moved.status_code, moved.json()["code"]) == (409, "changed_meanwhile")
        assert datetime.fromisoformat(after["starts_at"]) != datetime.fromisoformat(to)
        shown = (await anna.get(f"/booking/{booking['id']}")).json()
        assert shown["appointment_datetime"][:16] == after["date"][:16].replace(" ", "T"), "and she sees it"


async def test_a_comment_that_the_own_record_does_not_tell_is_not_written_away(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, "by its hash")
        before = salon.salon.truths()[booking["yclients_record_id"]]["comment"]
        untold = _without_comment(salon.salon.client.user_record)
        salon.salon.client.user_record = untold

        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": await salon.free_time(6)})

        assert moved.status_code == 200, moved.text
        assert salon.salon.truths()[booking["yclients_record_id"]]["comment"] == before


@pytest.mark.parametrize("way", WAYS)
async def test_what_yclients_does_not_tell_is_no_refusal(pool: Pool, way: str) -> None:
    """A branch whose answer lacks `allow_delete_record` and `allow_change_record`: YCLIENTS decides."""
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        salon.salon.emulator.settings = structs.replace(
            salon.salon.emulator.settings, tells_client_rules=False
        )

        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": await salon.free_time(6)})
        gone = await anna.delete(f"/booking/{booking['id']}")

        assert (moved.status_code, gone.status_code) == (200, 204), (moved.text, gone.text)
        assert salon.salon.truths()[booking["yclients_record_id"]]["deleted"]


async def test_where_yclients_decides_against_it_that_is_told(pool: Pool) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, "by its hash")
        salon.salon.emulator.settings = structs.replace(
            salon.salon.emulator.settings, tells_client_rules=False
        )
        salon.rules(allow_delete_record=False, allow_change_record=False)

        moved = await anna.patch(f"/booking/{booking['id']}", json={"datetime": await salon.free_time(6)})
        gone = await anna.delete(f"/booking/{booking['id']}")

        for answer in (moved, gone):
            assert (answer.status_code, answer.json()["code"]) == (403, "not_allowed_by_salon"), answer.text
        assert not salon.salon.truths()[booking["yclients_record_id"]]["deleted"]


async def test_a_move_whose_answer_was_lost_can_be_repeated_before_the_mirror_follows(pool: Pool) -> None:
    """Its own visit stands at that time by now, so YCLIENTS does not offer it any more: that is no taken slot."""
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, "as the salon")
        to = await salon.free_time(6)
        record_id = booking["yclients_record_id"]
        desk.change(salon.salon.emulator, record_id, date=datetime.fromisoformat(to[:19]))

        again = await anna.patch(f"/booking/{booking['id']}", json={"datetime": to})

        assert again.status_code == 200, again.text
        assert again.json()["appointment_datetime"] == to
        assert (await anna.get(f"/booking/{booking['id']}")).json() == again.json()


@pytest.mark.parametrize("way", WAYS)
async def test_two_at_once_do_it_once(pool: Pool, way: str) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        to = await salon.free_time(6)
        path = f"/booking/{booking['id']}"

        moved = await asyncio.gather(*(anna.patch(path, json={"datetime": to}) for _ in range(3)))
        gone = await asyncio.gather(*(anna.delete(path) for _ in range(3)))

        assert {one.status_code for one in moved} == {200}, [one.text for one in moved]
        assert {one.json()["appointment_datetime"] for one in moved} == {to}
        assert {one.status_code for one in gone} <= {204, 409}
        assert 204 in {one.status_code for one in gone}
        assert {one.json()["code"] for one in gone if one.status_code == 409} <= {"already_cancelled"}
        assert salon.salon.truths()[booking["yclients_record_id"]]["deleted"]


def few_changes(**counts: int) -> FormLimits:
    usual = FormLimits()
    return replace(usual, **{name: replace(getattr(usual, name), count_max=n) for name, n in counts.items()})


@pytest.mark.parametrize("whose", ["changes_of_user", "changes_of_address", "changes_of_company"])
async def test_moves_and_cancels_are_bounded_before_yclients_is_asked(pool: Pool, whose: str) -> None:
    """Before: 25 moves at once used up the requests that the sync needs."""
    async with open_form(pool, limits=few_changes(**{whose: 3})) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, "by its hash")
        path, to = f"/booking/{booking['id']}", await salon.free_time(6)
        salon.salon.emulator.requests.clear()

        answers = await asyncio.gather(*(anna.patch(path, json={"datetime": to}) for _ in range(25)))
        gone = await anna.delete(path)

        assert [one.status_code for one in (*answers, gone)].count(429) >= 22
        assert (gone.status_code, int(gone.headers["Retry-After"]) > 0) == (429, True)
        assert len(salon.salon.emulator.requests) <= 3 * 4


async def test_a_change_that_can_not_be_is_not_counted(pool: Pool) -> None:
    async with open_form(pool, limits=few_changes(changes_of_user=1)) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, "by its hash")

        for to in ("2020-01-01T12:00:00", booking["appointment_datetime"]):
            await anna.patch(f"/booking/{booking['id']}", json={"datetime": to})

        assert (await anna.delete(f"/booking/{booking['id']}")).status_code == 204


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


async def test_a_visit_that_our_token_may_not_see_is_neither_cancelled_nor_said_to_be(pool: Pool) -> None:
    """Lost rights and deletions are answered alike: one is believed, many wait for a person."""
    one = Limits(absences=AbsenceLimits(records=1, share_of_window=0.0))
    async with open_form(pool, read_limits=one) as salon:
        _, anna = await salon.user()
        visits = [await booked_by_the_salon(salon, await salon.free_time(number)) for number in (0, 3, 6)]
        to = await salon.free_time(9)

        with hidden(salon.salon, [visit["yclients_record_id"] for visit in visits]):
            answers = [
                await anna.patch(f"/booking/{visits[0]['id']}", json={"datetime": to}),
                await anna.patch(f"/booking/{visits[1]['id']}", json={"datetime": to}),
                await anna.delete(f"/booking/{visits[2]['id']}"),
            ]

        assert [(one.status_code, one.json()["code"]) for one in answers] == [
            (409, "already_cancelled"),
            (503, "booking_unclear"),
            (503, "booking_unclear"),
        ]
        states = [(await salon.salon.row(visit["yclients_record_id"]))["status"] for visit in visits]
        assert states == ["CANCELLED", "PENDING", "PENDING"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("change", ["move", "cancel", "times"])
async def test_a_visit_that_stands_is_not_said_to_be_cancelled_whatever_is_asked(
    pool: Pool, way: str, change: str
) -> None:
    async with open_form(pool, read_limits=NONE_IS_BELIEVED) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        path, to = f"/booking/{booking['id']}", await salon.free_time(6)
        changes, asker = salon.form.changes, Asker(address="10.0.0.1", user_id=booking["user_id"])
        await salon.salon.execute("update bookings set raw_record = null")

        with hidden(salon.salon, [booking["yclients_record_id"]]):
            if change == "times":
                with pytest.raises(ProblemError) as raised:
                    await changes.need_of(asker, booking["id"])
                answer = (raised.value.status, raised.value.code)
            else:
                said = await (
                    anna.patch(path, json={"datetime": to}) if change == "move" else anna.delete(path)
                )
                answer = (said.status_code, said.json()["code"])

        assert answer == (503, "booking_unclear")
        assert (await anna.get(path)).json()["status"] == "PENDING"


@pytest.mark.parametrize("way", WAYS)
async def test_a_cancel_that_was_never_sent_makes_no_404_a_deletion(pool: Pool, way: str) -> None:
    """The first question gets no answer. Before: the record's 404 counted as that of one just deleted through us."""
    async with open_form(pool, read_limits=NONE_IS_BELIEVED) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        path, record_id = f"/booking/{booking['id']}", booking["yclients_record_id"]
        salon.fail("status", "^/(user/records|record)/", times=2, method="GET", status=504)

        with hidden(salon.salon, [record_id]):
            gone = await anna.delete(path)

        assert (gone.status_code, gone.json()["code"]) == (503, "booking_unclear"), gone.text
        assert (await anna.get(path)).json()["status"] == "PENDING"
        assert not salon.salon.truths()[record_id]["deleted"]


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("is_seen", [True, False], ids=["and shows it again", "nor shows it any more"])
async def test_a_deletion_that_yclients_answers_with_404_is_no_cancelled_visit(
    pool: Pool, way: str, is_seen: bool
) -> None:
    """Before: told as cancelled, while the salon waited."""
    async with open_form(pool, read_limits=NONE_IS_BELIEVED) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        path, record_id = f"/booking/{booking['id']}", booking["yclients_record_id"]

        with ExitStack() as hiding:

            def hides(method: str, path: str) -> None:
                if method == "DELETE":
                    hiding.enter_context(hidden(salon.salon, [record_id]))
                elif is_seen:
                    hiding.close()

            salon.salon.emulator.before_request.append(hides)
            gone = await anna.delete(path)

        assert (gone.status_code, gone.json()["code"]) == (503, "booking_unclear"), gone.text
        assert (await anna.get(path)).json()["status"] == "PENDING"
        assert not salon.salon.truths()[record_id]["deleted"]


@pytest.mark.parametrize("way", WAYS)
async def test_a_visit_that_the_salon_deletes_just_before_is_cancelled(pool: Pool, way: str) -> None:
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)

        def at_the_desk(method: str, path: str) -> None:
            if method == "DELETE":
                desk.delete(salon.salon.emulator, booking["yclients_record_id"])

        salon.salon.emulator.before_request.append(at_the_desk)
        gone = await anna.delete(f"/booking/{booking['id']}")

        assert gone.status_code == 204, gone.text
        assert (await anna.get(f"/booking/{booking['id']}")).json()["status"] == "CANCELLED"


SECOND_ANSWERS: dict[str, dict[str, Any]] = {
    "not taken": {"kind": "status", "status": 429},
    "not allowed": {"kind": "forbidden"},
    "refused": {"kind": "status", "status": 422},
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("second", SECOND_ANSWERS)
async def test_a_cancel_whose_answer_was_lost_is_told_whatever_its_second_attempt_is_answered(
    pool: Pool, way: str, second: str
) -> None:
    """Before: "nothing was changed", or "the salon does not allow it", of a visit that was cancelled."""
    async with open_form(pool) as salon:
        _, anna = await salon.user()
        booking = await her_booking(salon, anna, way)
        salon.fail("html", "^/", after=True, method="DELETE")
        salon.fail(path="^/", method="DELETE", **SECOND_ANSWERS[second])

        gone = await anna.delete(f"/booking/{booking['id']}")

        assert gone.status_code == 204, gone.text
        assert (await anna.get(f"/booking/{booking['id']}")).json()["status"] == "CANCELLED"


def _without_comment(ask: Any) -> Any:
    async def untold(*ids: Any) -> Any:
        own = await ask(*ids)
        return structs.replace(own, record=structs.replace(own.record, comment=UNSET))

    return untold


def _with_comment(record: Any, comment: str) -> Any:
    return structs.replace(record, comment=comment)
