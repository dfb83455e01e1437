"""`zerkalo import --apply` killed in the middle, and two of them at once, as real processes."""

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from time import sleep

import psycopg
import pytest

from tests.integration.importing.test_command import PROGRAM
from tests.integration.processes.test_sync_processes import as_url
from tests.support import other_app
from tests.support.project import BACKEND

pytestmark = [pytest.mark.integration, pytest.mark.slow]

VISITS = 4_000
WRITTEN = ("users", "bonus_entries", "origins", "booking_events")
HELD_ROW = VISITS - 10
"""A record that stands in the last batch: whoever holds its row stops an import in the middle."""


@pytest.fixture
def mapping(dsn: str, tmp_path: Path) -> Path:
    """An app whose tables stand in the same database."""
    other_app.fill(dsn, visits=VISITS, company_id=1)
    file = tmp_path / "app.toml"
    file.write_text(other_app.MAPPING.format(url=as_url(dsn)), encoding="utf-8")
    return file


def start(dsn: str, mapping: Path) -> subprocess.Popen[str]:
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "import", str(mapping), "--apply", "--json"],
        cwd=mapping.parent,
        env={
            "PATH": os.environ["PATH"],
            "PYTHONPATH": str(BACKEND),
            "DATABASE_URL": as_url(dsn),
            "SECRET_KEY": "a secret of the tests, long enough",
            "YCLIENTS_COMPANY_ID": "1",
            "LOYALTY_ENABLED": "True",
        },
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def content(dsn: str) -> dict[str, list[tuple[object, ...]]]:
    with psycopg.connect(dsn) as conn:
        found = {
            name: conn.execute(f"select * from {name} order by 1".encode()).fetchall() for name in WRITTEN
        }
        linked = conn.execute("select id from bookings where user_id is not null").fetchall()
    return {**found, "linked": linked}


@pytest.fixture
def held(dsn: str) -> Iterator[psycopg.Connection]:
    """A session that holds a row which the import needs in its last batch."""
    with psycopg.connect(dsn) as conn:
        conn.execute("select from bookings where yclients_record_id = %s for update", [HELD_ROW])
        yield conn


def wait_until_blocked(dsn: str, sessions: int, process: subprocess.Popen[str]) -> None:
    """Return once so many sessions of this database wait for a lock."""
    waiting = "select count(*) from pg_locks l join pg_stat_activity a using (pid) where not l.granted and a.datname = current_database()"
    with psycopg.connect(dsn, autocommit=True) as conn:
        while (row := conn.execute(waiting).fetchone()) is None or row[0] < sessions:
            assert process.poll() is None, process.communicate()
            sleep(0.05)


def test_an_import_killed_in_the_middle_leaves_nothing_and_can_be_repeated(
    dsn: str, mapping: Path, held: psycopg.Connection
) -> None:
    before = content(dsn)
    running = start(dsn, mapping)
    wait_until_blocked(dsn, 1, running)
    running.send_signal(signal.SIGKILL)
    running.communicate()
    held.rollback()

    assert running.returncode == -signal.SIGKILL
    assert content(dsn) == before

    again = start(dsn, mapping)
    answer, said = again.communicate()
    assert again.returncode == 0, said
    assert json.loads(answer)["visits"]["by_record"] == VISITS * 7 // 8


def test_of_two_at_once_the_second_waits_and_finds_all_brought(
    dsn: str, mapping: Path, held: psycopg.Connection
) -> None:
    first = start(dsn, mapping)
    wait_until_blocked(dsn, 1, first)
    second = start(dsn, mapping)
    wait_until_blocked(dsn, 2, second)
    held.rollback()

    answers = [json.loads(one.communicate()[0]) for one in (first, second)]

    assert (first.returncode, second.returncode) == (0, 0)
    assert [one["visits"]["known"] for one in answers] == [0, VISITS]
    assert len(content(dsn)["linked"]) == VISITS
