"""What is done to the processes, one act after another; each ends healed as far as a machine's owner would heal it."""

import asyncio
import signal
import time
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from tests.chaos.charges import Charge
from tests.chaos.load import ANSWER_SECONDS_MAX
from tests.chaos.stage import COMPANY_ID, Stage

DRAIN_SECONDS_MAX = 10.0
"""By then a process that got SIGTERM must be gone."""
TAKEN_UP_SECONDS_MAX = 60.0
"""By then another process must have taken up the run of a killed one."""
SLOW_SECONDS = 0.4
"""How long the wire holds every piece up while a run is to last."""


class Broken(AssertionError):
    """A promise that was not kept."""


@dataclass(frozen=True)
class Act:
    """`seconds`: what it takes, roughly, with the recovery. `is_essential`: done in a short run too."""

    name: str
    seconds: float
    do: Callable[[Stage], Awaitable[str]]
    """Returns what there is to remark."""
    is_essential: bool = False
    needs_own_disk: bool = False


async def kill_server(stage: Stage) -> str:
    """One server dies in the middle of its work; the other goes on."""
    victim = stage.rng.choice(list(stage.servers.values()))
    victim.tell(signal.SIGKILL)
    await asyncio.sleep(2)
    return victim.name


async def kill_carrier(stage: Stage) -> str:
    """The worker that carries a run dies; another process takes the run up."""
    stage.wire.latency_seconds = SLOW_SECONDS
    asking = asyncio.create_task(stage.sync_by_admin())
    try:
        run_id, owner, carrier = await _carried_run(stage)
        await asyncio.sleep(stage.rng.uniform(0.5, 1.5))
        carrier.tell(signal.SIGKILL)
        seconds = await _taken_up(stage, run_id, owner)
    finally:
        stage.wire.latency_seconds = 0
        await asking
    return f"{carrier.name}; its run was taken up {seconds:.0f} s later"


async def stop_gently(stage: Stage) -> str:
    """SIGTERM to a server under load and to the worker that carries a run."""
    stage.wire.latency_seconds = SLOW_SECONDS
    asking = asyncio.create_task(stage.sync_by_admin())
    try:
        _, _, carrier = await _carried_run(stage)
        server = stage.rng.choice(list(stage.servers.values()))
        told = await _drained(carrier, server)
    finally:
        stage.wire.latency_seconds = 0
    carrier.start()
    server.start()
    await asking
    return told


async def stop_database(stage: Stage) -> str:
    """PostgreSQL is stopped hard; meanwhile every webhook gets its 503, and who is told to end does."""
    await stage.database.stop_hard()
    refused = await _only_503(stage)
    server, worker = next(iter(stage.servers.values())), stage.workers[0]
    told = await _drained(server, worker)
    stage.database.charge.start()
    server.start()
    worker.start()
    return f"{refused} calls got 503; {told} without a database"


async def kill_database(stage: Stage) -> str:
    """Kill -9 of PostgreSQL's first process; it stays down for some seconds."""
    await stage.database.kill()
    refused = await _only_503(stage)
    stage.database.charge.start()
    return f"{refused} calls got 503"


async def kill_session(stage: Stage) -> str:
    """Kill -9 of one session of PostgreSQL, which then throws everybody out and recovers."""
    killed = await asyncio.to_thread(stage.database.kill_a_session)
    await asyncio.sleep(2)
    return "" if killed else "no session of a server was open"


async def freeze_database(stage: Stage) -> str:
    """PostgreSQL stands still with its connections open: callers are told so in time, and none is told 200."""
    began_at = time.monotonic()
    with stage.database.frozen():
        await asyncio.sleep(16)
        latest = max(stage.load.acknowledged_since.values())
    if latest > began_at + 0.5:
        raise Broken("a call was answered 200 while PostgreSQL stood still")
    return ""


async def cut_vendor(stage: Stage) -> str:
    """YCLIENTS refuses connections; webhooks are taken in all the same."""
    return await _without_vendor(stage, is_hanging=False)


async def hang_vendor(stage: Stage) -> str:
    """YCLIENTS takes connections and says nothing; webhooks are taken in, and a worker told to end does."""
    return await _without_vendor(stage, is_hanging=True)


async def kill_everything(stage: Stage) -> str:
    """The machine goes down: PostgreSQL, servers, workers, all at once, and it comes up in any order."""
    for charge in (*stage.servers.values(), *stage.workers):
        charge.tell(signal.SIGKILL)
    await stage.database.kill()
    await asyncio.sleep(1)
    stage.database.charge.start()
    return ""


async def fill_disk(stage: Stage) -> str:
    """PostgreSQL's disk is full for some seconds, then there is room again."""
    await asyncio.to_thread(stage.database.fill_disk)
    before = stage.load.tally.answers["503"]
    try:
        async with asyncio.timeout(20):
            while stage.load.tally.answers["503"] < before + 20:
                await asyncio.sleep(0.2)
        await asyncio.sleep(3)
        crashed = "" if stage.database.charge.is_alive else "; PostgreSQL gave up and was started again"
    except TimeoutError:
        raise Broken("the disk was full for 20 s and nobody was told 503") from None
    finally:
        await asyncio.to_thread(stage.database.free_disk)
    return f"{stage.load.tally.answers['503'] - before} calls got 503{crashed}"


ACTS = (
    Act("kill -9 of a server", 8, kill_server, is_essential=True),
    Act("PostgreSQL stopped hard", 26, stop_database, is_essential=True),
    Act("YCLIENTS unreachable", 8, cut_vendor, is_essential=True),
    Act("SIGTERM under load", 14, stop_gently, is_essential=True),
    Act("kill -9 of a PostgreSQL session", 6, kill_session),
    Act("PostgreSQL's disk full", 12, fill_disk, needs_own_disk=True),
    Act("YCLIENTS hanging", 12, hang_vendor),
    Act("kill -9 of PostgreSQL", 16, kill_database),
    Act("PostgreSQL frozen", 20, freeze_database),
    Act("kill -9 of everything", 12, kill_everything),
    Act("kill -9 of the worker in a run", 45, kill_carrier),
)


async def _without_vendor(stage: Stage, *, is_hanging: bool) -> str:
    taken_before = stage.load.tally.answers["200"]
    worker, told = stage.workers[1], ""
    async with stage.wire.hanging() if is_hanging else stage.wire.refusing():
        asking = asyncio.create_task(stage.sync_by_admin())
        await asyncio.sleep(4)
        if is_hanging:
            told = "; " + await _drained(worker)
    worker.start() if is_hanging else None
    await asking
    taken = stage.load.tally.answers["200"] - taken_before
    if not taken:
        raise Broken("no webhook was taken in while YCLIENTS was away")
    return f"{taken} calls taken in meanwhile{told}"


async def _only_503(stage: Stage) -> int:
    """Wait, with PostgreSQL down, until calls made from now on are told 503; how many were. None may get 200.

    A server first waits itself for the database to come back (`db.pool.WAIT_SECONDS_MAX`).
    """
    down_at = time.monotonic()
    before = stage.load.tally.answers["503"]
    try:
        async with asyncio.timeout(ANSWER_SECONDS_MAX):
            while stage.load.tally.answers["503"] == before:
                await asyncio.sleep(0.1)
        await asyncio.sleep(0.5)
    except TimeoutError:
        raise Broken("no call was answered 503 while PostgreSQL was down") from None
    if max(stage.load.acknowledged_since.values()) > down_at:
        raise Broken("a call was answered 200 while PostgreSQL was down")
    return stage.load.tally.answers["503"] - before


async def _drained(*charges: Charge) -> str:
    """SIGTERM to all of them at once: each must end by itself, in order and in time."""
    endings = await asyncio.gather(
        *(one.stop(signal.SIGTERM, seconds_max=DRAIN_SECONDS_MAX) for one in charges)
    )
    for one, (code, seconds) in zip(charges, endings, strict=True):
        if code != 0:
            how = "did not end" if code is None else f"ended with {code}"
            raise Broken(f"{one.name} {how} {seconds:.1f} s after SIGTERM")
    return ", ".join(
        f"{one.name} ended in {seconds:.1f} s" for one, (_, seconds) in zip(charges, endings, strict=True)
    )


async def _carried_run(stage: Stage) -> tuple[int, str, Charge]:
    """The run under way, its owner, and the worker that is that owner, as soon as there is one."""
    sql = "select id, lease_owner from sync_runs where company_id = %s and status = 'running' and lease_until > now()"
    async with asyncio.timeout(60):
        while True:
            for run_id, owner in await stage.ask(sql, COMPANY_ID):
                for worker in stage.workers:
                    if worker.is_alive and owner.split(":")[1] == str(worker.pid):
                        return run_id, owner, worker
            await asyncio.sleep(0.1)


async def _taken_up(stage: Stage, run_id: int, owner: str) -> float:
    """Wait until another process carries the run, or has ended it; the seconds that took."""
    began_at = time.monotonic()
    sql = "select status <> 'running' or lease_owner is distinct from %s from sync_runs where id = %s"
    while True:
        ((is_taken,),) = await stage.ask(sql, owner, run_id)
        seconds = time.monotonic() - began_at
        if is_taken:
            return seconds
        if seconds > TAKEN_UP_SECONDS_MAX:
            raise Broken(f"nobody has taken up the run of the killed worker after {seconds:.0f} s")
        await asyncio.sleep(0.5)
