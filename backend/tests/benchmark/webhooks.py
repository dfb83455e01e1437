"""Durable webhooks a second at 64 connections beside pgbench with the same SQL, and how long one takes at half of that load."""

from statistics import median

from tests.benchmark import rivals
from tests.benchmark.stage import Stage, load, server
from tests.benchmark.told import ROUNDS, figure, ratio, ratio_of, title

CONNECTIONS = 64
ROUND_SECONDS = 5
WARM_SECONDS = 2
IDS_A_ROUND = 10**11


def measure(stage: Stage, dsn: str) -> None:
    """Prints the figures of both."""
    title(f"Durable webhooks, {CONNECTIONS} connections, each booking a new one")
    with server(dsn) as port:
        load(port, CONNECTIONS, WARM_SECONDS, IDS_A_ROUND)
        ours = _beside_pgbench(stage, dsn, port)
        _at_half_load(port, ours)


def _beside_pgbench(stage: Stage, dsn: str, port: int) -> float:
    ours, naive, physical = list[float](), list[float](), list[float]()
    for n in range(ROUNDS):
        ours.append(load(port, CONNECTIONS, ROUND_SECONDS, (n + 2) * IDS_A_ROUND)["per_second"])
        naive.append(
            rivals.pgbench(dsn, stage.folder, rivals.ONE_BY_ONE, clients=CONNECTIONS, seconds=ROUND_SECONDS)
        )
        batches = rivals.pgbench(dsn, stage.folder, rivals.BATCHED, clients=2, seconds=ROUND_SECONDS)
        physical.append(batches * rivals.BATCH)
    figure("ours", median(ours), "a second")
    figure("pgbench, one transaction an event", median(naive), "a second")
    figure(f"pgbench, {rivals.BATCH} events a transaction", median(physical), "a second")
    ratio("ours to pgbench one by one", ratio_of(ours, naive), "aim: 2 at least")
    ratio("ours to pgbench batched", ratio_of(ours, physical), "aim: 0.25 at least")
    return median(ours)


def _at_half_load(port: int, full_per_second: float) -> None:
    rounds = [
        load(port, CONNECTIONS, ROUND_SECONDS, (n + 2 + ROUNDS) * IDS_A_ROUND, full_per_second / 2)
        for n in range(ROUNDS)
    ]
    figure("at half of that load, p50", median(one["p50_ms"] for one in rounds), "ms")
    figure("at half of that load, p99", median(one["p99_ms"] for one in rounds), "ms", "aim: 25 at most")
