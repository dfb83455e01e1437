"""The journal of erasures keeps every later entry, whatever became of the last one."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from zerkalo.users.erasing.journal import store as journal
from zerkalo.users.erasing.model import Erasure

ANNA, BORIS, VERA = (
    Erasure(datetime(2026, 12, day, tzinfo=UTC), user_id=day, bookings=((1, day),), cards=())
    for day in (1, 2, 3)
)


@pytest.mark.parametrize("cut", [1, 2, 30])
def test_an_erasure_after_a_line_that_was_cut_off_is_kept(tmp_path: Path, cut: int) -> None:
    """As a full disk, or a power cut, leaves it."""
    path = tmp_path / "data.erasures.jsonl"
    journal.append(path, [ANNA, BORIS])
    path.write_bytes(path.read_bytes()[:-cut])

    assert journal.append(path, [VERA]) == 1

    assert journal.read(path) == [ANNA, *([BORIS] if cut == 1 else []), VERA]
    assert journal.append(path, [ANNA, BORIS, VERA]) == (0 if cut == 1 else 1), (
        "what was lost is written again"
    )
    assert {one.user_id for one in journal.read(path)} == {1, 2, 3}


def test_the_journal_holds_one_line_an_erasure(tmp_path: Path) -> None:
    path = tmp_path / "data.erasures.jsonl"

    journal.append(path, [ANNA])
    journal.append(path, [BORIS])

    assert len(path.read_bytes().splitlines()) == 2
