"""What others get wrong: seconds, lateness, deletions, repetition; a named test each."""

import json
from typing import Any

import pytest

from tests.support.salon import NOW, Salon, salon
from tests.support.vendor import COMPANY_ID, RECORD_ID, State, answer, event, page, page_item, webhook
from zerkalo.db.pool import Pool
from zerkalo.mirror.model import OutcomeStatus

pytestmark = pytest.mark.integration


async def refetched(server: Salon, truth: State, *, deleted_is_404: bool = False) -> OutcomeStatus:
    (outcome,) = await server.applier.apply([answer(truth, deleted_is_404=deleted_is_404)])
    return outcome.status


async def test_second_event_of_one_second_is_not_lost(pool: Pool) -> None:
    first, second = State(5, comment="первое"), State(5, comment="второе")
    async with salon(pool) as server:
        assert await server.status(event(first)) == "applied"
        assert await server.status(event(second)) == "queued"
        assert server.rung == [COMPANY_ID]

        assert await refetched(server, second) is OutcomeStatus.APPLIED
        assert (await server.booking())["comment"] == "второе"


async def test_stale_event_of_one_second_does_not_win(pool: Pool) -> None:
    first, second = State(5, comment="первое"), State(5, comment="второе")
    async with salon(pool) as server:
        await server.status(event(second))
        assert await server.status(event(first)) == "queued"

        assert await refetched(server, second) is OutcomeStatus.UNCHANGED
        assert (await server.booking())["comment"] == "второе"


async def test_both_events_of_one_second_in_one_batch_leave_a_question(pool: Pool) -> None:
    first, second = State(5, comment="первое"), State(5, comment="второе")
    async with salon(pool) as server:
        await server.applier.apply([webhook(first), webhook(second)])
        (question,) = await server.rows("select * from refetches")
        assert question["reason"] == "the same change time with other content"


async def test_answer_that_crossed_another_change_asks_again(pool: Pool) -> None:
    async with salon(pool) as server:
        await server.status(event(State(5, comment="первое")))
        crossed = answer(State(5, comment="второе"), deleted_is_404=False)
        await server.status(event(State(6, comment="третье")))
        await server.status(event(State(6, comment="четвёртое")))

        (outcome,) = await server.applier.apply([crossed])

        assert outcome.status is OutcomeStatus.STALE
        assert (await server.booking())["comment"] == "третье"
        assert await refetched(server, State(6, comment="четвёртое")) is OutcomeStatus.APPLIED


async def test_page_fetched_before_a_webhook_does_not_overwrite_it(pool: Pool) -> None:
    async with salon(pool) as server:
        await server.applier.apply([page(State(4))])
        fetched_before = page(State(5, comment="старое"))
        await server.status(event(State(6, comment="новое")))

        (outcome,) = await server.applier.apply([fetched_before])

        assert outcome.status is OutcomeStatus.STALE
        assert (await server.booking())["comment"] == "новое"


async def test_page_with_bytes_shown_before_does_not_hide_a_webhook(pool: Pool) -> None:
    """The short cut for unchanged pages compares with what the last API read left, not with what it once showed."""
    async with salon(pool) as server:
        await server.applier.apply([page(State(5))])
        await server.status(event(State(6, comment="новое")))

        (outcome,) = await server.applier.apply([page(State(5))])

        assert outcome.status is OutcomeStatus.QUEUED
        assert (await server.booking())["comment"] == "новое"


@pytest.mark.parametrize("bare", [False, True])
async def test_late_update_after_a_deletion_revives_nothing(pool: Pool, bare: bool) -> None:
    async with salon(pool) as server:
        await server.status(event(State(5)))
        await server.status(event(State(7, deleted=True), bare=bare))
        late = await server.status(event(State(6, attendance=1)))

        assert late == ("queued" if bare else "stale")
        row = await server.booking()
        assert (row["status"], row["cancel_reason"]) == ("CANCELLED", "deleted")
        await refetched(server, State(7, deleted=True), deleted_is_404=True)
        assert (await server.booking())["status"] == "CANCELLED"


async def test_deletion_that_comes_before_its_record_is_kept(pool: Pool) -> None:
    async with salon(pool) as server:
        assert await server.status(event(State(7, deleted=True))) == "applied"
        assert await server.status(event(State(5))) == "stale"
        assert (await server.booking())["status"] == "CANCELLED"


async def test_row_cancelled_by_a_404_comes_back_only_by_an_api_read(pool: Pool) -> None:
    async with salon(pool) as server:
        await server.status(event(State(5)))
        await refetched(server, State(6, purged=True))
        assert (await server.booking())["cancelled_at"] == NOW

        assert await server.status(event(State(9))) == "queued"
        assert (await server.booking())["status"] == "CANCELLED"

        await refetched(server, State(9))
        row = await server.booking()
        assert (row["status"], row["cancelled_at"], row["id"]) == ("PENDING", None, row["id"])


async def test_restored_record_keeps_its_row(pool: Pool) -> None:
    async with salon(pool) as server:
        await server.status(event(State(5)))
        first = await server.booking()
        await server.status(event(State(6, deleted=True)))
        assert (await server.booking())["cancelled_at"] == State(6).version
        await server.status(event(State(7)))
        row = await server.booking()

    assert (row["id"], row["created_at"], row["status"], row["cancelled_at"]) == (
        first["id"],
        first["created_at"],
        "PENDING",
        None,
    )


@pytest.mark.parametrize(
    "resource", ["client", "schedule", "loyalty_card", "something_new", "finances_operation"]
)
@pytest.mark.parametrize("data", [[], {}, {"id": 1}, None])
async def test_unknown_event_is_no_error(pool: Pool, resource: str, data: object) -> None:
    async with salon(pool) as server:
        body = {
            "company_id": COMPANY_ID,
            "resource": resource,
            "resource_id": 1,
            "status": "update",
            "data": data,
        }
        assert await server.status(body) == "ignored"
        (kept,) = await server.deliveries()
        assert (kept["resource"], kept["outcome"]) == (resource, "ignored")


async def test_redelivery_writes_nothing_but_its_delivery(pool: Pool) -> None:
    async with salon(pool) as server:
        await server.status(event(State(5)))
        before = await server.booking()
        for _ in range(4):
            assert await server.status(event(State(5))) == "unchanged"

        assert await server.booking() == before, "revision and updated_at too"
        assert len(await server.deliveries()) == 5
        for table in ("refetches", "match_candidates", "bonus_entries"):
            assert await server.rows(f"select * from {table}") == []


async def test_one_state_by_webhook_and_by_page_is_unchanged(pool: Pool) -> None:
    async with salon(pool) as server:
        await server.status(event(State(5, email="Maria@Salon.test ")))
        before = await server.booking()
        (outcome,) = await server.applier.apply([page(State(5, email="maria@salon.test"))])

        assert outcome.status is OutcomeStatus.UNCHANGED
        assert await server.booking() == before


async def test_same_page_again_writes_nothing(pool: Pool) -> None:
    async with salon(pool) as server:
        shown = [one for n in range(30) if (one := page_item(State(5), id=RECORD_ID + n))]
        first = await server.applier.apply(shown)
        before = await server.bookings()
        again = await server.applier.apply(shown)

        assert {one.status for one in first} == {OutcomeStatus.APPLIED}
        assert {one.status for one in again} == {OutcomeStatus.UNCHANGED}
        assert [one.booking_id for one in again] == [one.booking_id for one in first]
        assert await server.bookings() == before
        assert await server.deliveries() == []


async def test_partial_event_keeps_what_it_does_not_tell_and_is_asked_for(pool: Pool) -> None:
    async with salon(pool) as server:
        await server.status(event(State(5, attendance=2, staff="Ольга")))
        told = event(
            State(6, comment="новое"),
            without=frozenset({"staff", "attendance", "services", "client", "date"}),
        )
        assert await server.status(told) == "applied"
        row = await server.booking()
        assert (row["comment"], row["staff_name"], row["status"], row["service_price"]) == (
            "новое",
            "Ольга",
            "CONFIRMED",
            180_000,
        )
        assert len(await server.rows("select * from refetches")) == 1


@pytest.mark.parametrize(
    "cut",
    [
        {"client": {"id": 5, "name": "Мария"}},
        {"services": [{"id": 1, "amount": 1}]},
        {"staff": {"id": 1}},
    ],
    ids=lambda cut: next(iter(cut)),
)
async def test_object_cut_short_keeps_what_it_does_not_tell_and_is_asked_for(
    pool: Pool, cut: dict[str, Any]
) -> None:
    first = State(5, email="maria@salon.test")
    async with salon(pool) as server:
        await server.status(event(first))
        before = await server.booking()
        assert await server.status(event(State(6, comment="новое"), **cut)) == "applied"
        row = await server.booking()
        assert row["comment"] == "новое"
        for name in ("phone", "match_email", "match_phone10", "service_name", "service_price", "staff_name"):
            assert row[name] == before[name], name
        assert len(await server.rows("select * from refetches")) == 1


async def test_event_with_little_more_than_the_id_is_asked_about_though_it_tells_nothing_new(
    pool: Pool,
) -> None:
    """The only partial body that is documented: id and comment. It is sent for a change of anything."""
    async with salon(pool) as server:
        await server.status(event(State(5, comment="позвонить")))
        told = event(State(6)) | {"data": {"id": RECORD_ID, "comment": "позвонить"}}
        assert await server.status(told) == "queued"
        assert server.rung == [COMPANY_ID]
        assert len(await server.rows("select * from refetches")) == 1


async def test_block_is_no_booking_and_may_become_one(pool: Pool) -> None:
    block = State(5, title=None, phone=None)
    async with salon(pool) as server:
        assert await server.status(event(block)) == "ignored"
        assert await server.bookings() == []
        assert await server.status(event(State(6))) == "applied"
        assert await server.status(event(State(7, title=None, phone=None))) == "applied"
        row = await server.booking()
        assert (row["service_name"], row["service_price"], row["status"]) == ("", 0, "PENDING")


async def test_contents_of_a_delivery_are_kept_byte_for_byte(pool: Pool) -> None:
    body = json.dumps(event(State(5)), indent=3).encode() + b"\n  "
    async with salon(pool) as server:
        await server.post(body)
        (kept,) = await server.deliveries()
        row = await server.booking()
    assert bytes(kept["body"]) == body
    assert (kept["company_id"], kept["resource"], kept["resource_id"], kept["event"]) == (
        COMPANY_ID,
        "record",
        RECORD_ID,
        "update",
    )
    assert (kept["outcome"], kept["booking_id"]) == ("applied", row["id"])


async def test_state_told_without_its_change_time_is_asked_for_lest_an_older_one_beats_it(pool: Pool) -> None:
    """It says what the row says; but unless its time is learned, what was so in between counts as newer."""
    first, between, again = State(5), State(6, comment="иначе"), State(7)
    async with salon(pool) as server:
        await server.status(event(first))
        assert await server.status(event(again, without=frozenset({"last_change_date"}))) == "queued"
        await refetched(server, again)
        assert await server.status(event(between)) == "stale"
        assert (await server.booking())["comment"] == ""
