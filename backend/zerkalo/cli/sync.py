"""`zerkalo sync`: read the bookings from YCLIENTS now, or watch the run that is reading them."""

import asyncio
import signal
import sys
from collections.abc import Awaitable, Callable, Generator
from contextlib import contextmanager
from typing import Annotated

import typer

from zerkalo.cli.shared.companies import chosen_companies, log_warnings
from zerkalo.cli.shared.failure import CommandFailed
from zerkalo.composition import Parts, command_parts
from zerkalo.runs.model import Run, RunStatus
from zerkalo.runs.service import Runs

POLL_SECONDS = 0.5
PLAIN_LINE_SECONDS = 5.0
"""How often progress is printed where there is no terminal."""

Show = Callable[[Run], None]


async def sync(
    company: Annotated[int | None, typer.Option(help="Only this company.")] = None,
    full: Annotated[
        bool, typer.Option("--full", help="Read the whole history, not only the window.")
    ] = False,
    accept_absent: Annotated[
        bool,
        typer.Option(
            "--accept-absent",
            help="Cancel the bookings unknown to YCLIENTS that wait for your word, however many.",
        ),
    ] = False,
) -> None:
    """Read the bookings of every company from YCLIENTS, or join the run under way. Exits 1 if one failed."""
    async with command_parts() as parts:
        company_ids = chosen_companies(parts.settings, company)
        log_warnings(parts.settings)
        stop = asyncio.Event()
        for number in (signal.SIGINT, signal.SIGTERM):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        failed = 0
        for company_id in company_ids:
            if accept_absent:
                accepted = await parts.refetcher.accept_absent(company_id)
                print(f"company {company_id}: {accepted} absent bookings accepted as gone")
            run = await _sync_one(parts, company_id, full=full, stop=stop)
            if run is None:
                raise CommandFailed(
                    "stopped; a running worker, or the next `zerkalo sync`, continues the run"
                )
            failed += run.status is RunStatus.FAILED
            print(_ending(run))
    if failed:
        raise CommandFailed(f"{failed} of {len(company_ids)} runs failed; `zerkalo check` says what to do")


async def _sync_one(parts: Parts, company_id: int, *, full: bool, stop: asyncio.Event) -> Run | None:
    """Carry out or watch runs of the company until one that fits has ended; None: we were told to stop."""
    while True:
        opened = await parts.runs.open_or_join(company_id, full=full)
        with _progress(company_id) as show:
            run = await _to_its_end(parts.runs, opened.id, company_id, stop, show)
        if run is None:
            await parts.bells.sync(company_id)
        if run is None or run.full_history or not full or run.status is RunStatus.FAILED:
            return run
        # The run that we joined reads only the window: a full one follows it.


async def _to_its_end(
    runs: Runs, run_id: int, company_id: int, stop: asyncio.Event, show: Show
) -> Run | None:
    """Carry out the run whenever no other process does, else watch it; return it when it has ended."""
    while not stop.is_set():
        carrying = asyncio.create_task(runs.carry(company_id, stop=stop))
        await _watch(lambda: runs.get(run_id), show, carrying)
        await carrying
        run = await runs.get(run_id)
        assert run is not None, "runs are never deleted while they run"
        show(run)
        if not run.is_running:
            return run
        await asyncio.sleep(POLL_SECONDS)
    return None


async def _watch(
    look: Callable[[], Awaitable[Run | None]], show: Show, carrying: asyncio.Task[Run | None]
) -> None:
    while not carrying.done():
        run = await look()
        if run is not None:
            show(run)
        await asyncio.wait([carrying], timeout=POLL_SECONDS)


@contextmanager
def _progress(company_id: int) -> Generator[Show]:
    """A bar on a terminal, a plain line every few seconds elsewhere."""
    if not sys.stderr.isatty():
        yield _plain_lines()
        return
    from rich.console import Console  # imported only for a terminal
    from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeElapsedColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as bar:
        task = bar.add_task(f"company {company_id}", total=None)

        def show(run: Run) -> None:
            total = max(run.expected, run.counts.fetched) if run.expected is not None else None
            bar.update(task, completed=run.counts.fetched, total=total)

        yield show


def _plain_lines() -> Show:
    told_at = asyncio.get_running_loop().time()

    def show(run: Run) -> None:
        nonlocal told_at
        now = asyncio.get_running_loop().time()
        if now - told_at >= PLAIN_LINE_SECONDS:
            told_at = now
            of = f" of {run.expected}" if run.expected is not None else ""
            print(f"company {run.company_id}: {run.counts.fetched}{of} read", file=sys.stderr)

    return show


def _ending(run: Run) -> str:
    counts = run.counts
    if run.status is RunStatus.FAILED:
        return f"company {run.company_id}: failed: {run.error}"
    return (
        f"company {run.company_id}: {counts.fetched} read: {counts.created} created, {counts.updated} updated,"
        f" {counts.cancelled} cancelled, {counts.unchanged} unchanged, {counts.stale} stale, {counts.failed} not understood"
    )
