"""What docs/bookings.md says of a row is so, and its calls are made as they stand there."""

import asyncio
import json
import os
import re
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.application import PASSWORD, running_application
from tests.support.project import ROOT
from zerkalo.bookings.merging.rules import ATTENDANCE_STATUS
from zerkalo.bookings.model import CancelReason
from zerkalo.db.pool import Pool

pytestmark = pytest.mark.integration

PAGE = (ROOT / "docs" / "bookings.md").read_text(encoding="utf-8")
ROWS = [[cell.strip() for cell in row.split("|")] for row in re.findall(r"^\|(.+)\|$", PAGE, re.MULTILINE)]


async def test_the_columns_that_the_page_tells_are_there(pool: Pool):
    async with pool.connection() as conn:
        found = await conn.execute(
            "select attname from pg_attribute where attrelid = 'bookings'::regclass and attnum > 0"
        )
        columns = {name for (name,) in await found.fetchall()}
    told = {name for row in ROWS for name in re.findall(r"`([a-z_]+)`", row[0])}
    assert len(told) >= 19
    assert told <= columns


def test_the_states_that_the_page_tells_are_those_of_the_code():
    told = [word for row in ROWS for word in re.findall(r"^`([A-Z]+)`$", row[1])]
    reasons = set(re.findall(r"`cancel_reason` is `(\w+)`", PAGE))
    assert set(told) == set(ATTENDANCE_STATUS.values())
    assert reasons == set(CancelReason)


@pytest.mark.slow
async def test_the_calls_of_the_page_sync_and_list(dsn: str, tmp_path: Path):
    (calls,) = [block for block in re.findall(r"```bash\n(.*?)```", PAGE, re.DOTALL) if "curl" in block]
    async with (
        running_application(dsn, tmp_path / "data", with_worker=True) as application,
        application.listening() as port,
    ):
        proved = datetime(2025, 1, 1, tzinfo=UTC)
        await application.new_user(email="admin@salon.test", email_verified_at=proved, is_admin=True)
        script = (
            calls.replace("localhost:8000", f"127.0.0.1:{port}")
            .replace("admin@example.com", "admin@salon.test")
            .replace("admin-password", PASSWORD)
        )
        shell = await asyncio.create_subprocess_exec(
            *("/bin/sh", "-ec", script.replace("\ncurl", "\necho; curl")),
            env={"PATH": os.environ["PATH"]},
            stdout=asyncio.subprocess.PIPE,
        )
        told, _ = await shell.communicate()

    synced, listed = map(json.loads, filter(None, told.decode().splitlines()))
    assert [run["status"] for run in synced["runs"]] == ["finished"], synced
    assert listed == {"items": [], "next_cursor": None}
