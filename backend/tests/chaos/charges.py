"""Processes in our charge: started, signalled, and started again when they have died, as a service manager does it."""

import asyncio
import os
import signal
import subprocess
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import psutil

MARK = "ZERKALO_CHAOS_RUN"
"""In the environment of everything that one run starts, so that nothing of it can be left unseen."""
RESTART_SECONDS = 1.0
LOOK_SECONDS = 0.1


class Charge:
    """One process that is to run. `is_held`: it stays down until it is let go."""

    def __init__(
        self,
        name: str,
        command: Sequence[str | Path],
        environment: Mapping[str, str],
        folder: Path,
        **popen_options: Any,
    ) -> None:
        self.name = name
        self.log = folder / f"{name}.log"
        self.starts = 0
        self.is_held = True
        self._command = [str(part) for part in command]
        self._environment = dict(environment)
        self._options = popen_options
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def pid(self) -> int:
        assert self._process is not None, "it was started"
        return self._process.pid

    @property
    def is_alive(self) -> bool:
        return self._process is not None and self._process.poll() is None

    def start(self) -> None:
        """Start it now and keep it running from here on."""
        self.is_held = False
        self.starts += 1
        with self.log.open("ab") as log:
            options: dict[str, Any] = {"cwd": self.log.parent, **self._options}
            self._process = subprocess.Popen[bytes](
                self._command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=subprocess.STDOUT,
                env=self._environment,
                start_new_session=True,
                **options,
            )

    def tell(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.is_alive:
            assert self._process is not None, "it lives"
            self._process.send_signal(number)

    async def stop(self, number: signal.Signals, *, seconds_max: float) -> tuple[int | None, float]:
        """Signal it and hold it down. Returns its exit code (None: it had to be killed) and the seconds it took."""
        self.is_held = True
        self.tell(number)
        began_at = time.monotonic()
        while self.is_alive:
            if time.monotonic() - began_at > seconds_max:
                self.tell(signal.SIGKILL)
                await self._gone()
                return None, time.monotonic() - began_at
            await asyncio.sleep(0.02)
        return self._process.returncode if self._process else None, time.monotonic() - began_at

    async def _gone(self) -> None:
        while self.is_alive:
            await asyncio.sleep(0.02)

    async def watch(self) -> None:
        """Start it again a moment after it has died, for ever, unless it is held."""
        while True:
            await asyncio.sleep(LOOK_SECONDS)
            if not self.is_alive and not self.is_held:
                await asyncio.sleep(RESTART_SECONDS)
                if not self.is_alive and not self.is_held:
                    self.start()


def new_mark() -> dict[str, str]:
    """The part of an environment that marks everything of one run."""
    return {MARK: uuid.uuid4().hex}


def marked(mark: Mapping[str, str]) -> list[psutil.Process]:
    """Every living process that a run has started, or that those have started."""
    return [process for process in psutil.process_iter() if _has(process, mark[MARK])]


def descendants(pid: int) -> list[psutil.Process]:
    """A process and all below it, as far as they still live."""
    try:
        top = psutil.Process(pid)
        return [top, *top.children(recursive=True)]
    except psutil.NoSuchProcess:
        return []


def _has(process: psutil.Process, value: str) -> bool:
    try:
        if process.pid == os.getpid() or process.status() == psutil.STATUS_ZOMBIE:
            return False
        return process.environ().get(MARK) == value
    except psutil.Error:
        return False
