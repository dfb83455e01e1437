"""The truth survives a stop: a new emulator with the same seed goes on where the old one was."""

from datetime import timedelta
from pathlib import Path

from tests.support.emulator import NOON
from yclients_emulator import desk, new_demo_emulator
from yclients_emulator.keeping import load, save
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
