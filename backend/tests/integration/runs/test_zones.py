"""A run where the salon's time zone, or its rules on this machine, are others than before."""

from datetime import timedelta
from pathlib import Path

import pytest
from msgspec.structs import replace

from tests.support.sync import COMPANY_ID, Salon, drift, open_salon
from tests.support.zone_files import zones_from
from zerkalo.db.pool import Pool

pytestmark = pytest.mark.integration


async def test_another_zone_moves_every_booking_to_it(pool: Pool):
    async with open_salon(pool) as salon:
        await salon.sync()
        before = {row["id"]: row["appointment_datetime"] for row in await salon.rows()}
        company = salon.emulator.vendor.company(COMPANY_ID)
        salon.emulator.vendor.companies[COMPANY_ID] = replace(company, zone_name="Asia/Yekaterinburg")

        run = await salon.sync()

        assert run.status == "finished", run.error
        assert {
            row["id"]: row["appointment_datetime"] + timedelta(hours=2) for row in await salon.rows()
        } == before
        assert run.full_history
        assert await drift(salon) == []


ALMATY = "Asia/Almaty"


async def test_changed_rules_of_the_same_zone_move_every_visit_at_the_next_sync(pool: Pool, tmp_path: Path):
    """Kazakhstan went from +06 to +05 in 2024: what was read before the zone data knew it is an hour off."""
    async with open_salon(pool) as salon:
        await move_to(salon, ALMATY)
        with zones_from(tmp_path, {ALMATY: timedelta(hours=6)}):
            await salon.sync()
            before = {row["id"]: row["appointment_datetime"] for row in await salon.rows()}
        salon.clock.pass_seconds(1800)

        run = await salon.with_context(seconds_per_request=1800.0).sync()

        assert run.status == "finished", run.error
        moved = {row["id"]: row["appointment_datetime"] - before[row["id"]] for row in await salon.rows()}
        assert set(moved.values()) == {timedelta(hours=1)}
        assert await drift(salon) == []


async def test_machine_with_older_zone_data_changes_nothing(pool: Pool, tmp_path: Path):
    async with open_salon(pool) as salon:
        await move_to(salon, ALMATY)
        await salon.sync()
        rows, companies = (
            await salon.rows(),
            await salon.fetch("select zone_rules, timezone_name from companies"),
        )
        salon.clock.pass_seconds(1800)

        with zones_from(tmp_path, {ALMATY: timedelta(hours=6)}, version="2023c"):
            run = await salon.sync(full=True)

        assert (run.counts.created, run.counts.updated, run.counts.cancelled) == (0, 0, 0)
        assert await salon.rows() == rows
        assert await salon.fetch("select zone_rules, timezone_name from companies") == companies


async def move_to(salon: Salon, zone_name: str) -> None:
    company = salon.emulator.vendor.company(COMPANY_ID)
    salon.emulator.vendor.companies[COMPANY_ID] = replace(company, zone_name=zone_name)
