"""The engine as a simulated process sees it: bells that may be lost, jobs that any living process takes."""

import asyncio
from collections import Counter
from random import Random

Job = tuple[str, int]
"""(what to look for, company or user)."""


class Engine:
    """The waiting jobs of all processes. As in production, one waiting job a subject; a bell may be lost."""

    def __init__(self, rng: Random, counted: Counter[str]) -> None:
        self.lost_probability = 0.0
        self.waiting: list[Job] = []
        self._rng = rng
        self._counted = counted
        self._rung = asyncio.Event()

    def ring(self, job: Job) -> None:
        """Enqueue a job unless it waits already or the bell is lost."""
        if self._rng.random() < self.lost_probability:
            self._counted["engine: bell lost"] += 1
        elif job not in self.waiting:
            self.waiting.append(job)
            self._rung.set()

    async def take(self) -> Job:
        """The next job, in any order."""
        while not self.waiting:
            self._rung.clear()
            await self._rung.wait()
        return self.waiting.pop(self._rng.randrange(len(self.waiting)))


class SimulatedBells:
    """`Bells` of one process."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    async def sync(self, company_id: int, *, history: bool = False) -> None:
        self._engine.ring(("sync", company_id))

    async def refetch(self, company_id: int) -> None:
        self._engine.ring(("refetch", company_id))

    async def rematch(self, user_id: int) -> None:
        self._engine.ring(("rematch", user_id))

    async def outbox(self) -> None:
        """Messages are read where they are put."""
