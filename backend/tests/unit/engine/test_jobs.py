"""A periodic task: broken off where it lasts too long, its failing logged and raised."""

import asyncio

import pytest
from structlog.testing import capture_logs

from zerkalo.engine.jobs import run_periodic
from zerkalo.engine.model import EVERY_MINUTE, PeriodicTask


async def test_task_that_lasts_too_long_is_broken_off_and_logged():
    task = PeriodicTask("endless", EVERY_MINUTE, 0.01, asyncio.Event().wait)

    with capture_logs() as logs, pytest.raises(TimeoutError):
        await run_periodic(task)

    assert [(line["task"], line["error"], line["log_level"]) for line in logs] == [
        ("endless", "TimeoutError", "error")
    ]


async def test_task_that_fails_is_logged_by_its_name_and_fails_its_job():
    async def fail() -> None:
        raise LookupError("+79990000001")

    with capture_logs() as logs, pytest.raises(LookupError):
        await run_periodic(PeriodicTask("broken", EVERY_MINUTE, 1, fail))

    assert [(line["task"], line["error"]) for line in logs] == [("broken", "LookupError")]
