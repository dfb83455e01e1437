"""Bells: jobs that only say "look". What to do is in our own tables.

Ring a bell after the commit, never inside the transaction: an `AlreadyEnqueued` raised there would abort the batch. A
lost bell costs the period of a sweep, a second one costs a query.
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
"""For runs: each may last for minutes, so they have a worker of their own and delay nothing else."""
HISTORY_QUEUE = "history"
"""For first runs: each may last for hours, and must not delay the other companies."""
REFETCH_QUEUE = "refetch"
"""For questions about single records: they wait for the rate limit, and a company may have thousands."""
BELL_QUEUE = "bell"
"""For everything short."""
SYNC_COMPANY = "sync_company"
REFETCH_COMPANY = "refetch_company"
REMATCH_USER = "rematch_user"
SEND_OUTBOX = "send_outbox"

log = structlog.get_logger(__name__)


class Bells:
    """Rings for what was just committed. Ignores every failure: a periodic sweep does the work anyway."""

    def __init__(self, app: App) -> None:
        self.app = app

    async def sync(self, company_id: int, *, history: bool = False) -> None:
        """Ring for a due or open run of the company. `history`: a first run, for the queue of those."""
        await self._ring(SYNC_COMPANY, HISTORY_QUEUE if history else SYNC_QUEUE, company_id=company_id)

    async def refetch(self, company_id: int) -> None:
        """Ring for `refetches` of the company."""
        await self._ring(REFETCH_COMPANY, REFETCH_QUEUE, company_id=company_id)

    async def rematch(self, user_id: int) -> None:
        """Ring for a user whose `rematch_wanted_at` is set."""
        await self._ring(REMATCH_USER, BELL_QUEUE, user_id=user_id)

    async def outbox(self) -> None:
        """Ring for a message to send; by the periodic task of the outbox."""
        await self._ring(SEND_OUTBOX, BELL_QUEUE)

    async def _ring(self, task_name: str, queue: str, **subject: int) -> None:
        # One waiting job a subject. There is no `lock` beside it: leases and claims keep two workers apart, and a
        # lock would stay with a killed worker's job until that is found.
        name = ":".join([task_name, *map(str, subject.values())])
        # By queue: a job that waits in a queue which nobody serves must not bar one in another.
        lock = name if queue == BELL_QUEUE else f"{queue}:{name}"
        try:
            await self.app.configure_task(task_name, queue=queue, queueing_lock=lock).defer_async(**subject)
        except AlreadyEnqueued:
            return
        except (ConnectorException, OperationalError) as error:
            log.warning("a bell did not ring", bell=name, error=type(error).__name__, reason=reason_of(error))


@asynccontextmanager
async def open_bells(pool: Pool) -> AsyncGenerator[Bells]:
    """Yield bells that ring through `pool`; the worker adds its tasks to their `app`."""
    # Two lines a job at INFO, every few seconds, would bury everything else.
    logging.getLogger("procrastinate").setLevel(logging.WARNING)
    app = App(connector=PsycopgConnector())
    async with app.open_async(pool):
        yield Bells(app)
