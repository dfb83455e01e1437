"""Seeds for CI, and the seeds that once found something."""

import pytest

from tests.simulation.run import Report, run_seed
from tests.support.database import TestServer

SEEDS = 50
"""One after another they take some four seconds of a core each."""
FIRST_SEED = 1000

FOUND = {
    2: "a webhook about an erased booking brought her name back into the inbox",
    206: "two were named in a comment, one had herself erased, and the other did not get the booking",
}


def played(seed: int, server: TestServer) -> Report:
    with server.database() as dsn:
        return run_seed(seed, dsn)


@pytest.mark.parametrize("seed", range(FIRST_SEED, FIRST_SEED + SEEDS))
def test_world_heals(seed: int, database_server: TestServer):
    report = played(seed, database_server)

    assert not report.faults, f"{report.command}\n" + "\n".join(report.faults)


@pytest.mark.parametrize("seed", FOUND, ids=lambda seed: f"{seed}: {FOUND[seed]}")
def test_what_was_found_stays_mended(seed: int, database_server: TestServer):
    report = played(seed, database_server)

    assert not report.faults, f"{report.command}\n" + "\n".join(report.faults)


def test_same_seed_gives_the_same_trace(database_server: TestServer):
    first, second = played(225, database_server), played(225, database_server)

    assert first.lines == second.lines
    assert first.trace == second.trace


def test_another_seed_gives_another_trace(database_server: TestServer):
    assert played(7, database_server).trace != played(8, database_server).trace
