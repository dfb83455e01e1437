"""Virtual time: an event loop on which only the database is real, and a gate at which the seed decides who goes next.

Nothing sleeps. When every task waits, the loop first lets in somebody who waits at the gate; when nobody does, it moves
its clock to the next timer. While PostgreSQL works no time passes and nobody else begins anything, so the order of all
that happens is the seed's, never the machine's.
"""

import asyncio
import heapq
import selectors
from collections.abc import Callable
from contextvars import Context
from datetime import datetime, timedelta
from random import Random
from typing import Any

import psycopg.waiting

SILENT_SECONDS_MAX = 60.0
"""Real seconds after which a database that says nothing fails the seed: somebody waits for a lock that nobody returns."""
STEPS_WITHOUT_TIME_MAX = 100_000
"""So many entries at the gate at one instant are a loop without end."""

# psycopg gives other tasks a turn when it has been busy for long in real time; here the order of turns is the seed's.
psycopg.waiting.MAX_BUSY_TIME = float("inf")


class Stuck(Exception):
    """Everybody waits for something that will not come."""


class SimulatedLoop(asyncio.SelectorEventLoop):
    """An event loop whose `time()` is virtual; timers of asyncio and of the production code go by it."""

    def __init__(self) -> None:
        self.virtual_seconds = 0.0
        self.on_idle: Callable[[], bool] = lambda: False
        self._timers_set = 0
        super().__init__(_Selector(self))

    def time(self) -> float:
        return self.virtual_seconds

    def call_at(
        self, when: float, callback: Callable[..., object], *args: Any, context: Context | None = None
    ) -> asyncio.TimerHandle:
        """As the base class does it; but of timers of one instant the one that was set first goes first.

        A heap promises no order among equals, and psycopg's own timers, as many as the machine's speed makes them, would
        stir it.
        """
        self._timers_set += 1
        timer = _OrderedTimer(when, callback, args, self, context)
        timer.number = self._timers_set
        heapq.heappush(self._scheduled, timer)  # pyright: ignore[reportAttributeAccessIssue]  the base class's own heap
        timer._scheduled = True
        return timer


class _OrderedTimer(asyncio.TimerHandle):
    number = 0

    def __lt__(self, other: object) -> bool:
        if not isinstance(other, _OrderedTimer):
            return NotImplemented
        return (self.when(), self.number) < (other.when(), other.number)


class _Selector(selectors.DefaultSelector):
    def __init__(self, loop: SimulatedLoop) -> None:
        super().__init__()
        self._loop = loop
        self._steps = 0

    def select(self, timeout: float | None = None) -> list[tuple[selectors.SelectorKey, int]]:
        if timeout is not None and timeout <= 0:
            return []  # somebody can go on; what PostgreSQL has to say is heard afterwards
        if len(self.get_map()) > 1:  # more than the loop's own pipe: a query is under way
            answered = super().select(SILENT_SECONDS_MAX)
            if not answered:
                raise Stuck(f"PostgreSQL has said nothing for {SILENT_SECONDS_MAX} s")
            return answered
        self._steps += 1
        if self._loop.on_idle():
            if self._steps > STEPS_WITHOUT_TIME_MAX:
                raise Stuck("no time passes any more")
            return []
        if timeout is None:
            raise Stuck("everybody waits, and for nothing")
        self._steps = 0
        self._loop.virtual_seconds += timeout
        return []


class Gate:
    """Lets one in at a time; when all is quiet the seed chooses who."""

    def __init__(self, loop: SimulatedLoop, rng: Random) -> None:
        self._loop = loop
        self._rng = rng
        self._waiting: list[asyncio.Future[None]] = []
        self._is_taken = False
        loop.on_idle = self._let_in

    async def enter(self) -> None:
        """Return when nobody else is inside; to be followed by `leave`."""
        turn: asyncio.Future[None] = self._loop.create_future()
        self._waiting.append(turn)
        try:
            await turn
        except asyncio.CancelledError:
            if turn in self._waiting:
                self._waiting.remove(turn)
            elif not turn.cancelled():
                self.leave()
            raise

    def leave(self) -> None:
        self._is_taken = False

    def _let_in(self) -> bool:
        if self._is_taken:
            return False
        self._waiting = [turn for turn in self._waiting if not turn.done()]
        if not self._waiting:
            return False
        turn = self._waiting.pop(self._rng.randrange(len(self._waiting)))
        self._is_taken = True
        turn.set_result(None)
        return True


class Clock:
    """The simulation's time as an aware UTC datetime. Calling it moves nothing."""

    def __init__(self, loop: SimulatedLoop, began_at: datetime) -> None:
        self._loop = loop
        self.began_at = began_at

    def __call__(self) -> datetime:
        return self.began_at + timedelta(seconds=self._loop.time())
