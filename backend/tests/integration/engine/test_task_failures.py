"""A periodic task that fails again and again is told of by `check`, until it succeeds."""

import asyncio
from typing import Any, cast

import pytest

from tests.support.api import NOW
from zerkalo.checkup.model import FailingTask
from zerkalo.checkup.rules import problems_of
from zerkalo.checkup.service import examine
from zerkalo.checkup.store import TASK_FAILURES
from zerkalo.db.pool import Pool
from zerkalo.engine.jobs import Work, register_tasks, run_and_note
from zerkalo.engine.model import EVERY_MINUTE, PeriodicTask
from zerkalo.engine.service import open_bells
from zerkalo.settings import Settings

pytestmark = pytest.mark.integration

PHONE = "+79990000001"


async def fail() -> None:
    raise LookupError(PHONE)


async def succeed() -> None:
    return None


BROKEN, MENDED, OTHER = (
    PeriodicTask(name, EVERY_MINUTE, 1, work)
    for name, work in (("prune", fail), ("prune", succeed), ("tick", succeed))
)


async def run(pool: Pool, *tasks: PeriodicTask) -> None:
    for task in tasks:
        try:
            await run_and_note(task, pool)
        except LookupError:
            assert task is BROKEN


async def failing(pool: Pool) -> tuple[FailingTask, ...]:
    return (await examine(pool, Settings(), now=NOW)).failing_tasks


async def test_a_task_that_fails_several_times_in_a_row_is_told_of_until_it_succeeds(pool: Pool) -> None:
    await run(pool, *[BROKEN, OTHER] * (TASK_FAILURES - 1))
    assert await failing(pool) == ()

    await run(pool, BROKEN, OTHER)
    assert await failing(pool) == (FailingTask("prune", TASK_FAILURES, "LookupError"),)
    facts = await examine(pool, Settings(), now=NOW)
    assert "task_failing" in {problem.code for problem in problems_of(facts)}

    await run(pool, MENDED)
    assert await failing(pool) == ()
    await run(pool, *[BROKEN] * (TASK_FAILURES - 1))
    assert await failing(pool) == (), "counted anew"


async def test_nothing_of_the_failure_but_its_class_is_kept(pool: Pool) -> None:
    await run(pool, BROKEN)

    async with pool.connection() as conn:
        row = await (await conn.execute("select t::text from task_failures t")).fetchone()
    assert row is not None
    assert "LookupError" in row[0]
    assert PHONE not in row[0]


async def test_a_task_that_is_not_run_any_more_is_no_problem_after_a_day(pool: Pool) -> None:
    await run(pool, *[BROKEN] * TASK_FAILURES)
    async with pool.connection() as conn:
        await conn.execute("update task_failures set failed_at = failed_at - interval '25 hours'")

    assert await failing(pool) == ()


async def test_the_engine_notes_the_outcome_of_each_task_it_runs(pool: Pool) -> None:
    async with open_bells(pool) as bells:
        register_tasks(bells, Work(pool, *cast("list[Any]", [None] * 3)), [BROKEN], asyncio.Event())
        await bells.app.configure_task("prune").defer_async()
        await bells.app.run_worker_async(wait=False, install_signal_handlers=False)

    async with pool.connection() as conn:
        row = await (await conn.execute("select name, failures from task_failures")).fetchone()
    assert row == ("prune", 1)
