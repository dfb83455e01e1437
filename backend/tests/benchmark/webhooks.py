"""Durable webhooks a second at 64 connections beside pgbench with the same SQL, and how long one takes at half of that load."""

from statistics import median

from tests.benchmark import rivals
from tests.benchmark.stage import Stage, load, postgres_pid, processor_seconds, server_process
from tests.benchmark.told import ROUNDS, figure, ratio, ratio_of, title

CONNECTIONS = 64
ROUND_SECONDS = 5
WARM_SECONDS = 2
IDS_A_ROUND = 10**11


Round = tuple[float, float]
"""Events a second, and microseconds of processor that one event took, the callers' own left out."""


def measure(stage: Stage, dsn: str) -> None:
    """Prints the figures of both."""
    title(f"Durable webhooks, {CONNECTIONS} connections, each booking a new one")
    with server_process(dsn) as (port, pid):
        load(port, CONNECTIONS, WARM_SECONDS, IDS_A_ROUND)
        ours = _beside_pgbench(stage, dsn, port, pid)
        _at_half_load(port, ours)


def _beside_pgbench(stage: Stage, dsn: str, port: int, pid: int) -> float:
    postgres = postgres_pid(dsn)

    def ours(n: int) -> Round:
        before = processor_seconds(postgres) + processor_seconds(pid)
        told = load(port, CONNECTIONS, ROUND_SECONDS, (n + 2) * IDS_A_ROUND)
        taken = processor_seconds(postgres) + processor_seconds(pid) - before
        return told["per_second"], 10**6 * taken / told["answered"]

    def pgbench(script: str, *, clients: int, events: int) -> Round:
        before = processor_seconds(postgres)
        rate = rivals.pgbench(dsn, stage.folder, script, clients=clients, seconds=ROUND_SECONDS) * events
        return rate, 10**6 * (processor_seconds(postgres) - before) / (rate * ROUND_SECONDS)

    rounds = [
        (
            ours(n),
            pgbench(rivals.ONE_BY_ONE, clients=CONNECTIONS, events=1),
            pgbench(rivals.BATCHED, clients=2, events=rivals.BATCH),
        )
        for n in range(ROUNDS)
    ]
    rates, costs = ([[one[at] for one in some] for some in zip(*rounds, strict=True)] for at in (0, 1))
    names = ("ours", "pgbench, one transaction an event", f"pgbench, {rivals.BATCH} events a transaction")
    for name, rate, cost in zip(names, rates, costs, strict=True):
        figure(name, median(rate), "a second")
        figure("  processor time", median(cost), "µs each")
    ratio("ours to pgbench one by one", ratio_of(rates[0], rates[1]), "aim: 2 at least")
    ratio("ours to pgbench batched", ratio_of(rates[0], rates[2]), "aim: 0.25 at least")
    # pgbench's sessions are many and ours are two: on a machine with other work the scheduler gives it the greater part.
    ratio("the same by processor time, one by one", ratio_of(costs[1], costs[0]))
    ratio("the same by processor time, batched", ratio_of(costs[2], costs[0]))
    return median(rates[0])


def _at_half_load(port: int, full_per_second: float) -> None:
    rounds = [
        load(port, CONNECTIONS, ROUND_SECONDS, (n + 2 + ROUNDS) * IDS_A_ROUND, full_per_second / 2)
        for n in range(ROUNDS)
    ]
    figure("at half of that load, p50", median(one["p50_ms"] for one in rounds), "ms")
    figure("at half of that load, p99", median(one["p99_ms"] for one in rounds), "ms", "aim: 25 at most")
