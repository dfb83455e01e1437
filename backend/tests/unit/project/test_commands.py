"""The commands as they are installed."""

import os
import resource
import subprocess

import pytest

from tests.support.project import BIN
from zerkalo.cli.main import COMMANDS, main

HELP_SECONDS_MAX = 0.2
PROMISED = {
    *(
        "serve",
        "worker",
        "migrate",
        "sync",
        "check",
        "ready",
        "codes",
        "user add",
        "user list",
        "user make-admin",
    ),
    *(
        "import-users",
        "import",
        "replay",
        "drift",
        "backup",
        "restore",
        "psql",
        "emulator",
        "demo",
        "notices",
    ),
}


def test_every_promised_command_is_listed():
    assert {command.words for command in COMMANDS} == PROMISED


@pytest.mark.parametrize("words", [command.words for command in COMMANDS] + ["user"])
def test_every_command_takes_help(words: str, capsys: pytest.CaptureFixture[str]):
    with pytest.raises(SystemExit) as end:
        main([*words.split(), "--help"])

    assert end.value.code in (0, None)
    assert f"zerkalo {words}" in capsys.readouterr().out


def test_help_answers_at_once():
    def seconds() -> float:
        before = resource.getrusage(resource.RUSAGE_CHILDREN)
        subprocess.run([BIN / "zerkalo", "--help"], check=True, capture_output=True)
        after = resource.getrusage(resource.RUSAGE_CHILDREN)
        return after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime

    # Processor time, the best of several: the machine may be busy with other tests, but it can't be faster than it is.
    assert min(seconds() for _ in range(5)) < HELP_SECONDS_MAX


def test_a_wrong_setting_stops_a_command_with_one_line(tmp_path: os.PathLike[str]):
    ended = subprocess.run(
        [BIN / "zerkalo", "migrate"],
        cwd=tmp_path,
        env={"PATH": os.environ["PATH"], "YCLIENTS_ENABLED": "True"},
        capture_output=True,
        text=True,
        check=False,
    )

    assert (ended.returncode, ended.stdout) == (1, "")
    assert ended.stderr.startswith("zerkalo migrate: YCLIENTS_COMPANY_ID: is missing")
    assert ended.stderr.count("\n") == 1
