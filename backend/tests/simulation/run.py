"""Run one seed and say how it went."""

import asyncio
import logging
import time
import traceback
from collections import Counter
from collections.abc import Awaitable, Callable
from dataclasses import dataclass, field
from random import Random
from typing import Any

from structlog.testing import capture_logs

from tests.simulation.database import Database, connect, fetch
from tests.simulation.loop import Gate, SimulatedLoop
from tests.simulation.process import task_factory
from tests.simulation.verdict import judge
from tests.simulation.world import World

TABLES = {
    "bookings": "*",
    "bonus_entries": "*",
    "deliveries": "*",
    "users": "id, email, phone, unique_code, email_verified_at, phone_verified_at, erased_at, merged_into",
    "companies": "*",
    "sync_runs": "id, company_id, status, progress::text, fetched, created, updated, unchanged, stale, cancelled, failed, error, started_at, finished_at",
    "match_candidates": "*",
    "clients": "*",
    "booking_events": "*",
}
"""What of the final rows belongs to the trace: all but random keys and hashes."""

# Who ends a transaction that is broken already says so in many words.
logging.getLogger("psycopg").setLevel(logging.ERROR)

ERROR_LEVELS = ("error", "exception", "critical")
EXPECTED_ERRORS = ("webhook not stored: the database does not answer",)
"""What may be logged as an error when the database is away; any other one is a finding."""


@dataclass
class Report:
    """How a seed went."""

    seed: int
    faults: list[str] = field(default_factory=list[str])
    counted: Counter[str] = field(default_factory=Counter[str])
    trace: str = ""
    """A digest of everything that happened and of the final rows."""
    lines: list[str] = field(default_factory=list[str])
    cpu_seconds: float = 0.0
    real_seconds: float = 0.0

    @property
    def command(self) -> str:
        """What replays it."""
        return f"make sim SEED={self.seed}"


def run_seed(seed: int, dsn: str) -> Report:
    """Play a seed on an empty, migrated database, and judge it."""
    report = Report(seed)
    cpu, real = time.process_time(), time.monotonic()
    with capture_logs() as logs:
        in_simulated_time(lambda loop: _play(report, dsn, loop))
    report.faults += sorted(
        {
            f"logged: {line['event']} {line.get('reason', '')}"
            for line in logs
            if line["log_level"] in ERROR_LEVELS and line["event"] not in EXPECTED_ERRORS
        }
    )
    report.cpu_seconds, report.real_seconds = time.process_time() - cpu, time.monotonic() - real
    return report


def in_simulated_time(make: Callable[[SimulatedLoop], Awaitable[Any]]) -> None:
    """Run `make(loop)` on a loop of its own, whose time is virtual."""
    loop = SimulatedLoop()
    asyncio.set_event_loop(loop)
    try:
        loop.run_until_complete(make(loop))
    finally:
        asyncio.set_event_loop(None)
        loop.close()


async def _play(report: Report, dsn: str, loop: SimulatedLoop) -> None:
    world = await open_world(report.seed, dsn, loop)
    report.counted = world.counted
    try:
        await world.begin()
        await world.live()
        await world.heal()
        report.faults = await judge(world)
    except Exception as error:  # noqa: BLE001  whatever it is, it is this seed's finding
        at = traceback.extract_tb(error.__traceback__)[-1]
        what = f"{type(error).__name__}: {error} ({at.filename.rpartition('/')[2]}, line {at.lineno})"
        report.faults = [what, *(f"before: {one!r}" for one in world.failures)]
    finally:
        world.counted["vendor: over the rate limit"] = world.emulator.limiter.refused
        report.trace = await _close_trace(world)
        report.lines = world.trace_lines
        await close_world(world)


async def _close_trace(world: World) -> str:
    async with world.pool.connection() as conn:
        for table, columns in TABLES.items():
            rows = await fetch(conn, f"select {columns} from {table} order by 1, 2")
            world.trace.update(repr([tuple(row.values()) for row in rows]).encode())
    return world.trace.hexdigest()[:16]


async def open_world(seed: int, dsn: str, loop: SimulatedLoop) -> World:
    """A world on an empty, migrated database; `close_world` ends it."""
    loop.set_task_factory(task_factory)
    loop.set_exception_handler(lambda _loop, _context: None)  # tasks of the dead tell no tales
    conn = await connect(dsn)
    database = Database(Gate(loop, Random(f"{seed}/gate")), conn, Counter())
    conn.database = database
    return World(seed, loop, database, await connect(dsn))


async def close_world(world: World) -> None:
    """End its processes and its connection."""
    await world.stop()
    await asyncio.sleep(1)
    await world.database.conn.close()
    await world.holder.close()
