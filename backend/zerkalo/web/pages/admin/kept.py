"""Figures kept for a little while, so that a page never waits for what takes long."""

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from zerkalo.kit.single_flight import SingleFlight

T = TypeVar("T")

QUICK_SECONDS = 0.03
"""What took no longer than this is read anew for every page: a small salon sees everything at once."""
TIMES_KEPT = 50
"""What took longer is kept fifty times as long as it took, so that it costs a fiftieth of the time at most."""
STALE_SECONDS_MAX = 60.0
"""What is older is waited for, however long it takes: nobody looked at the page meanwhile."""

_KEY = "the only one"

_log = structlog.get_logger("zerkalo.web")


def _log_failure(error: BaseException) -> None:
    """Nobody may be waiting for the answer, so its error would be lost."""
    _log.warning("a figure of the salon's desk could not be read", kind=type(error).__name__)


def keep_seconds(took_seconds: float) -> float:
    """For how long an answer is shown that took so long."""
    return 0.0 if took_seconds <= QUICK_SECONDS else took_seconds * TIMES_KEPT


class Kept(Generic[T]):
    """One answer of `read`, shared by all who ask at once. Older than its time it is shown once more while it is read."""

    def __init__(
        self, read: Callable[[], Awaitable[T]], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._flight = SingleFlight(monotonic, on_error=_log_failure)

    async def get(self) -> T:
        """The answer. Raises what `read` raises where there is nothing to show instead."""
        return await self._flight.get(_KEY, self._read, keep=keep_seconds, stale_seconds=STALE_SECONDS_MAX)

    def forget(self) -> None:
        """Somebody has just changed it: the next one who asks waits for what is true now."""
        self._flight.forget()


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
        self._nothing = nothing
        self._every_seconds = every_seconds
        self._flight = SingleFlight(monotonic, on_error=_log_failure)

    @property
    def is_asking(self) -> bool:
        """Whether an answer is on its way."""
        return self._flight.is_asking(_KEY)

    def peek(self) -> T:
        """The last answer; `nothing` before the first one."""
        found = self._flight.peek(_KEY, self._ask, every_seconds=self._every_seconds)
        return self._nothing if found is None else found

    def forget(self) -> None:
        """Something was changed there: ask again at the next look."""
        self._flight.forget(but_show=True)
