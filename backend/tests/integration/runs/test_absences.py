"""What YCLIENTS says that it does not know or does not show: few are gone, many are left to a person, none ends a run."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import ExitStack, asynccontextmanager
from datetime import datetime, timedelta
from typing import Any

import pytest

from tests.support.sync import COMPANY_ID, Salon, hidden, open_salon
from yclients_emulator import desk
from yclients_emulator.faults import Fault
from zerkalo.absences.model import AbsenceLimits
from zerkalo.absences.store import bookings_since
from zerkalo.db.pool import Pool
from zerkalo.mirror.context import Limits
from zerkalo.refetches.model import Refetch
from zerkalo.refetches.store import ask
from zerkalo.runs.drift.rules import WAITING
from zerkalo.runs.drift.service import Drift

pytestmark = pytest.mark.integration

FEW = AbsenceLimits(records=3, share_of_window=0.0)


def coming(salon: Salon, count: int) -> list[int]:
    """Records with a visit to come."""
    known = salon.truths().items()
    found = [id_ for id_, one in known if starts_at(one) > salon.clock() and not one["deleted"]]
    assert len(found) >= count
    return sorted(found)[:count]


def starts_at(truth: dict[str, Any]) -> datetime:
    return datetime.fromisoformat(truth["starts_at"])


async def cancelled(salon: Salon) -> list[int]:
    rows = await salon.fetch(
        "select yclients_record_id from bookings where absent and status = 'CANCELLED' order by 1"
    )
    return [row["yclients_record_id"] for row in rows]


async def drift(salon: Salon) -> list[Any]:
    return [one async for found in Drift(salon.context, COMPANY_ID).slices() for one in found.differences]


async def test_many_records_that_vanish_at_once_wait_for_a_person(pool: Pool):
    """A token that lost its rights shows the same as a salon that deleted a quarter of its bookings."""
    async with open_salon(pool) as salon:
        await salon.sync()
        gone = coming(salon, 60)
        salon.clock.pass_seconds(1800)

        with hidden(salon, gone):
            first, second = await salon.sync(), await salon.sync()
            differences = await drift(salon)
            asked_again = salon.requests_to(f"/record/{COMPANY_ID}/{gone[0]}")

            assert (first.status, second.status) == ("finished", "finished")
            assert first.counts.cancelled + second.counts.cancelled == 0
            assert await cancelled(salon) == []
            assert [one.record_id for one in differences] == gone
            assert {one.what for one in differences} == {WAITING}
            assert asked_again == 2  # by the first run and by the comparison

            assert await salon.refetcher.accept_absent(COMPANY_ID) == 60
            assert await cancelled(salon) == gone
            assert await drift(salon) == []


async def test_records_that_are_shown_again_wait_no_more(pool: Pool):
    async with open_salon(pool) as salon:
        await salon.sync()
        gone = coming(salon, 30)
        salon.clock.pass_seconds(1800)
        with hidden(salon, gone):
            await salon.sync()
        assert len(await salon.fetch("select * from absences")) == 30

        await salon.sync()

        assert await salon.fetch("select * from absences") == []
        assert await cancelled(salon) == []
        assert await drift(salon) == []


async def test_single_questions_of_the_day_count_with_those_of_the_read(pool: Pool):
    async with open_salon(pool, limits=Limits(absences=FEW)) as salon:
        await salon.sync()
        gone = coming(salon, 5)
        salon.clock.pass_seconds(1800)
        with hidden(salon, gone):
            async with pool.connection() as conn:
                await ask(conn, [Refetch(COMPANY_ID, id_, "a test") for id_ in gone[:3]], now=salon.clock())
            await salon.refetcher.drain(COMPANY_ID)
            at_first = await cancelled(salon)
            await salon.sync()
            same_day = await cancelled(salon)
            salon.clock.pass_seconds(24 * 3600)
            await salon.sync()
            next_day = await cancelled(salon)
            assert await salon.refetcher.accept_absent(COMPANY_ID) == 2

        assert at_first == gone[:3]
        assert same_day == gone[:3]
        assert next_day == gone[:3]  # what waits for a person is cancelled by no clock
        assert await cancelled(salon) == gone


async def test_what_waits_for_a_person_is_cancelled_by_no_new_bookings_and_others_join_it(pool: Pool):
    """Before: the same records became a smaller share of the window, and were cancelled."""
    async with open_salon(pool) as opened:
        await opened.sync()
        *gone, later = coming(opened, 6)
        since = opened.clock() - timedelta(days=opened.context.window_days)
        async with pool.connection() as conn:
            in_window = await bookings_since(conn, COMPANY_ID, since)
        limits = AbsenceLimits(records=3, share_of_window=4.99 / in_window)
        salon = opened.with_context(limits=Limits(absences=limits))

        with hidden(salon, gone):
            await salon.sync()
        for _ in range(3):
            desk.create(salon.emulator, company_id=COMPANY_ID, service_ids=(3001,), name="Анна")
        salon.clock.pass_seconds(1800)
        with hidden(salon, gone):
            run = await salon.sync()
            with hidden(salon, [later]):
                await salon.refetcher.read_now(COMPANY_ID, later)

            assert run.counts.created == 3
            assert await cancelled(salon) == []
            assert await salon.refetcher.accept_absent(COMPANY_ID) == 6
            assert await cancelled(salon) == [*gone, later]


async def test_what_yclients_says_meanwhile_to_be_deleted_waits_for_nobody_and_holds_no_other_up(pool: Pool):
    async with open_salon(pool, limits=Limits(absences=FEW)) as salon:
        await salon.sync()
        *gone, later = coming(salon, 5)
        salon.clock.pass_seconds(1800)
        with hidden(salon, gone):
            await salon.sync()
            assert await cancelled(salon) == []
        async with pool.connection() as conn:
            await conn.execute(
                "update bookings set status = 'CANCELLED', cancel_reason = 'deleted' where yclients_record_id = any(%s)",
                [gone],
            )
        for hours, unknown in ((1, gone), (25, [*gone, later])):
            salon.clock.pass_seconds(hours * 3600)
            with hidden(salon, unknown):
                await salon.sync()

        assert later in await cancelled(salon)
        assert await salon.fetch("select * from absences where applied_at is null") == []


@pytest.mark.parametrize("way", ["the desk's button", "the command"])
async def test_a_persons_word_counts_for_what_waited_and_not_for_what_a_run_still_asks_about(
    pool: Pool, way: str
):
    async with open_salon(pool, limits=Limits(absences=FEW)) as salon:
        await salon.sync()
        known = coming(salon, 10)
        gone, lost = known[:5], known[5:]
        salon.clock.pass_seconds(1800)

        with hidden(salon, gone):
            await salon.sync()
            (newest,) = await salon.fetch("select max(left_as) as shown from absences")
            shown = newest["shown"] if way == "the desk's button" else None
            accepted: list[int] = []

            class Meanwhile:
                """The salon's API. When the run has noted some of what the token lost, a person decides."""

                def __getattr__(self, name: str) -> Any:
                    return getattr(salon.client, name)

                async def record(self, company_id: int, record_id: int, **options: Any) -> Any:
                    if record_id == lost[3]:
                        accepted.append(await salon.refetcher.accept_absent(COMPANY_ID, shown=shown))
                        assert await cancelled(salon) == gone
                    return await salon.client.record(company_id, record_id, **options)

            with hidden(salon, lost):
                salon.clock.pass_seconds(1800)
                run = await salon.with_context(vendor=Meanwhile()).sync()

                assert (run.status, accepted) == ("finished", [5])
                assert await salon.refetcher.accept_absent(COMPANY_ID, shown=newest["shown"]) == 0
                assert await cancelled(salon) == gone
                assert await salon.refetcher.accept_absent(COMPANY_ID) == 5
                assert await cancelled(salon) == known


async def test_many_records_that_vanish_under_waiting_people_wait_for_a_person_too(pool: Pool):
    """Each of many users moves a visit that our token may not see any more."""
    async with open_salon(pool, limits=Limits(absences=FEW)) as salon:
        await salon.sync()
        gone = coming(salon, 6)

        with hidden(salon, gone):
            for record_id in gone:
                await salon.refetcher.read_now(COMPANY_ID, record_id)
            assert len(await cancelled(salon)) == FEW.records

        await salon.sync()
        assert await cancelled(salon) == []


@pytest.mark.parametrize("asks", ["a person waits", "the worker"])
async def test_single_question_judges_no_record_of_a_run_that_still_asks(pool: Pool, asks: str):
    """Before: what a run had asked about until then was few enough, and was cancelled."""
    async with open_salon(pool, limits=Limits(absences=FEW)) as salon:
        await salon.sync()
        *gone, own = coming(salon, 7)
        salon.clock.pass_seconds(1800)

        with ExitStack() as stack, hidden(salon, gone):
            unknown: list[int] = []

            class Meanwhile:
                """The salon's API. When two records have been answered 404, her visit is deleted, and read."""

                def __getattr__(self, name: str) -> Any:
                    return getattr(salon.client, name)

                async def record(self, company_id: int, record_id: int, **options: Any) -> Any:
                    if len(unknown) == FEW.records - 1 and own not in unknown:
                        unknown.append(own)
                        stack.enter_context(hidden(salon, [own]))
                        await ask_singly()
                    unknown.append(record_id)
                    return await salon.client.record(company_id, record_id, **options)

            async def ask_singly() -> None:
                if asks == "a person waits":
                    await salon.refetcher.read_now(COMPANY_ID, own)
                    return
                async with pool.connection() as conn:
                    await ask(conn, [Refetch(COMPANY_ID, own, "a test")], now=salon.clock())
                assert await salon.refetcher.drain(COMPANY_ID) == 1

            run = await salon.with_context(vendor=Meanwhile()).sync()

            assert (run.status, set(unknown)) == ("finished", {*gone, own})
            assert await cancelled(salon) == [own]


async def test_what_was_just_deleted_through_us_is_cancelled_however_much_waits(pool: Pool):
    async with open_salon(pool, limits=Limits(absences=FEW)) as salon:
        await salon.sync()
        gone, own = coming(salon, 6)[:5], coming(salon, 6)[5]

        with hidden(salon, [*gone, own]):
            for record_id in gone:
                await salon.refetcher.read_now(COMPANY_ID, record_id)
            await salon.refetcher.read_now(COMPANY_ID, own, is_deleted=True)

            assert own in await cancelled(salon)
            assert len(await cancelled(salon)) == FEW.records + 1


async def test_booking_that_changed_while_its_absence_waited_is_asked_about_again(pool: Pool):
    async with open_salon(
        pool, limits=Limits(absences=AbsenceLimits(records=0, share_of_window=0.0))
    ) as salon:
        await salon.sync()
        (gone,) = coming(salon, 1)
        with hidden(salon, [gone]):
            await salon.sync()
        await salon.execute(
            "update bookings set observation = nextval('observations') where yclients_record_id = %s", gone
        )

        await salon.refetcher.accept_absent(COMPANY_ID)
        await salon.refetcher.drain(COMPANY_ID)

        assert await cancelled(salon) == []


@pytest.mark.parametrize(
    "refusal", [Fault(kind="forbidden", probability=1.0), Fault(kind="status", status=422, probability=1.0)]
)
async def test_single_record_that_is_refused_fails_no_run_and_stays_among_the_questions(
    pool: Pool, refusal: Fault
):
    """It is absent from the list, and asking for it is answered 403 or 422, for ever."""
    async with open_salon(pool) as salon:
        await salon.sync()
        (refused,) = coming(salon, 1)
        salon.clock.pass_seconds(1800)
        new = desk.create(salon.emulator, company_id=COMPANY_ID, service_ids=(3001,), name="Анна").id

        with hidden(salon, [refused]):
            salon.emulator.faults.add(replaced(refusal, path=f"^/record/{COMPANY_ID}/{refused}$"))
            run = await salon.sync()
            differences = await drift(salon)

        (waiting,) = await salon.fetch("select record_id, refused, attempts from refetches")
        assert (run.status, run.counts.failed, run.counts.created) == ("finished", 1, 1), run.error
        assert (waiting["record_id"], waiting["attempts"]) == (refused, 1)
        assert waiting["refused"].startswith(("403", "422"))
        assert (await salon.row(refused))["status"] != "CANCELLED"
        assert (await salon.row(new))["status"] == "PENDING"
        assert [one.record_id for one in differences] == [refused]

        salon.emulator.faults.clear()
        salon.clock.pass_seconds(1800)
        await salon.refetcher.drain(COMPANY_ID)
        assert await salon.fetch("select * from refetches") == []


def replaced(fault: Fault, **changes: Any) -> Fault:
    return Fault(**{name: getattr(fault, name) for name in fault.__struct_fields__} | changes)


@asynccontextmanager
async def held_bookings(pool: Pool) -> AsyncIterator[None]:
    """All bookings are locked by somebody else."""
    async with pool.connection() as conn, conn.transaction():
        await conn.execute("select from bookings for update")
        yield


async def test_absent_booking_that_somebody_holds_is_asked_about_less_and_less_often(pool: Pool):
    """Before: it was asked about again at once, for as long as the lock was held."""
    async with open_salon(pool) as salon:
        await salon.sync()
        gone = coming(salon, 1)
        with hidden(salon, gone):
            async with pool.connection() as conn:
                await ask(conn, [Refetch(COMPANY_ID, gone[0], "a test")], now=salon.clock())
            asked = salon.requests_to(f"/record/{COMPANY_ID}/{gone[0]}")
            async with held_bookings(pool), asyncio.timeout(60):
                for pause in (0, 1, 4, 1, 4, 1, 4):
                    salon.clock.pass_seconds(pause)
                    await salon.refetcher.drain(COMPANY_ID)
            assert (
                salon.requests_to(f"/record/{COMPANY_ID}/{gone[0]}") == asked + 3
            )  # after 0, 5 and 10 seconds
            assert await cancelled(salon) == []

            salon.clock.pass_seconds(10)
            await salon.refetcher.drain(COMPANY_ID)

        assert await cancelled(salon) == gone
        assert await salon.fetch("select * from refetches") == []


@pytest.mark.parametrize("fault", ["held", "refused"])
async def test_a_persons_word_on_bookings_that_can_not_be_written_just_now_is_kept(pool: Pool, fault: str):
    """Before: asked about again they were as many that nobody had decided on."""
    async with open_salon(pool, limits=Limits(absences=FEW)) as salon:
        await salon.sync()
        gone = coming(salon, 5)
        with hidden(salon, gone):
            await salon.sync()
            async with held_bookings(pool) if fault == "held" else refused_cancellations(pool):
                assert await salon.refetcher.accept_absent(COMPANY_ID) == 5
            assert await cancelled(salon) == []

            salon.clock.pass_seconds(1800)
            await salon.sync()

        assert await cancelled(salon) == gone


@asynccontextmanager
async def refused_cancellations(pool: Pool) -> AsyncIterator[None]:
    """PostgreSQL refuses to write that a booking is gone."""
    async with pool.connection() as conn:
        await conn.execute(
            "create function refuse_it() returns trigger language plpgsql as $$ begin"
            " raise exception using errcode = 'check_violation'; end $$"
        )
        await conn.execute(
            "create trigger refuse_it before update on bookings for each row when (new.absent)"
            " execute function refuse_it()"
        )
    yield
    async with pool.connection() as conn:
        await conn.execute("drop trigger refuse_it on bookings")
