"""Answers kept for some seconds: one question for all who ask at once, and never too many a minute."""

import asyncio
from collections import OrderedDict, deque
from collections.abc import Awaitable, Callable, Hashable
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, TypeVar

from zerkalo.kit.clock import Clock
from zerkalo.kit.problem import ProblemError

ENTRIES_MAX = 2000
ASKING_MAX = 50
"""Questions under way at once; who comes then is told to come again."""
BUSY_RETRY_SECONDS = 5

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class _Kept:
    value: Any
    until: datetime


class AnswerCache:
    """One for a process. Keys are tuples whose first part is the company. Errors are not kept."""

    def __init__(self, clock: Clock, *, asks_per_minute_max: int) -> None:
        self._clock = clock
        self._asks_per_minute_max = asks_per_minute_max
        self._kept: OrderedDict[tuple[Hashable, ...], _Kept] = OrderedDict()
        self._asking: dict[tuple[Hashable, ...], asyncio.Task[Any]] = {}
        self._asked_at: deque[datetime] = deque()

    async def get(self, key: tuple[Hashable, ...], keep_seconds: float, ask: Callable[[], Awaitable[T]]) -> T:
        """What `ask` answered in the last `keep_seconds`, else what it answers now; once for all who wait for it.

        Raises what `ask` raises, and a 503 `ProblemError` where too much is being asked: people who look at times must
        not use up what the sync needs of YCLIENTS's limit.
        """
        kept = self._kept.get(key)
        if kept is not None and kept.until > self._clock():
            self._kept.move_to_end(key)
            return kept.value
        task = self._asking.get(key)
        if task is None:
            self._count_one()
            task = asyncio.ensure_future(self._ask(key, keep_seconds, ask))
            self._asking[key] = task
            task.add_done_callback(lambda done: self._done(key, done))
        # Shielded: one who goes away must not end it for the others.
        return await asyncio.shield(task)

    def forget(self, company_id: int, kinds: frozenset[str]) -> None:
        """Drop answers of these kinds, the second part of their keys; those under way are not kept either."""
        for known in (self._kept, self._asking):
            for key in [key for key in known if key[0] == company_id and key[1] in kinds]:
                del known[key]

    async def _ask(
        self, key: tuple[Hashable, ...], keep_seconds: float, ask: Callable[[], Awaitable[T]]
    ) -> T:
        task = asyncio.current_task()
        value = await ask()
        if self._asking.get(key) is task:
            self._kept[key] = _Kept(value, self._clock() + timedelta(seconds=keep_seconds))
            self._kept.move_to_end(key)
            while len(self._kept) > ENTRIES_MAX:
                self._kept.popitem(last=False)
        return value

    def _done(self, key: tuple[Hashable, ...], task: asyncio.Task[Any]) -> None:
        if self._asking.get(key) is task:
            del self._asking[key]
        if not task.cancelled():
            task.exception()  # looked at, even where everybody who waited has gone away

    def _count_one(self) -> None:
        now = self._clock()
        while self._asked_at and self._asked_at[0] <= now - timedelta(minutes=1):
            self._asked_at.popleft()
        if len(self._asked_at) >= self._asks_per_minute_max or len(self._asking) >= ASKING_MAX:
            raise ProblemError(
                503,
                "busy",
                "Many people are looking for times just now. Try again in a few seconds.",
                {"Retry-After": str(BUSY_RETRY_SECONDS)},
            )
        self._asked_at.append(now)
