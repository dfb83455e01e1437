"""Work that a process does a few times at once at most, for each of its subjects."""

import asyncio

import pytest

from zerkalo.kit.few_at_once import FewAtOnce


@pytest.mark.parametrize("most", [1, 2])
async def test_what_is_under_way_so_many_times_is_left_out(most: int):
    few, go_on, begun = FewAtOnce(most), asyncio.Event(), list[str]()

    async def work(subject: str) -> None:
        begun.append(subject)
        await go_on.wait()

    subjects = ["one", "one", "one", "other"]
    runs = [asyncio.create_task(few.run(subject, lambda s=subject: work(s))) for subject in subjects]
    await asyncio.sleep(0)
    go_on.set()
    await asyncio.gather(*runs)
    assert begun == ["one"] * most + ["other"]

    await few.run("one", lambda: work("one"))
    assert begun[-1] == "one"


async def test_work_that_fails_tells_its_caller_and_can_be_done_again():
    few, tries = FewAtOnce(), 0

    async def work() -> None:
        nonlocal tries
        tries += 1
        raise LookupError("away")

    for _ in range(2):
        with pytest.raises(LookupError):
            await few.run("one", work)
    assert tries == 2
