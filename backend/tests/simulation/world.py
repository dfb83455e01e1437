"""One seed: the world is made, lives, is troubled, and heals."""

import asyncio
import hashlib
from collections import Counter
from datetime import datetime, timedelta
from random import Random
from typing import Any

from tests.simulation.database import Database, SimulatedConnection, SimulatedCrash
from tests.simulation.engine import Engine
from tests.simulation.loop import Clock, SimulatedLoop
from tests.simulation.outside import Nobody, NobodysSender
from tests.simulation.people import PeopleLife
from tests.simulation.plan import Plan, draw_plan
from tests.simulation.process import Process
from tests.simulation.salon import Contact, SalonLife
from tests.simulation.trouble import Trouble, draw_modes
from yclients_emulator import Emulator
from yclients_emulator.hooks import Delivery
from zerkalo.db.pool import Pool

HOOK_URL = "http://zerkalo"
DELIVERY_SECONDS_MAX = 15.0
"""How long YCLIENTS waits for our answer."""
LATE_TOGETHER_SECONDS = 600.0
"""In the end late deliveries come in heaps of so long a time, each in the order of the seed."""
QUIET_ROUNDS_MAX = 60
"""After so many rounds of everybody's periodic work, a world without trouble must have come to rest."""


class World:
    """Everything of one seed. Made by `run.open_world`, inside a `SimulatedLoop`."""

    def __init__(
        self, seed: int, loop: SimulatedLoop, database: Database, holder: SimulatedConnection
    ) -> None:
        self.seed = seed
        self.plan: Plan = draw_plan(self.random("plan"))
        self.settings_now = self.plan.settings
        self.counted = database.counted
        self.clock = Clock(loop, self.plan.began_at)
        self.database = database
        self.holder = holder
        """The connection of somebody who holds rows for long."""
        self.engine = Engine(self.random("engine"), self.counted)
        self.random_of_codes = self.random("codes")
        self.is_vendor_cut = False
        self.clock_step = timedelta()
        """How far the clock of our machines, by which runs, leases and slots go, is wrong just now."""
        self.acknowledged: list[tuple[bytes, str]] = []
        """(body, outcome told) of every call that we answered: with 200, or an error after which a believed one is kept."""
        self.asked: Counter[tuple[str, int]] = Counter()
        """How often one record was asked for in each minute: (path, minute)."""
        self.failures: list[BaseException] = []
        self.trace = hashlib.sha256()
        self.trace_lines: list[str] = []
        self.pool: Pool = database.pool_of(Nobody(), is_spared=True)
        self._rng = self.random("world")
        self.emulator = Emulator(
            self.plan.vendor, seed=seed, clock=self.clock, sleep=asyncio.sleep, sender=NobodysSender()
        )
        self.emulator.skew = self.plan.skew
        self.contacts = [
            Contact(f"Клиентка {n}", f"7900000{n:04d}", f"client{n}@salon.test") for n in range(7)
        ]
        self.salon = SalonLife(self.emulator, self.random("salon"), self.counted, self.contacts)
        self.people = PeopleLife(
            self.random("people"),
            self.random_of_codes,
            self.counted,
            self.contacts,
            self.salon,
            self.clock,
        )
        self.trouble = Trouble(self, self.random("trouble"), self.counted)
        self.processes: list[Process] = []
        self._restarts: set[asyncio.Task[None]] = set()
        self._started = 0

    def stepping_clock(self) -> datetime:
        """The clock of our machines, which somebody may set."""
        return self.clock() + self.clock_step

    def random(self, stream: str) -> Random:
        """A stream of chance of its own."""
        return Random(f"{self.seed}/{stream}")

    def note(self, line: str) -> None:
        """Put a line into the trace."""
        text = f"{self.clock():%d %H:%M:%S.%f} {line}"
        self.trace.update(text.encode())
        self.trace_lines.append(text)

    def report(self, error: BaseException) -> None:
        """An error that no code of production may raise."""
        self.note(f"error {type(error).__name__}")
        self.failures.append(error)

    def bury(self, process: Process) -> None:
        """A process has died; another one is started in its place, after a while."""
        self.note(f"{process.name} dies")
        self.processes.remove(process)
        pause = self._rng.choice((1, 5, 20, 90))
        self._restarts.add(asyncio.get_running_loop().create_task(self._restart(pause)))

    async def begin(self) -> None:
        """The salon as it stands on the first day, and our processes."""
        plan = self.plan
        self.emulator.muted = True
        self.salon.open_branches(plan.zones, wrong_summer_offset=plan.wrong_summer_offset)
        for _ in range(self._rng.choice((0, 5, 25))):
            self.salon.step()
        self.emulator.muted = False
        for company_id in plan.zones:
            self.emulator.set_hooks(company_id, [HOOK_URL + plan.webhook_path])
        self.emulator.hooks.set_modes(draw_modes(self.random("hooks")))
        self.trouble.count_deliveries()
        self.counted += plan.counted
        if plan.is_rough:
            self.engine.lost_probability = self._rng.choice((0, 0.1, 0.5))
            self.emulator.before_request.append(self._shift)
        for _ in range(plan.processes):
            await self._start_process()

    async def live(self) -> None:
        """Hours in which everything happens."""
        actors = [
            asyncio.create_task(one) for one in (self._salon_lives(), self._people_live(), self._courier())
        ]
        if self.plan.is_rough:
            actors.append(asyncio.create_task(self.trouble.make()))
            actors.append(asyncio.create_task(self._strangers_post()))
        half = self.plan.hours * 1800
        await asyncio.sleep(half)
        await self._change_settings()
        await asyncio.sleep(half)
        for actor in actors:
            actor.cancel()
        ended = await asyncio.gather(*actors, return_exceptions=True)
        self.failures += [
            one
            for one in ended
            if isinstance(one, BaseException) and not isinstance(one, asyncio.CancelledError)
        ]

    async def heal(self) -> None:
        """The trouble ends, the latest deliveries come days later, and the periodic work goes on until all is quiet."""
        self.trouble.end()
        self.emulator.before_request.clear()
        self.note("healing")
        await asyncio.sleep(120)  # whoever died has been started anew
        while (due_at := self.emulator.hooks.next_due_at()) is not None:
            await asyncio.sleep(
                max(0.0, (due_at - self.emulator.now()).total_seconds()) + LATE_TOGETHER_SECONDS
            )
            await self._deliver(self.emulator.hooks.take_due())
        interval = self.plan.settings.yclients_sync_interval_minutes * 60
        await asyncio.sleep(interval + 2 * self.plan.tick_seconds)
        await self._accept_absent()
        await self.rest()

    async def _accept_absent(self) -> None:
        """An admin says that what is still absent, with every right given back, is gone."""
        for company_id in self.plan.zones:
            self.counted["absent: accepted"] += await self.processes[0].refetcher.accept_absent(company_id)

    async def rest(self) -> None:
        """Wait until nothing is left to be done."""
        left: dict[str, Any] = {}
        for _ in range(QUIET_ROUNDS_MAX):
            await asyncio.sleep(self.plan.sweep_seconds)
            left = await self.left_to_do()
            if not any(left.values()) and not self.engine.waiting:
                return
        raise AssertionError(f"no rest after {QUIET_ROUNDS_MAX} rounds: {left}")

    async def left_to_do(self) -> dict[str, int]:
        """What still waits, by table."""
        sql = """
            select (select count(*) from refetches), (select count(*) from sync_runs where status = 'running'),
                (select count(*) from users where rematch_wanted_at is not null),
                (select count(*) from clients where rematch_wanted_at is not null)
        """
        async with self.pool.connection() as conn:
            (row,) = await (await conn.execute(sql)).fetchall()
        return dict(zip(("refetches", "runs", "rematches", "cards"), row, strict=True))

    async def stop(self) -> None:
        """End every process, for good."""
        for process in list(self.processes):
            process.die()
        for task in self._restarts:
            task.cancel()
        await asyncio.gather(*self._restarts, return_exceptions=True)

    # Actors

    async def _salon_lives(self) -> None:
        rate = self.plan.acts_per_hour
        while True:
            await asyncio.sleep(self._rng.expovariate(rate / 3600))
            for _ in range(self._rng.choice((1, 1, 2, 3, 6))):  # several in one second
                self.note(self.salon.step())

    async def _people_live(self) -> None:
        while True:
            await asyncio.sleep(self._rng.expovariate(self.plan.acts_per_hour / 3 / 3600))
            if not self.processes:
                continue
            process = self._rng.choice(self.processes)
            task = process.run(self.people.step(process))
            await asyncio.wait([task])
            self.note("gave up" if task.cancelled() else _result(task, self))
            async with self.pool.connection() as conn:
                await self.people.remember(conn)

    async def _courier(self) -> None:
        hooks = self.emulator.hooks
        under_way: set[asyncio.Task[None]] = set()
        while True:
            await asyncio.sleep(self._rng.uniform(0.2, 8))
            due = hooks.take_due()
            if due:
                task = asyncio.create_task(self._deliver(due))
                under_way.add(task)
                task.add_done_callback(under_way.discard)

    async def _strangers_post(self) -> None:
        while True:
            await asyncio.sleep(self._rng.expovariate(2 / 3600))
            path, body, believed = self.trouble.forged()
            status, told = await self._post(path, body)
            secret = self.plan.settings.yclients_webhook_secret
            if believed and status in (200, 400, 422):
                self.acknowledged.append((body, told))
            elif not believed and secret and status not in (401, 0):
                self.report(AssertionError(f"a call without the secret was answered {status}"))

    async def _deliver(self, deliveries: list[Delivery]) -> None:
        async def carry(delivery: Delivery) -> None:
            status, told = await self._post(self.plan.webhook_path, delivery.body)
            self.note(f"delivery {delivery.id} {status}")
            self.counted[f"answer: {status}"] += 1
            if status == 200:
                if self.plan.settings.yclients_webhook_secret:  # of an unsigned call nothing is kept
                    self.acknowledged.append((delivery.body, told))
            elif status not in (0, 503):
                self.report(AssertionError(f"a delivery was answered {status}"))

        await asyncio.gather(*(carry(one) for one in deliveries))

    async def _post(self, path: str, body: bytes) -> tuple[int, str]:
        """The HTTP status and the outcome told; 0: no answer."""
        if not self.processes:
            return 0, ""
        process = self._rng.choice(self.processes)
        task = process.run(process.post_webhook(path, body))
        await asyncio.wait([task], timeout=DELIVERY_SECONDS_MAX)
        if not task.done():
            task.cancel()
            await asyncio.wait([task])
        if task.cancelled():
            return 0, ""
        error = task.exception()
        if error is None:
            return task.result()
        if not isinstance(error, SimulatedCrash) and not process.is_dead:
            self.report(error)
        return 0, ""

    def _shift(self, method: str, path: str) -> None:
        """The journal changes while we read it."""
        if path.startswith("/records/") and self._rng.random() < 0.08:
            self.note(f"meanwhile {self.salon.step()}")
            self.counted["vendor: list shifts while it is read"] += 1

    # Processes

    async def _start_process(self) -> None:
        self._started += 1
        process = Process(self, f"process {self._started}")
        self.processes.append(process)
        await process.start()

    async def _restart(self, pause: float) -> None:
        await asyncio.sleep(pause)
        await self._start_process()

    async def _change_settings(self) -> None:
        """The salon changes its settings, so every process is begun anew; a branch's zone may be corrected too."""
        if self.plan.rezoned:
            company_id = min(self.plan.zones)
            self.salon.correct_zone(company_id, "Asia/Novosibirsk")
            self.counted["seed: zone corrected"] += 1
        if self.plan.settings_later is not self.settings_now:
            self.settings_now = self.plan.settings_later
            for process in list(self.processes):
                process.die()


def _result(task: asyncio.Task[str], world: World) -> str:
    error = task.exception()
    if error is None:
        return task.result()
    if not isinstance(error, SimulatedCrash):
        world.report(error)
    return f"ended by {type(error).__name__}"
