"""The sync in processes of its own, killed, stopped and doubled; YCLIENTS is the emulator over HTTP."""

import asyncio
import os
import signal
import socket
import sys
from collections.abc import AsyncIterator, Awaitable, Callable, Sequence
from contextlib import asynccontextmanager, suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlencode

import httpx2
import pytest
from psycopg.conninfo import conninfo_to_dict
from psycopg.rows import dict_row

from yclients_emulator import Emulator, EmulatorSettings, cli, desk
from zerkalo.db.pool import Pool

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(240)]

BACKEND = Path(__file__).parents[3]
COMPANY_ID = 100200
BULK = 6_000


def as_url(dsn: str) -> str:
    """The address of a database as DATABASE_URL takes it."""
    parts = conninfo_to_dict(dsn)
    user, name = quote(str(parts.pop("user")), safe=""), quote(str(parts.pop("dbname")), safe="")
    password = f":{quote(str(parts.pop('password')), safe='')}" if "password" in parts else ""
    return f"postgresql://{user}{password}@/{name}?{urlencode(parts, quote_via=quote)}"


@dataclass
class Machine:
    """Where the processes of a test run: one database, one emulator."""

    dsn: str
    pool: Pool
    emulator: Emulator
    url: str
    home: Path
    started: list[asyncio.subprocess.Process] = field(default_factory=list)

    async def start(self, *words: str, **settings: str) -> asyncio.subprocess.Process:
        """Start `zerkalo …` in a process of its own."""
        environment = {
            "PATH": os.environ["PATH"],
            "DATABASE_URL": as_url(self.dsn),
            "SECRET_KEY": "sixteen-characters-and-more",
            "YCLIENTS_ENABLED": "True",
            "YCLIENTS_API_URL": self.url,
            "YCLIENTS_PARTNER_TOKEN": self.emulator.settings.partner_token,
            "YCLIENTS_USER_TOKEN": self.emulator.settings.user_token,
            "YCLIENTS_COMPANY_ID": str(COMPANY_ID),
            "YCLIENTS_REQUESTS_PER_SECOND": "50",
            "YCLIENTS_REQUESTS_PER_MINUTE": "3000",
            **settings,
        }
        process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            "from zerkalo.cli.main import main; main()",
            *words,
            cwd=self.home,
            env={**environment, "PYTHONPATH": str(BACKEND)},
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.PIPE,
        )
        self.started.append(process)
        return process

    async def run(self, *words: str, **settings: str) -> tuple[int, str, str]:
        """Run `zerkalo …` to its end: exit code, what it said, what it complained of."""
        process = await self.start(*words, **settings)
        out, err = await asyncio.wait_for(process.communicate(), 90)
        assert process.returncode is not None
        return process.returncode, out.decode(), err.decode()

    async def fetch(self, sql: str, values: Sequence[Any] = ()) -> list[dict[str, Any]]:
        async with self.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(sql, values)  # pyright: ignore[reportArgumentType]  SQL of the tests' own
            return await cursor.fetchall()

    async def run_row(self) -> dict[str, Any] | None:
        rows = await self.fetch("select * from sync_runs order by id desc limit 1")
        return rows[0] if rows else None

    async def has_read(self, count: int) -> bool:
        row = await self.run_row()
        return row is not None and row["fetched"] >= count

    async def has_ended(self) -> bool:
        row = await self.run_row()
        return row is not None and row["status"] != "running"


@pytest.fixture
async def machine(dsn: str, pool: Pool, tmp_path: Path) -> AsyncIterator[Machine]:
    emulator = cli.build(seed=3, life=False, settings=EmulatorSettings(rate_limit=False))
    desk.load_bulk(emulator, COMPANY_ID, BULK, days=60)
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    async with serving(emulator, port):
        one = Machine(dsn, pool, emulator, f"http://127.0.0.1:{port}/api/v1", tmp_path)
        try:
            yield one
        finally:
            for process in one.started:
                if process.returncode is None:
                    process.kill()
                await process.communicate()


@asynccontextmanager
async def serving(emulator: Emulator, port: int) -> AsyncIterator[None]:
    server = cli.new_server(emulator, port=port)
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


async def until(holds: Callable[[], Awaitable[bool]], seconds: float) -> None:
    async with asyncio.timeout(seconds):
        while not await holds():
            await asyncio.sleep(0.05)


async def test_run_of_a_killed_worker_is_finished_by_another_within_a_minute(machine: Machine):
    first = await machine.start("worker")
    await until(lambda: machine.has_read(2000), 60)
    second = await machine.start("worker")
    first.kill()
    killed_with = await machine.run_row()

    await until(machine.has_ended, 75)

    run = await machine.run_row()
    assert killed_with is not None
    assert run is not None
    assert killed_with["status"] == "running"
    assert (run["id"], run["status"]) == (killed_with["id"], "finished"), run["error"]
    assert run["progress"]["resumed"] == 1
    assert second.returncode is None
    code, out, err = await machine.run("drift")
    assert code == 0, out + err


async def test_a_worker_tells_its_figures_at_a_port_of_its_own(machine: Machine):
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    await machine.start("worker", "--metrics-port", str(port))

    async with httpx2.AsyncClient(base_url=f"http://127.0.0.1:{port}") as client:

        async def run_is_counted() -> bool:
            with suppress(httpx2.TransportError):
                return 'zerkalo_runs_total{result="finished"} 1.0' in (await client.get("/metrics")).text
            return False

        await until(run_is_counted, 90)

        assert 'zerkalo_yclients_requests_total{result="ok"} 0.0' not in (await client.get("/metrics")).text
        assert (await client.get("/api/v1/booking")).status_code == 404


async def test_two_workers_carry_one_run_a_company(machine: Machine):
    await machine.start("worker")
    await machine.start("worker")

    await until(machine.has_ended, 90)

    runs = await machine.fetch("select * from sync_runs")
    assert [run["status"] for run in runs] == ["finished"]
    assert runs[0]["progress"]["resumed"] == 0
    rows = await machine.fetch("select count(*) as n, count(distinct yclients_record_id) as d from bookings")
    assert rows[0]["n"] == rows[0]["d"] == runs[0]["created"]


async def test_stopped_worker_is_gone_within_ten_seconds_and_leaves_its_run(machine: Machine):
    worker = await machine.start("worker")
    await until(lambda: machine.has_read(1000), 60)
    worker.send_signal(signal.SIGTERM)

    _, err = await asyncio.wait_for(worker.communicate(), 10)

    assert worker.returncode == 0, err.decode()
    assert "Синхронизация прервана" in err.decode()
    (left,) = await machine.fetch("select status, lease_until < now() as free from sync_runs")
    assert left == {"status": "running", "free": True}
    code, out, err2 = await machine.run("sync")
    assert code == 0, out + err2
    assert len(await machine.fetch("select 1 from sync_runs")) == 1


async def test_interrupted_sync_command_leaves_its_run_to_others(machine: Machine):
    command = await machine.start("sync")
    await until(lambda: machine.has_read(1000), 60)
    command.send_signal(signal.SIGINT)

    _, err = await asyncio.wait_for(command.communicate(), 10)

    assert command.returncode == 1
    assert "continues the run" in err.decode()
    (left,) = await machine.fetch("select status, lease_until < now() as free from sync_runs")
    assert left == {"status": "running", "free": True}


async def test_sync_command_joins_a_running_run(machine: Machine):
    await machine.start("worker")
    await until(lambda: machine.has_read(1000), 60)

    code, out, err = await machine.run("sync")

    assert code == 0, out + err
    assert "created" in out
    assert len(await machine.fetch("select 1 from sync_runs")) == 1


async def test_drift_names_what_differs_and_the_sync_mends_it(machine: Machine):
    assert (await machine.run("sync"))[0] == 0
    (victim, extra, *_) = await machine.fetch(
        "select id, yclients_record_id from bookings where status <> 'CANCELLED'"
        " and appointment_datetime > now() order by id"
    )
    async with machine.pool.connection() as conn:
        await conn.execute(
            "update bookings set service_price = 1, raw_digest = null where id = %s", [victim["id"]]
        )
        await conn.execute("delete from bookings where id = %s", [extra["id"]])

    code, out, err = await machine.run("drift")
    mended = await machine.run("sync")
    after = await machine.run("drift", "--company", str(COMPANY_ID))

    assert code == 1
    assert f"company {COMPANY_ID} record {victim['yclients_record_id']}: service_price" in out
    assert f"company {COMPANY_ID} record {extra['yclients_record_id']}: we do not have it" in out
    assert len(err.strip().splitlines()[-1].split("\n")) == 1
    assert mended[0] == 0, mended
    assert after[0] == 0, after


async def test_failed_sync_command_exits_with_one_line_that_helps(machine: Machine):
    code, out, err = await machine.run("sync", YCLIENTS_USER_TOKEN="wrong")

    assert code == 1
    assert "failed: 401" in out
    assert "zerkalo check" in err.strip().splitlines()[-1]


@pytest.mark.parametrize(
    ("words", "settings", "code", "said"),
    [
        (["sync"], {"YCLIENTS_ENABLED": "False"}, 1, "YCLIENTS_ENABLED"),
        (["sync", "--company", "5"], {}, 1, "YCLIENTS_COMPANY_ID"),
        (["replay"], {}, 2, "--quarantined"),
        (["replay", "--event", "99"], {}, 1, "no delivery 99"),
    ],
)
async def test_commands_say_what_to_do(
    machine: Machine, words: list[str], settings: dict[str, str], code: int, said: str
):
    ended, _, err = await machine.run(*words, **settings)

    assert ended == code
    assert said in err
