"""Answers kept for a little while, so that a page never waits for what takes long."""

import asyncio
import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

T = TypeVar("T")

QUICK_SECONDS = 0.03
"""What took no longer than this is read anew for every page: a small salon sees everything at once."""
TIMES_KEPT = 50
"""What took longer is kept fifty times as long as it took, so that it costs a fiftieth of the time at most."""
STALE_SECONDS_MAX = 60.0
"""What is older is waited for, however long it takes: nobody looked at the page meanwhile."""

_log = structlog.get_logger("zerkalo.web")


class Kept(Generic[T]):
    """One answer of `read`, shared by all who ask at once. Older than its time it is shown once more while it is read."""

    def __init__(
        self, read: Callable[[], Awaitable[T]], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._monotonic = monotonic
        self._value: T | None = None
        self._read_at = 0.0
        self._took = 0.0
        self._reading: asyncio.Task[T] | None = None

    async def get(self) -> T:
        """The answer. Raises what `read` raises where there is nothing to show instead."""
        age = self._monotonic() - self._read_at
        if self._value is None or self._took <= QUICK_SECONDS or age > STALE_SECONDS_MAX:
            return await asyncio.shield(self._begin())
        if age > self._took * TIMES_KEPT:
            self._begin()
        return self._value

    def forget(self) -> None:
        """Somebody has just changed it: the next one who asks waits for what is true now."""
        self._value, self._reading = None, None

    def _begin(self) -> "asyncio.Task[T]":
        if self._reading is None or self._reading.done():
            self._reading = asyncio.create_task(self._read_now())
            self._reading.add_done_callback(_tell)
        return self._reading

    async def _read_now(self) -> T:
        begun = self._monotonic()
        value = await self._read()
        self._value, self._read_at = value, self._monotonic()
        self._took = self._read_at - begun
        return value


class Asked(Generic[T]):
    """What somebody far away answered last. Nobody waits: who looks has it asked again, at most every so often."""

    def __init__(
        self,
        ask: Callable[[], Awaitable[T]],
        nothing: T,
        *,
        every_seconds: float,
        monotonic: Callable[[], float] = time.monotonic,
    ) -> None:
        self._ask = ask
        self._answer = nothing
        self._every_seconds = every_seconds
        self._monotonic = monotonic
        self._asked_at: float | None = None
        self._asking: asyncio.Task[None] | None = None

    @property
    def is_asking(self) -> bool:
        """Whether an answer is on its way."""
        return self._asking is not None and not self._asking.done()

    def peek(self) -> T:
        """The last answer; `nothing` before the first one."""
        is_due = self._asked_at is None or self._monotonic() - self._asked_at >= self._every_seconds
        if is_due and not self.is_asking:
            self._asked_at = self._monotonic()
            self._asking = asyncio.create_task(self._ask_now())
            self._asking.add_done_callback(_tell)
        return self._answer

    def forget(self) -> None:
        """Something was changed there: ask again at the next look."""
        self._asked_at = None

    async def _ask_now(self) -> None:
        self._answer = await self._ask()


def _tell(task: "asyncio.Task[object]") -> None:
    """Nobody may be waiting for it, so its error would be lost."""
    error = None if task.cancelled() else task.exception()
    if error is not None:
        _log.warning("a figure of the salon's desk could not be read", kind=type(error).__name__)
