"""The worker on a real database: the engine's own loops, bells and restarts; only YCLIENTS is in process."""

import asyncio
import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, replace
from datetime import timedelta
from types import SimpleNamespace
from typing import Any, cast

import pytest
from procrastinate import App
from procrastinate.exceptions import ConnectorException

from tests.support.rows import add_booking, add_user
from tests.support.sync import COMPANY_ID, NO_BONUSES, Salon, open_salon
from yclients_emulator import desk
from zerkalo import worker as worker_module
from zerkalo.db.pool import Pool
from zerkalo.engine.jobs import (
    Work,
    register_tasks,
    retry_stalled_jobs,
    ring_for_runs,
    ring_for_what_waits,
)
from zerkalo.engine.model import EVERY_MINUTE, PeriodicTask
from zerkalo.engine.registry import periodic_tasks
from zerkalo.engine.service import Bells, open_bells
from zerkalo.kit.backoff import Backoff
from zerkalo.mirror.context import SyncContext
from zerkalo.mirror.service import Applier
from zerkalo.refetches.model import Refetch
from zerkalo.refetches.store import ask
from zerkalo.settings import Settings
from zerkalo.worker import HISTORIES_AT_ONCE, LIMITS, RUNS_AT_ONCE, WorkerLimits, WorkerState, run_worker

pytestmark = pytest.mark.integration


@dataclass
class Parts:
    """The composition, as far as the worker needs it."""

    salon: Salon
    bells: Bells
    applier: Applier
    settings: Settings
    policy: Any = NO_BONUSES
    is_demo: bool = False

    @property
    def people(self) -> Any:
        return SimpleNamespace(ports=SimpleNamespace(write_erasures=lambda _erasures: None))

    @property
    def pool(self) -> Pool:
        return self.salon.pool

    @property
    def clock(self) -> Any:
        return self.salon.clock

    @property
    def client(self) -> Any:
        return self.salon.client

    @property
    def sync(self) -> Any:
        return self.salon.context

    @property
    def refetcher(self) -> Any:
        return self.salon.refetcher

    @property
    def runs(self) -> Any:
        return self.salon.runs


@asynccontextmanager
async def parts_of(pool: Pool, **context: Any) -> AsyncIterator[Parts]:
    async with open_salon(pool, **context) as salon, open_bells(pool) as bells:
        applier = Applier(
            pool, clock=salon.clock, order_clock=salon.clock, policy=NO_BONUSES, ring=bells.refetch
        )
        ringing = salon.with_context(applier=applier)
        await ringing.runs.due()
        yield Parts(ringing, bells, applier, Settings())


@asynccontextmanager
async def at_work(parts: Parts, limits: WorkerLimits = LIMITS) -> AsyncIterator[WorkerState]:
    stop, state = asyncio.Event(), WorkerState()
    task = asyncio.create_task(run_worker(parts, stop, state, limits))
    await until(lambda: _alive(state))
    try:
        yield state
    finally:
        stop.set()
        await asyncio.wait_for(task, 12)


async def _alive(state: WorkerState) -> bool:
    return state.is_alive


def task_of(parts: Parts, name: str) -> PeriodicTask:
    return next(task for task in periodic_tasks(parts) if task.name == name)


async def until(holds: Callable[[], Awaitable[bool]], seconds: float = 30) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.05)


async def jobs(salon: Salon) -> list[dict[str, Any]]:
    return await salon.fetch(
        "select task_name, status::text, args from procrastinate_jobs where task_name like '%%company' order by id"
    )


async def test_bell_for_an_opened_run_makes_the_worker_carry_it(pool: Pool):
    async with parts_of(pool) as parts, at_work(parts):
        run = await parts.runs.open_or_join(COMPANY_ID)
        await parts.bells.sync(COMPANY_ID)

        (ended,) = await parts.runs.wait([run.id], timeout_seconds=60)

        assert ended.status == "finished", ended.error
        assert len(await parts.salon.rows()) == len(parts.salon.truths())


async def test_bell_for_a_refetch_is_answered_within_a_second_or_so(pool: Pool):
    async with parts_of(pool) as parts, at_work(parts):
        record = desk.create(parts.salon.emulator, company_id=COMPANY_ID, service_ids=(3001,), name="Анна")
        async with pool.connection() as conn:
            await ask(conn, [Refetch(COMPANY_ID, record.id, "a test", unsigned=True)], now=parts.clock())
        await parts.bells.refetch(COMPANY_ID)

        await until(lambda: _has_rows(parts.salon), seconds=5)


async def _has_rows(salon: Salon) -> bool:
    return bool(await salon.fetch("select 1 from bookings"))


async def test_bell_rung_many_times_leaves_one_job(pool: Pool):
    async with parts_of(pool) as parts:
        for _ in range(5):
            await parts.bells.sync(COMPANY_ID)
            await parts.bells.refetch(COMPANY_ID)

        assert [job["task_name"] for job in await jobs(parts.salon)] == ["sync_company", "refetch_company"]


async def test_bell_that_can_not_ring_breaks_nothing(pool: Pool):
    async with open_bells(pool) as bells:
        async with pool.connection() as conn:
            await conn.execute("alter table procrastinate_jobs rename to elsewhere")
        await bells.sync(COMPANY_ID)


async def test_sweep_rings_for_what_nobody_rang_for(pool: Pool):
    async with parts_of(pool) as parts:
        work = Work(pool, parts.runs, parts.refetcher, parts.applier.rematcher.rematch)
        await parts.runs.open_or_join(COMPANY_ID)
        async with pool.connection() as conn:
            await ask(conn, [Refetch(COMPANY_ID, 1, "a test")], now=parts.clock())

        await ring_for_what_waits(work, parts.bells)

        assert {job["task_name"] for job in await jobs(parts.salon)} == {"sync_company", "refetch_company"}


async def test_job_of_a_killed_worker_is_given_to_another(pool: Pool):
    async with parts_of(pool) as parts:
        await parts.bells.refetch(COMPANY_ID)
        await parts.salon.execute("insert into procrastinate_workers default values")
        await parts.salon.execute(
            "update procrastinate_workers set last_heartbeat = now() - interval '31 seconds'"
        )
        await parts.salon.execute(
            "update procrastinate_jobs set status = 'doing', worker_id = (select id from procrastinate_workers)"
        )

        await retry_stalled_jobs(parts.bells.app)

        assert [job["status"] for job in await jobs(parts.salon)] == ["todo"]


async def test_stalled_job_whose_bell_rang_again_is_dropped(pool: Pool):
    async with parts_of(pool) as parts:
        await parts.bells.refetch(COMPANY_ID)
        await parts.salon.execute("update procrastinate_jobs set status = 'doing', worker_id = null")
        await parts.bells.refetch(COMPANY_ID)

        await retry_stalled_jobs(parts.bells.app)

        assert [job["status"] for job in await jobs(parts.salon)] == ["todo"]


async def test_worker_goes_on_after_the_database_threw_everybody_out(pool: Pool):
    with leaving_lost_jobs_to_the_log():
        await _throw_everybody_out(pool)


async def _throw_everybody_out(pool: Pool) -> None:
    async with parts_of(pool) as parts, at_work(parts) as state:
        await parts.salon.execute(
            "select pg_terminate_backend(pid) from pg_stat_activity"
            " where datname = current_database() and pid <> pg_backend_pid()"
        )

        run = await parts.runs.open_or_join(COMPANY_ID)
        await until(lambda: _alive(state))
        await parts.bells.sync(COMPANY_ID)
        (ended,) = await parts.runs.wait([run.id], timeout_seconds=60)

        assert ended.status == "finished", ended.error


@contextmanager
def leaving_lost_jobs_to_the_log() -> Iterator[None]:
    """A job under way can't write down how it ended: the engine leaves that to the loop, where a test would fail of it."""
    loop = asyncio.get_running_loop()
    before = loop.get_exception_handler()

    def hear(loop: asyncio.AbstractEventLoop, context: dict[str, Any]) -> None:
        if not isinstance(context.get("exception"), ConnectorException) and before is not None:
            before(loop, context)

    loop.set_exception_handler(hear)
    try:
        yield
    finally:
        loop.set_exception_handler(before)


async def test_stopped_worker_gives_its_run_up_for_others(pool: Pool):
    async with parts_of(pool) as parts:
        pages = 0
        slow = asyncio.Event()

        def count(method: str, path: str) -> None:
            nonlocal pages
            pages += path.startswith("/records/")
            if pages >= 2:
                slow.set()

        async def pause(seconds: float) -> None:
            await asyncio.sleep(0.2)

        parts.salon.emulator.before_request.append(count)
        parts.salon = parts.salon.with_context(vendor=Unhurried(parts.salon.context, pause))
        async with at_work(parts):
            run = await parts.runs.open_or_join(COMPANY_ID)
            await parts.bells.sync(COMPANY_ID)
            await asyncio.wait_for(slow.wait(), 20)

        (left,) = await parts.salon.fetch("select status, lease_until < now() as free from sync_runs")
        assert left == {"status": "running", "free": True}
        parts.salon.emulator.before_request.clear()
        taken_up = await parts.runs.carry(COMPANY_ID)
        assert (taken_up.id, taken_up.status) == (run.id, "finished"), taken_up.error


class Unhurried:
    """YCLIENTS, answering slowly."""

    def __init__(self, context: SyncContext, pause: Callable[[float], Awaitable[None]]) -> None:
        self._vendor = context.vendor
        self._pause = pause

    async def company(self, company_id: int) -> Any:
        return await self._vendor.company(company_id)

    async def record(self, *key: int, **options: Any) -> Any:
        return await self._vendor.record(*key, **options)

    async def list_page(self, *query: Any, **options: Any) -> Any:
        await self._pause(0.2)
        return await self._vendor.list_page(*query, **options)


async def test_worker_shows_itself_to_check_as_soon_as_it_is_at_work(pool: Pool):
    async with parts_of(pool) as parts, at_work(parts, WorkerLimits(heartbeat_seconds=3600)):
        await until(lambda: _seen(parts.salon))


async def _seen(salon: Salon) -> bool:
    return bool(await salon.fetch("select 1 from facts where name = 'worker'"))


async def test_engine_that_ends_or_fails_is_begun_anew():
    """Procrastinate's worker returns without an error when PostgreSQL restarts, and raises when it is away longer."""
    limits = WorkerLimits(restart=Backoff(0.01, 0.02))
    stop, state, lives = asyncio.Event(), WorkerState(), 0

    class Engine:
        async def run_worker_async(self, **_: Any) -> None:
            nonlocal lives
            lives += 1
            if lives <= 4:
                return
            if lives <= 8:
                raise ConnectorException
            stop.set()
            await asyncio.Event().wait()

    await asyncio.wait_for(worker_module._keep_working(cast("App", Engine()), state, stop, limits), 20)

    assert lives > 8
    assert not state.is_alive


async def test_clock_that_is_put_back_makes_the_engine_begin_anew():
    """It remembers until when its periodic tasks were deferred, and would defer none until that time comes again."""
    wall, passed = 1_000_000.0, 0.0
    steps = iter([0.0, 5.0, -6.0, 3 * 3600.0, -3 * 3600.0])

    async def sleep(seconds: float) -> None:
        nonlocal wall, passed
        passed += seconds
        wall += seconds + next(steps)

    await worker_module.until_clock_is_put_back(lambda: wall, lambda: passed, sleep)

    assert list(steps) == []


async def test_stopped_worker_ends_though_the_engine_waits_for_a_database_that_is_away():
    """The engine shields its end from the first cancellation, and writes its jobs' ends before it goes."""
    limits = WorkerLimits(end_seconds=0.05)
    stop = asyncio.Event()

    async def engine() -> None:
        try:
            stop.set()
            await asyncio.Event().wait()
        except asyncio.CancelledError:
            await asyncio.Event().wait()  # for a connection

    class Engine:
        async def run_worker_async(self, **_: Any) -> None:
            await engine()

    working = worker_module._keep_working(cast("App", Engine()), WorkerState(), stop)
    await asyncio.wait_for(worker_module._end_in_time(working, stop, limits), 60)


async def test_message_that_a_bell_was_rung_for_is_sent_at_once(pool: Pool):
    async with parts_of(pool) as parts, at_work(replace(parts, is_demo=True)):
        await until(lambda: _has_run(parts.salon, "send_outbox"))
        await parts.salon.execute(
            "insert into outbox (channel, recipient, body, created_at, expires_at, next_attempt_at)"
            " values ('email', 'anna@mail.test', '123456', '2000-01-01', '2099-01-01', '2000-01-01')"
        )
        await parts.bells.outbox()

        await until(lambda: _is_sent(parts.salon), seconds=3)


async def _has_run(salon: Salon, task: str) -> bool:
    """The ten seconds to its next time have just begun."""
    return bool(
        await salon.fetch(
            "select 1 from procrastinate_periodic_defers where task_name = %s"
            " and to_timestamp(defer_timestamp) > now() - interval '5 seconds'",
            task,
        )
    )


async def _is_sent(salon: Salon) -> bool:
    return bool(await salon.fetch("select 1 from outbox where finished_at is not null and error is null"))


async def test_worker_strips_what_was_linked_to_an_erased_person_and_forgets_old_runs(pool: Pool):
    async with parts_of(pool) as parts:
        async with pool.connection() as conn:
            shell = await add_user(conn, erased_at=parts.clock())
            await add_booking(conn, user_id=shell, yclients_record_id=1, phone="+79990000001")
        await task_of(parts, "sweep_erased").work()

        (row,) = await parts.salon.rows()
        assert (row["user_id"], row["phone"]) == (None, None)


async def test_runs_that_ended_long_ago_go_but_for_each_companys_last_ones(pool: Pool):
    async with parts_of(pool) as parts:
        await parts.salon.execute("insert into companies (id) values (5)")
        old, young = parts.clock() - timedelta(days=91), parts.clock() - timedelta(days=89)
        for company_id, ended_at, status, runs in (
            (COMPANY_ID, old, "finished", 60),
            (COMPANY_ID, young, "failed", 70),
            (5, old, "finished", 3),
        ):
            await parts.salon.execute(
                "insert into sync_runs (company_id, status, full_history, started_at, finished_at)"
                " select %s, %s, false, %s, %s from generate_series(1, %s)",
                company_id, status, ended_at, ended_at, runs,
            )  # fmt: skip

        await task_of(parts, "prune").work()

        left = await parts.salon.fetch(
            "select company_id, status, count(*)::int from sync_runs group by 1, 2 order by 1, 2"
        )
        assert [tuple(row.values()) for row in left] == [
            (5, "finished", 3),
            (COMPANY_ID, "failed", 70),
            (COMPANY_ID, "finished", 30),
        ]


async def test_long_histories_do_not_hold_up_another_companys_period(
    pool: Pool, monkeypatch: pytest.MonkeyPatch
):
    """More companies owe their history than runs are carried at once, and none of those comes to an end."""
    new = tuple(range(1, 2 * (RUNS_AT_ONCE + HISTORIES_AT_ONCE)))
    async with parts_of(pool, company_ids=(COMPANY_ID, *new)) as parts:
        await parts.salon.sync()
        parts.clock.pass_seconds(3600)
        never = asyncio.Event()
        ask = parts.salon.client.company

        async def never_told(company_id: int, **options: Any) -> Any:
            if company_id in new:
                await never.wait()
            return await ask(company_id, **options)

        monkeypatch.setattr(parts.salon.client, "company", never_told)
        await ring_for_runs(parts.runs, parts.bells, await parts.runs.due())
        async with at_work(parts):
            await until(lambda: _has_second_run(parts.salon))
            never.set()


async def _has_second_run(salon: Salon) -> bool:
    sql = "select 1 from sync_runs where company_id = %s and status = 'finished' offset 1"
    return bool(await salon.fetch(sql, COMPANY_ID))


async def test_an_engine_that_does_not_end_is_left_when_its_time_is_over():
    """With PostgreSQL away its tasks wait for a connection at every step of their end, whatever breaks them off."""

    async def stubborn() -> None:
        until = asyncio.get_running_loop().time() + 4
        while asyncio.get_running_loop().time() < until:
            with contextlib.suppress(asyncio.CancelledError):
                await asyncio.sleep(1)

    stop = asyncio.Event()
    stop.set()
    began_at = asyncio.get_running_loop().time()
    async with asyncio.timeout(10):
        await worker_module._end_in_time(stubborn(), stop, WorkerLimits(end_seconds=0.1, leave_seconds=0.1))
    assert asyncio.get_running_loop().time() - began_at < 3


async def test_work_that_outlasts_its_period_takes_one_place_of_the_worker(pool: Pool):
    """Before: a second job of it was begun beside the first, until all places were taken by one task."""
    begun, go_on = 0, asyncio.Event()

    async def last() -> None:
        nonlocal begun
        begun += 1
        await go_on.wait()

    async with parts_of(pool) as parts:
        work = Work(pool, parts.runs, parts.refetcher, parts.applier.rematcher.rematch)
        register_tasks(parts.bells, work, [PeriodicTask("lasting", EVERY_MINUTE, 60, last)], asyncio.Event())
        job = cast("Any", parts.bells.app.tasks["lasting"]).func
        first = asyncio.create_task(job(timestamp=1))
        await until(lambda: _is(lambda: begun == 1))

        await asyncio.wait_for(job(timestamp=2), 10)

        assert begun == 1
        go_on.set()
        await first
        await job(timestamp=3)
        assert begun == 2


async def _is(holds: Callable[[], bool]) -> bool:
    return holds()
