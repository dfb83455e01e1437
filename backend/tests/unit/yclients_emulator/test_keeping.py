"""The truth survives a stop: a new emulator with the same seed goes on where the old one was."""

import asyncio
from contextlib import suppress
from datetime import timedelta
from pathlib import Path

import pytest

from tests.support.emulator import NOON
from yclients_emulator import desk, keeping, new_demo_emulator
from yclients_emulator.keeping import keep, load, save
from yclients_emulator.life import Life


def test_a_kept_truth_comes_back_whole(tmp_path: Path) -> None:
    emulator = new_demo_emulator(seed=3, clock=lambda: NOON)
    life = Life(emulator)
    for _ in range(30):
        life.step()
    save(emulator, tmp_path / "truth.json")

    restarted = new_demo_emulator(seed=3, clock=lambda: NOON + timedelta(hours=1))

    assert load(restarted, tmp_path / "truth.json")
    assert desk.truths(restarted) == desk.truths(emulator)
    assert restarted.vendor.clients == emulator.vendor.clients
    created = desk.create(restarted, company_id=100200, service_ids=(3001,), phone="70000000101")
    assert created.id not in {truth["id"] for truth in desk.truths(emulator)}


def test_a_missing_or_broken_file_changes_nothing(tmp_path: Path) -> None:
    emulator = new_demo_emulator(seed=3, clock=lambda: NOON)
    before = desk.truths(emulator)
    (tmp_path / "cut.json").write_text('{"clients": [')

    assert not load(emulator, tmp_path / "none.json")
    assert not load(emulator, tmp_path / "cut.json")
    assert desk.truths(emulator) == before


async def test_a_full_disk_is_waited_for(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(keeping, "KEEP_SECONDS", 0.01)
    folder = tmp_path / "later"
    keeper = asyncio.create_task(keep(new_demo_emulator(seed=3, clock=lambda: NOON), folder / "truth.json"))
    await asyncio.sleep(0.05)  # written to a folder that is not there, as a stand-in for a disk without room

    folder.mkdir()
    async with asyncio.timeout(10):
        while not (folder / "truth.json").exists():
            await asyncio.sleep(0.01)

    keeper.cancel()
    with suppress(asyncio.CancelledError):
        await keeper
