"""For operators: /healthz (the process lives), /readyz (it can serve), /metrics (Prometheus)."""

import asyncio
import shutil
from collections.abc import Iterator, Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Literal, Protocol

import psycopg
from fastapi import APIRouter, Response
from fastapi.responses import PlainTextResponse
from prometheus_client.core import CounterMetricFamily, GaugeMetricFamily, HistogramMetricFamily, Metric
from psycopg_pool import PoolTimeout

from zerkalo.checkup.gauges.model import Gauges
from zerkalo.checkup.gauges.rules import slot_waits, told
from zerkalo.checkup.gauges.store import read_gauges
from zerkalo.db.migrate import is_current
from zerkalo.db.pool import Pool
from zerkalo.kit.clock import Clock
from zerkalo.kit.single_flight import SingleFlight
from zerkalo.metrics.exposition import CONTENT_TYPE_LATEST, gauge, merged, of_process, text_of
from zerkalo.metrics.sharing import Shared
from zerkalo.settings import Settings
from zerkalo.webhook.routes import Tally

GAUGES_SECONDS = 5.0
"""How long figures read from the tables are cached, so that several scrapers cost one read."""
GAUGES_SECONDS_MAX = 2.0
"""How long a scrape waits for the database; after that it is answered without its figures."""

EMBEDDED_BYTES_MIN = 16 * 1024**2
"""The free disk space that the embedded database needs to start: its first write-ahead log file is this large."""


class Metrics:
    """This process's metrics, shared with the other processes on its port."""

    def __init__(self, pools: Mapping[str, Pool] | None = None, folder: Path | None = None) -> None:
        self.webhooks = Tally()
        self.shared = Shared(folder)
        self.gauges = SingleFlight()
        self._pools = pools or {}

    def own(self) -> Iterator[Metric]:
        """Yield this process's own metrics."""
        yield from _of_door(self.webhooks)
        yield from of_process(self._pools)

    def of_all(self) -> list[Metric]:
        """Return the merged metrics of all processes on this port."""
        return merged([*self.own(), *self.shared.others()])


def _of_door(tally: Tally) -> Iterator[Metric]:
    calls = CounterMetricFamily(
        "zerkalo_webhooks",
        "Calls to the webhook by outcome, or by the code of the error.",
        labels=["outcome"],
    )
    for outcome, count in tally.outcomes.items():
        calls.add_metric([outcome], count)
    yield calls
    seconds = tally.seconds
    yield HistogramMetricFamily(seconds.name, seconds.text, buckets=seconds.buckets(), sum_value=seconds.sum)


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
    @property
    def stop(self) -> asyncio.Event: ...


def router(runtime: OpsRuntime) -> APIRouter:
    """Return the three routes, for the root of the server."""
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
        families = [*runtime.metrics.of_all(), *await of_tables(runtime)]
        return Response(text_of(families), media_type=CONTENT_TYPE_LATEST)

    return routes


async def _checks(runtime: OpsRuntime) -> dict[str, str]:
    """Check only whether this process can serve: trouble at YCLIENTS must not take it out of a load balancer."""
    try:
        async with runtime.pool.connection(timeout=2) as conn:
            schema = "ok" if await is_current(conn) else "run `zerkalo migrate`"
    except (psycopg.Error, PoolTimeout):
        return {"database": _silence(runtime.settings)}
    return {
        "database": "ok",
        "schema": schema,
        **({"server": "is being stopped"} if runtime.stop.is_set() else {}),
    }


def _silence(settings: Settings) -> str:
    """Say that the database does not answer; for the embedded one, on this machine's disk, also whether that is full."""
    if settings.database_url is None:
        with suppress(OSError):
            if shutil.disk_usage(settings.data_dir).free < EMBEDDED_BYTES_MIN:
                return "does not answer: its disk is full"
    return "does not answer"


async def of_tables(runtime: OpsRuntime) -> list[Metric]:
    """Return the metrics read from the tables; only `zerkalo_database_up` where the database does not answer."""
    gauges = await _gauges(runtime)
    is_up = gauge("zerkalo_database_up", "Whether the database answers.", gauges is not None)
    if gauges is None:
        return [is_up]
    waits = GaugeMetricFamily(
        "zerkalo_yclients_slot_wait_seconds",
        "Until the next request to YCLIENTS may leave, by share of the rate limit; 0: at once.",
        labels=["share"],
    )
    for share, seconds in slot_waits(gauges):
        waits.add_metric([share], seconds)
    settings = runtime.settings
    limit = min(settings.yclients_requests_per_minute, 60 * settings.yclients_requests_per_second)
    return [
        is_up,
        *(gauge(*one) for one in told(gauges)),
        waits,
        gauge("zerkalo_yclients_requests_per_minute_max", "The rate limit of one address.", limit),
    ]


async def _gauges(runtime: OpsRuntime) -> Gauges | None:
    async def read() -> Gauges:
        settings = runtime.settings
        async with runtime.pool.connection(timeout=GAUGES_SECONDS_MAX) as conn:
            return await read_gauges(
                conn,
                settings.yclients_company_ids,
                settings.yclients_egress,
                now=runtime.clock(),
                since=runtime.started_at,
            )

    try:
        async with asyncio.timeout(GAUGES_SECONDS_MAX):
            return await runtime.metrics.gauges.get("gauges", read, keep=GAUGES_SECONDS)
    except (psycopg.Error, PoolTimeout, TimeoutError):
        # The process's own metrics are answered all the same.
        return None
