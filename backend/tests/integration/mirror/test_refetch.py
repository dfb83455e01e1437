"""Refetch: single records asked for by what stands in `refetches`, by any number of processes."""

import asyncio
from contextlib import suppress
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.sync import COMPANY_ID, Salon, open_salon
from yclients_emulator import desk
from yclients_emulator.faults import Fault
from zerkalo.bookings import rules
from zerkalo.db.pool import Pool
from zerkalo.mirror.refetching import service as refetch
from zerkalo.refetches import store as refetch_store
from zerkalo.refetches.model import CHANGES, Refetch

pytestmark = pytest.mark.integration


async def want(salon: Salon, *record_ids: int, unsigned: bool = False) -> None:
    wanted = [Refetch(COMPANY_ID, record_id, reason="a test", unsigned=unsigned) for record_id in record_ids]
    async with salon.pool.connection() as conn:
        await refetch_store.ask(conn, wanted, now=salon.clock())


async def waiting(salon: Salon) -> list[dict[str, Any]]:
    return await salon.fetch("select * from refetches order by record_id")


async def prepare(salon: Salon) -> int:
    """The company known; a record in YCLIENTS that we do not have."""
    await salon.runs.due()
    return desk.create(salon.emulator, company_id=COMPANY_ID, service_ids=(3001,), name="Анна").id


async def test_answer_becomes_a_row_and_the_question_is_gone(pool: Pool):
    async with open_salon(pool) as salon:
        record_id = await prepare(salon)
        await want(salon, record_id)

        assert await salon.refetcher.drain(COMPANY_ID) == 1

        assert await salon.row(record_id)
        assert await waiting(salon) == []


async def test_question_without_an_answer_stays_with_growing_pauses(pool: Pool):
    async with open_salon(pool) as salon:
        record_id = await prepare(salon)
        salon.emulator.faults.add(Fault(kind="status", status=503, probability=1.0))
        await want(salon, record_id)

        await salon.refetcher.drain(COMPANY_ID)
        (first,) = await waiting(salon)
        assert await salon.refetcher.drain(COMPANY_ID) == 0  # not due yet
        salon.clock.now = first["next_attempt_at"]
        await salon.refetcher.drain(COMPANY_ID)
        (second,) = await waiting(salon)
        salon.emulator.faults.clear()
        salon.clock.now = second["next_attempt_at"]
        await salon.refetcher.drain(COMPANY_ID)

        assert (first["attempts"], second["attempts"]) == (1, 2)
        assert first["claimed_until"] is None
        assert await salon.row(record_id)


async def test_a_question_that_our_own_code_stumbles_over_holds_up_no_other(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    """Before: all were given back as they were, and the same one came first again, every ten seconds."""
    async with open_salon(pool) as salon:
        bad, good = await prepare(salon), await prepare(salon)
        await want(salon, bad, good)
        decide = rules.decide

        def stumbling(row: Any, snapshot: Any, observed: Any, **how: Any) -> rules.Decision:
            if snapshot is not None and snapshot.record_id == bad:
                raise RuntimeError("nobody thought of it")
            return decide(row, snapshot, observed, **how)

        monkeypatch.setattr(rules, "decide", stumbling)
        for _ in range(2):
            with suppress(RuntimeError):
                await salon.refetcher.drain(COMPANY_ID)

        assert await salon.row(good)
        assert [(one["record_id"], one["attempts"]) for one in await waiting(salon)] == [(bad, 1)]


async def test_a_job_leaves_the_questions_that_it_has_no_time_for_to_the_next(pool: Pool):
    """Before: three thousand of one company held a place of the worker until the last was answered."""
    seconds = iter(range(0, 10_000, 10))
    async with open_salon(pool) as opened:
        salon = opened.with_context(monotonic=lambda: float(next(seconds)))
        ids = [await prepare(salon) for _ in range(5 * refetch.CLAIMED_AT_ONCE)]
        await want(salon, *ids)

        first = await salon.refetcher.drain(COMPANY_ID)

        assert 0 < first < len(ids)
        assert len(await waiting(salon)) == len(ids) - first
        assert await salon.refetcher.drain(COMPANY_ID) > 0


async def test_a_booking_that_somebody_holds_is_asked_for_again_with_growing_pauses(pool: Pool):
    async with open_salon(pool) as salon:
        record_id = await prepare(salon)
        await want(salon, record_id)
        await salon.refetcher.drain(COMPANY_ID)
        desk.change(salon.emulator, record_id, comment="новое")
        await want(salon, record_id)

        async with pool.connection() as holder, holder.transaction():
            await holder.execute("select from bookings for update")
            await salon.refetcher.drain(COMPANY_ID)
            (first,) = await waiting(salon)
            assert await salon.refetcher.drain(COMPANY_ID) == 0, "not due yet"
        salon.clock.now = first["next_attempt_at"]
        await salon.refetcher.drain(COMPANY_ID)

        assert (first["attempts"], first["next_attempt_at"] > first["requested_at"]) == (1, True)
        assert (await salon.row(record_id))["comment"] == "новое"
        assert await waiting(salon) == []


async def test_request_made_while_yclients_is_asked_is_not_lost(pool: Pool):
    async with open_salon(pool) as salon:
        record_id = await prepare(salon)
        await want(salon, record_id)
        async with pool.connection() as conn:
            questions = await refetch_store.claim_due(conn, COMPANY_ID, now=salon.clock(), limit=10)
            await want(salon, record_id)  # a webhook comes in meanwhile
            await refetch_store.settle(conn, questions, now=salon.clock())

        (left,) = await waiting(salon)

        assert left["claimed_until"] is None
        assert left["next_attempt_at"] <= salon.clock()


@pytest.mark.parametrize(
    ("meanwhile", "unsigned"),
    [((True,), True), ((False,), False), ((False, True), False), ((True, False), False)],
)
async def test_question_asked_again_meanwhile_is_of_those_who_did(
    pool: Pool, meanwhile: tuple[bool, ...], unsigned: bool
):
    """Else unsigned calls that keep coming would be asked for as a signed call's, beyond their third of the limit."""
    async with open_salon(pool) as salon:
        record_id = await prepare(salon)
        await want(salon, record_id)
        async with pool.connection() as conn:
            questions = await refetch_store.claim_due(conn, COMPANY_ID, now=salon.clock(), limit=10)
            for one in meanwhile:
                await want(salon, record_id, unsigned=one)
            await refetch_store.settle(conn, questions, now=salon.clock())

        (left,) = await waiting(salon)

        assert [one.unsigned for one in questions] == [False]
        assert left["unsigned"] is unsigned


async def test_question_of_a_signed_call_stays_its_own_when_it_is_given_back(pool: Pool):
    async with open_salon(pool) as salon:
        signed, unsigned = await prepare(salon), await prepare(salon)
        await want(salon, signed)
        await want(salon, unsigned, unsigned=True)
        async with pool.connection() as conn:
            questions = await refetch_store.claim_due(conn, COMPANY_ID, now=salon.clock(), limit=10)
            await refetch_store.give_back(conn, questions, next_attempt_at=None)

        assert {one["record_id"]: one["unsigned"] for one in await waiting(salon)} == {
            signed: False,
            unsigned: True,
        }


async def test_unsigned_calls_hasten_no_signed_calls_question_that_failed(pool: Pool):
    async with open_salon(pool) as salon:
        record_id = await prepare(salon)
        salon.emulator.faults.add(Fault(kind="status", status=503, probability=1.0))
        await want(salon, record_id)
        await salon.refetcher.drain(COMPANY_ID)
        (before,) = await waiting(salon)

        await want(salon, record_id, unsigned=True)

        (after,) = await waiting(salon)
        assert (after["next_attempt_at"], after["unsigned"]) == (before["next_attempt_at"], False)
        await want(salon, record_id)
        assert (await waiting(salon))[0]["next_attempt_at"] <= salon.clock()


async def test_answer_older_than_the_row_by_now_is_asked_for_again(pool: Pool):
    """The row changes between remembering its revision and the answer: that answer must not win an equal time."""
    async with open_salon(pool) as salon:
        record_id = await prepare(salon)
        await want(salon, record_id)
        await salon.refetcher.drain(COMPANY_ID)
        changed = False

        def change(method: str, path: str) -> None:
            nonlocal changed
            if not changed:
                changed = True
                asyncio.get_running_loop().create_task(overwrite())

        done = asyncio.Event()

        async def overwrite() -> None:
            await salon.execute(
                "update bookings set comment = 'newer here', observation = nextval('observations')"
            )
            done.set()

        class Slow:
            async def company(self, company_id: int, **options: Any) -> Any:
                return await salon.client.company(company_id)

            async def record(self, *key: int, **options: Any) -> Any:
                found = await salon.client.record(*key, **options)
                await done.wait()
                return found

        salon.emulator.before_request.append(change)
        await want(salon, record_id)
        asked = await salon.with_context(vendor=Slow()).refetcher.drain(COMPANY_ID)

        assert asked == 2
        assert (await salon.row(record_id))["comment"] == salon.truths()[record_id]["comment"]
        assert await waiting(salon) == []


async def test_two_processes_ask_each_question_once(pool: Pool):
    async with open_salon(pool) as salon:
        await salon.sync()
        record_ids = sorted(salon.truths())[:60]
        await want(salon, *record_ids)
        salon.emulator.requests.clear()
        other = salon.with_context()

        counts = await asyncio.gather(salon.refetcher.drain(COMPANY_ID), other.refetcher.drain(COMPANY_ID))

        assert sum(counts) == 60
        assert salon.requests_to(f"/record/{COMPANY_ID}/") == 60
        assert await waiting(salon) == []


async def test_cancelled_process_leaves_its_questions_to_others_at_once(pool: Pool):
    async with open_salon(pool) as salon:
        record_id = await prepare(salon)
        asking = asyncio.Event()

        class Hanging:
            async def company(self, company_id: int, **options: Any) -> Any:
                return await salon.client.company(company_id)

            async def record(self, *key: int, **options: Any) -> Any:
                asking.set()
                await asyncio.Event().wait()

        await want(salon, record_id)
        task = asyncio.create_task(salon.with_context(vendor=Hanging()).refetcher.drain(COMPANY_ID))
        await asking.wait()
        task.cancel()
        await asyncio.gather(task, return_exceptions=True)

        assert await salon.refetcher.drain(COMPANY_ID) == 1


async def test_killed_process_keeps_its_questions_only_for_its_claim(pool: Pool):
    async with open_salon(pool) as salon:
        record_id = await prepare(salon)
        await want(salon, record_id)
        async with pool.connection() as conn:
            await refetch_store.claim_due(conn, COMPANY_ID, now=salon.clock(), limit=10)
        assert await salon.refetcher.drain(COMPANY_ID) == 0

        await salon.execute("update refetches set claimed_until = now() - interval '1 second'")

        assert await salon.refetcher.drain(COMPANY_ID) == 1


async def test_of_unsigned_calls_records_that_we_know_are_asked_for_first(pool: Pool):
    async with open_salon(pool) as salon:
        known = await prepare(salon)
        await want(salon, known)
        await salon.refetcher.drain(COMPANY_ID)
        await want(salon, 5, 6, unsigned=True)
        await want(salon, known, unsigned=True)

        async with pool.connection() as conn:
            claimed = await refetch_store.claim_due(conn, COMPANY_ID, now=salon.clock(), limit=1)

        assert [one.record_id for one in claimed] == [known]


async def test_many_unsigned_calls_are_one_reading_of_what_has_changed(pool: Pool):
    async with open_salon(pool) as salon:
        await salon.sync()
        signed = await prepare(salon)
        changed = await prepare(salon)
        await want(salon, signed)
        await want(salon, changed, *range(1, 41), unsigned=True)
        assert [one["record_id"] for one in await waiting(salon)] == [CHANGES, signed]
        salon.emulator.requests.clear()

        assert await salon.runs.read_changes_if_wanted(COMPANY_ID)
        assert not await salon.runs.read_changes_if_wanted(COMPANY_ID)

        assert salon.requests_to("/record/") == 0
        assert salon.requests_to("/records/") <= 3
        assert await salon.row(changed)
        assert [one["record_id"] for one in await waiting(salon)] == [signed]


async def test_reading_of_what_has_changed_that_fails_is_put_off(pool: Pool):
    async with open_salon(pool) as salon:
        await salon.sync()
        salon.emulator.faults.add(Fault(kind="status", status=503, probability=1.0))
        await want(salon, *range(1, 41), unsigned=True)

        assert not await salon.runs.read_changes_if_wanted(COMPANY_ID)
        (left,) = await waiting(salon)
        assert (left["record_id"], left["attempts"]) == (CHANGES, 1)

        salon.emulator.faults.clear()
        salon.clock.now = left["next_attempt_at"]
        assert await salon.runs.read_changes_if_wanted(COMPANY_ID)
        assert await waiting(salon) == []


async def test_claims_run_out_by_the_clock_that_measured_them(pool: Pool):
    """By the sweep's look as by the asking: it would else find a simulated process's question years too late."""
    async with open_salon(pool) as salon:
        await want(salon, await prepare(salon))
        late = datetime.now(UTC) + timedelta(days=3650)
        async with pool.connection() as conn:
            await refetch_store.claim_due(conn, COMPANY_ID, now=salon.clock(), limit=10, lease_now=late)
        run_out = late + timedelta(seconds=refetch_store.CLAIM_SECONDS + 1)

        for instant, found in ((late, []), (run_out, [COMPANY_ID])):
            other = salon.with_context(lease_clock=lambda instant=instant: instant)
            assert await other.refetcher.waiting([COMPANY_ID]) == found


async def changed_back_in_time(salon: Salon) -> int:
    """A record that shows an older change time than the one that we have."""
    await salon.sync()
    record_id = await prepare(salon)
    salon.emulator.skew = timedelta(seconds=200)
    desk.change(salon.emulator, record_id, comment="с часами вперёд")
    await want(salon, record_id)
    await salon.refetcher.drain(COMPANY_ID)
    salon.emulator.skew = timedelta()
    desk.change(salon.emulator, record_id, comment="с верными часами")
    return record_id


async def test_a_record_read_with_an_older_change_time_is_read_once_more_and_then_believed(pool: Pool):
    """The vendor's clock was ahead, and is right now: one look ends it, whatever the row's times say."""
    pauses: list[float] = []

    async def sleep(seconds: float) -> None:
        pauses.append(seconds)

    async with open_salon(pool, sleep=sleep) as salon:
        record_id = await changed_back_in_time(salon)
        salon.emulator.requests.clear()

        await want(salon, record_id)
        await salon.refetcher.drain(COMPANY_ID)

        assert (await salon.row(record_id))["comment"] == "с верными часами"
        assert salon.requests_to(f"/record/{COMPANY_ID}/{record_id}") == 2
        assert pauses.count(refetch.CONFIRM_SECONDS) == 1
        assert await waiting(salon) == []


@pytest.mark.parametrize("fault", [{"kind": "forbidden"}, {"kind": "status", "status": 422}])
async def test_a_record_that_is_refused_when_it_is_read_once_more_ends_nothing(
    pool: Pool, fault: dict[str, Any]
):
    async def sleep(seconds: float) -> None: ...

    async with open_salon(pool, sleep=sleep) as salon:
        refused, other = await changed_back_in_time(salon), await prepare(salon)
        path = f"^/record/{COMPANY_ID}/{refused}$"
        salon.emulator.faults.add(Fault(**fault, path=path, skip=1, probability=1.0))

        outcomes = await salon.refetcher.ask(
            COMPANY_ID, [refused, other], reason="a test", check=lambda: None
        )

        assert sorted(one.refused for one in outcomes) == [False, True]
        assert await salon.row(other)
        (left,) = await waiting(salon)
        assert (left["record_id"], left["attempts"]) == (refused, 1)
        assert left["refused"].startswith(("403", "422"))


async def test_the_question_that_failed_is_put_off_and_not_one_that_is_to_be_read_once_more(pool: Pool):
    async with open_salon(pool) as salon:
        unsure, silent = await changed_back_in_time(salon), await prepare(salon)
        salon.emulator.faults.add(
            Fault(kind="status", path=f"^/record/{COMPANY_ID}/{silent}$", probability=1.0)
        )

        await want(salon, unsure, silent)
        await salon.refetcher.drain(COMPANY_ID)

        attempts = {one["record_id"]: one["attempts"] for one in await waiting(salon)}
        assert attempts == {unsure: 0, silent: 1}


@pytest.mark.parametrize("days", [1, 45_000])
async def test_one_sync_ends_what_a_wrong_clock_of_the_vendor_left(pool: Pool, days: int):
    async def sleep(seconds: float) -> None: ...

    async with open_salon(pool, sleep=sleep) as salon:
        await salon.sync()
        record_id = await prepare(salon)
        salon.emulator.skew = timedelta(days=days)
        desk.change(salon.emulator, record_id, comment="с часами вперёд")
        await salon.sync()
        salon.emulator.skew = timedelta()
        desk.change(salon.emulator, record_id, comment="с верными часами")

        await salon.sync(full=True)

        assert (await salon.row(record_id))["comment"] == "с верными часами"
