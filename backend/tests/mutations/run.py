"""Making a wrong in a copy of the project and seeing whether its tests notice."""

import os
import re
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from enum import StrEnum
from pathlib import Path

from tests.mutations.wrongs import Edit, Wrong
from tests.support.project import BACKEND, ROOT, tracked_files

SECONDS_MAX = 1800
MADE = ("backend/zerkalo/web/static/vendor",)
"""What `make setup` makes and git does not keep, without which the tests can't run."""


class Verdict(StrEnum):
    """How it went for a wrong."""

    KILLED = "killed"
    SURVIVED = "SURVIVED"
    UNFIT = "UNFIT"
    """It could not be made, or the tests could not even be collected: that shows nothing."""


@dataclass(frozen=True)
class Trial:
    """What became of one wrong. `by`: the test that noticed, or why it is unfit."""

    wrong: str
    verdict: Verdict
    by: str
    seconds: float


class Unfit(Exception):
    """An edit that does not fit the source any more."""


def try_wrong(wrong: Wrong) -> Trial:
    """Make one wrong in a copy of its own and run its tests there until one fails."""
    began_at = time.monotonic()

    def ended(verdict: Verdict, by: str) -> Trial:
        return Trial(wrong.name, verdict, by, time.monotonic() - began_at)

    with _copy() as root:
        try:
            for edit in wrong.edits:
                make(edit, root / "backend")
        except Unfit as error:
            return ended(Verdict.UNFIT, str(error))
        code, said = _pytest(root, wrong.tests)
    failed = re.search(r"^FAILED (?:.*/)?tests/(\S+)", said, re.MULTILINE)
    if code == 0:
        return ended(Verdict.SURVIVED, ", ".join(wrong.tests))
    if code == 1 and failed:
        return ended(Verdict.KILLED, failed[1])
    return ended(Verdict.UNFIT, said.strip().splitlines()[-1] if said.strip() else f"pytest exits {code}")


def try_nothing(tests: Sequence[str]) -> str:
    """Run all these tests on an unchanged copy: what is wrong with them, "" where they pass."""
    with _copy() as root:
        code, said = _pytest(root, tests)
    return "" if code == 0 else said


def make(edit: Edit, backend: Path) -> None:
    """Make one edit; `Unfit` where its place is not found exactly once."""
    file = backend / edit.file
    text = file.read_text(encoding="utf-8") if file.exists() else ""
    if text.count(edit.old) != 1:
        raise Unfit(f"{edit.file} has {text.count(edit.old)} times: {edit.old.strip()[:60]}")
    file.write_text(text.replace(edit.old, edit.new), encoding="utf-8")


def _pytest(root: Path, tests: Sequence[str]) -> tuple[int, str]:
    # The copy comes before the installed project; no bytecode, for two wrongs may differ by nothing that Python looks at.
    environment = {**os.environ, "PYTHONPATH": str(root / "backend"), "PYTHONDONTWRITEBYTECODE": "1"}
    options = ("-x", "-q", "--no-header", "--tb=no", "-p", "no:cacheprovider", "-rf")
    try:
        done = subprocess.run(
            [sys.executable, "-m", "pytest", *options, *tests],
            cwd=root / "backend",
            env=environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=SECONDS_MAX,
        )
    except subprocess.TimeoutExpired:
        return -1, f"no end within {SECONDS_MAX} s"
    return done.returncode, done.stdout + done.stderr


@contextmanager
def _copy() -> Iterator[Path]:
    """Yields a copy of everything that git keeps or would keep, with what the set-up adds to it."""
    with tempfile.TemporaryDirectory(prefix="zerkalo-mutation-") as folder:
        root = Path(folder)
        for file in tracked_files():
            target = root / file.relative_to(ROOT)
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
        for made in MADE:
            shutil.copytree(ROOT / made, root / made, dirs_exist_ok=True)
        (root / "backend" / ".venv").symlink_to(BACKEND / ".venv")
        yield root
