"""Memory of a first sync of a long history: `zerkalo sync --full` against an emulator, each in a process of its own."""

import subprocess
from time import perf_counter, sleep

import psycopg

from tests.benchmark.bodies import COMPANY_ID
from tests.benchmark.stage import Stage, call, caller, emulator, resident_kib, settings_of, zerkalo
from tests.benchmark.told import Told

RECORDS = 1_000_000
HISTORY_DAYS = 3_650
LOOK_SECONDS = 0.05
KIB_A_MIB = 1024


def measure(stage: Stage, told: Told, *, records: int) -> None:
    """Note how much the process grows over what it had when its run began."""
    told.title(f"Memory of a backfill of {records:,} records")
    with stage.database("backfill", bookings=0) as dsn, emulator() as port:
        with caller(port) as vendor:
            bulk = {"company_id": COMPANY_ID, "count": records, "days": HISTORY_DAYS}
            call(vendor, "POST", "/_control/bulk", bulk)
        began_at = perf_counter()
        start_kib, most_kib = _watched(dsn, f"http://127.0.0.1:{port}/api/v1")
        seconds = perf_counter() - began_at
        stored = _stored(dsn)
        assert stored >= records, f"only {stored} of {records} records arrived"
    told.figure("when the run began", start_kib / KIB_A_MIB, "MiB")
    told.figure("most over that", (most_kib - start_kib) / KIB_A_MIB, "MiB", "aim: 50 at most")
    told.figure("records read over HTTP and applied", stored / seconds, "a second")


def _watched(dsn: str, yclients_url: str) -> tuple[int, int]:
    """KiB resident when the run had been opened, and the most until its end."""
    environment = settings_of(dsn, yclients_url=yclients_url)
    with (
        psycopg.connect(dsn, autocommit=True) as conn,
        subprocess.Popen(
            zerkalo("sync", "--full"),
            cwd="/",
            env=environment,
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
        ) as one,
    ):
        while not conn.execute("select 1 from sync_runs").fetchone():
            assert one.poll() is None, "the sync ended before its run began"
            sleep(LOOK_SECONDS)
        start_kib = most_kib = resident_kib(one.pid, "VmRSS")
        while one.poll() is None:
            most_kib = max(
                most_kib, resident_kib(one.pid, "VmHWM")
            )  # the kernel's own mark: no peak falls between two looks
            sleep(LOOK_SECONDS)
        assert one.returncode == 0, "the sync failed"
    return start_kib, most_kib


def _stored(dsn: str) -> int:
    with psycopg.connect(dsn) as conn:
        row = conn.execute("select count(*) from bookings").fetchone()
    assert row is not None
    return row[0]
