"""Moving in: `zerkalo import` of an app's visits in a process of its own, told only and then applied."""

import json
import subprocess
from time import perf_counter, sleep

from tests.benchmark.bodies import COMPANY_ID
from tests.benchmark.stage import BACKEND, Stage, resident_kib, settings_of, zerkalo
from tests.benchmark.told import Told
from tests.integration.processes.test_sync_processes import as_url
from tests.support import other_app

VISITS = 100_000
LOOK_SECONDS = 0.02
KIB_A_MIB = 1024


def measure(stage: Stage, told: Told, *, visits: int) -> None:
    """Note speed and memory of both."""
    told.title(f"Moving in with {visits:,} visits")
    with stage.database("moving_in", bookings=0) as dsn:
        other_app.fill(dsn, visits=visits, company_id=COMPANY_ID)
        mapping = stage.folder / "app.toml"
        mapping.write_text(other_app.MAPPING.format(url=as_url(dsn)), encoding="utf-8")
        for what, words in (
            ("told only", ()),
            ("applied, with its backup", ("--apply",)),
            ("applied again", ("--apply",)),
        ):
            seconds, kib, answer = _run(dsn, str(mapping), *words)
            told.figure(f"visits, {what}", visits / seconds, "a second", "aim: 5,000 at least")
            told.figure(f"most memory, {what}", kib / KIB_A_MIB, "MiB", "aim: 200 at most")
        found = json.loads(answer)
        assert found["people"]["known"] == found["people"]["read"], "all of them were brought"
        assert found["visits"]["ask"] == found["visits"]["not_in_mirror"] == 0


def _run(dsn: str, *words: str) -> tuple[float, int, str]:
    """Seconds of the whole command, KiB of memory at its most, and what it printed."""
    began_at = perf_counter()
    with subprocess.Popen(
        zerkalo("import", *words, "--json"),
        cwd=BACKEND,
        env={**settings_of(dsn), "LOYALTY_ENABLED": "True"},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as one:
        most = 0
        while one.poll() is None:
            most = max(most, resident_kib(one.pid, "VmHWM"))
            sleep(LOOK_SECONDS)
        assert one.stdout is not None, "a pipe was asked for"
        answer = one.stdout.read()
        assert one.returncode == 0, "the import failed"
    return perf_counter() - began_at, most, answer
