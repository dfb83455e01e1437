"""The cache of what is on offer: bounded, single-flight, never stale after a booking."""

import asyncio
from datetime import UTC, datetime

import pytest

from tests.support.emulator import TurnedClock
from zerkalo.booking_form.cache import ENTRIES_MAX, AnswerCache
from zerkalo.kit.problem import ProblemError

TIMES = frozenset({"times"})


class Vendor:
    """Answers with how often it was asked, when it is let."""

    def __init__(self) -> None:
        self.asked = 0
        self.may_answer = asyncio.Event()
        self.may_answer.set()
        self.fails = False

    async def answer(self) -> int:
        self.asked += 1
        number = self.asked
        await self.may_answer.wait()
        if self.fails:
            raise ValueError("no answer")
        return number


def new_cache(clock: TurnedClock | None = None, limit: int = 10_000) -> AnswerCache:
    return AnswerCache(clock or TurnedClock(datetime(2026, 1, 1, tzinfo=UTC)), asks_per_minute_max=limit)


async def test_an_answer_is_kept_as_long_as_was_said() -> None:
    clock, vendor = TurnedClock(), Vendor()
    cache = new_cache(clock)

    answers = []
    for seconds in (0, 4.9, 0.1):
        clock.pass_seconds(seconds)
        answers.append(await cache.get((1, "times"), 5, vendor.answer))

    assert answers == [1, 1, 2]


async def test_who_asks_while_it_is_asked_waits_for_the_same_answer() -> None:
    cache, vendor = new_cache(), Vendor()
    vendor.may_answer.clear()
    waiting = [asyncio.create_task(cache.get((1, "times"), 5, vendor.answer)) for _ in range(10)]
    await asyncio.sleep(0)
    waiting[0].cancel()  # the one who asked first goes away
    vendor.may_answer.set()

    answers = await asyncio.gather(*waiting, return_exceptions=True)

    assert isinstance(answers[0], asyncio.CancelledError)
    assert answers[1:] == [1] * 9
    assert vendor.asked == 1


async def test_an_error_reaches_all_who_wait_and_is_not_kept() -> None:
    cache, vendor = new_cache(), Vendor()
    vendor.fails = True
    answers = await asyncio.gather(
        *[cache.get((1, "times"), 5, vendor.answer) for _ in range(3)], return_exceptions=True
    )
    vendor.fails = False

    assert [type(one) for one in answers] == [ValueError] * 3
    assert await cache.get((1, "times"), 5, vendor.answer) == 2


async def test_what_was_under_way_when_something_was_booked_is_not_kept() -> None:
    cache, vendor = new_cache(), Vendor()
    vendor.may_answer.clear()
    before = asyncio.create_task(cache.get((1, "times"), 5, vendor.answer))
    await asyncio.sleep(0)
    cache.forget(1, TIMES)
    after = asyncio.create_task(cache.get((1, "times"), 5, vendor.answer))
    await asyncio.sleep(0)
    vendor.may_answer.set()

    assert (await before, await after) == (1, 2)
    assert await cache.get((1, "times"), 5, vendor.answer) == 2


async def test_forgetting_touches_only_that_company_and_kind() -> None:
    cache, vendor = new_cache(), Vendor()
    keys = [(1, "times"), (1, "staff"), (2, "times")]
    for key in keys:
        await cache.get(key, 60, vendor.answer)

    cache.forget(1, TIMES)

    assert [await cache.get(key, 60, vendor.answer) for key in keys] == [4, 2, 3]


async def test_the_cache_is_bounded_and_drops_what_was_not_used_longest() -> None:
    cache, vendor = new_cache(limit=10**6), Vendor()
    await cache.get((1, "first"), 60, vendor.answer)
    for number in range(ENTRIES_MAX - 1):
        await cache.get((1, number), 60, vendor.answer)
    await cache.get((1, "first"), 60, vendor.answer)
    await cache.get((1, "one more"), 60, vendor.answer)

    assert await cache.get((1, "first"), 60, vendor.answer) == 1
    assert await cache.get((1, 0), 60, vendor.answer) == ENTRIES_MAX + 2


async def test_no_more_is_asked_in_a_minute_than_may_be() -> None:
    clock, vendor = TurnedClock(), Vendor()
    cache = new_cache(clock, limit=2)
    await cache.get((1, "a"), 1, vendor.answer)
    await cache.get((1, "b"), 60, vendor.answer)

    with pytest.raises(ProblemError) as busy:
        await cache.get((1, "c"), 1, vendor.answer)

    assert (busy.value.status, busy.value.code) == (503, "busy")
    assert await cache.get((1, "b"), 60, vendor.answer) == 2, "what is kept is given all the same"
    clock.pass_seconds(60)
    assert await cache.get((1, "c"), 1, vendor.answer) == 3
