"""What stands in `packaging/`, and the Dockerfile, tried with the programs that they are for.

None is part of `make test`: they need programs that a developer's machine may lack, and say so in one line.
"""

import shutil
from pathlib import Path

from tests.support.project import ROOT

PACKAGING = ROOT / "packaging"


def program(name: str, package: str) -> str:
    """The path of a program, or the end with what to install."""
    found = shutil.which(name) or shutil.which(name, path="/usr/sbin:/sbin")
    if found is None:
        raise SystemExit(f"{name} is missing; as root: apt-get install {package}")
    return found


def written(path: Path, text: str) -> Path:
    """The file with that text."""
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path
