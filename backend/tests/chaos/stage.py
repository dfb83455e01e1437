"""The stage: PostgreSQL, two servers, two workers, the emulator behind its wire, people who book, and the load."""

import asyncio
import os
import random
import signal
import sys
import time
from collections.abc import AsyncIterator
from contextlib import AsyncExitStack, asynccontextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import quote

import httpx2

from tests.chaos.charges import Charge, new_mark
from tests.chaos.load import MODES, Load
from tests.chaos.postgres import Postgres, postgres_in
from tests.chaos.wire import Wire
from tests.support.application import free_port, serving
from tests.support.database import open_folder
from tests.support.project import BACKEND
from yclients_emulator import Emulator, EmulatorSettings, desk, new_demo_emulator
from yclients_emulator.cli import new_server
from yclients_emulator.life import Person

COMPANY_ID = 100200
BULK = 3000
SECRET = "webhook-secret-of-the-chaos"
ADMIN = {"username": "admin@example.com", "password": "correct horse battery"}
PERCENT = 5
PEOPLE = tuple(
    Person(name=f"Клиент {n}", phone=f"70005550{n:03d}", code=f"KLEENT{n:02d}") for n in range(10, 30)
)
BACK_SECONDS_MAX = 90
"""By then everything must be at work again after the worst of what is done here."""


@dataclass
class Stage:
    """What is there, and what can be asked of it."""

    folder: Path
    mark: dict[str, str]
    database: Postgres
    servers: dict[int, Charge]
    """By port."""
    workers: list[Charge]
    emulator: Emulator
    wire: Wire
    load: Load
    environment: dict[str, str]
    rng: random.Random

    @property
    def charges(self) -> list[Charge]:
        return [self.database.charge, *self.servers.values(), *self.workers]

    async def command(self, *words: str, seconds_max: float = 120) -> tuple[int, str]:
        """Run `zerkalo …` to its end: its exit code and all it said."""
        process = await asyncio.create_subprocess_exec(
            *COMMAND,
            *words,
            cwd=self.folder,
            env=self.environment,
            stdout=asyncio.subprocess.PIPE,
            stderr=asyncio.subprocess.STDOUT,
        )
        try:
            said, _ = await asyncio.wait_for(process.communicate(), seconds_max)
        except TimeoutError:
            process.kill()
            await process.communicate()
            return 1, f"`zerkalo {' '.join(words)}` did not end in {seconds_max:.0f} s"
        assert process.returncode is not None, "it has ended"
        return process.returncode, said.decode()

    async def ask(self, sql: str, *values: object) -> list[tuple[Any, ...]]:
        """Rows of any question to the database."""

        def answer() -> list[tuple[Any, ...]]:
            with self.database.connect() as conn:
                return conn.execute(sql.encode(), values).fetchall()

        return await asyncio.to_thread(answer)

    async def sync_by_admin(self) -> None:
        """Ask for a sync as an admin does; whoever answers, and whether anybody does, is all one."""
        port = self.rng.choice(list(self.servers))
        with suppress(httpx2.TransportError, KeyError):
            async with httpx2.AsyncClient(
                base_url=f"http://127.0.0.1:{port}/api/v1", trust_env=False
            ) as client:
                pair = (await client.post("/auth/login", data=ADMIN)).json()
                headers = {"Authorization": f"Bearer {pair['access_token']}"}
                await client.post("/yclients/sync-bookings", headers=headers, timeout=40)

    def let_go(self) -> None:
        """Let everything run again that is held down."""
        for charge in self.charges:
            if charge.is_held:
                charge.start()

    async def recovered(self) -> float:
        """Wait until everything is at work again, without doing anything for it. Returns the seconds that took."""
        began_at = time.monotonic()
        await self.database.ready()
        try:
            async with asyncio.timeout(BACK_SECONDS_MAX):
                for port in self.servers:
                    await self._serves(port, began_at)
                await self._works(began_at)
        except TimeoutError:
            down = [one.name for one in self.charges if not one.is_alive]
            raise AssertionError(
                f"not at work again after {BACK_SECONDS_MAX} s; not running: {', '.join(down) or 'none'}"
            ) from None
        return time.monotonic() - began_at

    async def _serves(self, port: int, since: float) -> None:
        """The server is ready, and has answered 200 to a webhook that was sent since."""
        async with httpx2.AsyncClient(trust_env=False, timeout=5) as client:
            while True:
                with suppress(httpx2.TransportError):
                    ready = (await client.get(f"http://127.0.0.1:{port}/readyz")).status_code
                    if ready == httpx2.codes.OK and self.load.acknowledged_since[port] > since:
                        return
                await asyncio.sleep(0.1)

    async def _works(self, since: float) -> None:
        """Every worker runs, and a question put now is asked of YCLIENTS by one of them, bell or no bell."""
        record_id = min(self.emulator.vendor.records[COMPANY_ID])
        question = (
            "insert into refetches (company_id, record_id, unsigned, reason, requested_at, next_attempt_at)"
            " values (%s, %s, false, 'chaos', now(), now())"
            " on conflict (company_id, record_id) do update"
            " set generation = refetches.generation + 1, attempts = 0, next_attempt_at = now()"
        )
        await self._tell(question, COMPANY_ID, record_id)
        while await self.ask("select from refetches where record_id = %s", record_id):
            await asyncio.sleep(0.1)
        while not all(worker.is_alive for worker in self.workers):
            await asyncio.sleep(0.1)

    async def _tell(self, sql: str, *values: object) -> None:
        def tell() -> None:
            with self.database.connect() as conn:
                conn.execute(sql.encode(), values)

        await asyncio.to_thread(tell)


COMMAND = (sys.executable, "-c", "from zerkalo.cli.main import main; main()")


@asynccontextmanager
async def stage(seed: int) -> AsyncIterator[Stage]:
    """Yields everything running, the first sync done, the load on; ends it all, gently where it can."""
    rng = random.Random(seed)
    mark = new_mark()
    async with AsyncExitStack() as stack:
        folder = stack.enter_context(open_folder())
        database = stack.enter_context(postgres_in(folder, mark))
        database.charge.start()
        await database.ready()
        ports = (free_port(), free_port())
        load = Load(ports, SECRET, seed=seed)
        stack.push_async_callback(load.close)
        emulator, wire = await _vendor(stack, load, seed)
        environment = _environment(database, wire, folder) | mark
        built = Stage(
            folder=folder,
            mark=mark,
            database=database,
            servers={
                port: Charge(f"server-{n}", [*COMMAND, "serve", "--port", str(port)], environment, folder)
                for n, port in enumerate(ports, 1)
            },
            workers=[Charge(f"worker-{n}", [*COMMAND, "worker"], environment, folder) for n in (1, 2)],
            emulator=emulator,
            wire=wire,
            load=load,
            environment=environment,
            rng=rng,
        )
        stack.callback(_kill_all, built)
        await _set_up(built)
        for charge in built.charges:
            watch = asyncio.create_task(charge.watch(), name=f"watch {charge.name}")
            stack.callback(watch.cancel)
        yield built


async def _vendor(stack: AsyncExitStack, load: Load, seed: int) -> tuple[Emulator, Wire]:
    emulator = new_demo_emulator(EmulatorSettings(rate_limit=False), seed=seed, sender=load)
    desk.load_bulk(emulator, COMPANY_ID, BULK, days=60)
    emulator.set_hooks(COMPANY_ID, ["http://salon.test"], record=1)
    emulator.hooks.set_modes(MODES)
    port = free_port()
    await stack.enter_async_context(serving(new_server(emulator, port=port)))
    wire = Wire(free_port(), port)
    await wire.open()
    stack.push_async_callback(wire.cut)
    return emulator, wire


def _environment(database: Postgres, wire: Wire, folder: Path) -> dict[str, str]:
    tokens = EmulatorSettings()
    return {
        "PATH": os.environ["PATH"],
        "PYTHONPATH": str(BACKEND),
        "DATA_DIR": str(folder),
        "DATABASE_URL": f"postgresql://postgres@/postgres?host={quote(str(database.data), safe='')}",
        "SECRET_KEY": "sixteen-characters-and-more",
        "ADMIN_EMAIL": ADMIN["username"],
        "ADMIN_PASSWORD": ADMIN["password"],
        "YCLIENTS_ENABLED": "True",
        "YCLIENTS_API_URL": f"http://127.0.0.1:{wire.port}/api/v1",
        "YCLIENTS_PARTNER_TOKEN": tokens.partner_token,
        "YCLIENTS_USER_TOKEN": tokens.user_token,
        "YCLIENTS_COMPANY_ID": str(COMPANY_ID),
        "YCLIENTS_WEBHOOK_SECRET": SECRET,
        "YCLIENTS_SYNC_INTERVAL_MINUTES": "1",
        "YCLIENTS_REQUESTS_PER_SECOND": "50",
        "YCLIENTS_REQUESTS_PER_MINUTE": "3000",
        "LOYALTY_ENABLED": "True",
        "LOYALTY_START_DATE": "2000-01-01",
        "LOYALTY_PERCENT": str(PERCENT),
    }


async def _set_up(built: Stage) -> None:
    """Tables, people, processes, the first read of everything."""
    for words in (["migrate"], ["import-users", str(_people_file(built.folder))]):
        code, said = await built.command(*words)
        assert code == 0, said
    for charge in (*built.servers.values(), *built.workers):
        charge.start()
    code, said = await built.command("sync")
    assert code == 0, said


def _people_file(folder: Path) -> Path:
    lines = ["email,phone,name,unique_code"]
    lines += [f",+{one.phone},{one.name},{one.code}" for one in PEOPLE]
    file = folder / "people.csv"
    file.write_text("\n".join(lines), encoding="utf-8")
    return file


def _kill_all(built: Stage) -> None:
    """What an error left running. PostgreSQL is ended by its own block."""
    for charge in (*built.servers.values(), *built.workers):
        charge.is_held = True
        charge.tell(signal.SIGKILL)
