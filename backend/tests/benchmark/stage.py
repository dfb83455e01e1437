"""What the measures play on: one durable PostgreSQL, databases on it, `zerkalo serve` and its callers in processes of their own."""

import json
import os
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from http.client import HTTPConnection
from pathlib import Path
from time import perf_counter, sleep
from typing import Any
from urllib.request import urlopen

import psutil
import psycopg
from psycopg.conninfo import make_conninfo
from psycopg.sql import SQL, Identifier

from tests.benchmark.bodies import COMPANY_ID
from tests.benchmark.load import TOKEN
from tests.integration.processes.test_sync_processes import as_url
from tests.support.application import free_port
from tests.support.database import open_folder
from tests.support.million import fill
from zerkalo.db.address import in_schema
from zerkalo.db.database import embedded_database
from zerkalo.db.migrate import upgrade

BACKEND = Path(__file__).parents[2]
SECRET_KEY = "sixteen-characters-and-more"
START_SECONDS_MAX = 60
PAUSE_SECONDS = 0.5
COMPANIES = (COMPANY_ID, *range(1, 5))
"""The salons of a filled database; the callers' is the first."""
NOWHERE = "http://127.0.0.1:9/api/v1"


@dataclass(frozen=True)
class Stage:
    """`dsn`: any database of the server. `folder`: for files of a measure."""

    dsn: str
    folder: Path

    @contextmanager
    def database(self, name: str, *, bookings: int, deliveries: int | None = None) -> Iterator[str]:
        """Yields the address of a new database that holds so many bookings, and deliveries; drops it at the end."""
        with psycopg.connect(self.dsn, autocommit=True) as conn:
            conn.execute(SQL("create database {}").format(Identifier(name)))
            try:
                dsn = make_conninfo(self.dsn, dbname=name)
                upgrade(dsn)
                if bookings:
                    # Plans made on empty tables would be kept for a while, by pgbench and by ours.
                    fill(dsn, bookings=bookings, companies=COMPANIES, deliveries=deliveries)
                conn.execute("checkpoint")
                yield dsn
            finally:
                conn.execute(SQL("drop database {} with (force)").format(Identifier(name)))


@contextmanager
def open_stage() -> Iterator[Stage]:
    """Yields a stage on the embedded PostgreSQL, fsync on."""
    with open_folder() as folder, embedded_database(folder) as dsn:
        yield Stage(in_schema(dsn), folder)


def settings_of(
    dsn: str, *, yclients_url: str = NOWHERE, companies: Sequence[int] = (COMPANY_ID,)
) -> dict[str, str]:
    """The environment of a process of ours."""
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(BACKEND),  # the code beside this file, whatever is installed
        "DATABASE_URL": as_url(dsn),
        "SECRET_KEY": SECRET_KEY,
        "YCLIENTS_ENABLED": "True",
        "YCLIENTS_API_URL": yclients_url,
        "YCLIENTS_PARTNER_TOKEN": "emulator-partner-token",
        "YCLIENTS_USER_TOKEN": "emulator-user-token",
        "YCLIENTS_COMPANY_ID": ",".join(map(str, companies)),
        "YCLIENTS_WEBHOOK_SECRET": TOKEN,
        "YCLIENTS_REQUESTS_PER_SECOND": "100000",
        "YCLIENTS_REQUESTS_PER_MINUTE": "1000000",
    }


def zerkalo(*words: str) -> list[str | Path]:
    """The command line of one of our commands."""
    return [Path(sys.executable).parent / "zerkalo", *words]


@contextmanager
def server(dsn: str) -> Iterator[int]:
    """Yields the port of a running `zerkalo serve`, without a worker."""
    with server_process(dsn) as (port, _):
        yield port


@contextmanager
def server_process(
    dsn: str,
    *,
    workers: int = 1,
    companies: Sequence[int] = (COMPANY_ID,),
    yclients_url: str = NOWHERE,
    stacks: Path | None = None,
) -> Iterator[tuple[int, int]]:
    """Yields the port and the process id of a running `zerkalo serve`, without a worker; of its parent, with several.

    `stacks`: where it writes what its processor time went to (`tests.benchmark.sampled`).
    """
    port = free_port()
    words = ("serve", "--port", str(port), "--workers", str(workers))
    with _process(
        [sys.executable, "-m", "tests.benchmark.sampled", stacks, *words] if stacks else zerkalo(*words),
        settings_of(dsn, companies=companies, yclients_url=yclients_url),
    ) as pid:
        wait_for(f"http://127.0.0.1:{port}/healthz")
        yield port, pid


def postgres_pid(dsn: str) -> int:
    """The process whose children the sessions are."""
    with psycopg.connect(dsn) as conn:
        row = conn.execute("show data_directory").fetchone()
    assert row is not None
    return int((Path(row[0]) / "postmaster.pid").read_text().split()[0])


def processor_seconds(pid: int) -> float:
    """Of the process, its living children and those it has waited for."""
    one = psutil.Process(pid)
    while True:
        try:
            living = sum(sum(child.cpu_times()[:2]) for child in one.children(recursive=True))
        except psutil.NoSuchProcess:  # one ended while it was counted: its parent counts it from now on
            continue
        return sum(one.cpu_times()[:4]) + living


def resident_kib(pid: int, name: str) -> int:
    """A line of the process's status; 0 for one that has just ended."""
    try:
        status = Path(f"/proc/{pid}/status").read_text()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in status.splitlines() if line.startswith(f"{name}:")), 0)


def pause() -> None:
    """Let what the measure before set going come to its end."""
    sleep(PAUSE_SECONDS)


@contextmanager
def emulator(*words: str) -> Iterator[int]:
    """Yields the port of a YCLIENTS of our own, without its rate limit."""
    port = free_port()
    command = [sys.executable, "-m", "yclients_emulator", "--no-life", "--port", str(port), *words]
    with _process(command, {"PATH": os.environ["PATH"]}, stdout=subprocess.DEVNULL):
        wait_for(f"http://127.0.0.1:{port}/_control/settings")
        with caller(port) as conn:
            call(conn, "PATCH", "/_control/settings", {"rate_limit": False})
        yield port


@contextmanager
def caller(port: int) -> Iterator[HTTPConnection]:
    """Yields a connection that is kept alive."""
    conn = HTTPConnection("127.0.0.1", port, timeout=START_SECONDS_MAX)
    try:
        yield conn
    finally:
        conn.close()


def call(conn: HTTPConnection, method: str, path: str, body: Any = None, *, token: str | None = None) -> Any:
    """Call and return the answer, which must be 200 or 201. `body`: bytes as they are, anything else as JSON."""
    raw = body if isinstance(body, bytes) or body is None else json.dumps(body).encode()
    conn.request(method, path, raw, {"Authorization": f"Bearer {token}"} if token else {})
    answer = conn.getresponse()
    text = answer.read()
    assert answer.status in (200, 201), (path, answer.status, text[:500])
    return json.loads(text)


def load(
    port: int,
    connections: int,
    seconds: float,
    first_id: int,
    per_second: float = 0,
    *,
    different: int = 0,
    once: bool = False,
) -> dict[str, float]:
    """What `tests.benchmark.load` tells of its calls; all of them were answered 200, as is right."""
    words = [str(word) for word in (port, connections, seconds, first_id, per_second, different, int(once))]
    command = [sys.executable, "-m", "tests.benchmark.load", *words]
    told = subprocess.run(command, check=True, stdout=subprocess.PIPE, text=True, cwd=BACKEND)
    figures = json.loads(told.stdout)
    assert not figures["failed"], "every event is answered 200, as is right"
    return figures


def wait_for(url: str) -> None:
    """Return as soon as somebody answers there."""
    deadline = perf_counter() + START_SECONDS_MAX
    while True:
        try:
            urlopen(url).close()
        except OSError:
            assert perf_counter() < deadline, f"nobody answers at {url}"
            sleep(0.05)
        else:
            return


@contextmanager
def _process(command: list[Any], environment: dict[str, str], **options: Any) -> Iterator[int]:
    with subprocess.Popen(command, cwd=BACKEND, env=environment, stderr=subprocess.DEVNULL, **options) as one:
        try:
            yield one.pid
        finally:
            one.terminate()
