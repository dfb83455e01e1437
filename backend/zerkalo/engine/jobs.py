"""The engine's tasks. Each one reads from our tables what to do, so it may run twice or late."""

import asyncio
import contextlib
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from functools import partial

import psycopg
import structlog
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status

from zerkalo.db.pool import Pool
from zerkalo.engine import store
from zerkalo.engine.model import PeriodicTask
from zerkalo.engine.service import (
    BELL_QUEUE,
    REFETCH_COMPANY,
    REFETCH_QUEUE,
    REMATCH_USER,
    SYNC_COMPANY,
    SYNC_QUEUE,
    Bells,
)
from zerkalo.kit.few_at_once import FewAtOnce
from zerkalo.mirror.refetching.service import Refetcher
from zerkalo.runs.service import Runs
from zerkalo.users import store as users

FINISHED_JOBS_KEPT_HOURS = 24
REFETCHES_OF_COMPANY = 2
"""So many jobs of a process ask about one company's records: while one asks for unsigned calls, which it does slowly, the
other may ask for a signed one."""

Rematch = Callable[[int], Awaitable[bool]]
"""Matches a user's bookings again; returns whether all were done. See `Rematcher.rematch`."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Work:
    """The parts that the tasks work with."""

    pool: Pool
    runs: Runs
    refetcher: Refetcher
    rematch: Rematch


def register_tasks(bells: Bells, work: Work, tasks: Sequence[PeriodicTask], stop: asyncio.Event) -> None:
    """Register jobs and periodic tasks with the engine. Once `stop` is set, long work ends and leaves the rest to others."""
    app = bells.app
    refetching, tending = FewAtOnce(REFETCHES_OF_COMPANY), FewAtOnce()

    @app.task(name=SYNC_COMPANY, queue=SYNC_QUEUE)
    async def sync_company(company_id: int) -> None:
        await work.runs.carry_if_wanted(company_id, stop=stop)

    async def refetch(company_id: int) -> None:
        await work.runs.read_changes_if_wanted(company_id)
        await work.refetcher.drain(company_id, stop=stop)

    @app.task(name=REFETCH_COMPANY, queue=REFETCH_QUEUE)
    async def refetch_company(company_id: int) -> None:
        await refetching.run(company_id, partial(refetch, company_id))

    @app.task(name=REMATCH_USER, queue=BELL_QUEUE)
    async def rematch_user(user_id: int) -> None:
        await rematch_if_wanted(work, user_id)

    for task in tasks:
        _register_periodic(app, task, work.pool, tending)


async def ring_for_what_waits(work: Work, bells: Bells) -> None:
    """Ring for runs and refetches in our tables whose bell may have been lost."""
    to_refetch = await work.refetcher.waiting(work.runs.company_ids)
    await ring_for_runs(work.runs, bells, await work.runs.uncarried())
    for company_id in to_refetch:
        await bells.refetch(company_id)


async def ring_for_runs(runs: Runs, bells: Bells, company_ids: Sequence[int]) -> None:
    """Ring for a run of each company; on a queue of their own for those without their full history."""
    owing = await runs.owing_history(company_ids)
    for company_id in company_ids:
        await bells.sync(company_id, history=company_id in owing)


async def rematch_if_wanted(work: Work, user_id: int) -> None:
    """Match a user's bookings again if that is still requested; a request made meanwhile stays."""
    async with work.pool.connection() as conn:
        user = await users.read_user(conn, user_id)
    if user is None or user.rematch_wanted_at is None:
        return
    if await work.rematch(user_id):
        async with work.pool.connection() as conn:
            await users.finish_rematches(conn, [(user_id, user.rematch_wanted_at)])


async def retry_stalled_jobs(app: App) -> None:
    """Retry the jobs of killed workers; the engine finds them by missing heartbeats."""
    for job in await app.job_manager.get_stalled_jobs():
        try:
            await app.job_manager.retry_job(job)
        except ConnectorException:
            # The same job was deferred again meanwhile: one is enough.
            assert job.id is not None, "it came from the database"
            await app.job_manager.finish_job_by_id_async(job.id, status=Status.FAILED, delete_job=True)
        log.warning("a killed worker's job is given to another", job=job.task_name)


async def forget_finished_jobs(app: App) -> None:
    """Delete jobs that ended long ago, however they ended."""
    await app.job_manager.delete_old_jobs(
        nb_hours=FINISHED_JOBS_KEPT_HOURS,
        include_failed=True,
        include_cancelled=True,
        include_aborted=True,
    )


async def run_periodic(task: PeriodicTask) -> None:
    """Run a periodic task within its time limit. Logs and raises what it raises."""
    try:
        async with asyncio.timeout(task.seconds_max):
            await task.work()
    except Exception as error:
        log.error("a periodic task failed", task=task.name, error=type(error).__name__)  # noqa: TRY400  the engine logs the trace
        raise


async def run_and_note(task: PeriodicTask, pool: Pool) -> None:
    """As `run_periodic`, and record the outcome for the check-up, where the database is reachable."""
    try:
        await run_periodic(task)
    except Exception as error:
        with contextlib.suppress(psycopg.Error):
            async with pool.connection() as conn:
                await store.note_failure(conn, task.name, type(error).__name__)
        raise
    with contextlib.suppress(psycopg.Error):
        async with pool.connection() as conn:
            await store.note_success(conn, task.name)


def _register_periodic(app: App, task: PeriodicTask, pool: Pool, tending: FewAtOnce) -> None:
    @app.periodic(cron=task.cron)
    @app.task(name=task.name, queue=BELL_QUEUE, queueing_lock=task.name)
    async def run(timestamp: int = 0) -> None:
        # The engine's for a periodic run; 0 for a bell.
        del timestamp
        if task.parts_itself:
            await run_and_note(task, pool)
        else:
            # The queueing lock bars only a second job that waits: what lasts longer than its period would fill all places.
            await tending.run(task.name, partial(run_and_note, task, pool))
