"""Zerkalo's process in the simulation: the parts wired as `zerkalo.composition` does it, on simulated time and network.

It serves the webhook, carries jobs and sweeps like `serve` and `worker`. `die` is kill -9: its tasks end where they are,
nothing of its memory is left, and whatever handlers still run in it can reach neither the database nor YCLIENTS.
"""

import asyncio
from collections.abc import Awaitable, Callable, Coroutine, Sequence
from contextvars import ContextVar
from dataclasses import replace
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any, cast

import httpx2
import psycopg
import psycopg_pool

from tests.simulation.database import SimulatedCrash
from tests.simulation.engine import Job, SimulatedBells
from yclients_emulator import build_app
from zerkalo.absences.model import AbsenceLimits
from zerkalo.auth.service import Auth
from zerkalo.codes.rules import new_code
from zerkalo.composition import _ports
from zerkalo.engine.jobs import rematch_if_wanted, ring_for_what_waits
from zerkalo.engine.model import PeriodicTask
from zerkalo.engine.registry import TaskParts, periodic_tasks, work_of
from zerkalo.engine.service import Bells
from zerkalo.loyalty.programme.service import policy_of
from zerkalo.mirror.context import Limits, SyncContext
from zerkalo.mirror.refetching.service import Refetcher
from zerkalo.mirror.service import Applier
from zerkalo.runs.service import Runs
from zerkalo.users.service import people_of
from zerkalo.webhook.committer import Committer
from zerkalo.webhook.replaying.service import Replay
from zerkalo.webhook.routes import Tally, Webhook
from zerkalo.yclients.client import YclientsClient
from zerkalo.yclients.limiter import DatabaseLimiter

if TYPE_CHECKING:
    from tests.simulation.world import World

DATABASE_ERRORS = (psycopg.OperationalError, psycopg_pool.PoolTimeout)
JOBS_AT_ONCE = 2
LATENCY_SECONDS_MAX = 0.8
SECRET_KEY = "s" * 64
TENDED = frozenset({"settle_sweep", "sweep_erased", "balances", "notices"})
"""The periodic tasks that the simulation runs: what `tick` and `sweep` do has periods of its own, the others delete what is old."""

running_in: ContextVar["Process | None"] = ContextVar("running_in", default=None)
"""The process whose code runs: every task that is made there is its, and ends with it."""


def task_factory(loop: asyncio.AbstractEventLoop, coro: Any, **options: Any) -> Any:
    """Makes tasks that their process knows."""
    task: asyncio.Task[Any] = asyncio.Task(coro, loop=loop, **options)
    process = running_in.get()
    if process is not None:
        process.tasks[task] = None
        task.add_done_callback(lambda done: process.tasks.pop(done, None))
    return task


class Process:
    """One process of Zerkalo. Made, `start`ed, and at some time dead."""

    def __init__(self, world: "World", name: str) -> None:
        self.name = name
        self.is_dead = False
        self.tasks: dict[asyncio.Task[Any], None] = {}
        """In the order in which they were made: a set would end them in an order of its own."""
        self._world = world
        self._rng = world.random(f"process {name}")
        self._compose()

    def _compose(self) -> None:
        world, settings = self._world, self._world.plan.settings
        self.settings, self.clock, self.is_demo = settings, world.clock, False
        self.pool = pool = world.database.pool_of(self)
        self.bells = bells = cast("Bells", SimulatedBells(world.engine))
        limiter = DatabaseLimiter(
            pool,
            settings.yclients_egress,
            per_second=settings.yclients_requests_per_second,
            per_minute=settings.yclients_requests_per_minute,
            clock=world.stepping_clock,
        )
        self.client = client = YclientsClient(
            "http://yclients/api/v1",
            settings.yclients_partner_token or "",
            settings.yclients_user_token or "",
            limiter,
            transport=Wire(world, self, self._rng),
            clock=world.clock,
            rng=self._rng.random,
        )
        self.policy = policy_of(world.settings_now)
        self.applier = Applier(
            pool,
            clock=world.clock,
            order_clock=world.clock,
            policy=self.policy,
            ring=bells.refetch,
            email_counts_alone=settings.match_email_alone,
        )
        self.context = self.sync = SyncContext(
            pool=pool,
            clock=world.stepping_clock,
            vendor=client,
            applier=self.applier,
            company_ids=settings.yclients_company_ids,
            interval=timedelta(minutes=settings.yclients_sync_interval_minutes),
            window_days=settings.yclients_sync_window_days,
            lease_clock=world.stepping_clock,
            limits=Limits(absences=AbsenceLimits(records=3)),
            monotonic=asyncio.get_running_loop().time,
            jitter=self._rng.random,
        )
        self.refetcher = Refetcher(self.context)
        self.runs = Runs(self.context, self.refetcher)
        # The production's own wiring of people, but for chance and for the hashing, which takes real time.
        ports = _ports(settings, self.policy, self.applier, bells, pool, is_demo=False)
        self.people = people_of(
            Auth(pool, SECRET_KEY),
            SECRET_KEY,
            replace(ports, new_code=lambda: new_code(world.random_of_codes)),
        )
        self.people.auth.passwords = cast("Any", QuickPasswords())
        self.replay = Replay(pool, world.clock, self.applier, settings.yclients_company_ids)
        self._committer = Committer(self.applier.apply_items)
        self._webhook = Webhook(
            self._committer,
            settings.yclients_company_ids,
            (settings.yclients_webhook_secret,) if settings.yclients_webhook_secret else (),
            clock=world.clock,
            tally=Tally(),
        )
        self._parts = cast("TaskParts", self)
        self._work = work_of(self._parts)

    async def start(self) -> None:
        """Begin to serve and to work."""
        self.run(self._serve())

    def run(self, coro: Coroutine[Any, Any, Any]) -> asyncio.Task[Any]:
        """Run something as code of this process."""
        token = running_in.set(self)
        try:
            return asyncio.get_running_loop().create_task(coro)
        finally:
            running_in.reset(token)

    def die(self) -> None:
        """End as kill -9 does it."""
        self.is_dead = True
        current = asyncio.current_task()
        for task in list(self.tasks):
            if task is not current:
                task.cancel()
        self._world.bury(self)

    async def post_webhook(self, path: str, body: bytes) -> tuple[int, str]:
        """What the salon's web server passes on; the HTTP status, and what the delivery is told to have done."""
        async with httpx2.AsyncClient(
            transport=httpx2.ASGITransport(app=self._webhook), base_url="http://zerkalo"
        ) as client:
            answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
        told = answer.json()["status"] if answer.status_code == 200 else "quarantined"
        return answer.status_code, told

    async def _serve(self) -> None:
        plan = self._world.plan
        async with self._committer, asyncio.TaskGroup() as tasks:
            self._world.note(f"{self.name} serves")
            for _ in range(JOBS_AT_ONCE):
                tasks.create_task(self._keep_working())
            tasks.create_task(self._every(plan.sweep_seconds, self.sweep))
            tasks.create_task(self._every(plan.tick_seconds, self.tick))
            tasks.create_task(self._every(plan.tend_seconds, self.tend))

    async def sweep(self) -> None:
        """The periodic look for what nobody rang for, users and cards to look at again among it."""
        await ring_for_what_waits(self._work, self.bells)
        await self.applier.rematcher.rematch_waiting_users()
        await self.applier.rematcher.rematch_waiting_cards()

    async def tick(self) -> None:
        """Ring for the companies that are due."""
        for company_id in await self.runs.due():
            await self.bells.sync(company_id)

    def periodic_tasks(self) -> Sequence[PeriodicTask]:
        """All of them, as production has them."""
        return periodic_tasks(self._parts)

    async def tend(self) -> None:
        """The periodic tasks that no bell announces."""
        for task in self.periodic_tasks():
            if task.name in TENDED:
                await task.work()

    async def carry_out(self, job: Job) -> None:
        """The body of a job."""
        what, subject = job
        match what:
            case "sync":
                await self.runs.carry_if_wanted(subject)
            case "refetch":
                await self.runs.read_changes_if_wanted(subject)
                await self.refetcher.drain(subject)
            case _:
                await rematch_if_wanted(self._work, subject)

    async def _keep_working(self) -> None:
        while True:
            job = await self._world.engine.take()
            self._world.note(f"{self.name} works on {job}")
            await self._guarded(lambda job=job: self.carry_out(job))

    async def _every(self, seconds: float, work: Callable[[], Awaitable[object]]) -> None:
        while True:
            await asyncio.sleep(seconds * self._rng.uniform(0.2, 1.0))
            await self._guarded(work)

    async def _guarded(self, work: Callable[[], Awaitable[object]]) -> None:
        """As the engine does it: a job that fails for the database's sake fails alone. Any other error is a finding."""
        try:
            await work()
        except DATABASE_ERRORS as error:
            self._world.counted[f"process: job ended by {type(error).__name__}"] += 1
        except Exception as error:  # noqa: BLE001  reported with its seed at the end
            if not self.is_dead:
                self._world.report(error)


class QuickPasswords:
    """Hashes in no time: Argon2's 50 ms in a thread would be real time in a simulated world."""

    async def hash(self, password: str, *, address: str) -> str:
        return f"hash of {password}"

    async def verify(self, password: str, password_hash: str | None, *, address: str) -> bool:
        return password_hash == f"hash of {password}"


class Wire(httpx2.AsyncBaseTransport):
    """The way from one process to YCLIENTS: takes time, and may be cut."""

    def __init__(self, world: "World", process: Process, rng: Random) -> None:
        self._world = world
        self._process = process
        self._rng = rng
        self._app = httpx2.ASGITransport(app=build_app(world.emulator))

    async def handle_async_request(self, request: httpx2.Request) -> httpx2.Response:
        await self._pass_time()
        if "/record/" in request.url.path:
            self._world.asked[request.url.path, int(self._world.clock().timestamp()) // 60] += 1
        if int(request.url.params.get("count", 0)) > self._world.plan.vendor.page_size_max:
            self._world.counted["vendor: count clamped"] += 1
        if self._world.is_vendor_cut:
            self._world.counted["vendor: no connection"] += 1
            raise httpx2.ConnectError("connection refused", request=request)
        response = await self._app.handle_async_request(request)
        await self._pass_time()
        return response

    async def _pass_time(self) -> None:
        await asyncio.sleep(self._rng.random() ** 3 * LATENCY_SECONDS_MAX)
        if self._process.is_dead:
            raise SimulatedCrash(self._process.name)
