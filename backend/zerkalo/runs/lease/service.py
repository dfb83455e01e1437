"""The lease of a run, extended while the run is carried out."""

import asyncio
from contextlib import suppress
from types import TracebackType
from typing import Self

import psycopg
import psycopg_pool
import structlog

from zerkalo.mirror.context import SyncContext
from zerkalo.runs import store as runs
from zerkalo.runs.store import LEASE_SECONDS, LeaseLost

RELEASE_SECONDS_MAX = 2.0
"""How long a release waits for the database: a process that is ending has little time."""
HEARTBEAT_SECONDS = 10.0
"""How often the lease is extended: two extensions may fail before it expires."""

log = structlog.get_logger(__name__)


class Lease:
    """The lease of one run, for `async with`: extended in the background, each time in a transaction of its own.

    The end of the block stops extending and does not release: a run is finished, failed or released explicitly.
    """

    def __init__(self, context: SyncContext, run_id: int, owner: str) -> None:
        self.run_id = run_id
        self.owner = owner
        self._context = context
        self._is_lost = False
        self._held_since = context.monotonic()
        self._heartbeat: asyncio.Task[None] | None = None

    def check(self) -> None:
        """Raise `LeaseLost` unless the run is certainly still ours. Call it before each write for the run."""
        if self._is_lost or self._context.monotonic() - self._held_since >= LEASE_SECONDS:
            raise LeaseLost(f"run {self.run_id}")

    async def release(self) -> None:
        """Let another process continue the run at once. Ignores failures: the lease expires anyway."""
        with suppress(psycopg.Error, psycopg_pool.PoolTimeout):
            async with self._context.pool.connection(timeout=RELEASE_SECONDS_MAX) as conn:
                await runs.release_lease(conn, self.run_id, self.owner)

    async def __aenter__(self) -> Self:
        self._heartbeat = asyncio.create_task(self._beat(), name=f"lease of run {self.run_id}")
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        assert self._heartbeat is not None, "the block was entered"
        self._heartbeat.cancel()
        with suppress(asyncio.CancelledError):
            await self._heartbeat

    async def _beat(self) -> None:
        while not self._is_lost:
            await self._context.sleep(HEARTBEAT_SECONDS)
            asked_at = (
                self._context.monotonic()
            )  # taken before the query: the database counts from a later time
            try:
                if await self._prolong():
                    self._held_since = asked_at
                else:
                    self._is_lost = True
            except (psycopg.Error, psycopg_pool.PoolTimeout) as error:
                log.warning(
                    "Синхронизация: право на неё не удалось продлить",
                    run_id=self.run_id,
                    error=type(error).__name__,
                )

    async def _prolong(self) -> bool:
        async with self._context.pool.connection() as conn:
            return await runs.keep_lease(conn, self.run_id, self.owner, lease_now=self._context.lease_now())
