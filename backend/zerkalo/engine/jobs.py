"""The engine's tasks. Each one looks into our tables for what is to be done; called twice or late, it does no harm."""

import asyncio
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass

import structlog
from procrastinate import App
from procrastinate.exceptions import ConnectorException
from procrastinate.jobs import Status

from zerkalo.db.pool import Pool
from zerkalo.engine.bells import BELL_QUEUE, REFETCH_COMPANY, REMATCH_USER, SYNC_COMPANY, SYNC_QUEUE, Bells
from zerkalo.mirror.refetch import Refetcher
from zerkalo.runs.service import Runs
from zerkalo.users import store as users

EVERY_TEN_SECONDS = "* * * * * */10"
EVERY_MINUTE = "* * * * *"
EVERY_TEN_MINUTES = "*/10 * * * *"
EVERY_HOUR = "17 * * * *"
"""Six fields of cron: the sixth is the second."""

REMATCHES_AT_ONCE_MAX = 500
"""Users for whom one sweep rings."""
FINISHED_JOBS_KEPT_HOURS = 24

Rematch = Callable[[int], Awaitable[bool]]
"""Looks at a user's bookings again and returns whether all of them were looked at; see `Applier.rematch`."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True, slots=True)
class Chore:
    """Periodic work that is not the sync's own: `work` is called at every `cron`, by one worker of all."""

    name: str
    cron: str
    work: Callable[[], Awaitable[object]]


@dataclass(frozen=True, slots=True)
class Work:
    """What the tasks do their work with."""

    pool: Pool
    runs: Runs
    refetcher: Refetcher
    rematch: Rematch
    chores: Sequence[Chore]


def register_tasks(bells: Bells, work: Work, stop: asyncio.Event) -> None:
    """Give the engine its tasks. `stop` set: what is long comes to an end and leaves the rest to others."""
    app = bells.app

    @app.task(name=SYNC_COMPANY, queue=SYNC_QUEUE)
    async def sync_company(company_id: int) -> None:
        await work.runs.carry_if_wanted(company_id, stop=stop)

    @app.task(name=REFETCH_COMPANY, queue=BELL_QUEUE)
    async def refetch_company(company_id: int) -> None:
        await work.refetcher.drain(company_id, stop=stop)

    @app.task(name=REMATCH_USER, queue=BELL_QUEUE)
    async def rematch_user(user_id: int) -> None:
        await rematch_if_wanted(work, user_id)

    async def tick() -> None:
        await ring_for_runs(work.runs, bells, await work.runs.due())

    async def sweep() -> None:
        await ring_for_what_waits(work, bells)

    async def retry_stalled() -> None:
        await retry_stalled_jobs(app)

    async def forget_jobs() -> None:
        await app.job_manager.delete_old_jobs(
            nb_hours=FINISHED_JOBS_KEPT_HOURS,
            include_failed=True,
            include_cancelled=True,
            include_aborted=True,
        )

    own = (
        Chore("tick", EVERY_MINUTE, tick),
        Chore("sweep", EVERY_TEN_SECONDS, sweep),
        Chore("retry_stalled", EVERY_TEN_SECONDS, retry_stalled),
        Chore("forget_jobs", EVERY_HOUR, forget_jobs),
    )
    for chore in (*own, *work.chores):
        _register_chore(app, chore)


async def ring_for_what_waits(work: Work, bells: Bells) -> None:
    """Ring for whatever stands in our tables and was perhaps never rung for: runs, refetches, rematches."""
    to_refetch = await work.refetcher.waiting(work.runs.company_ids)
    async with work.pool.connection() as conn:
        to_rematch = await users.users_to_rematch(conn, limit=REMATCHES_AT_ONCE_MAX)
    await ring_for_runs(work.runs, bells, await work.runs.uncarried())
    for company_id in to_refetch:
        await bells.refetch(company_id)
    for user_id, _ in to_rematch:
        await bells.rematch(user_id)


async def ring_for_runs(runs: Runs, bells: Bells, company_ids: Sequence[int]) -> None:
    """Ring for a run of each company, apart for those whose whole history is still to be read."""
    owing = await runs.owing_history(company_ids)
    for company_id in company_ids:
        await bells.sync(company_id, history=company_id in owing)


async def rematch_if_wanted(work: Work, user_id: int) -> None:
    """Look at a user's bookings again if that is still wanted; a want made meanwhile stays."""
    async with work.pool.connection() as conn:
        user = await users.read_user(conn, user_id)
    if user is None or user.rematch_wanted_at is None:
        return
    if await work.rematch(user_id):
        async with work.pool.connection() as conn:
            await users.finish_rematch(conn, user_id, wanted_at=user.rematch_wanted_at)


async def retry_stalled_jobs(app: App) -> None:
    """Give the jobs of killed workers to the living; the engine finds them by their workers' missing heartbeats."""
    for job in await app.job_manager.get_stalled_jobs():
        try:
            await app.job_manager.retry_job(job)
        except ConnectorException:
            # The same bell was rung again meanwhile: that one will do.
            assert job.id is not None, "it came from the database"
            await app.job_manager.finish_job_by_id_async(job.id, status=Status.FAILED, delete_job=True)
        log.warning("a killed worker's job is given to another", job=job.task_name)


def _register_chore(app: App, chore: Chore) -> None:
    @app.periodic(cron=chore.cron)
    @app.task(name=chore.name, queue=BELL_QUEUE, queueing_lock=chore.name)
    async def run(timestamp: int = 0) -> None:
        del (
            timestamp
        )  # the engine's, where the time of the chore has come; nobody's, where a bell rang for it
        await chore.work()
