"""What the demo prints is short, and what is to be copied from it works where it was started."""

import os
from pathlib import Path

import pytest

from zerkalo.cli.demo.banner import banner
from zerkalo.settings import Settings


@pytest.mark.parametrize("is_on_path", [True, False])
def test_what_it_prints_to_copy_is_no_longer_than_it_need_be(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, is_on_path: bool
) -> None:
    data, elsewhere = tmp_path / "salon" / "data" / "demo", tmp_path / "a" / "b" / "c" / "d" / "e"
    for folder in (data, elsewhere):
        folder.mkdir(parents=True)
    monkeypatch.setattr("sys.executable", str(elsewhere / "python"))
    program = elsewhere / "zerkalo"
    program.touch(mode=0o755)
    monkeypatch.setenv("PATH", str(elsewhere) if is_on_path else "/nowhere")
    monkeypatch.delenv("DATA_DIR", raising=False)
    monkeypatch.chdir(tmp_path / "salon")

    lines = [line.strip() for line in banner(Settings(data_dir=data), 8100)]

    (command,) = (line for line in lines if line.startswith("(cd "))
    assert command == f"(cd data/demo && {'zerkalo' if is_on_path else os.path.relpath(program, data)} check)"
    assert any(line.startswith("curl -d @data/demo/booking.json '") for line in lines)
    assert max(map(len, lines)) < 140


def test_a_data_dir_of_the_environment_does_not_lead_the_printed_command_astray(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DATA_DIR", str(tmp_path))

    lines = [line.strip() for line in banner(Settings(data_dir=tmp_path), 8100)]

    assert any(line.startswith("(cd ") and "&& DATA_DIR=. " in line for line in lines)
