"""kill -9 of a real server under load: what it had answered 200 stands in the tables, and what it had not can come again."""

import asyncio
import json
import os
import random
import signal
import subprocess
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest

from tests.integration.processes.test_sync_processes import as_url
from tests.support.application import free_port
from tests.support.salon import SECRET
from tests.support.vendor import COMPANY_ID, State, event
from zerkalo.db.pool import Pool

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240)]

BACKEND = Path(__file__).parents[3]
CALLERS = 32
CHANGED_AT = "2025-06-01T12:00:00+0300"
"""Long ago by every clock: a change of the future is not applied at once, it is asked for."""
KILLS = 3
START_SECONDS_MAX = 60


@asynccontextmanager
async def server(
    dsn: str, port: int, *words: str, stop_delay_seconds: int = 0
) -> AsyncIterator[subprocess.Popen[bytes]]:
    """Yields a running `zerkalo serve` of its own; kills it at the end."""
    settings = {
        "DATABASE_URL": as_url(dsn),
        "SECRET_KEY": "sixteen-characters-and-more",
        "YCLIENTS_ENABLED": "True",
        "YCLIENTS_API_URL": "http://127.0.0.1:9/api/v1",
        "YCLIENTS_PARTNER_TOKEN": "partner",
        "YCLIENTS_USER_TOKEN": "user",
        "YCLIENTS_COMPANY_ID": str(COMPANY_ID),
        "YCLIENTS_WEBHOOK_SECRET": SECRET,
        "LOG_LEVEL": "WARNING",
        "STOP_DELAY_SECONDS": str(stop_delay_seconds),
    }
    process = subprocess.Popen(
        [Path(sys.executable).parent / "zerkalo", "serve", "--port", str(port), *words],
        cwd="/",
        env={"PATH": os.environ["PATH"], **settings},
    )
    try:
        async with httpx2.AsyncClient() as client:
            for _ in range(START_SECONDS_MAX * 10):
                assert process.poll() is None, "the server ended"
                try:
                    await client.get(f"http://127.0.0.1:{port}/healthz")
                    break
                except httpx2.TransportError:
                    await asyncio.sleep(0.1)
        yield process
    finally:
        process.kill()
        process.wait()


async def test_no_acknowledged_event_is_lost_when_the_server_is_killed(dsn: str, pool: Pool) -> None:
    rng = random.Random(1)
    acknowledged: set[int] = set()
    unanswered: set[int] = set()
    numbers = iter(range(1, 10**9))
    port = free_port()

    async def call(client: httpx2.AsyncClient, record_id: int) -> bool:
        told = event(State(record_id % 50), id=record_id, last_change_date=CHANGED_AT)
        body = json.dumps(told).encode()
        try:
            answer = await client.post(
                f"http://127.0.0.1:{port}/api/v1/yclients/webhook", params={"token": SECRET}, content=body
            )
        except httpx2.TransportError:
            unanswered.add(record_id)
            return False
        assert answer.status_code == 200, answer.text
        acknowledged.add(record_id)
        return True

    async def caller() -> None:
        async with httpx2.AsyncClient(timeout=30) as client:
            while await call(client, next(numbers)):
                pass

    for kill in range(1, KILLS + 1):
        async with server(dsn, port) as process:
            callers = [asyncio.create_task(caller()) for _ in range(CALLERS)]
            while len(acknowledged) < 300 * kill:
                await asyncio.sleep(0.01)
            await asyncio.sleep(rng.uniform(0, 0.2))
            process.send_signal(signal.SIGKILL)
            await asyncio.gather(*callers)

    assert unanswered, "it was killed in the middle of work"
    assert acknowledged <= await ids(pool, "select yclients_record_id from bookings")
    assert acknowledged <= await ids(pool, "select resource_id from deliveries where outcome = 'applied'")

    async with server(dsn, port), httpx2.AsyncClient(timeout=30) as client:
        again = list(unanswered)
        for record_id in again:
            assert await call(client, record_id)
    assert acknowledged == await ids(pool, "select yclients_record_id from bookings"), (
        "once each, and nothing else"
    )


async def ids(pool: Pool, sql: str) -> set[int]:
    async with pool.connection() as conn:
        found = [id_ for (id_,) in await (await conn.execute(sql.encode())).fetchall()]
    assert len(found) == len(set(found)), "one row a record"
    return set(found)


@pytest.mark.parametrize("words", [[], ["--workers", "2"]], ids=["one process", "two"])
async def test_a_stopped_server_says_that_it_is_not_ready_and_answers_until_its_delay_is_over(
    dsn: str, words: list[str]
) -> None:
    port = free_port()
    async with (
        server(dsn, port, *words, stop_delay_seconds=10) as process,
        httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client,
    ):
        process.terminate()
        async with asyncio.timeout(60):
            while (ready := await client.get("/readyz")).status_code == 200:
                await asyncio.sleep(0.05)

        assert ready.json()["checks"]["server"] == "is being stopped"
        assert (await client.get("/healthz")).status_code == 200
        assert await asyncio.to_thread(process.wait, 60) == 0
