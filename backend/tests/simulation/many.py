"""Many seeds on every core, each worker with a PostgreSQL of its own."""

import multiprocessing
from collections.abc import Iterator, Sequence
from multiprocessing.queues import Queue
from queue import Empty

from tests.simulation.run import Report, run_seed
from tests.support.database import test_server

LOOK_SECONDS = 2.0


class BrokeDown(Exception):
    """A worker of the simulation ended before its seeds were played."""


def reports(seeds: Sequence[int], jobs: int) -> Iterator[Report]:
    """Play these seeds on so many processes and yield each one's report, in the order of their ends."""
    context = multiprocessing.get_context("spawn")
    queue: Queue[Report] = context.Queue()
    workers = [
        context.Process(target=_work, args=(list(seeds[n::jobs]), queue), daemon=True) for n in range(jobs)
    ]
    for worker in workers:
        worker.start()
    left = len(seeds)
    while left:
        try:
            yield queue.get(timeout=LOOK_SECONDS)
            left -= 1
        except Empty:
            if any(worker.exitcode for worker in workers):
                raise BrokeDown("its message stands above") from None
    for worker in workers:
        worker.join()


def _work(seeds: list[int], queue: "Queue[Report]") -> None:
    with test_server() as server:
        for seed in seeds:
            with server.database() as dsn:
                queue.put(run_seed(seed, dsn))
