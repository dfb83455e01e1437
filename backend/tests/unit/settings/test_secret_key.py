"""The key that is made once and kept in DATA_DIR."""

import multiprocessing
import os
import stat
from concurrent.futures import ProcessPoolExecutor
from pathlib import Path

import pytest

from zerkalo.secret_key import secret_key
from zerkalo.settings import Settings, SettingsError


def _ask(data_dir: Path) -> str:
    return secret_key(Settings(data_dir=data_dir))


def test_a_key_that_is_set_is_used_and_nothing_is_written(tmp_path: Path):
    assert secret_key(Settings(data_dir=tmp_path / "data", secret_key="k" * 32)) == "k" * 32
    assert not (tmp_path / "data").exists()


def test_a_made_key_stays_the_same_and_is_for_the_owner_only(tmp_path: Path):
    first = _ask(tmp_path / "new" / "data")

    assert len(bytes.fromhex(first)) == 32
    assert _ask(tmp_path / "new" / "data") == first
    assert stat.S_IMODE((tmp_path / "new" / "data" / "secret_key").stat().st_mode) == 0o600
    assert [path.name for path in (tmp_path / "new" / "data").iterdir()] == ["secret_key"]
    assert _ask(tmp_path / "other") != first


def test_a_key_that_root_makes_is_the_owner_of_the_folder_s(tmp_path: Path):
    if os.geteuid() == 0:
        os.chown(tmp_path, 12345, 12345)

    _ask(tmp_path)

    assert (tmp_path / "secret_key").stat().st_uid == tmp_path.stat().st_uid


def test_processes_that_ask_at_once_get_one_key(tmp_path: Path):
    with ProcessPoolExecutor(4, mp_context=multiprocessing.get_context("spawn")) as pool:
        for round_number in range(5):
            keys = set(pool.map(_ask, [tmp_path / str(round_number)] * 8))
            assert len(keys) == 1


@pytest.mark.parametrize("content", [b"", b"short\n", b"\xff\xfe" * 20])
def test_a_file_without_a_key_stops_the_start(tmp_path: Path, content: bytes):
    (tmp_path / "secret_key").write_bytes(content)
    with pytest.raises(SettingsError, match=r"^DATA_DIR: "):
        _ask(tmp_path)


def test_a_folder_that_cannot_be_made_is_told_in_one_line(tmp_path: Path):
    (tmp_path / "file").write_text("")
    with pytest.raises(SettingsError, match=r"^DATA_DIR: can't keep the secret key in [^\n]*file"):
        _ask(tmp_path / "file" / "data")
