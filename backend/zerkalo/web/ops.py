"""For those who run the service: /healthz (it lives), /readyz (it can serve), /metrics (Prometheus)."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Literal, Protocol

import psycopg
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client import (
    CONTENT_TYPE_LATEST,
    CollectorRegistry,
    Gauge,
    generate_latest,
)
from prometheus_client.core import CounterMetricFamily, HistogramMetricFamily, Metric
from prometheus_client.registry import Collector
from psycopg_pool import PoolTimeout

from zerkalo.checkup.store import companies
from zerkalo.db.migrate import is_current
from zerkalo.db.pool import Connection, Pool
from zerkalo.kit.clock import Clock
from zerkalo.settings import Settings
from zerkalo.webhook.tally import Tally


class Metrics:
    """What this process counts. With several server processes each tells its own; gauges come from the database."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        self.webhooks = Tally()
        self.registry.register(_OfTally(self.webhooks))
        self.quarantine = Gauge(
            "zerkalo_quarantine", "Deliveries waiting to be handled.", registry=self.registry
        )
        self.refetches = Gauge(
            "zerkalo_refetches_waiting", "Records to ask YCLIENTS for.", registry=self.registry
        )
        self.sync_age = Gauge(
            "zerkalo_sync_age_seconds", "Since the slowest company's last good read.", registry=self.registry
        )


class _OfTally(Collector):
    """The door's counts in the form of Prometheus, made when they are asked for."""

    def __init__(self, tally: Tally) -> None:
        self._tally = tally

    def collect(self) -> Iterator[Metric]:
        """What the registry asks for."""
        calls = CounterMetricFamily(
            "zerkalo_webhooks",
            "Calls to the webhook by outcome, or by the code of the error.",
            labels=["outcome"],
        )
        for outcome, count in self._tally.outcomes.items():
            calls.add_metric([outcome], count)
        yield calls
        yield HistogramMetricFamily(
            "zerkalo_webhook_seconds",
            "Seconds from call to answer.",
            buckets=self._tally.buckets(),
            sum_value=self._tally.seconds_sum,
        )


@dataclass(frozen=True, slots=True)
class Readiness:
    """Whether this process can serve, and what each check found: `ok`, or what is missing."""

    status: Literal["ready", "not ready"]
    checks: dict[str, str]


class OpsRuntime(Protocol):
    """What these routes need of the composition."""

    @property
    def settings(self) -> Settings: ...
    @property
    def pool(self) -> Pool: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def started_at(self) -> datetime: ...
    @property
    def metrics(self) -> Metrics: ...


def router(runtime: OpsRuntime) -> APIRouter:
    """The three routes, at the root of the server."""
    routes = APIRouter(tags=["ops"])

    @routes.get("/healthz", summary="The process lives")
    async def healthz() -> dict[str, str]:
        return {"status": "ok"}

    @routes.get(
        "/readyz",
        summary="The process can serve: its database answers, and has the tables for it",
        responses={503: {"description": "Not ready; the checks tell what is missing.", "model": Readiness}},
    )
    async def readyz(response: Response) -> Readiness:
        checks = await _checks(runtime)
        ready = all(value == "ok" for value in checks.values())
        response.status_code = 200 if ready else 503
        return Readiness("ready" if ready else "not ready", checks)

    @routes.get("/metrics", summary="Figures for Prometheus", response_class=PlainTextResponse)
    async def metrics() -> Response:
        await _read_gauges(runtime)
        return Response(generate_latest(runtime.metrics.registry), media_type=CONTENT_TYPE_LATEST)

    return routes


async def _checks(runtime: OpsRuntime) -> dict[str, str]:
    """Whether this process can serve, and nothing else: what YCLIENTS does takes no server out of a balancer."""
    try:
        async with runtime.pool.connection(timeout=2) as conn:
            schema = "ok" if await is_current(conn) else "run `zerkalo migrate`"
    except (psycopg.Error, PoolTimeout):
        return {"database": "does not answer"}
    return {"database": "ok", "schema": schema}


async def _sync_age(conn: Connection, runtime: OpsRuntime) -> timedelta | None:
    """Age of the slowest company's last good read; before the first one it counts from the server's start.

    A run under way is no delay: a first full history takes what it takes. One that nobody carries is.
    """
    found = await companies(conn, runtime.settings.yclients_company_ids)
    since = [
        max(company.last_success_at or runtime.started_at, runtime.started_at)
        for company in found
        if not company.is_running
    ]
    return runtime.clock() - min(since) if since else None


async def _read_gauges(runtime: OpsRuntime) -> None:
    figures = runtime.metrics
    try:
        async with runtime.pool.connection(timeout=2) as conn:
            cursor = await conn.execute(
                "select (select count(*) from deliveries where outcome = 'quarantined' and handled_at is null),"
                " (select count(*) from refetches)"
            )
            row = await cursor.fetchone() or (0, 0)
            age = await _sync_age(conn, runtime)
    except (psycopg.Error, PoolTimeout):
        return  # the process's own figures are still worth telling
    figures.quarantine.set(row[0])
    figures.refetches.set(row[1])
    figures.sync_age.set(age.total_seconds() if age is not None else 0)
