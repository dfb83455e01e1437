"""The composition root of the web process: settings in, ASGI app out, and the server that carries it."""

import asyncio
import contextlib
import gc
import os
import signal
from collections.abc import AsyncGenerator, Generator, Mapping
from contextlib import asynccontextmanager
from dataclasses import dataclass, field, fields
from pathlib import Path
from typing import Any

import uvicorn
from starlette.routing import Router
from starlette.types import ASGIApp, Receive, Scope, Send

from zerkalo.composition import Parts, assembled
from zerkalo.db.database import database
from zerkalo.kit.clock import Clock
from zerkalo.logs import configure_logging
from zerkalo.metrics.loop_lag import watching_the_loop
from zerkalo.metrics.sharing import folder_of
from zerkalo.mirror.context import Limits
from zerkalo.settings import Settings, load_settings
from zerkalo.telemetry.service import telemetry
from zerkalo.users.service import ensure_first_admin
from zerkalo.web.api import App, create_app
from zerkalo.web.connections import BoundedProtocol, allow_many_connections
from zerkalo.web.ops import Metrics
from zerkalo.webhook.committer import Committer
from zerkalo.worker import WorkerState, run_worker

DRAIN_SECONDS = 5
"""How long a stopped server waits for requests under way: with what is to be closed after it, it is gone within 10 s
even where the database is silent."""
KEEP_ALIVE_SECONDS = 15
PARENT_SECONDS = 1.0
"""How often a process that ends with its parent sees whether that one lives."""

SERVER_OPTIONS: Mapping[str, Any] = {
    "loop": "uvloop",
    "http": BoundedProtocol,
    "ws": "none",
    "access_log": False,  # a webhook's address may hold its secret
    "log_config": None,
    "server_header": False,
    "timeout_keep_alive": KEEP_ALIVE_SECONDS,
    "timeout_graceful_shutdown": DRAIN_SECONDS,
    "proxy_headers": True,
    "forwarded_allow_ips": "127.0.0.1",
}
"""How uvicorn is to serve, in one process or in several; `server_options` adds what the settings say."""


class Server(uvicorn.Server):
    """uvicorn without its signal handlers: those raise the signal again at the end, over our own shutdown."""

    @contextlib.contextmanager
    def capture_signals(self) -> Generator[None]:
        """Leave the signals to `stop_on_signals`."""
        yield


def server_options(settings: Settings) -> dict[str, Any]:
    """`SERVER_OPTIONS` with the proxies that are believed: uvicorn itself would look into the environment only."""
    return {**SERVER_OPTIONS, "forwarded_allow_ips": settings.forwarded_allow_ips}


def server_of(app: ASGIApp, host: str, port: int, **options: Any) -> Server:
    """A server for the app, not yet started; `options` over `SERVER_OPTIONS`."""
    return Server(uvicorn.Config(app, host=host, port=port, **{**SERVER_OPTIONS, **options}))


@dataclass(frozen=True)
class Runtime(Parts):
    """The parts, and what only a web process has."""

    clock: Clock  # stated again: the type checker takes an inherited callable for a method
    committer: Committer = field(kw_only=True)
    stop: asyncio.Event = field(default_factory=asyncio.Event, kw_only=True)
    """Set it, and the worker ends; leaving `running_app` sets it too."""
    metrics: Metrics = field(default_factory=Metrics, kw_only=True)


@asynccontextmanager
async def running_app(
    settings: Settings,
    dsn: str,
    *,
    with_worker: bool,
    is_demo: bool = False,
    limits: Limits | None = None,
    siblings: Path | None = None,
) -> AsyncGenerator[tuple[App, Runtime]]:
    """Yield the app on a migrated database, with its worker beside it if wanted; end both in order.

    `siblings`: where server processes on one port meet, so that each tells the figures of all.
    """
    async with assembled(settings, dsn, name="server", is_demo=is_demo, limits=limits) as parts:
        await ensure_first_admin(
            parts.pool, settings, now=parts.clock(), new_code=parts.people.ports.new_code
        )
        worker, stop = WorkerState() if with_worker else None, asyncio.Event()
        metrics = Metrics(parts.pools, siblings)
        async with (
            Committer(parts.applier.apply_items) as committer,
            _beside(parts, worker, stop),
            watching_the_loop(),
            metrics.shared.writing(metrics.own),
        ):
            known = {one.name: getattr(parts, one.name) for one in fields(Parts)}
            runtime = Runtime(**known, committer=committer, stop=stop, metrics=metrics)
            yield create_app(runtime), runtime
            runtime.metrics.webhooks.log()


def spare_what_stays() -> None:
    """Leave what was made by now out of every collection of garbage: it lives as long as the process.

    To be called once everything is put together. A full collection of it took some 30 ms, in which no call was answered.
    """
    gc.collect()
    gc.freeze()


async def serve_until_stopped(server: Server, told: asyncio.Event, *, delay_seconds: float = 0) -> None:
    """Serve until SIGINT or SIGTERM and `delay_seconds` more; a second signal ends the delay, one more the requests under way.

    `told` is set at the signal, so that the worker ends beside the requests and not after them, and a balancer that asks
    hears that this server is not ready any more.
    """
    allow_many_connections()
    spare_what_stays()
    loop = asyncio.get_running_loop()

    def stop(number: int) -> None:
        if told.is_set():
            server.handle_exit(number, None)
        told.set()
        loop.call_later(delay_seconds, end, number)

    def end(number: int) -> None:
        if not server.should_exit:
            server.handle_exit(number, None)

    for number in (signal.SIGINT, signal.SIGTERM):
        loop.add_signal_handler(number, stop, number)
    try:
        await server.serve()
    finally:
        for number in (signal.SIGINT, signal.SIGTERM):
            loop.remove_signal_handler(number)


class ChildApp:
    """The app of one of several server processes, for uvicorn's supervisor. Its parent owns database and worker.

    What it is made of needs the database, and so is there from the start of its life to the end.
    """

    def __init__(self) -> None:
        self._settings = load_settings()
        configure_logging(self._settings)
        allow_many_connections()
        self._app: ASGIApp = Router(lifespan=self._lifespan)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass everything on."""
        await self._app(scope, receive, send)

    @asynccontextmanager
    async def _lifespan(self, _: object) -> AsyncGenerator[None]:
        with telemetry(self._settings, name="server"):
            async with self._running():
                yield

    @asynccontextmanager
    async def _running(self) -> AsyncGenerator[None]:
        async with (
            ending_with_parent(),
            database(self._settings) as dsn,
            running_app(self._settings, dsn, with_worker=False, siblings=folder_of(os.getppid())) as (
                self._app,
                runtime,
            ),
            going_on_when_stopped(runtime.stop, self._settings.stop_delay_seconds),
        ):
            spare_what_stays()
            yield


@asynccontextmanager
async def going_on_when_stopped(told: asyncio.Event, delay_seconds: float) -> AsyncGenerator[None]:
    """Set `told` at SIGTERM, and hand the signal to uvicorn's own handler `delay_seconds` later.

    SIGINT ends the process at once: Ctrl-C in a terminal sends it to every process, and the parent then sends SIGTERM.
    """
    loop = asyncio.get_running_loop()
    end = signal.getsignal(signal.SIGTERM)
    assert callable(end), "uvicorn has set its handler"

    def stop() -> None:
        told.set()
        loop.call_later(delay_seconds, end, signal.SIGTERM, None)

    signal.signal(signal.SIGTERM, lambda _number, _frame: loop.call_soon_threadsafe(stop))
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, end)


@asynccontextmanager
async def ending_with_parent() -> AsyncGenerator[None]:
    """End this process in order when its parent is gone: killed, it can tell its children nothing."""
    parent = os.getppid()

    async def watch() -> None:
        while os.getppid() == parent:  # noqa: ASYNC110  the kernel has no event for it that works everywhere
            await asyncio.sleep(PARENT_SECONDS)
        os.kill(os.getpid(), signal.SIGTERM)

    watching = asyncio.create_task(watch(), name="watch the parent")
    try:
        yield
    finally:
        watching.cancel()


@asynccontextmanager
async def _beside(parts: Parts, state: WorkerState | None, stop: asyncio.Event) -> AsyncGenerator[None]:
    """The worker as a task of this process, for as long as the block lasts; none without `state`."""
    if state is None:
        yield
        return
    task = asyncio.create_task(run_worker(parts, stop, state), name="worker")
    try:
        yield
    finally:
        stop.set()
        await task
