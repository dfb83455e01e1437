"""The group commit: all waiting calls are written in one transaction and then answered.

One durable commit costs the same for one event as for two hundred. The next batch collects while one is being
written, so no call waits for a timer, and a lone one is written at once. Only one batch runs at a time: two would be
half as large each, and most of an event's cost is its share of its batch.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from dataclasses import dataclass
from time import perf_counter
from typing import Self

from zerkalo.metrics.counts import BATCH_ITEMS, COMMIT_SECONDS
from zerkalo.mirror.model import Item, Outcome
from zerkalo.telemetry.tracing import span
from zerkalo.webhook.model import LIMITS, Limits

Apply = Callable[[Sequence[Item]], Awaitable[list[Outcome]]]


class Overloaded(Exception):
    """Too many deliveries are waiting."""


@dataclass(slots=True, eq=False)
class _Waiting:
    item: Item
    answer: asyncio.Future[Outcome]
    since: float
    """By the loop's clock."""

    @property
    def size(self) -> int:
        return len(self.item.delivery.body) if self.item.delivery else 0


class Committer:
    """Gathers items of concurrent requests and passes them to `apply` (see `Applier.apply_items`) in batches."""

    def __init__(self, apply: Apply, *, limits: Limits = LIMITS) -> None:
        self._apply = apply
        self._limits = limits
        self._waiting: deque[_Waiting] = deque()
        self._waiting_bytes = 0
        self._under_way: Sequence[_Waiting] = ()
        self._work: asyncio.Task[None] | None = None
        """Alive while items wait or are being written."""
        self._timer: asyncio.TimerHandle | None = None

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write the waiting items, then stop. Calls that an unresponsive database left unwritten are cancelled, never answered 200."""
        if self._work is not None:
            await asyncio.wait([self._work], timeout=self._limits.end_seconds)
            self._work.cancel()
            await asyncio.gather(self._work, return_exceptions=True)
        for one in self._waiting:
            one.answer.cancel()

    async def submit(self, item: Item) -> Outcome:
        """Return the item's outcome, once committed.

        Raises the write's error, `Overloaded`, or `TimeoutError`: then it is unknown whether it was written.
        """
        loop = asyncio.get_running_loop()
        one = _Waiting(item, loop.create_future(), loop.time())
        if (
            len(self._waiting) >= self._limits.waiting_items
            or self._waiting_bytes + one.size > self._limits.waiting_bytes
        ):
            raise Overloaded
        self._waiting_bytes += one.size
        self._waiting.append(one)
        if self._work is None or self._work.done():
            self._work = loop.create_task(self._commit_all(), name="committer")
        return await one.answer

    async def _commit_all(self) -> None:
        while self._waiting:
            self._under_way = self._next_batch()
            await self._commit(self._under_way)
            self._under_way = ()

    def _next_batch(self) -> list[_Waiting]:
        batch = [self._waiting.popleft()]
        size = batch[0].size
        while self._waiting and len(batch) < self._limits.batch_items:
            if size + self._waiting[0].size > self._limits.batch_bytes:
                break
            batch.append(self._waiting.popleft())
            size += batch[-1].size
        self._waiting_bytes -= size
        return batch

    async def _commit(self, batch: Sequence[_Waiting]) -> None:
        began_at = perf_counter()
        self._watch(batch[0])
        try:
            with span("webhook batch", items=len(batch)):
                outcomes = await self._apply([one.item for one in batch])
        except asyncio.CancelledError:
            for one in batch:
                one.answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001  whatever it was, every caller must get an error and none a 200
            for one in batch:
                if not one.answer.done():
                    one.answer.set_exception(error)
        else:
            for one, outcome in zip(batch, outcomes, strict=True):
                if not one.answer.done():
                    one.answer.set_result(outcome)
            BATCH_ITEMS.observe(len(batch))
            COMMIT_SECONDS.observe(perf_counter() - began_at)
        finally:
            if self._timer is not None:
                self._timer.cancel()

    def _watch(self, oldest: _Waiting) -> None:
        """Ensure that every call is answered in time: one timer per batch, for its calls and the waiting ones."""
        until = oldest.since + self._limits.answer_seconds
        self._timer = asyncio.get_running_loop().call_at(until, self._give_up)

    def _give_up(self) -> None:
        """Answer the calls that waited too long. The batch continues and may yet be committed; waiting items are dropped."""
        late_since = asyncio.get_running_loop().time() - self._limits.answer_seconds
        late = [one for one in self._under_way if one.since <= late_since]
        while self._waiting and self._waiting[0].since <= late_since:
            late.append(self._waiting.popleft())
            self._waiting_bytes -= late[-1].size
        for one in late:
            if not one.answer.done():
                one.answer.set_exception(TimeoutError())
        next_one = next((one for one in (*self._under_way, *self._waiting) if not one.answer.done()), None)
        if next_one is not None:
            self._watch(next_one)
