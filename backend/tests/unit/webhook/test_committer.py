"""The group commit: what waits goes together, and nobody is answered before it is written."""

import asyncio
from collections.abc import Sequence
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerkalo.inbox.model import Delivery
from zerkalo.metrics.counts import BATCH_ITEMS, COMMIT_SECONDS
from zerkalo.mirror.model import Item, Outcome, OutcomeStatus
from zerkalo.webhook.committer import BATCHES_AT_ONCE, Committer, Overloaded
from zerkalo.webhook.model import LIMITS, Limits


def item(size: int = 1) -> Item:
    return Item(delivery=Delivery(b"x" * size, datetime(2026, 12, 1, tzinfo=UTC)))


class Writer:
    """Takes batches when let; remembers them."""

    def __init__(self) -> None:
        self.batches: list[int] = []
        self.gate = asyncio.Event()
        self.error: Exception | None = None

    async def take(self, items: Sequence[Item]) -> list[Outcome]:
        self.batches.append(len(items))
        await self.gate.wait()
        if self.error is not None:
            raise self.error
        return [
            Outcome(OutcomeStatus.APPLIED, booking_id=len(one.delivery.body) if one.delivery else 0)
            for one in items
        ]


async def submitted(committer: Committer, items: Sequence[Item]) -> list[asyncio.Task[Outcome]]:
    tasks = [asyncio.create_task(committer.submit(one)) for one in items]
    await asyncio.sleep(0.01)
    return tasks


async def test_each_caller_gets_the_outcome_of_its_own_item_after_it_is_written() -> None:
    writer = Writer()
    async with Committer(writer.take) as committer:
        tasks = await submitted(committer, [item(size) for size in range(1, 51)])
        assert not any(task.done() for task in tasks)

        writer.gate.set()

        assert [(await task).booking_id for task in tasks] == list(range(1, 51))


async def test_what_arrives_while_a_batch_is_written_goes_together() -> None:
    writer = Writer()
    async with Committer(writer.take) as committer:
        await submitted(committer, [item()])
        tasks = await submitted(committer, [item()] * 40)
        writer.gate.set()
        await asyncio.gather(*tasks)

    assert writer.batches == [1, 40]


@pytest.mark.parametrize(
    ("waiting", "batches"), [(LIMITS.beside_items - 1, [1]), (LIMITS.beside_items, [1, LIMITS.beside_items])]
)
async def test_a_second_batch_begins_beside_the_first_where_many_wait(
    waiting: int, batches: list[int]
) -> None:
    writer = Writer()
    async with Committer(writer.take) as committer:
        tasks = [*await submitted(committer, [item()]), *await submitted(committer, [item()] * waiting)]

        assert writer.batches == batches

        writer.gate.set()
        await asyncio.gather(*tasks)

    assert writer.batches == [1, waiting]


async def test_few_against_a_large_batch_wait_for_its_end() -> None:
    writer = Writer()
    async with Committer(writer.take) as committer:
        tasks = await submitted(committer, [item()] * (4 * LIMITS.beside_items))
        tasks += await submitted(committer, [item()] * (2 * LIMITS.beside_items - 1))
        assert writer.batches == [4 * LIMITS.beside_items]

        tasks += await submitted(committer, [item()])
        assert writer.batches == [4 * LIMITS.beside_items, 2 * LIMITS.beside_items]

        writer.gate.set()
        await asyncio.gather(*tasks)


async def test_no_third_batch_begins_beside_two() -> None:
    writer = Writer()
    async with Committer(writer.take) as committer:
        many = [item()] * LIMITS.beside_items
        tasks = [task for _ in range(4) for task in await submitted(committer, many)]

        assert writer.batches == [len(many)] * BATCHES_AT_ONCE

        writer.gate.set()
        await asyncio.gather(*tasks)

    assert writer.batches == [len(many), len(many), 2 * len(many)]


@given(
    arrivals=st.lists(st.integers(min_value=0, max_value=9), min_size=1, max_size=12),
    pauses=st.lists(st.integers(min_value=0, max_value=3), min_size=1, max_size=12),
    gone=st.sets(st.integers(min_value=0, max_value=60)),
)
def test_nobody_is_left_waiting_and_each_is_written_once(
    arrivals: list[int], pauses: list[int], gone: set[int]
) -> None:
    """Whatever comes when, however long batches take, and whoever goes away."""
    written: list[int] = []
    under_way = 0

    async def take(items: Sequence[Item]) -> list[Outcome]:
        nonlocal under_way
        under_way += 1
        assert under_way <= BATCHES_AT_ONCE
        for _ in range(pauses[len(written) % len(pauses)]):
            await asyncio.sleep(0)
        under_way -= 1
        sizes = [len(one.delivery.body) for one in items if one.delivery]
        written.extend(sizes)
        return [Outcome(OutcomeStatus.APPLIED, booking_id=size) for size in sizes]

    async def play() -> None:
        tasks: list[asyncio.Task[Outcome]] = []
        async with Committer(take, limits=Limits(batch_items=5, beside_items=3)) as committer:
            for count in arrivals:
                tasks += [
                    asyncio.create_task(committer.submit(item(len(tasks) + n + 1))) for n in range(count)
                ]
                await asyncio.sleep(0)
                for number in gone & set(range(len(tasks))):
                    tasks[number].cancel()
            async with asyncio.timeout(5):
                told = await asyncio.gather(*tasks, return_exceptions=True)
        for number, outcome in enumerate(told):
            if number not in gone:
                assert isinstance(outcome, Outcome)
                assert outcome.booking_id == number + 1

    asyncio.run(play())

    assert len(written) == len(set(written)), "none is written twice"


async def test_batch_is_bounded_in_items() -> None:
    writer = Writer()
    async with Committer(writer.take) as committer:
        tasks = await submitted(committer, [item()] * (LIMITS.batch_items * 3))
        writer.gate.set()
        await asyncio.gather(*tasks)

    assert writer.batches == [LIMITS.batch_items] * 3


async def test_batch_and_queue_are_bounded_in_bytes() -> None:
    writer = Writer()
    async with Committer(writer.take, limits=Limits(batch_bytes=100, waiting_bytes=300)) as committer:
        running = await submitted(committer, [item(90)])
        waiting = await submitted(committer, [item(60)] * 5)
        with pytest.raises(Overloaded):
            await committer.submit(item(60))

        writer.gate.set()
        await asyncio.gather(*running, *waiting)
        assert await committer.submit(item(300)), "one that is larger than a batch still goes"

    assert writer.batches == [1] * 7


async def test_everybody_of_a_batch_hears_that_it_failed_and_the_next_goes_on() -> None:
    writer = Writer()
    writer.gate.set()
    writer.error = ConnectionError("away")
    async with Committer(writer.take) as committer:
        tasks = await submitted(committer, [item()] * 3)
        for task in tasks:
            with pytest.raises(ConnectionError):
                await task

        writer.error = None
        assert (await committer.submit(item())).status is OutcomeStatus.APPLIED


async def test_a_caller_that_goes_away_spoils_nobody() -> None:
    writer = Writer()
    async with Committer(writer.take) as committer:
        gone, stays = await submitted(committer, [item(), item()])
        gone.cancel()
        await asyncio.sleep(0)
        writer.gate.set()

        assert (await stays).status is OutcomeStatus.APPLIED

    assert sum(writer.batches) == 2, "what came in is written all the same"


async def test_whoever_waits_too_long_is_told_so_and_the_batch_goes_on() -> None:
    writer = Writer()
    async with Committer(writer.take, limits=Limits(answer_seconds=0.05)) as committer:
        tasks = [*await submitted(committer, [item()]), *await submitted(committer, [item()] * 3)]

        told = await asyncio.gather(*tasks, return_exceptions=True)
        assert [type(one) for one in told] == [TimeoutError] * 4

        writer.gate.set()
        assert (await committer.submit(item())).status is OutcomeStatus.APPLIED

    assert writer.batches == [1, 1], "the batch under way is not broken off, what waited behind it is dropped"


async def test_a_call_that_comes_later_is_waited_for_longer() -> None:
    writer = Writer()
    async with Committer(writer.take, limits=Limits(answer_seconds=0.2)) as committer:
        (first,) = await submitted(committer, [item()])
        await asyncio.sleep(0.1)
        (second,) = await submitted(committer, [item()])
        with pytest.raises(TimeoutError):
            await first

        assert not second.done()
        writer.gate.set()
        assert (await second).status is OutcomeStatus.APPLIED


async def test_the_end_writes_what_still_waits() -> None:
    writer = Writer()
    async with Committer(writer.take) as committer:
        tasks = await submitted(committer, [item()] * 10)
        writer.gate.set()

    assert all(task.result().status is OutcomeStatus.APPLIED for task in tasks)


async def test_the_end_does_not_wait_for_a_database_that_is_silent() -> None:
    writer = Writer()
    async with Committer(writer.take, limits=Limits(end_seconds=0.01)) as committer:
        tasks = await submitted(committer, [item()] * (LIMITS.batch_items + 1))

    assert len(await asyncio.gather(*tasks, return_exceptions=True)) == len(tasks), "nobody is left waiting"
    assert all(task.cancelled() for task in tasks), "and nobody is told that it was written"


async def test_a_batch_is_counted_once_with_its_size() -> None:
    items, seconds = BATCH_ITEMS.sum, COMMIT_SECONDS.buckets()[-1][1]
    writer = Writer()
    writer.gate.set()
    async with Committer(writer.take) as committer:
        await asyncio.gather(*await submitted(committer, [item()] * 3))

    assert BATCH_ITEMS.sum - items == 3
    assert COMMIT_SECONDS.buckets()[-1][1] - seconds == len(writer.batches)
