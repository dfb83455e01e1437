"""The event loop's lag: how late a timer of one second fires."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from time import perf_counter

from zerkalo.metrics.counts import LOOP_LAG_SECONDS

EVERY_SECONDS = 1.0


@asynccontextmanager
async def watching_the_loop(*, every_seconds: float = EVERY_SECONDS) -> AsyncGenerator[None]:
    """Observe the running loop while the block lasts."""
    task = asyncio.create_task(_watch(every_seconds), name="event loop lag")
    try:
        yield
    finally:
        task.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await task


async def _watch(every_seconds: float) -> None:
    while True:
        due = perf_counter() + every_seconds  # the loop's own clock does not advance while it is blocked
        await asyncio.sleep(every_seconds)
        LOOP_LAG_SECONDS.observe(max(perf_counter() - due, 0.0))
