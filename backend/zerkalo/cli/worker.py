"""`zerkalo worker`: the periodic sync and the other background work, in a process of its own."""

import asyncio
import signal

from zerkalo.composition import assembled, prepare_database
from zerkalo.db.database import database
from zerkalo.logs import configure_logging
from zerkalo.settings import load_settings
from zerkalo.worker import run_worker


async def worker() -> None:
    """Do the background work until Ctrl-C or SIGTERM. Any number may run on one database; `serve` without DATABASE_URL needs none."""
    settings = load_settings()
    configure_logging(settings)
    stop = asyncio.Event()
    for number in (signal.SIGINT, signal.SIGTERM):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with database(settings) as dsn:
        await prepare_database(settings, dsn)
        async with assembled(settings, dsn, name="worker") as parts:
            await run_worker(parts, stop)
