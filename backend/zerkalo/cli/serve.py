"""`zerkalo serve`: run the server; with the embedded database also migrate it and do the background work."""

import asyncio
import contextlib
import os
import threading
from collections.abc import Generator
from typing import Annotated

import typer

from zerkalo.cli.shared.loop import loop_factory, run
from zerkalo.cli.shared.ports import see_that_it_is_free
from zerkalo.composition import assembled, prepare_database
from zerkalo.db.database import database
from zerkalo.logs import configure_logging
from zerkalo.main import (
    running_app,
    serve_until_stopped,
    server_of,
    server_options,
)
from zerkalo.metrics.counts import COUNTS
from zerkalo.metrics.exposition import of_counts
from zerkalo.metrics.sharing import Shared, folder_for_children, folder_of
from zerkalo.settings import Settings, load_settings
from zerkalo.telemetry.service import telemetry
from zerkalo.worker import run_worker


def serve(
    host: Annotated[str, typer.Option(help="The address to listen on.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(min=1, max=65535, help="The port to listen on.")] = 8000,
    workers: Annotated[int, typer.Option(min=1, max=64, help="Server processes.")] = 1,
) -> None:
    """Run the server until Ctrl-C. With DATABASE_URL, run `zerkalo migrate` first and `zerkalo worker` beside it."""
    settings = load_settings()
    configure_logging(settings)
    see_that_it_is_free(host, port, options="--port and --host")
    with telemetry(settings, name="server"):
        if workers == 1:
            run(_serve(settings, host, port))
        else:
            _serve_with_children(settings, host, port, workers)


async def _serve(settings: Settings, host: str, port: int) -> None:
    async with database(settings, serves=True) as dsn:
        await prepare_database(settings, dsn)
        async with running_app(settings, dsn, with_worker=settings.database_url is None) as (app, parts):
            server = server_of(app, host, port, **server_options(settings))
            await serve_until_stopped(server, parts.stop, delay_seconds=settings.stop_delay_seconds)


def _serve_with_children(settings: Settings, host: str, port: int, workers: int) -> None:
    """Run several server processes. Only this one, their parent, owns the embedded database and the worker."""
    import uvicorn

    with database(settings, serves=True) as dsn:
        run(prepare_database(settings, dsn))
        has_worker = settings.database_url is None
        with folder_for_children(), _worker_thread(settings, dsn) if has_worker else contextlib.nullcontext():
            uvicorn.run(
                "zerkalo.main:ChildApp",
                factory=True,
                host=host,
                port=port,
                workers=workers,
                **server_options(settings),
            )


@contextlib.contextmanager
def _worker_thread(settings: Settings, dsn: str) -> Generator[None]:
    """Run the worker on an event loop of its own, while the main thread supervises the server processes."""
    loop = loop_factory()()
    stop = asyncio.Event()

    async def work() -> None:
        async with assembled(settings, dsn, name="worker") as parts:
            shared = Shared(folder_of(os.getpid()))
            # Without its event loop and pools: these figures are about the servers.
            async with shared.writing(lambda: of_counts(COUNTS, ())):
                await run_worker(parts, stop)

    def work_to_the_end() -> None:
        asyncio.set_event_loop(loop)
        loop.run_until_complete(work())
        loop.close()

    thread = threading.Thread(target=work_to_the_end, name="worker")
    thread.start()
    try:
        yield
    finally:
        loop.call_soon_threadsafe(stop.set)
        thread.join()
