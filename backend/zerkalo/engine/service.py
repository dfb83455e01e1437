"""Bells: jobs of the engine that only say "look". What is to be done stands in our own tables.

A bell is rung after the commit, never inside the transaction: an `AlreadyEnqueued` raised there would abort the batch.
Losing one costs a sweep's period; ringing twice costs a look.
"""

import logging
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import structlog
from procrastinate import App, PsycopgConnector
from procrastinate.exceptions import AlreadyEnqueued, ConnectorException
from psycopg import OperationalError

from zerkalo.db.failing import reason_of
from zerkalo.db.pool import Pool

SYNC_QUEUE = "sync"
"""Runs: each may last for minutes, so they have a worker of their own and hold up nothing else."""
HISTORY_QUEUE = "history"
"""First runs: each may last for hours, and the other companies' periods go on meanwhile."""
BELL_QUEUE = "bell"
"""Everything short."""
SYNC_COMPANY = "sync_company"
REFETCH_COMPANY = "refetch_company"
REMATCH_USER = "rematch_user"
SEND_OUTBOX = "send_outbox"

log = structlog.get_logger(__name__)


class Bells:
    """Rings for what was just written down. Swallows every failure: a periodic sweep looks anyway."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def sync(self, company_id: int, *, history: bool = False) -> None:
        """A run of the company is due, or waits to be taken up. `history`: its first one, for the queue of these."""
        await self._ring(SYNC_COMPANY, HISTORY_QUEUE if history else SYNC_QUEUE, company_id=company_id)

    async def refetch(self, company_id: int) -> None:
        """There is something in `refetches` for the company."""
        await self._ring(REFETCH_COMPANY, BELL_QUEUE, company_id=company_id)

    async def rematch(self, user_id: int) -> None:
        """`users.rematch_wanted_at` is set for the user."""
        await self._ring(REMATCH_USER, BELL_QUEUE, user_id=user_id)

    async def outbox(self) -> None:
        """There is a message to send. The periodic look at the outbox is the same task."""
        await self._ring(SEND_OUTBOX, BELL_QUEUE)

    async def _ring(self, task_name: str, queue: str, **subject: int) -> None:
        # One waiting job a subject. There is no `lock` beside it: leases and claims keep two workers apart, and a
        # lock would stay with a killed worker's job until that is found.
        name = ":".join([task_name, *map(str, subject.values())])
        try:
            await self.app.configure_task(task_name, queue=queue, queueing_lock=name).defer_async(**subject)
        except AlreadyEnqueued:
            return
        except (ConnectorException, OperationalError) as error:
            log.warning("a bell did not ring", bell=name, error=type(error).__name__, reason=reason_of(error))


@asynccontextmanager
async def open_bells(pool: Pool) -> AsyncGenerator[Bells]:
    """Yield bells that ring through `pool`; the worker adds its tasks to their `app`."""
    # Each job in and out at INFO, every few seconds, would bury what a person looks for.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    app = App(connector=PsycopgConnector())
    async with app.open_async(pool):
        yield Bells(app)
