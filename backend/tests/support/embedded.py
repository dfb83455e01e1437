"""Real processes that use an embedded server, and a look at what is left of it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil

BACKEND = Path(__file__).parents[2]

USER_PROGRAM = """
import sys, signal, time
from pathlib import Path
import psycopg
from zerkalo.db.database import embedded_database

# A test run in the background of a script inherits SIGINT ignored.
signal.signal(signal.SIGINT, signal.default_int_handler)
folder, serves = Path(sys.argv[1]), sys.argv[2] == "serves"
with embedded_database(folder, serves=serves, durable=False) as dsn:
    try:
        print(dsn, flush=True)
        sys.stdin.readline()
    except KeyboardInterrupt:
        psycopg.connect(dsn).execute("select 1")  # its last words still reach the database
        print("interrupted", flush=True)
"""


class UserProcess:
    """A process that uses the embedded server of a folder until it is told to end, or killed."""

    def __init__(self, folder: Path, *, serves: bool = False) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", USER_PROGRAM, str(folder), "serves" if serves else "uses"],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            stderr=subprocess.PIPE,
            text=True,
            cwd=BACKEND,
            start_new_session=True,
        )

    def dsn(self) -> str:
        """Waits until the server answers it."""
        assert self.process.stdout
        line = self.process.stdout.readline().strip()
        if not line:
            raise AssertionError(self.process.communicate()[1])
        return line

    def end(self) -> None:
        """Lets it go in order."""
        _, errors = self.process.communicate("\n", timeout=60)
        assert self.process.returncode == 0, errors

    def signal_group(self, number: signal.Signals) -> str:
        """Signals it and whatever it started in its session, as a terminal does. Returns what it still said."""
        os.killpg(self.process.pid, number)
        return self.process.communicate(timeout=60)[0]


@contextmanager
def user_process(folder: Path, *, serves: bool = False) -> Iterator[UserProcess]:
    """Yields such a process; kills it at the end if it still lives."""
    user = UserProcess(folder, serves=serves)
    try:
        yield user
    finally:
        if user.process.poll() is None:
            user.process.kill()
        user.process.communicate()


def processes_of(folder: Path) -> list[psutil.Process]:
    """Every living process of the embedded server in `folder`: the server, its children, its keeper."""
    return [p for p in psutil.process_iter() if _concerns(p, folder)]


def server_pid(folder: Path) -> int:
    return int((folder / "postgres" / "postmaster.pid").read_text().split("\n")[0])


def keeper_of(folder: Path) -> psutil.Process:
    (keeper,) = (p for p in processes_of(folder) if _is_keeper(p))
    return keeper


def eventually(is_true: Callable[[], bool], seconds: float = 20) -> bool:
    """Whether it becomes true in time."""
    deadline = time.monotonic() + seconds
    while not is_true():
        if time.monotonic() > deadline:
            return False
        time.sleep(0.02)
    return True


def command_of(process: psutil.Process) -> list[str]:
    """The command line of a process; empty where it has just ended, as a session's backend may at any moment."""
    try:
        return process.cmdline()
    except psutil.NoSuchProcess:
        return []


def _is_keeper(process: psutil.Process) -> bool:
    return any("keeper.py" in part for part in command_of(process))


def _concerns(process: psutil.Process, folder: Path) -> bool:
    try:
        if process.status() == psutil.STATUS_ZOMBIE:
            return False
        command = process.cmdline()
        return process.cwd() == str(folder / "postgres") or (
            any("keeper.py" in part for part in command) and any(f"{folder}/" in part for part in command)
        )
    except psutil.Error:
        return False
