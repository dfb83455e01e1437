"""`make bench`: ours beside pgbench, in one run on one durable database; ratios, for the times alone say more of the machine.

The server is `zerkalo serve` in a process of its own, the callers are another, PostgreSQL is the embedded one with fsync on. Rounds
alternate, the best of each counts: whatever else the machine does only takes away.
"""

import asyncio
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from time import perf_counter
from urllib.request import urlopen

import psycopg
import uvloop

from tests.benchmark import rivals
from tests.benchmark.bodies import COMPANY_ID, page
from tests.benchmark.load import TOKEN
from tests.integration.processes.test_sync_processes import as_url
from tests.support.application import free_port
from tests.support.database import open_folder
from zerkalo.bookings.model import Source
from zerkalo.db.embedded import embedded_postgres
from zerkalo.db.migrate import upgrade
from zerkalo.db.pool import open_pool
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.sync.model import Observation
from zerkalo.sync.service import Applier
from zerkalo.yclients.payloads import parse_records_page

BACKEND = Path(__file__).parents[2]
CONNECTIONS = 64
ROUND_SECONDS = 8
ROUNDS = 3
PAGE = 200
PAGES = 60
START_SECONDS_MAX = 30


def main() -> None:
    with open_folder() as folder, embedded_postgres(folder) as dsn:
        upgrade(dsn)
        _fill(dsn)
        ours, naive, physical = _webhooks(dsn, folder)
        _line("webhooks a second, durable, 64 connections", ours)
        _line("pgbench, one transaction an event", naive)
        _line(f"pgbench, {rivals.BATCH} events a transaction", physical)
        _ratio("ours to pgbench one by one", ours / naive, 2.0)
        _ratio("ours to pgbench batched", ours / physical, 0.25)
        print()
        with _server(dsn) as port:
            half = _load(port, CONNECTIONS, ROUND_SECONDS, 8 * 10**11, ours / 2)
        _line("at half of that load, p50, ms", half["p50_ms"])
        _line("at half of that load, p99, ms", half["p99_ms"], "aim: 25 at most")
        print()
        new, unchanged, physical_rows = uvloop.run(_pages(dsn, folder))
        _line("records a second from pages, new", new, "aim: 20,000 at least")
        _line("records a second from pages, unchanged", unchanged, "aim: 50,000 at least")
        _line("pgbench, the same rows batched", physical_rows)
        _ratio("new from pages to pgbench batched", new / physical_rows, 0.25)


def _fill(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("insert into companies (id, timezone_name) values (%s, 'Europe/Moscow')", [COMPANY_ID])
        conn.execute(
            "insert into users (unique_code, phone, phone_verified_at) select 'U' || lpad(n::text, 7, '0'),"
            " '+7900' || lpad(n::text, 7, '0'), now() from generate_series(1, 5000) as n"
        )
        # Plans made on empty tables would be kept for a while, by pgbench and by ours.
        conn.execute(
            "insert into bookings (company_id, yclients_record_id, appointment_datetime, notes, raw_record)"
            " select %s, n, now(), 'YClients. ID: ' || n, repeat('x', 2500) from generate_series(1, 20000) as n",
            [COMPANY_ID],
        )
        conn.execute("analyze")


def _webhooks(dsn: str, folder: Path) -> tuple[float, float, float]:
    """The best of the rounds: ours, pgbench one by one, pgbench batched; events a second."""
    ours, naive, physical = 0.0, 0.0, 0.0
    with _server(dsn) as port:
        _load(port, CONNECTIONS, 2, 10**11)  # warm
        for n in range(1, ROUNDS + 1):
            told = _load(port, CONNECTIONS, ROUND_SECONDS, (n + 1) * 10**11)
            assert not told["failed"], "every event is answered 200, applied"
            ours = max(ours, told["per_second"])
            naive = max(
                naive,
                rivals.pgbench(dsn, folder, rivals.ONE_BY_ONE, clients=CONNECTIONS, seconds=ROUND_SECONDS),
            )
            batches = rivals.pgbench(dsn, folder, rivals.BATCHED, clients=2, seconds=ROUND_SECONDS)
            physical = max(physical, batches * rivals.BATCH)
    return ours, naive, physical


async def _pages(dsn: str, folder: Path) -> tuple[float, float, float]:
    """Records a second through `Applier` from parsed bytes on: new ones, the same again; and pgbench beside them."""
    policy = LoyaltyPolicy(enabled=True, percent=Decimal(5))
    new = unchanged = physical = 0.0
    async with open_pool(dsn, name="bench") as pool:
        applier = Applier(pool, clock=lambda: datetime.now(UTC), policy=policy)
        for n in range(ROUNDS):
            first = 9 * 10**12 + n * 10**6
            pages = [page(range(first + at * PAGE, first + (at + 1) * PAGE)) for at in range(PAGES)]
            new = max(new, await _applied(applier, pages))
            unchanged = max(unchanged, await _applied(applier, pages))
            batches = await asyncio.to_thread(
                rivals.pgbench, dsn, folder, rivals.BATCHED, clients=1, seconds=4
            )
            physical = max(physical, batches * rivals.BATCH)
    return new, unchanged, physical


async def _applied(applier: Applier, pages: list[bytes]) -> float:
    began_at = perf_counter()
    for body in pages:
        records = parse_records_page(body, COMPANY_ID).items
        await applier.apply(
            [Observation(Source.PAGE, COMPANY_ID, one.record_id, record=one) for one in records]  # pyright: ignore[reportArgumentType]  # all readable
        )
    return len(pages) * PAGE / (perf_counter() - began_at)


@contextmanager
def _server(dsn: str) -> Iterator[int]:
    """Yields the port of a running `zerkalo serve`."""
    port = free_port()
    settings = {
        "DATABASE_URL": as_url(dsn), "SECRET_KEY": "sixteen-characters-and-more", "YCLIENTS_ENABLED": "True",
        "YCLIENTS_API_URL": "http://127.0.0.1:9/api/v1", "YCLIENTS_PARTNER_TOKEN": "partner", "YCLIENTS_USER_TOKEN": "user",
        "YCLIENTS_COMPANY_ID": str(COMPANY_ID), "YCLIENTS_WEBHOOK_SECRET": TOKEN,
    }  # fmt: skip
    command = [Path(sys.executable).parent / "zerkalo", "serve", "--port", str(port)]
    with subprocess.Popen(
        command, cwd="/", env={"PATH": os.environ["PATH"], **settings}, stderr=subprocess.DEVNULL
    ) as process:
        try:
            _wait_for(port)
            yield port
        finally:
            process.terminate()


def _wait_for(port: int) -> None:
    deadline = perf_counter() + START_SECONDS_MAX
    while True:
        try:
            urlopen(f"http://127.0.0.1:{port}/healthz").close()
            return
        except OSError:
            assert perf_counter() < deadline, "the server did not start"


def _load(
    port: int, connections: int, seconds: float, first_id: int, per_second: float = 0
) -> dict[str, float]:
    words = [str(word) for word in (port, connections, seconds, first_id, per_second)]
    told = subprocess.run(
        [sys.executable, "-m", "tests.benchmark.load", *words],
        check=True,
        stdout=subprocess.PIPE,
        text=True,
        cwd=BACKEND,
    )
    return json.loads(told.stdout)


def _line(what: str, value: float, aim: str = "") -> None:
    print(f"{what:<48}{value:>12,.1f}   {aim}", flush=True)


def _ratio(what: str, value: float, aim: float) -> None:
    print(f"{what:<48}{value:>12.2f} ×  aim: {aim} at least", flush=True)


if __name__ == "__main__":
    main()
