"""Answers kept for a while: bounded, one question for all, never stale after they were forgotten."""

import asyncio

from tests.support.emulator import TurnedClock
from zerkalo.kit.single_flight import ENTRIES_MAX, SingleFlight

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


def new_cache(clock: TurnedClock | None = None) -> SingleFlight:
    turned = clock or TurnedClock()
    return SingleFlight(lambda: turned().timestamp())


def is_time(key: tuple[int, str]) -> bool:
    return key == (1, "times")


async def test_an_answer_is_kept_as_long_as_was_said() -> None:
    clock, vendor = TurnedClock(), Vendor()
    cache = new_cache(clock)

    answers = []
    for seconds in (0, 4.9, 0.1):
        clock.pass_seconds(seconds)
        answers.append(await cache.get((1, "times"), vendor.answer, keep=5))

    assert answers == [1, 1, 2]


async def test_who_asks_while_it_is_asked_waits_for_the_same_answer() -> None:
    cache, vendor = new_cache(), Vendor()
    vendor.may_answer.clear()
    waiting = [asyncio.create_task(cache.get((1, "times"), vendor.answer, keep=5)) for _ in range(10)]
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
        *[cache.get((1, "times"), vendor.answer, keep=5) for _ in range(3)], return_exceptions=True
    )
    vendor.fails = False

    assert [type(one) for one in answers] == [ValueError] * 3
    assert await cache.get((1, "times"), vendor.answer, keep=5) == 2


async def test_what_was_under_way_when_something_was_booked_is_not_kept() -> None:
    cache, vendor = new_cache(), Vendor()
    vendor.may_answer.clear()
    before = asyncio.create_task(cache.get((1, "times"), vendor.answer, keep=5))
    await asyncio.sleep(0)
    cache.forget(is_time)
    after = asyncio.create_task(cache.get((1, "times"), vendor.answer, keep=5))
    await asyncio.sleep(0)
    vendor.may_answer.set()

    assert (await before, await after) == (1, 2)
    assert await cache.get((1, "times"), vendor.answer, keep=5) == 2


async def test_forgetting_touches_only_that_company_and_kind() -> None:
    cache, vendor = new_cache(), Vendor()
    keys = [(1, "times"), (1, "staff"), (2, "times")]
    for key in keys:
        await cache.get(key, vendor.answer, keep=60)

    cache.forget(is_time)

    assert [await cache.get(key, vendor.answer, keep=60) for key in keys] == [4, 2, 3]


async def test_the_cache_is_bounded_and_drops_what_was_not_used_longest() -> None:
    cache, vendor = new_cache(), Vendor()
    await cache.get((1, "first"), vendor.answer, keep=60)
    for number in range(ENTRIES_MAX - 1):
        await cache.get((1, number), vendor.answer, keep=60)
    await cache.get((1, "first"), vendor.answer, keep=60)
    await cache.get((1, "one more"), vendor.answer, keep=60)

    assert await cache.get((1, "first"), vendor.answer, keep=60) == 1
    assert await cache.get((1, 0), vendor.answer, keep=60) == ENTRIES_MAX + 2


async def test_whether_anybody_would_be_asked_can_be_told_before() -> None:
    clock, vendor = TurnedClock(), Vendor()
    cache = new_cache(clock)
    vendor.may_answer.clear()

    before = cache.has((1, "a"), 5)
    waiting = asyncio.create_task(cache.get((1, "a"), vendor.answer, keep=5))
    await asyncio.sleep(0)
    under_way = cache.has((1, "a"), 5), cache.asking_count
    vendor.may_answer.set()
    await waiting
    await asyncio.sleep(0)
    kept = cache.has((1, "a"), 5), cache.asking_count
    clock.pass_seconds(5)

    assert (before, under_way, kept) == (False, (True, 1), (True, 0))
    assert not cache.has((1, "a"), 5)


async def test_an_answer_from_the_future_is_asked_for_anew() -> None:
    """The clock was ahead for an hour: what was kept then must not be kept until it comes there again."""
    clock, vendor = TurnedClock(), Vendor()
    cache = new_cache(clock)
    clock.pass_seconds(3600)
    await cache.get((1, "a"), vendor.answer, keep=60)
    clock.pass_seconds(-3600)

    assert await cache.get((1, "a"), vendor.answer, keep=60) == 2


async def test_an_error_that_nobody_waits_for_is_told() -> None:
    vendor, told = Vendor(), list[str]()
    cache = SingleFlight(on_error=lambda error: told.append(str(error)))
    vendor.fails = True

    assert cache.peek("a", vendor.answer, every_seconds=60) is None
    for _ in range(3):
        await asyncio.sleep(0)

    assert told == ["no answer"]
    assert cache.peek("a", vendor.answer, every_seconds=60) is None
    assert vendor.asked == 1, "not again at once"
