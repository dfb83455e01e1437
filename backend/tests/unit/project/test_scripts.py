"""The two scripts that the mission promises."""

import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.project import BACKEND

SCRIPTS = [("check_booking_sync.py", "check"), ("generate_unique_codes.py", "codes")]
# Any Python will do: the machine's own where there is one, which has none of our packages.
ANY_PYTHON = shutil.which("python3", path="/usr/bin:/usr/local/bin") or sys.executable


@pytest.mark.parametrize(("script", "command"), SCRIPTS)
@pytest.mark.parametrize("from_backend", [True, False])
def test_a_script_is_its_command_from_any_folder(
    tmp_path: Path, script: str, command: str, *, from_backend: bool
):
    path = f"scripts/{script}" if from_backend else str(BACKEND / "scripts" / script)
    ended = subprocess.run(
        [ANY_PYTHON, path, "--help"],
        cwd=BACKEND if from_backend else tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert f"zerkalo {command}" in ended.stdout


@pytest.mark.parametrize(("script", "command"), SCRIPTS)
def test_arguments_and_exit_code_pass_through(script: str, command: str):
    ended = subprocess.run(
        [ANY_PYTHON, BACKEND / "scripts" / script, "--nonsense"], capture_output=True, text=True, check=False
    )
    assert ended.returncode == 2
    assert f"zerkalo {command}" in ended.stderr


@pytest.mark.parametrize(("script", "command"), SCRIPTS)
def test_a_missing_venv_is_told_in_one_line(tmp_path: Path, script: str, command: str):
    (tmp_path / "scripts").mkdir()
    shutil.copy(BACKEND / "scripts" / script, tmp_path / "scripts")

    ended = subprocess.run(
        [ANY_PYTHON, tmp_path / "scripts" / script], capture_output=True, text=True, check=False
    )

    assert ended.returncode == 1
    assert ended.stderr == "backend/.venv is missing; run `make setup` in the project's folder\n"
