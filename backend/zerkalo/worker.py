"""The composition root of the background process: which jobs, which periods, kept going whatever PostgreSQL does."""

import asyncio
import contextlib
import time
from collections.abc import Awaitable, Callable, Coroutine
from dataclasses import dataclass
from typing import Any

import psycopg
import structlog
from procrastinate import App
from procrastinate.exceptions import ConnectorException

from zerkalo.db import facts
from zerkalo.db.failing import reason_of
from zerkalo.engine.jobs import register_tasks
from zerkalo.engine.registry import TaskParts, periodic_tasks, work_of
from zerkalo.engine.service import BELL_QUEUE, HISTORY_QUEUE, REFETCH_QUEUE, SYNC_QUEUE
from zerkalo.kit.backoff import Backoff

BELLS_AT_ONCE = 5
REFETCHES_AT_ONCE = 3
RUNS_AT_ONCE = 4
"""Runs that one worker carries at once: they share one rate limit, so more would only wait longer for it."""
HISTORIES_AT_ONCE = 3
"""First runs beside them. Each run has one question under way, so the periods keep the larger share of the limit."""
NOT_YET_SECONDS = 0.2
RESTART = Backoff(1.0, 30.0)


@dataclass(frozen=True, slots=True)
class WorkerLimits:
    """Bounds of a worker's life, in seconds; a test hands in smaller ones."""

    drain_seconds: float = 3.0
    """How long a stopped worker waits for its jobs. A run notices the stop before its next question; a call to YCLIENTS
    that hangs is broken off then."""
    end_seconds: float = 5.0
    """By then a stopped worker has ended, its jobs' ends written down or not. The engine would wait for the database at
    every step of its end, some thirty seconds where that is away; with what is to be closed after it, the process is
    gone within 10 s."""
    leave_seconds: float = 0.5
    """So much longer is waited for what was broken off."""
    restart: Backoff = RESTART
    heartbeat_seconds: float = 10.0
    clock_step_seconds_max: float = 30.0
    """A wall clock that is put back by more makes the engine begin anew: it remembers until when its periodic tasks were
    deferred, and would defer none until that time comes again."""
    steady_seconds: float = 60.0
    """A worker that has worked so long begins its pauses anew when it fails."""


LIMITS = WorkerLimits()
log = structlog.get_logger(__name__)


class WorkerState:
    """Whether the worker of this process is at work."""

    def __init__(self) -> None:
        self.is_alive = False


async def run_worker(
    parts: TaskParts, stop: asyncio.Event, state: WorkerState | None = None, limits: WorkerLimits = LIMITS
) -> None:
    """Do the background work until `stop` is set, then let the jobs end (at most `limits.end_seconds`) and return.

    The engine's worker returns, or raises, when PostgreSQL restarts: it is begun anew with growing pauses. Installs no
    signal handlers. Keeps `state` and the fact `worker` current.
    """
    state = state or WorkerState()
    register_tasks(parts.bells, work_of(parts), periodic_tasks(parts), stop)
    heartbeat = asyncio.create_task(_show_life(parts, state, limits), name="worker heartbeat")
    try:
        await _end_in_time(_keep_working(parts.bells.app, state, stop, limits), stop, limits)
    finally:
        state.is_alive = False
        heartbeat.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await heartbeat


async def _end_in_time(work: Coroutine[Any, Any, None], stop: asyncio.Event, limits: WorkerLimits) -> None:
    """Run the work to its end, but break it off `limits.end_seconds` after `stop`: what it leaves, a stalled job, is retried."""
    working = asyncio.create_task(work, name="worker")
    stopped = asyncio.create_task(stop.wait())
    try:
        await asyncio.wait({working, stopped}, return_when=asyncio.FIRST_COMPLETED)
        await asyncio.wait({working}, timeout=limits.end_seconds)
        if not working.done():
            log.warning("the worker ends without waiting for the database any longer")
    finally:
        stopped.cancel()
        working.cancel()
    # The engine's tasks end when they like, those that wait for the database once the pool is closed after this.
    await asyncio.wait({working}, timeout=limits.leave_seconds)
    if working.done() and not working.cancelled():
        working.result()


async def _keep_working(
    app: App, state: WorkerState, stop: asyncio.Event, limits: WorkerLimits = LIMITS
) -> None:
    failures = 0
    while not stop.is_set():
        began_at = asyncio.get_running_loop().time()
        try:
            await _work_once(app, state, stop, limits)
        except (ConnectorException, psycopg.Error) as error:
            log.warning("the worker lost the database", error=type(error).__name__, reason=reason_of(error))
        except Exception:
            log.exception("the worker failed")
        state.is_alive = False
        was_steady = asyncio.get_running_loop().time() - began_at > limits.steady_seconds
        failures = 1 if was_steady else failures + 1
        pause = limits.restart.seconds(failures)
        if not stop.is_set():
            log.warning("the worker begins anew", in_seconds=pause)
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(stop.wait(), pause)


async def _work_once(app: App, state: WorkerState, stop: asyncio.Event, limits: WorkerLimits) -> None:
    """One life of the engine's workers: when one of them ends, or `stop` is set, all end."""
    workers = [
        asyncio.create_task(
            app.run_worker_async(
                queues=[queue],
                name=queue,
                concurrency=concurrency,
                install_signal_handlers=False,
                shutdown_graceful_timeout=limits.drain_seconds,
                delete_jobs="successful",
            ),
            name=f"worker {queue}",
        )
        for queue, concurrency in (
            (BELL_QUEUE, BELLS_AT_ONCE),
            (REFETCH_QUEUE, REFETCHES_AT_ONCE),
            (SYNC_QUEUE, RUNS_AT_ONCE),
            (HISTORY_QUEUE, HISTORIES_AT_ONCE),
        )
    ]
    stopped = asyncio.create_task(stop.wait())
    put_back = asyncio.create_task(until_clock_is_put_back(limits=limits))
    state.is_alive = True
    try:
        await asyncio.wait([*workers, stopped, put_back], return_when=asyncio.FIRST_COMPLETED)
    finally:
        stopped.cancel()
        put_back.cancel()
        for worker in workers:
            worker.cancel()  # which makes it end gracefully
        endings = await asyncio.gather(*workers, return_exceptions=True)
    for ending in endings:
        if isinstance(ending, Exception):
            raise ending


async def until_clock_is_put_back(
    wall: Callable[[], float] = time.time,
    monotonic: Callable[[], float] = time.monotonic,
    sleep: Callable[[float], Awaitable[None]] = asyncio.sleep,
    limits: WorkerLimits = LIMITS,
) -> None:
    """Return when the wall clock has lost more than `clock_step_seconds_max` against the time that passes."""
    ahead = wall() - monotonic()
    while True:
        await sleep(limits.heartbeat_seconds)
        ahead_now = wall() - monotonic()
        if ahead - ahead_now > limits.clock_step_seconds_max:
            log.warning("the clock was put back", by_seconds=round(ahead - ahead_now))
            return
        ahead = max(ahead, ahead_now)


async def _show_life(parts: TaskParts, state: WorkerState, limits: WorkerLimits) -> None:
    """Write the fact `worker` again and again, for `check` in another process."""
    while True:
        if state.is_alive:
            with contextlib.suppress(psycopg.Error):
                async with parts.pool.connection() as conn:
                    await facts.write_fact(conn, "worker", {"alive": True}, parts.clock())
        await asyncio.sleep(limits.heartbeat_seconds if state.is_alive else NOT_YET_SECONDS)
