"""The group commit: all waiting calls are written in one transaction and then answered.

One durable commit costs the same for one event as for two hundred. The next batch collects while one is being
written, so no call waits for a timer, and a lone one is written at once. A second batch runs beside the first only
where many wait: then one is decided while PostgreSQL writes the other. Two small ones would cost more than one, since
most of an event's cost is its share of its batch.
"""

import asyncio
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from contextlib import suppress
from dataclasses import dataclass
from itertools import chain
from time import perf_counter
from typing import Self

from zerkalo.metrics.counts import BATCH_ITEMS, COMMIT_SECONDS
from zerkalo.mirror.model import Item, Outcome
from zerkalo.telemetry.tracing import span
from zerkalo.webhook.model import LIMITS, Limits

BATCHES_AT_ONCE = 2

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
        self._writers: dict[asyncio.Task[None], Sequence[_Waiting]] = {}
        """Each with the batch that it is writing, none at first. While items wait there is at least one."""
        self._timer: asyncio.TimerHandle | None = None
        """Fires when a call has waited too long: the oldest, or one that has been answered since."""

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write the waiting items, then stop. Calls that an unresponsive database left unwritten are cancelled, never answered 200."""
        with suppress(TimeoutError):
            async with asyncio.timeout(self._limits.end_seconds):
                while self._writers:
                    await asyncio.wait(self._writers, return_when=asyncio.FIRST_COMPLETED)
        for one in self._waiting:
            one.answer.cancel()
        self._waiting.clear()
        writers = list(self._writers)
        for writer in writers:
            writer.cancel()
        await asyncio.gather(*writers, return_exceptions=True)
        if self._timer is not None:
            self._timer.cancel()

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
        if self._timer is None:
            self._watch(one)
        if all(self._writers.values()) and self._is_batch_due():
            self._writers[loop.create_task(self._write(), name="committer")] = ()
        return await one.answer

    def _is_batch_due(self) -> bool:
        """Whether the waiting items should be written now: beside another batch only where they are not few against it."""
        under_way = [len(batch) for batch in self._writers.values() if batch]
        if not under_way:
            return bool(self._waiting)
        enough = max(self._limits.beside_items, sum(under_way) // 2)
        return len(under_way) < BATCHES_AT_ONCE and len(self._waiting) >= enough

    async def _write(self) -> None:
        """Write batches as long as one is due."""
        writer = asyncio.current_task()
        assert writer is not None
        try:
            while self._is_batch_due():
                self._writers[writer] = batch = self._next_batch()
                await self._commit(batch)
                self._writers[writer] = ()
        finally:
            del self._writers[writer]

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

    def _watch(self, oldest: _Waiting) -> None:
        """Ensure that every call is answered in time: one timer for all."""
        until = oldest.since + self._limits.answer_seconds
        self._timer = asyncio.get_running_loop().call_at(until, self._give_up)

    def _give_up(self) -> None:
        """Answer the calls that waited too long. Their batches continue and may yet be committed; waiting items are dropped."""
        late_since = asyncio.get_running_loop().time() - self._limits.answer_seconds
        late = [one for one in chain(*self._writers.values()) if one.since <= late_since]
        while self._waiting and self._waiting[0].since <= late_since:
            late.append(self._waiting.popleft())
            self._waiting_bytes -= late[-1].size
        for one in late:
            if not one.answer.done():
                one.answer.set_exception(TimeoutError())
        open_calls = [one for one in chain(*self._writers.values(), self._waiting) if not one.answer.done()]
        self._timer = None
        if open_calls:
            self._watch(min(open_calls, key=lambda one: one.since))
