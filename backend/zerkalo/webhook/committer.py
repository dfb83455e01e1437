"""The group commit: what waits is written in one transaction, then everybody is answered.

One durable commit costs the same for one event as for two hundred. While one batch is being written the next one
gathers, so nobody waits for a timer and a lone event is written at once.
"""

import asyncio
import contextlib
from collections import deque
from collections.abc import Awaitable, Callable, Sequence
from typing import Self

from zerkalo.mirror.model import Item, Outcome

BATCH_MAX = 256
"""Items in one transaction: enough that the commit's price is nothing, few enough that a lock is held some 20 ms."""
WAITING_MAX = 10_000
"""Items that may wait; more callers are told at once to come again, before memory says so."""
BATCH_BYTES_MAX = 16 * 1024 * 1024
"""Bodies in one transaction: they are held in memory several times over while they are written."""
WAITING_BYTES_MAX = 64 * 1024 * 1024
BATCHES_AT_ONCE = 2
"""While one batch waits for its commit, another is decided on; keys are claimed, so they can't disagree."""
END_SECONDS_MAX = 0.5
"""How long the end waits for what still waits: whoever asked for it has been answered or let go by then."""

Take = Callable[[Sequence[Item]], Awaitable[list[Outcome]]]


class Overloaded(Exception):
    """More deliveries wait than may."""


class Committer:
    """Gathers items of concurrent requests and hands them to `take` (see `Applier.take`) in batches."""

    def __init__(self, take: Take) -> None:
        self._take = take
        self._waiting: deque[tuple[Item, asyncio.Future[Outcome]]] = deque()
        self._waiting_bytes = 0
        self._wake = asyncio.Event()
        self._idle = asyncio.Event()
        self._idle.set()
        self._workers: list[asyncio.Task[None]] = []
        self._busy = 0

    async def __aenter__(self) -> Self:
        self._workers = [
            asyncio.create_task(self._work(), name=f"committer {n}") for n in range(BATCHES_AT_ONCE)
        ]
        return self

    async def __aexit__(self, *_: object) -> None:
        """Write what still waits, then stop. With a database that does not answer, nobody is told 200 for the rest."""
        with contextlib.suppress(TimeoutError):
            await asyncio.wait_for(self._idle.wait(), END_SECONDS_MAX)
        for worker in self._workers:
            worker.cancel()
        await asyncio.gather(*self._workers, return_exceptions=True)
        for _item, answer in self._waiting:
            answer.cancel()

    async def submit(self, item: Item) -> Outcome:
        """Return what the item did, once that is committed. Raises what writing it raised, or `Overloaded`."""
        if len(self._waiting) >= WAITING_MAX or self._waiting_bytes + _size(item) > WAITING_BYTES_MAX:
            raise Overloaded
        self._waiting_bytes += _size(item)
        answer: asyncio.Future[Outcome] = asyncio.get_running_loop().create_future()
        self._waiting.append((item, answer))
        self._idle.clear()
        self._wake.set()
        return await answer

    async def _work(self) -> None:
        while True:
            while not self._waiting:
                self._wake.clear()
                await self._wake.wait()
            batch = self._next_batch()
            self._busy += 1
            try:
                await self._commit(batch)
            finally:
                self._busy -= 1
                if not self._waiting and not self._busy:
                    self._idle.set()

    def _next_batch(self) -> list[tuple[Item, asyncio.Future[Outcome]]]:
        batch = [self._waiting.popleft()]
        size = _size(batch[0][0])
        while self._waiting and len(batch) < BATCH_MAX:
            size += _size(self._waiting[0][0])
            if size > BATCH_BYTES_MAX:
                break
            batch.append(self._waiting.popleft())
        self._waiting_bytes -= sum(_size(item) for item, _ in batch)
        return batch

    async def _commit(self, batch: Sequence[tuple[Item, asyncio.Future[Outcome]]]) -> None:
        answers = [answer for _, answer in batch]
        try:
            outcomes = await self._take([item for item, _ in batch])
        except asyncio.CancelledError:
            for answer in answers:
                answer.cancel()
            raise
        except Exception as error:  # noqa: BLE001  whatever it was, each caller must hear of it; none may be told 200
            for answer in answers:
                if not answer.done():
                    answer.set_exception(error)
            return
        for answer, outcome in zip(answers, outcomes, strict=True):
            if not answer.done():
                answer.set_result(outcome)


def _size(item: Item) -> int:
    return len(item.delivery.body) if item.delivery else 0
