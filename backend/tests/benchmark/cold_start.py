"""How long commands take to start, and what the processes hold when nobody asks them anything.

On an embedded database of a folder of its own, as a salon's small machine has it.
"""

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from statistics import median
from time import perf_counter, sleep

import psutil

from tests.benchmark.stage import BACKEND, wait_for, zerkalo
from tests.benchmark.told import Told, milliseconds_of, ratio_of
from tests.support.application import free_port

STARTS_A_ROUND = 4
REST_SECONDS = 5
MIB = 1024 * 1024
run_quietly = partial(subprocess.run, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)


def measure(told: Told) -> None:
    """Note the times of `--help`, of `serve` until it is ready and of `check`, and the memory at rest."""
    told.title("Start and rest")
    ours, bare = list[float](), list[float]()
    for _ in range(told.rounds * STARTS_A_ROUND):
        ours.append(milliseconds_of(lambda: run_quietly(zerkalo("--help"), check=True)))
        bare.append(milliseconds_of(lambda: run_quietly([sys.executable, "-c", "pass"], check=True)))
    told.figure("zerkalo --help", median(ours), "ms", "aim: 200 at most")
    told.figure("python -c pass", median(bare), "ms")
    told.ratio("zerkalo --help to python -c pass", ratio_of(ours, bare))
    with tempfile.TemporaryDirectory(prefix="zerkalo-bench-") as folder:
        with _serving(Path(folder)):
            pass  # makes the database
        ready, checked = list[float](), list[float]()
        for last in reversed(range(told.rounds)):
            began_at = perf_counter()
            with _serving(Path(folder)) as pid:
                ready.append(1000 * (perf_counter() - began_at))
                checked.append(
                    milliseconds_of(lambda: run_quietly(zerkalo("check"), cwd=folder, env=_environment()))
                )
                if not last:
                    sleep(REST_SECONDS)
                    _figure_memory(told, pid)
        told.figure(
            "zerkalo serve, ready on its embedded database", median(ready), "ms", "aim: 2,000 at most"
        )
        told.figure("zerkalo check", median(checked), "ms", "aim: 1,500 at most")


def _figure_memory(told: Told, pid: int) -> None:
    """Proportional set sizes: a page that several processes share counts once."""
    server = psutil.Process(pid)
    postgres = [one for one in server.children(recursive=True) if one.name() == "postgres"]
    server_mib, postgres_mib = _mib([server]), _mib(postgres)
    told.figure("server with its worker at rest", server_mib, "MiB")
    told.figure(f"PostgreSQL at rest, {len(postgres)} processes", postgres_mib, "MiB")
    told.figure("both", server_mib + postgres_mib, "MiB", "aim: 350 at most")


def _mib(processes: list[psutil.Process]) -> float:
    return sum(one.memory_full_info().pss for one in processes) / MIB


@contextmanager
def _serving(folder: Path) -> Iterator[int]:
    """Yields the process id of a server that is ready."""
    port = free_port()
    with subprocess.Popen(
        zerkalo("serve", "--port", str(port)),
        cwd=folder,
        env=_environment(),
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as one:
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            yield one.pid
        finally:
            one.terminate()


def _environment() -> dict[str, str]:
    return {"PATH": os.environ["PATH"], "PYTHONPATH": str(BACKEND)}
