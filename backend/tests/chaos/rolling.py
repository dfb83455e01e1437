"""`python -m tests.chaos.rolling`: two servers on one database behind HAProxy, restarted one after the other under load.

Nothing may be lost and nobody refused: every call is answered 200, and each answered one stands in `bookings`. Then, with
`--minutes N`, half of what they did at most for so long: no error, and neither memory nor latency may grow. It needs
Debian's `haproxy`; it is no part of `make test`.
"""

import argparse
import shutil
import subprocess
import sys
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from time import sleep

import psutil
import psycopg

from tests.benchmark.stage import load, open_stage, settings_of, wait_for, zerkalo
from tests.support.application import free_port

CONNECTIONS = 32
SECONDS = 20.0
RESTARTS_OF_EACH = 2
CALM_SECONDS = 2.0
FIRST_ID = 10**11
STEP_SECONDS = 60.0
GROWTH_MAX = 1.2
"""Of memory and of the median's latency, from the first minutes to the last."""
MIB = 1024 * 1024
BALANCER = """
defaults
    mode http
    timeout connect 2s
    timeout client 30s
    timeout server 30s
    option http-buffer-request
    option redispatch
    retries 5
    retry-on conn-failure empty-response response-timeout 503
frontend salon
    bind 127.0.0.1:{port}
    default_backend servers
backend servers
    option httpchk GET /readyz
    default-server check inter 200ms fall 1 rise 1
{servers}
"""


class Server:
    """A `zerkalo serve` that can be restarted on its port."""

    def __init__(self, dsn: str) -> None:
        self.port = free_port()
        self._environment = settings_of(dsn)
        self.start()

    def start(self) -> None:
        """Start it and return when it is ready."""
        self._process = subprocess.Popen(
            zerkalo("serve", "--port", str(self.port)),
            env=self._environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        )
        wait_for(f"http://127.0.0.1:{self.port}/readyz")

    def stop(self) -> None:
        """SIGTERM, and wait for its end."""
        self._process.terminate()
        self._process.wait()

    @property
    def mib(self) -> float:
        """Resident."""
        return psutil.Process(self._process.pid).memory_info().rss / MIB


def main() -> int:
    """Run, tell, and say by the exit code whether a promise was broken."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos.rolling", description=__doc__)
    parser.add_argument(
        "--minutes", type=int, default=0, help="how long half of the load is kept up afterwards"
    )
    given = parser.parse_args()
    if shutil.which("haproxy") is None:
        sys.exit("haproxy is missing: apt-get install haproxy")
    with open_stage() as stage, stage.database("rolling", bookings=10_000) as dsn:
        servers = [Server(dsn), Server(dsn)]
        try:
            with balancer(stage.folder, servers) as port:
                faults = _restarted(port, servers, dsn)
                faults += _kept_up(port, servers, given.minutes) if given.minutes else []
        finally:
            for server in servers:
                server.stop()
    print("\n".join(faults) or "nothing lost, nobody refused")
    return 1 if faults else 0


def _restarted(port: int, servers: list[Server], dsn: str) -> list[str]:
    """Restart each in turn while calls come in; what went wrong."""
    before = _stored(dsn)
    with ThreadPoolExecutor(1) as pool:
        calls = pool.submit(load, port, CONNECTIONS, SECONDS, FIRST_ID)
        for _ in range(RESTARTS_OF_EACH):
            for server in servers:
                sleep(CALM_SECONDS)
                server.stop()
                server.start()
        told = calls.result()  # it asserts that every call was answered 200
    stored = _stored(dsn) - before
    print(f"restarted {RESTARTS_OF_EACH * len(servers)} times under load: {told}; {stored} stored")
    return [] if stored == told["answered"] else [f"{told['answered']} answered, {stored} stored"]


def _kept_up(port: int, servers: list[Server], minutes: int) -> list[str]:
    peak = load(port, CONNECTIONS, 5, 2 * FIRST_ID)["per_second"]
    seen: list[tuple[float, float]] = []
    for minute in range(minutes):
        told = load(port, CONNECTIONS, STEP_SECONDS, (3 + minute) * FIRST_ID, peak / 2)
        seen.append((sum(server.mib for server in servers), told["p50_ms"]))
        print(f"minute {minute + 1}: {told}, {seen[-1][0]:.0f} MiB", flush=True)
    third = max(1, minutes // 3)
    faults: list[str] = []
    for what, first, last in zip(
        ("memory", "latency"),
        *(map(_mean, zip(*part, strict=True)) for part in (seen[:third], seen[-third:])),
        strict=True,
    ):
        if last > GROWTH_MAX * first:
            faults.append(f"{what} grew from {first:.1f} to {last:.1f}")
    return faults


def _mean(values: tuple[float, ...]) -> float:
    return sum(values) / len(values)


def _stored(dsn: str) -> int:
    with psycopg.connect(dsn) as conn:
        row = conn.execute("select count(*) from bookings").fetchone()
    assert row is not None
    return row[0]


@contextmanager
def balancer(folder: Path, servers: list[Server]) -> Iterator[int]:
    """Yields the port of a balancer in front of the servers."""
    port = free_port()
    lines = "\n".join(f"    server s{server.port} 127.0.0.1:{server.port}" for server in servers)
    config = folder / "haproxy.cfg"
    config.write_text(BALANCER.format(port=port, servers=lines))
    with subprocess.Popen(
        ["haproxy", "-f", config, "-db"], stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
    ) as one:
        try:
            wait_for(f"http://127.0.0.1:{port}/readyz")
            yield port
        finally:
            one.terminate()


if __name__ == "__main__":
    sys.exit(main())
