"""Short-lived caches, so that a page does not wait for slow figures."""

import time
from collections.abc import Awaitable, Callable
from typing import Generic, TypeVar

import structlog

from zerkalo.kit.single_flight import SingleFlight

T = TypeVar("T")

QUICK_SECONDS = 0.03
"""What took no longer than this to read is read anew for every page, so a small salon sees changes at once."""
TIMES_KEPT = 50
"""What took longer is cached for fifty times as long as it took, so reading takes at most a fiftieth of the time."""
STALE_SECONDS_MAX = 60.0
"""An older figure is not shown: the page waits for a new one, however long that takes."""

_KEY = "the only one"

_log = structlog.get_logger("zerkalo.web")


def _log_failure(error: BaseException) -> None:
    """Log an error that would be lost where nobody waits for the answer."""
    _log.warning("a figure of the salon's desk could not be read", kind=type(error).__name__)


def keep_seconds(took_seconds: float) -> float:
    """Return for how long to cache an answer that took so long."""
    return 0.0 if took_seconds <= QUICK_SECONDS else took_seconds * TIMES_KEPT


class Kept(Generic[T]):
    """A cached answer of `read`, shared by concurrent callers. An expired one is still shown while it is read anew."""

    def __init__(
        self, read: Callable[[], Awaitable[T]], *, monotonic: Callable[[], float] = time.monotonic
    ) -> None:
        self._read = read
        self._flight = SingleFlight(monotonic, on_error=_log_failure)

    async def get(self) -> T:
        """Return the answer. Raises what `read` raises where there is no older answer to show."""
        return await self._flight.get(_KEY, self._read, keep=keep_seconds, stale_seconds=STALE_SECONDS_MAX)

    def forget(self) -> None:
        """Drop the answer after a change: the next caller waits for a new one."""
        self._flight.forget()


class Asked(Generic[T]):
    """The last answer of a remote service. Callers never wait: a call asks again, at most once in `every_seconds`."""

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
        """Whether a request is under way."""
        return self._flight.is_asking(_KEY)

    def peek(self) -> T:
        """Return the last answer; `nothing` before the first one."""
        found = self._flight.peek(_KEY, self._ask, every_seconds=self._every_seconds)
        return self._nothing if found is None else found

    def forget(self) -> None:
        """Ask again at the next call, after a change there; show the old answer until then."""
        self._flight.forget(but_show=True)
