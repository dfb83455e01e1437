"""Who is next for work that takes a processor: a crowd from one address never stands before the others."""

import asyncio
from collections import Counter, OrderedDict, deque
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

from zerkalo.auth.rules import networks_of
from zerkalo.kit.problem import ProblemError

WAITING_MAX = 8
"""Waiting calls of one address, of a /56 four times and of a /48 sixteen times as many; more are told to come back."""
ALL_WAITING_MAX = 512
"""Waiting calls of a process in all, some half a minute of work: a crowd from everywhere must not pile up without end."""
BUSY_RETRY_SECONDS = 5


class Turns:
    """At most `at_once` at work; those that wait are served in turn, one an address (of IPv6: a /48) each round."""

    def __init__(
        self, at_once: int, *, waiting_max: int = WAITING_MAX, all_waiting_max: int = ALL_WAITING_MAX
    ) -> None:
        self._free = at_once
        self._waiting_max = waiting_max
        self._all_waiting_max = all_waiting_max
        self._all_waiting = 0
        self._waiting: Counter[str] = Counter()
        self._queues: OrderedDict[str, deque[asyncio.Future[None]]] = OrderedDict()

    @asynccontextmanager
    async def turn(self, address: str) -> AsyncGenerator[None]:
        """Wait for a turn and hold it. Raises a 503 `ProblemError` where too many of the address's networks wait."""
        await self._take(networks_of(address))
        try:
            yield
        finally:
            self._give_back()

    async def _take(self, networks: tuple[tuple[str, int], ...]) -> None:
        if self._free:
            self._free -= 1
            return
        if self._all_waiting >= self._all_waiting_max or any(
            self._waiting[network] >= self._waiting_max * factor for network, factor in networks
        ):
            raise ProblemError(
                503,
                "busy",
                "Too many people sign in at once.",
                {"Retry-After": str(BUSY_RETRY_SECONDS)},
            )
        mine = asyncio.get_running_loop().create_future()
        self._queues.setdefault(networks[-1][0], deque()).append(mine)
        names = [network for network, _ in networks]
        self._waiting.update(names)
        self._all_waiting += 1
        try:
            await mine
        except asyncio.CancelledError:
            if mine.done() and not mine.cancelled():
                self._give_back()
            raise
        finally:
            self._all_waiting -= 1
            self._waiting.subtract(names)
            self._waiting += Counter()

    def _give_back(self) -> None:
        while self._queues:
            name, queue = self._queues.popitem(last=False)
            next_one = queue.popleft()
            if queue:
                self._queues[name] = queue
            if not next_one.done():
                next_one.set_result(None)
                return
        self._free += 1
