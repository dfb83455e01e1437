"""Seeds for CI, and the seeds that once found something."""

import os
import subprocess
import sys

import pytest

from tests.simulation.run import Report, run_seed
from tests.support.database import TestServer
from tests.support.project import BACKEND

FIRST_SEED = 1000
SEEDS = 50
"""One after another they take some four seconds of a core each."""
FOUND = {
    1006: "a booking that somebody held, and that YCLIENTS did not know, was asked about a hundred times a minute",
    1005: "a webhook about an erased booking brought her name back into the inbox",
    30465: "a code that a block carried before it became a booking was learned from its repetition only",
    40361: "a booking that an admin took from everybody went on noting the code of somebody erased",
}
"""Seeds that show what was once found. Any change, of the simulation or of what it runs, makes other worlds of all seeds;
`make mutations` plants mistakes again and wants some seed to show them."""


def played(seed: int, server: TestServer) -> Report:
    with server.database() as dsn:
        return run_seed(seed, dsn)


@pytest.mark.parametrize(
    "seed", [seed for seed in range(FIRST_SEED, FIRST_SEED + SEEDS) if seed not in FOUND]
)
def test_world_heals(seed: int, database_server: TestServer):
    report = played(seed, database_server)

    assert not report.faults, f"{report.command}\n" + "\n".join(report.faults)


@pytest.mark.parametrize("seed", FOUND)
def test_what_was_found_stays_mended(seed: int, database_server: TestServer):
    report = played(seed, database_server)

    assert not report.faults, f"{report.command}: {FOUND[seed]}\n" + "\n".join(report.faults)


def played_elsewhere(seed: int, server: TestServer, hash_seed: str) -> str:
    """The trace of a seed in a process of its own, whose sets and hashes have an order of their own."""
    program = (
        "import sys; from tests.simulation.run import run_seed; "
        "report = run_seed(int(sys.argv[1]), sys.argv[2]); print(report.trace, *report.lines, sep='\\n')"
    )
    with server.database() as dsn:
        done = subprocess.run(
            [sys.executable, "-c", program, str(seed), dsn],
            env={**os.environ, "PYTHONHASHSEED": hash_seed, "PYTHONPATH": str(BACKEND)},
            capture_output=True,
            text=True,
            check=True,
        )
    return done.stdout


def test_same_seed_gives_the_same_trace_in_another_process(database_server: TestServer):
    first, second = [played_elsewhere(1008, database_server, hash_seed) for hash_seed in ("1", "2")]

    assert first.splitlines() == second.splitlines()


def test_another_seed_gives_another_trace(database_server: TestServer):
    assert played(7, database_server).trace != played(8, database_server).trace
