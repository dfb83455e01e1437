"""/healthz, /readyz and /metrics: what a load balancer and a Prometheus see of each state."""

import asyncio
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path

import httpx2
import pytest
from fastapi import FastAPI

from tests.support.api import NOW
from zerkalo.db.pool import Pool, open_pool
from zerkalo.settings import Settings
from zerkalo.web import ops
from zerkalo.web.ops import Metrics

pytestmark = pytest.mark.integration

COMPANY_ID = 5
STARTED_AT = NOW - timedelta(days=2)


@dataclass
class OpsRuntime:
    """What the routes ask for; `now` is the clock's hand."""

    pool: Pool
    settings: Settings = field(
        default_factory=lambda: Settings(yclients_enabled=True, yclients_company_ids=(COMPANY_ID,))
    )
    started_at: datetime = STARTED_AT
    metrics: Metrics = field(default_factory=Metrics)
    stop: asyncio.Event = field(default_factory=asyncio.Event)
    now: datetime = NOW

    def clock(self) -> datetime:
        return self.now

    async def get(self, path: str) -> httpx2.Response:
        app = FastAPI()
        app.include_router(ops.router(self))
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://salon.test") as client:
            return await client.get(path)

    async def execute(self, sql: str, *values: object) -> None:
        async with self.pool.connection() as conn:
            await conn.execute(sql.encode(), values)

    async def run(self, status: str, started_at: datetime) -> None:
        await self.execute(
            "insert into sync_runs (company_id, status, full_history, started_at) values (%s, %s, true, %s)",
            COMPANY_ID,
            status,
            started_at,
        )


@pytest.fixture
async def runtime(pool: Pool) -> OpsRuntime:
    one = OpsRuntime(pool)
    await one.execute("insert into companies (id, title) values (%s, 'Salon')", COMPANY_ID)
    return one


@pytest.fixture
async def away(dsn: str) -> AsyncIterator[OpsRuntime]:
    """One whose database has gone."""
    async with open_pool(dsn, name="gone") as pool:
        await pool.close()
        yield OpsRuntime(pool)


async def test_what_yclients_does_takes_no_server_out_of_a_balancer(runtime: OpsRuntime) -> None:
    await runtime.run("failed", NOW - timedelta(days=3))
    runtime.now += timedelta(days=3)

    ready = await runtime.get("/readyz")

    assert (ready.status_code, ready.json()["status"]) == (200, "ready")
    assert ready.json()["checks"] == {"database": "ok", "schema": "ok"}


async def test_age_of_the_last_sync_is_a_figure(runtime: OpsRuntime) -> None:
    await runtime.run("failed", NOW - timedelta(minutes=1))
    await runtime.run("finished", NOW - timedelta(minutes=59))

    assert "zerkalo_sync_age_seconds 3540.0" in (await runtime.get("/metrics")).text


@pytest.mark.parametrize("lease_until", [None, "-infinity", "2025-01-01T00:00:00Z", "2099-01-01T00:00:00Z"])
async def test_a_run_that_nobody_carries_hides_no_delay(runtime: OpsRuntime, lease_until: str | None) -> None:
    """Its worker was killed, there is none and an admin asked for a sync, or the lease was given by a wrong clock."""
    await runtime.run("finished", runtime.started_at)
    await runtime.run("running", NOW - timedelta(hours=1))
    await runtime.execute("update sync_runs set lease_until = %s where status = 'running'", lease_until)

    assert "zerkalo_sync_age_seconds 0.0" not in (await runtime.get("/metrics")).text


@pytest.mark.parametrize(
    ("revision", "status"), [("2025_01_01_older", 503), ("2099_01_01_newer", 200), ("somebody_elses", 503)]
)
async def test_tables_are_at_least_as_new_as_the_code(
    runtime: OpsRuntime, revision: str, status: int
) -> None:
    """A server of the version before goes on serving while the others are replaced."""
    await runtime.execute("update alembic_version set version_num = %s", revision)

    answer = await runtime.get("/readyz")

    assert answer.status_code == status
    assert (answer.json()["checks"]["schema"] == "ok") is (status == 200)


async def test_a_server_that_is_being_stopped_is_not_ready(runtime: OpsRuntime) -> None:
    runtime.stop.set()

    answer = await runtime.get("/readyz")

    assert (answer.status_code, answer.json()["checks"]["server"]) == (503, "is being stopped")


async def test_without_its_database_it_lives_and_counts_but_is_not_ready(away: OpsRuntime) -> None:
    away.metrics.webhooks.count("not_stored", 0.01)

    assert (await away.get("/healthz")).json() == {"status": "ok"}
    ready = await away.get("/readyz")
    assert (ready.status_code, ready.json()["checks"]["database"]) == (503, "does not answer")
    figures = await away.get("/metrics")
    assert figures.status_code == 200
    assert 'zerkalo_webhooks_total{outcome="not_stored"} 1.0' in figures.text


async def test_the_embedded_database_is_silent_for_want_of_room(
    away: OpsRuntime, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    away.settings = Settings(data_dir=tmp_path)
    monkeypatch.setattr(ops, "EMBEDDED_BYTES_MIN", 10**30)

    ready = await away.get("/readyz")

    assert ready.json()["checks"]["database"] == "does not answer: its disk is full"


async def test_the_figures_are_those_of_the_tables(runtime: OpsRuntime) -> None:
    await runtime.run("finished", NOW - timedelta(seconds=90))
    await runtime.execute(
        "insert into refetches (company_id, record_id, unsigned, reason, requested_at, next_attempt_at)"
        " values (%s, 1, false, 'test', now(), now())",
        COMPANY_ID,
    )
    runtime.metrics.webhooks.count("applied", 0.004)

    figures = await runtime.get("/metrics")

    assert figures.headers["content-type"].startswith("text/plain")
    for line in (
        'zerkalo_webhooks_total{outcome="applied"} 1.0',
        'zerkalo_webhook_seconds_bucket{le="0.005"} 1.0',
        "zerkalo_quarantine 0.0",
        "zerkalo_refetches_waiting 1.0",
        "zerkalo_sync_age_seconds 90.0",
    ):
        assert line in figures.text.splitlines(), line
