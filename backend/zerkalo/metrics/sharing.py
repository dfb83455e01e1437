"""Share metrics among server processes on one port: each writes its own to a folder, and any of them reports the sum.

A scrape reaches one of them at random. A process's counters stay in the sum after its end, so that no counter
decreases; its gauges (connections) count only while it keeps writing.
"""

import asyncio
import contextlib
import json
import os
import tempfile
import time
from collections.abc import AsyncGenerator, Generator, Iterable, Iterator
from contextlib import asynccontextmanager, contextmanager
from pathlib import Path

import structlog
from prometheus_client.core import Metric

from zerkalo.metrics.exposition import Families

WRITE_SECONDS = 2.0
"""How often a process writes its metrics."""
FRESH_SECONDS = 10.0
"""A process that has not written for this long has ended."""

log = structlog.get_logger(__name__)


def folder_of(parent: int) -> Path:
    """Return the folder shared by the children of this process: named by its pid, so that they can derive it."""
    return Path(tempfile.gettempdir()) / f"zerkalo-metrics-{os.getuid()}-{parent}"


@contextmanager
def folder_for_children() -> Generator[None]:
    """Make the folder of this process's children, for the block. Where that fails, each reports only its own metrics."""
    folder = folder_of(os.getpid())
    try:
        _empty(folder)  # of a process that had this number before
        folder.mkdir(mode=0o700)
    except OSError as error:
        log.warning("each server process will tell its own figures only", reason=error.strerror)
    try:
        yield
    finally:
        with contextlib.suppress(OSError):
            _empty(folder)


class Shared:
    """The metrics of the processes that share a folder. A folder that others can access is ignored."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder if folder is not None and _is_ours(folder) else None

    def write(self, families: Iterable[Metric]) -> None:
        """Write this process's metrics atomically."""
        if self._folder is None:
            return
        told = [
            [family.name, family.documentation, family.type, [sample[:3] for sample in family.samples]]
            for family in families
        ]
        file = self._folder / f"{os.getpid()}.json"
        unfinished = file.with_suffix(".new")
        with contextlib.suppress(OSError):
            unfinished.write_text(json.dumps(told), encoding="utf-8")
            unfinished.replace(file)

    def others(self) -> Iterator[Metric]:
        """Yield the metrics written by the other processes."""
        for file in sorted(self._folder.glob("*.json")) if self._folder else ():
            if file.stem == str(os.getpid()):
                continue
            with contextlib.suppress(OSError, ValueError):
                is_fresh = time.time() - file.stat().st_mtime < FRESH_SECONDS
                yield from _families(file.read_text(encoding="utf-8"), with_gauges=is_fresh)

    @asynccontextmanager
    async def writing(self, families: Families) -> AsyncGenerator[None]:
        """Write periodically during the block, and once more at its end."""
        task = asyncio.create_task(self._write_on(families), name="figures for the other processes")
        try:
            yield
        finally:
            task.cancel()
            self.write(families())

    async def _write_on(self, families: Families) -> None:
        while self._folder is not None:
            self.write(families())
            await asyncio.sleep(WRITE_SECONDS)


def _families(text: str, *, with_gauges: bool) -> Iterator[Metric]:
    for name, documentation, kind, samples in json.loads(text):
        if kind != "gauge" or with_gauges:
            family = Metric(name, documentation, kind)
            for sample in samples:
                family.add_sample(*sample)
            yield family


def _is_ours(folder: Path) -> bool:
    """Return whether we made the folder and only we can enter it: any user may write in the folder of temporary files."""
    try:
        found = folder.lstat()
    except OSError:
        return False
    return found.st_uid == os.getuid() and found.st_mode & 0o170777 == 0o040700


def _empty(folder: Path) -> None:
    if _is_ours(folder):
        for file in folder.iterdir():
            file.unlink()
        folder.rmdir()
