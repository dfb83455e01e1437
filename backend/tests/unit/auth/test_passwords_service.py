"""Who is next for work that takes a processor."""

import asyncio

import pytest

from zerkalo.auth.model import TurnLimits
from zerkalo.auth.passwords.service import Turns
from zerkalo.kit.problem import ProblemError

pytestmark = pytest.mark.anyio


async def in_line(turns: Turns, address: str, done: list[str]) -> None:
    try:
        async with turns.turn(address):
            await asyncio.sleep(0)
            done.append(address)
    except ProblemError:
        done.append("busy")


async def test_a_crowd_from_one_network_stands_behind_itself_only() -> None:
    turns, done = Turns(TurnLimits(at_once=1, waiting_max=2)), list[str]()
    crowd = [f"2001:db8:1:{number:x}::/64" for number in range(4)]
    callers = [*crowd, "192.0.2.1"]

    async with asyncio.TaskGroup() as tasks:
        for caller in callers:
            tasks.create_task(in_line(turns, caller, done))

    assert done == [crowd[0], crowd[1], "192.0.2.1", crowd[2], crowd[3]]


async def test_more_than_a_network_may_have_waiting_are_told_to_come_again() -> None:
    turns, done = Turns(TurnLimits(at_once=1, waiting_max=1)), list[str]()

    async with asyncio.TaskGroup() as tasks:
        for number in range(80):  # of one /56, which may have four waiting
            tasks.create_task(in_line(turns, f"2001:db8:1:{number:x}::/64", done))
        tasks.create_task(in_line(turns, "192.0.2.1", done))

    assert done.count("busy") == 80 - 1 - 4
    assert "192.0.2.1" in done


async def test_who_gives_up_waiting_leaves_the_turn_to_the_next() -> None:
    turns, done = Turns(TurnLimits(at_once=1)), list[str]()
    async with turns.turn("192.0.2.1"):
        gone = asyncio.create_task(in_line(turns, "192.0.2.2", done))
        stays = asyncio.create_task(in_line(turns, "192.0.2.3", done))
        await asyncio.sleep(0)
        gone.cancel()
        await asyncio.sleep(0)

    await stays

    assert done == ["192.0.2.3"]


async def test_a_crowd_from_everywhere_does_not_pile_up_without_end() -> None:
    turns, done = Turns(TurnLimits(at_once=1, all_waiting_max=10)), list[str]()

    async with asyncio.TaskGroup() as tasks:
        for number in range(50):
            tasks.create_task(in_line(turns, f"192.0.2.{number}", done))

    assert done.count("busy") == 50 - 1 - 10


async def test_who_is_turned_away_is_told_when_to_come_again() -> None:
    turns = Turns(TurnLimits(at_once=1, all_waiting_max=0, retry_seconds=7))
    async with turns.turn("192.0.2.1"):
        with pytest.raises(ProblemError) as busy:
            async with turns.turn("192.0.2.2"):
                pytest.fail("there is no turn free")

    assert (busy.value.status, busy.value.headers["Retry-After"]) == (503, "7")
