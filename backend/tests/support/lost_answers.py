"""A database whose commits come true, and whose answers to them get lost on the way back."""

import asyncio
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any

from psycopg import AsyncConnection, AsyncTransaction, OperationalError
from psycopg_pool import AsyncConnectionPool

from zerkalo.db.pool import Pool


class LosingConnection(AsyncConnection[Any]):
    """Loses the answer to a commit while its pool's `losing` says that this one's turn has come."""

    losing: "Losing"

    @asynccontextmanager
    async def transaction(self, *args: Any, **kwargs: Any) -> AsyncIterator[AsyncTransaction]:
        async with super().transaction(*args, **kwargs) as entered:
            yield entered
            await asyncio.sleep(self.losing.pause_seconds)
        if self.losing.is_lost():
            raise OperationalError("the connection broke before the answer to COMMIT came")


class Losing:
    """Which commit's answer gets lost: the `at`th from now, once; 0 for none. `pause_seconds` pass before every commit."""

    def __init__(self) -> None:
        self.at = 0
        self.pause_seconds = 0.0
        self.was_lost = False

    def lose(self, at: int) -> None:
        self.at, self.was_lost = at, False

    def is_lost(self) -> bool:
        self.at -= 1
        if self.at == 0:
            self.was_lost = True
            return True
        return False


@asynccontextmanager
async def losing_pool(dsn: str) -> AsyncIterator[tuple[Pool, Losing]]:
    """Yields a pool as the processes have it, but for the answers that are to get lost."""
    losing = Losing()
    kind = type("Losing", (LosingConnection,), {"losing": losing})

    async def configure(conn: Any) -> None:
        await conn.set_autocommit(True)
        await conn.execute("set timezone to 'UTC'")

    pool: Any = AsyncConnectionPool(
        dsn, connection_class=kind, min_size=1, max_size=10, open=False, configure=configure
    )
    await pool.open(wait=True, timeout=10)
    try:
        yield pool, losing
    finally:
        await pool.close()
