"""The rate limit over one database: a table of waits by an injected clock, and two real processes by the real one."""

import asyncio
import contextlib
import subprocess
import sys
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.emulator import TurnedClock
from zerkalo.db.pool import Pool, open_pool
from zerkalo.yclients.errors import VendorBusy
from zerkalo.yclients.limiter import OTHERS_BURST, PAUSE_SECONDS_MAX, SPACING_MARGIN, DatabaseLimiter, Kind

KINDS: tuple[Kind, ...] = ("unsigned", "interactive", "background")
SPACING = 0.3 * SPACING_MARGIN


def limiter_of(pool: Pool, clock: TurnedClock, egress: str = "default") -> DatabaseLimiter:
    return DatabaseLimiter(pool, egress, per_second=5, per_minute=200, clock=clock, sleep=clock.sleep)


async def test_slots_are_spaced_by_the_slower_rate(pool: Pool) -> None:
    clock = TurnedClock()
    limiter = limiter_of(pool, clock)
    started = clock.now

    for _ in range(201):
        await limiter.acquire("background")

    assert (clock.now - started).total_seconds() == pytest.approx(200 * SPACING, abs=0.01)
    assert (clock.now - started) > timedelta(minutes=1)


async def test_each_egress_has_a_limit_of_its_own(pool: Pool) -> None:
    clock = TurnedClock()

    await limiter_of(pool, clock, "office").acquire("background")
    await limiter_of(pool, clock, "cloud").acquire("background")

    assert clock.slept == [0, 0]


async def test_unsigned_calls_take_a_third_at_most(pool: Pool) -> None:
    clock = TurnedClock()
    limiter = limiter_of(pool, clock)
    started = clock.now

    for _ in range(11):
        await limiter.acquire("unsigned")

    assert (clock.now - started).total_seconds() == pytest.approx(10 * 3 * SPACING, abs=0.02)


async def test_machines_that_wait_never_queue_far_before_a_person(pool: Pool) -> None:
    """Fifty machines at once, then a person: she is served within about a second, not after them."""
    waits: list[float] = []

    async def sleep(seconds: float) -> None:
        waits.append(seconds)
        await asyncio.sleep(3600)

    now = datetime(2026, 12, 2, 9, 0, tzinfo=UTC)
    machines = DatabaseLimiter(pool, "default", per_second=5, per_minute=200, clock=lambda: now, sleep=sleep)
    tasks = [asyncio.create_task(machines.acquire("background")) for _ in range(50)]
    while len(waits) < 50:  # each either holds a slot or waits to try again
        await asyncio.sleep(0.01)

    clock = TurnedClock(now)
    await limiter_of(pool, clock).acquire("interactive")

    assert clock.slept[0] <= 1 + 2 * SPACING
    for task in tasks:
        task.cancel()
    await asyncio.gather(*tasks, return_exceptions=True)


async def test_a_pause_stops_everybody_and_a_person_is_told_at_once(pool: Pool) -> None:
    clock = TurnedClock()
    limiter = limiter_of(pool, clock)
    await limiter.pause(30)
    await limiter.pause(5)  # an earlier end does not shorten it

    with pytest.raises(VendorBusy) as caught:
        await limiter.acquire("interactive")

    assert caught.value.retry_after_seconds == pytest.approx(30, abs=0.01)
    assert sum(clock.slept) == 0
    started = clock.now
    await limiter.acquire("background")
    assert (clock.now - started).total_seconds() == pytest.approx(30, abs=0.5)


async def test_a_machine_gives_up_on_a_pause_that_outlasts_its_patience(pool: Pool) -> None:
    clock = TurnedClock()
    limiter = limiter_of(pool, clock)
    await limiter.pause(10**6)

    with pytest.raises(VendorBusy) as caught:
        await limiter.acquire("background")

    assert caught.value.retry_after_seconds == pytest.approx(PAUSE_SECONDS_MAX, abs=0.01)


async def test_slot_and_pause_of_a_clock_that_was_hours_ahead_count_as_now(pool: Pool) -> None:
    ahead, right = TurnedClock(), TurnedClock()
    ahead.pass_seconds(3 * 3600)
    await limiter_of(pool, ahead).acquire("unsigned")
    await limiter_of(pool, ahead).pause(60)

    for kind in KINDS:
        await limiter_of(pool, right).acquire(kind)

    assert sum(right.slept) <= 3 * SPACING


async def test_pause_survives_a_clock_that_is_put_on_or_back_by_a_second(pool: Pool) -> None:
    clock = TurnedClock()
    await limiter_of(pool, clock).pause(30)
    clock.pass_seconds(-1)

    with pytest.raises(VendorBusy):
        await limiter_of(pool, clock).acquire("interactive")


async def test_people_who_ask_without_end_leave_the_sync_its_third(pool: Pool) -> None:
    """25 of them at once, and unsigned calls: each asks again as soon as it was answered."""
    limiter = DatabaseLimiter(pool, "default", per_second=20, per_minute=6000)
    taken = dict.fromkeys(KINDS, 0)

    async def ask_on(kind: Kind) -> None:
        while sum(taken.values()) < 100:
            with contextlib.suppress(VendorBusy):
                await limiter.acquire(kind)
                taken[kind] += 1

    asking = [
        ask_on("background"),
        *(ask_on("interactive") for _ in range(25)),
        ask_on("unsigned"),
        ask_on("unsigned"),
    ]
    await asyncio.gather(*asking)

    assert taken["background"] >= (100 - OTHERS_BURST) / 3 - 5


PROGRAM = """
import asyncio, sys, time
from zerkalo.db.pool import open_pool
from zerkalo.yclients.limiter import DatabaseLimiter

async def main():
    async with open_pool(sys.argv[1], max_size=4, name="limiter") as pool:
        limiter = DatabaseLimiter(pool, "default", per_second=20, per_minute=6000)
        async def one():
            await limiter.acquire("background")
            print(time.time(), flush=True)
        await asyncio.gather(*(one() for _ in range(30)))

asyncio.run(main())
"""


@pytest.mark.slow
async def test_two_processes_keep_one_limit_together(dsn: str) -> None:
    """20 a second, 30 calls from each of two processes at once: no second holds more than 20."""

    def run() -> subprocess.Popen[str]:
        return subprocess.Popen([sys.executable, "-c", PROGRAM, dsn], stdout=subprocess.PIPE, text=True)

    processes = [run(), run()]
    outputs = [(await asyncio.to_thread(process.communicate, timeout=60))[0] for process in processes]

    assert [process.returncode for process in processes] == [0, 0]
    moments = sorted(float(line) for output in outputs for line in output.split())
    assert len(moments) == 60
    # One more than the limit's worth: a process may be late out of its sleep, which the vendor sees as well.
    assert all(later - earlier >= 0.95 for earlier, later in zip(moments, moments[20:], strict=False))
    assert moments[-1] - moments[0] >= 59 * 0.05 - 0.1
    async with open_pool(dsn, name="test") as pool, pool.connection() as conn:
        row = await (await conn.execute("select count(*) from rate_limits")).fetchone()
    assert row == (1,)
