"""Durable webhooks beside pgbench with the same SQL: events a second, processor time an event, how long one takes.

The rate depends on who else works on the machine, the processor time hardly.
"""

from collections.abc import Callable
from dataclasses import dataclass
from statistics import median

import psycopg

from tests.benchmark import rivals
from tests.benchmark.sampled import shares
from tests.benchmark.stage import Stage, load, pause, postgres_pid, processor_seconds, server_process
from tests.benchmark.told import Told, ratio_of

ALONE = "ours, one caller at a time"
WHERE = "Where the server's own processor time goes, 64 connections"
CONNECTIONS = 64
MANY_CONNECTIONS = 256
WORKERS = 2
WARM_SECONDS = 2
IDS_A_ROUND = 10**9
FIRST_ID = 10**11
REPEATED = 1_000
"""Different events of a round of re-deliveries."""


@dataclass(frozen=True, slots=True)
class Round:
    """Events a second, the median's milliseconds, and microseconds of processor an event: the server's, PostgreSQL's."""

    per_second: float
    p50_ms: float
    server_us: float
    postgres_us: float

    @property
    def us(self) -> float:
        """Of both."""
        return self.server_us + self.postgres_us


class _Ids:
    """Record ids that nobody has used yet, so many for each round."""

    def __init__(self) -> None:
        self._next = FIRST_ID

    def take(self) -> int:
        self._next += IDS_A_ROUND
        return self._next


def measure(stage: Stage, dsn: str, told: Told) -> None:
    """Note the figures of ours and of both rivals."""
    told.title("Durable webhooks")
    ids = _Ids()
    with server_process(dsn) as (port, pid):
        load(port, CONNECTIONS, WARM_SECONDS, ids.take())
        ours = _beside_pgbench(stage, dsn, port, pid, ids, told)
        _at_half_load(port, ours, ids, told)
    with server_process(dsn, workers=WORKERS) as (port, pid):
        load(port, CONNECTIONS, WARM_SECONDS, ids.take())
        several = [_ours(dsn, port, pid, ids, told, CONNECTIONS) for _ in range(told.rounds)]
    _figures(told, f"{WORKERS} server processes, {CONNECTIONS} connections", several, "aim: 4,500 at least")
    _where_it_goes(stage, dsn, ids, told)


def _beside_pgbench(stage: Stage, dsn: str, port: int, pid: int, ids: _Ids, told: Told) -> float:
    def pgbench(script: str, clients: int, events: int) -> Round:
        postgres = postgres_pid(dsn)
        before = processor_seconds(postgres)
        rate = rivals.pgbench(dsn, stage.folder, script, clients=clients, seconds=told.seconds) * events
        return Round(rate, 0, 0, 10**6 * (processor_seconds(postgres) - before) / (rate * told.seconds))

    measures: dict[str, Callable[[], Round]] = {
        "ours": lambda: _ours(dsn, port, pid, ids, told, CONNECTIONS),
        "again": lambda: _ours(dsn, port, pid, ids, told, CONNECTIONS, different=REPEATED),
        "many": lambda: _ours(dsn, port, pid, ids, told, MANY_CONNECTIONS),
        "alone": lambda: _ours(dsn, port, pid, ids, told, 1),
        "one by one": lambda: pgbench(rivals.ONE_BY_ONE, CONNECTIONS, 1),
        "batched": lambda: pgbench(rivals.BATCHED, 2, rivals.BATCH),
    }
    found: dict[str, list[Round]] = {name: [] for name in measures}
    for _ in range(told.rounds):
        for name, one in measures.items():
            found[name].append(one())
    ours, again, many, alone, one_by_one, batched = found.values()
    told.ratio("ours to pgbench one by one, by rate", _rates(ours, one_by_one), "aim: 1.6 at least")
    told.ratio("ours to pgbench one by one, by processor time", _costs(one_by_one, ours), "aim: 2 at least")
    told.ratio("ours to pgbench batched, by rate", _rates(ours, batched))
    told.ratio("ours to pgbench batched, by processor time", _costs(batched, ours), "aim: 0.15 at least")
    told.ratio(
        "a re-delivery to a first delivery, by processor time", _costs(again, ours), "aim: 0.7 at most"
    )
    _figures(told, f"ours, {CONNECTIONS} connections", ours, aim_us="aim: 300 at most")
    _figures(told, f"ours, {MANY_CONNECTIONS} connections", many, aim_us="aim: 300 at most")
    _figures(told, f"ours, {CONNECTIONS} connections, delivered again", again)
    _figures(told, ALONE, alone)
    told.figure("  p50", median(one.p50_ms for one in alone), "ms", "aim: 1.8 at most")
    _figures(told, "pgbench, one transaction an event", one_by_one)
    _figures(told, f"pgbench, {rivals.BATCH} events a transaction", batched)
    return median(one.per_second for one in ours)


def _ours(
    dsn: str, port: int, pid: int, ids: _Ids, told: Told, connections: int, *, different: int = 0
) -> Round:
    """One round of ours, after a checkpoint and a pause: the aftermath of the one before is not counted on it."""
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("checkpoint")
    first_id = ids.take()
    if different:
        load(port, connections, told.seconds, first_id, different=different, once=True)
    pause()
    postgres = postgres_pid(dsn)
    server_before, postgres_before = processor_seconds(pid), processor_seconds(postgres)
    calls = load(port, connections, told.seconds, first_id, different=different)
    return Round(
        calls["per_second"],
        calls["p50_ms"],
        10**6 * (processor_seconds(pid) - server_before) / calls["answered"],
        10**6 * (processor_seconds(postgres) - postgres_before) / calls["answered"],
    )


def _where_it_goes(stage: Stage, dsn: str, ids: _Ids, told: Told) -> None:
    """The server's own time by what it does, sampled: which costs it something, so the shares count and not the sum."""
    told.title(WHERE)
    stacks = stage.folder / "stacks.json"
    with server_process(dsn, stacks=stacks) as (port, pid):
        load(port, CONNECTIONS, WARM_SECONDS, ids.take())
        before = processor_seconds(pid)
        calls = load(port, CONNECTIONS, told.rounds * told.seconds, ids.take())
        us = 10**6 * (processor_seconds(pid) - before) / calls["answered"]
    for part, share in shares(stacks).items():
        told.figure(part, 100 * share, "%", f"{share * us:.0f} µs of {us:.0f}")


def _figures(told: Told, name: str, rounds: list[Round], aim: str = "", aim_us: str = "") -> None:
    told.figure(name, median(one.per_second for one in rounds), "a second", aim)
    told.figure("  processor time", median(one.us for one in rounds), "µs each", aim_us)
    if any(one.server_us for one in rounds):
        told.figure("  of it the server", median(one.server_us for one in rounds), "µs each")
        told.figure("  of it PostgreSQL", median(one.postgres_us for one in rounds), "µs each")


def _rates(first: list[Round], second: list[Round]) -> float:
    return ratio_of([one.per_second for one in first], [one.per_second for one in second])


def _costs(first: list[Round], second: list[Round]) -> float:
    return ratio_of([one.us for one in first], [one.us for one in second])


def _at_half_load(port: int, full_per_second: float, ids: _Ids, told: Told) -> None:
    rounds = [
        load(port, CONNECTIONS, told.seconds, ids.take(), full_per_second / 2) for _ in range(told.rounds)
    ]
    told.figure("at half of that load, p50", median(one["p50_ms"] for one in rounds), "ms")
    told.figure("at half of that load, p99", median(one["p99_ms"] for one in rounds), "ms", "aim: 20 at most")
