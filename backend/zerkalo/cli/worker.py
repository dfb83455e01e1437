"""`zerkalo worker`: run the periodic sync and the other background work in a process of its own."""

import asyncio
import contextlib
import signal
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from typing import Annotated

import typer
from fastapi import FastAPI

from zerkalo.cli.shared.ports import see_that_it_is_free
from zerkalo.composition import Parts, assembled, prepare_database
from zerkalo.db.database import database
from zerkalo.kit.clock import Clock
from zerkalo.logs import configure_logging
from zerkalo.main import server_of
from zerkalo.metrics.loop_lag import watching_the_loop
from zerkalo.settings import Settings, load_settings
from zerkalo.telemetry.service import telemetry
from zerkalo.web import ops
from zerkalo.worker import run_worker


async def worker(
    metrics_port: Annotated[
        int | None, typer.Option(min=1, max=65535, help="Answer /metrics and /healthz at this port.")
    ] = None,
    metrics_host: Annotated[str, typer.Option(help="The address for that port.")] = "127.0.0.1",
) -> None:
    """Do the background work until Ctrl-C or SIGTERM. Any number may run on one database; `serve` without DATABASE_URL includes one."""
    settings = load_settings()
    configure_logging(settings)
    if metrics_port is not None:
        see_that_it_is_free(metrics_host, metrics_port, options="--metrics-port and --metrics-host")
    with telemetry(settings, name="worker"):
        await _work(settings, metrics_host, metrics_port)


async def _work(settings: Settings, metrics_host: str, metrics_port: int | None) -> None:
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with database(settings) as dsn:
        await prepare_database(settings, dsn)
        async with (
            assembled(settings, dsn, name="worker") as parts,
            _telling(parts, stop, metrics_host, metrics_port),
            watching_the_loop(),
        ):
            await run_worker(parts, stop)


@dataclass(frozen=True)
class Told(Parts):
    """The parts of a worker, and its metrics."""

    clock: Clock  # stated again: the type checker takes an inherited callable for a method
    metrics: ops.Metrics = field(kw_only=True)
    stop: asyncio.Event = field(kw_only=True)


@asynccontextmanager
async def _telling(parts: Parts, stop: asyncio.Event, host: str, port: int | None) -> AsyncGenerator[None]:
    """Answer /metrics, /healthz and /readyz at the port while the block lasts; no port: nothing."""
    if port is None:
        yield
        return
    known = {one.name: getattr(parts, one.name) for one in fields(Parts)}
    app = FastAPI(title="Zerkalo worker", docs_url=None, redoc_url=None, openapi_url=None)
    app.include_router(ops.router(Told(**known, metrics=ops.Metrics(parts.pools), stop=stop)))
    server = server_of(app, host, port)
    serving = asyncio.create_task(server.serve(), name="metrics")
    try:
        yield
    finally:
        server.should_exit = True
        with contextlib.suppress(asyncio.CancelledError):
            await serving
