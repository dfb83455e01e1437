"""The lock files: complete, hashed, in agreement, and without the name of any index."""

import json
import re
import tomllib
from pathlib import Path

import pytest

from tests.support.project import BACKEND

LOCKS = [BACKEND / "requirements.lock", BACKEND / "requirements-dev.lock"]


def _pins(lock: Path) -> dict[str, str]:
    return dict(re.findall(r"^([a-z0-9._-]+)==([^ ;\\]+)", lock.read_text(), re.MULTILINE))


def _names(requirements: list[str]) -> set[str]:
    return {re.split(r"[^A-Za-z0-9._-]", requirement)[0].lower() for requirement in requirements}


@pytest.mark.parametrize("lock", [*LOCKS, BACKEND / "requirements-docs.lock"], ids=lambda lock: lock.name)
def test_a_lock_names_no_index_and_hashes_everything(lock: Path):
    text = lock.read_text()
    blocks = re.split(r"\n(?=\S)", text.strip())

    assert not re.search(r"https?:|file:|index|find-links|trusted-host", text)
    assert len(blocks) > 25
    assert all("--hash=sha256:" in block for block in blocks)


def test_every_named_dependency_is_locked_and_both_locks_agree():
    project = tomllib.loads((BACKEND / "pyproject.toml").read_text())
    run, dev = (_pins(lock) for lock in LOCKS)

    assert _names(project["project"]["dependencies"]) <= run.keys()
    assert _names(project["dependency-groups"]["dev"]) <= dev.keys()
    assert run.items() <= dev.items()


@pytest.mark.parametrize(
    ("folder", "named"),
    [
        (BACKEND, {"node_modules/htmx.org", "node_modules/uplot"}),
        (BACKEND / "tests" / "typescript", {"node_modules/openapi-typescript", "node_modules/typescript"}),
    ],
    ids=["pages", "typescript"],
)
def test_an_npm_lock_names_no_registry_and_has_integrity(folder: Path, named: set[str]):
    text = (folder / "package-lock.json").read_text()
    packages = {name: package for name, package in json.loads(text)["packages"].items() if name}

    assert "resolved" not in text
    assert not re.search(r"https?:", re.sub(r'"url": "[^"]*"', "", text)), "but for where to fund a package"
    assert packages.keys() >= named
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())
    assert "ignore-scripts=true" in (folder / ".npmrc").read_text()
