"""A cache of answers that also shares one request among concurrent callers."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from typing import Any, TypeVar

ENTRIES_MAX = 2000

T = TypeVar("T")

Keep = float | Callable[[float], float]
"""For how many seconds an answer is kept: a number, or a function of the seconds that the request took."""


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Any
    at: float
    took: float

    def age(self, now: float) -> float:
        """Return the age in seconds; infinite where the clock was set back."""
        return now - self.at if now >= self.at else float("inf")

    def keep_seconds(self, keep: Keep) -> float:
        """For how long it is kept."""
        return keep(self.took) if callable(keep) else keep

    def is_fresh(self, now: float, keep: Keep) -> bool:
        return self.age(now) < self.keep_seconds(keep)


def _no_word(error: BaseException) -> None:
    del error


class SingleFlight:
    """One per process and purpose. Errors are not kept: only the waiting callers get them."""

    def __init__(
        self,
        seconds: Callable[[], float] = time.monotonic,
        *,
        entries_max: int = ENTRIES_MAX,
        on_error: Callable[[BaseException], None] = _no_word,
    ) -> None:
        """`seconds` is the clock; `on_error` gets every failure, since no caller may be waiting for the answer."""
        self._seconds = seconds
        self._entries_max = entries_max
        self._on_error = on_error
        self._kept: OrderedDict[Hashable, _Kept] = OrderedDict()
        self._asking: dict[Hashable, asyncio.Task[Any]] = {}
        self._asked_at: dict[Hashable, float] = {}

    @property
    def asking_count(self) -> int:
        """The number of requests in progress."""
        return len(self._asking)

    def has(self, key: Hashable, keep: Keep) -> bool:
        """Return whether `get` would start no request: the answer is kept, or a request is in progress."""
        kept = self._kept.get(key)
        return key in self._asking or (kept is not None and kept.is_fresh(self._seconds(), keep))

    async def get(
        self, key: Hashable, ask: Callable[[], Awaitable[T]], *, keep: Keep, stale_seconds: float = 0.0
    ) -> T:
        """Return the kept answer, else the result of one `ask` shared by all waiting callers. Raises what `ask` raises.

        An expired answer younger than `stale_seconds` is returned while a new one is requested, unless its keep time
        is zero.
        """
        kept, now = self._kept.get(key), self._seconds()
        if kept is not None and kept.is_fresh(now, keep):
            self._kept.move_to_end(key)
            return kept.value
        task = self._begin(key, ask)
        if kept is not None and kept.keep_seconds(keep) > 0 and kept.age(now) <= stale_seconds:
            return kept.value
        # Shielded: a caller that is cancelled must not cancel it for the others.
        return await asyncio.shield(task)

    def begin(self, key: Hashable, ask: Callable[[], Awaitable[Any]]) -> None:
        """Start a request without waiting; later callers join it. Callers that joined before it fails get its error."""
        self._begin(key, ask)

    def took_seconds(self, key: Hashable) -> float:
        """Return how long the last successful request took; 0 before the first."""
        kept = self._kept.get(key)
        return 0.0 if kept is None else kept.took

    def last(self, key: Hashable) -> Any:
        """Return the last answer, however old, without a request; None before the first one."""
        kept = self._kept.get(key)
        return None if kept is None else kept.value

    def peek(self, key: Hashable, ask: Callable[[], Awaitable[T]], *, every_seconds: float) -> T | None:
        """Return the last answer at once, None before the first; refresh it in the background, at most every `every_seconds`."""
        asked_at, now = self._asked_at.get(key), self._seconds()
        if asked_at is None or not 0 <= now - asked_at < every_seconds:
            self._begin(key, ask)
        return self.last(key)

    def is_asking(self, key: Hashable) -> bool:
        """Return whether a request is in progress."""
        return key in self._asking

    def forget(self, is_meant: Callable[[Any], bool] = lambda _key: True, *, but_show: bool = False) -> None:
        """Drop the answers whose key satisfies `is_meant`; those of requests in progress are not kept either.

        `but_show`: `peek` still returns the last answer until the next one arrives.
        """
        for key in [key for key in {*self._kept, *self._asking, *self._asked_at} if is_meant(key)]:
            self._asking.pop(key, None)
            self._asked_at.pop(key, None)
            if not but_show:
                self._kept.pop(key, None)

    def _begin(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> "asyncio.Task[T]":
        task = self._asking.get(key)
        if task is None:
            task = asyncio.ensure_future(self._ask(key, ask))
            self._asking[key] = task
            self._asked_at[key] = self._seconds()
            task.add_done_callback(lambda done: self._done(key, done))
        return task

    async def _ask(self, key: Hashable, ask: Callable[[], Awaitable[T]]) -> T:
        begun, task = self._seconds(), asyncio.current_task()
        value = await ask()
        if self._asking.get(key) is task:
            now = self._seconds()
            self._kept[key] = _Kept(value, now, now - begun)
            self._kept.move_to_end(key)
            while len(self._kept) > self._entries_max:
                dropped, _ = self._kept.popitem(last=False)
                self._asked_at.pop(dropped, None)
        return value

    def _done(self, key: Hashable, task: "asyncio.Task[Any]") -> None:
        if self._asking.get(key) is task:
            del self._asking[key]
        error = None if task.cancelled() else task.exception()
        if error is not None:
            self._on_error(error)
