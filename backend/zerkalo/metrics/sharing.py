"""Several server processes on one port: each leaves its figures in a folder, and whichever is asked tells the sum.

A scrape reaches one of them at random. What a process counted stays in the sum after its end, so that no counter goes
back; what it held (connections) counts only while it shows itself.
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
"""How often a process writes its figures down."""
FRESH_SECONDS = 10.0
"""A process that has not written for so long is gone."""

log = structlog.get_logger(__name__)


def folder_of(parent: int) -> Path:
    """Where the children of this process meet: named by it, so that nothing need be handed to them."""
    return Path(tempfile.gettempdir()) / f"zerkalo-metrics-{os.getuid()}-{parent}"


@contextmanager
def folder_for_children() -> Generator[None]:
    """The folder of this process's children, for as long as the block lasts. Where it can't be made, each tells its own."""
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
    """The figures of the processes that meet in a folder. A folder that is not our own alone is as good as none."""

    def __init__(self, folder: Path | None) -> None:
        self._folder = folder if folder is not None and _is_ours(folder) else None

    def write(self, families: Iterable[Metric]) -> None:
        """Leave this process's figures, whole."""
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
        """What the other processes left."""
        for file in sorted(self._folder.glob("*.json")) if self._folder else ():
            if file.stem == str(os.getpid()):
                continue
            with contextlib.suppress(OSError, ValueError):
                is_fresh = time.time() - file.stat().st_mtime < FRESH_SECONDS
                yield from _families(file.read_text(encoding="utf-8"), with_gauges=is_fresh)

    @asynccontextmanager
    async def writing(self, families: Families) -> AsyncGenerator[None]:
        """Write again and again while the block lasts, and once more at its end."""
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
    """Anybody may write in the folder of temporary files: only one that we made, and nobody else can enter, counts."""
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
