"""Rules over the source that no other tool checks."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.project import BACKEND, ROOT, tracked_files

CODE_LINES_MAX = 400
FILE_BYTES_MAX = 512 * 1024
PACKAGES = ("zerkalo", "yclients_emulator", "embedded_postgres")
CODE = [path for path in tracked_files(".py") if path.relative_to(BACKEND).parts[0] in PACKAGES]
TEXTS = [path for path in tracked_files() if path.suffix not in {".png", ".ico", ".gz"}]


def _found(pattern: str, paths: list[Path]) -> list[str]:
    compiled = re.compile(pattern)
    return [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()}"
        for path in paths
        if path != Path(__file__)
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if compiled.search(line)
    ]


def test_the_tree_is_the_one_meant():
    assert len(CODE) > 40
    assert ROOT / "Makefile" in TEXTS


def test_no_file_is_too_long():
    long = [path for path in CODE if len(path.read_text(encoding="utf-8").splitlines()) > CODE_LINES_MAX]
    large = [path for path in tracked_files() if path.stat().st_size > FILE_BYTES_MAX]
    assert (long, large) == ([], [])


def test_no_path_of_one_machine():
    assert _found(r"(?<![\w.*/{}-])/(work|home|Users)/\w|/root/(?!\s)\w|[A-Z]:\\Users", TEXTS) == []


def test_no_package_index_is_named():
    assert _found(r"pypi\.org|pythonhosted\.org|registry\.npmjs|npmjs\.(org|com)", TEXTS) == []


def test_nothing_is_left_for_later_and_no_test_is_skipped():
    source = [
        path for path in TEXTS if path.suffix in {".py", ".sql", ".sh", ".toml", ".html", ".js", ".css"}
    ]
    assert _found(r"\b(TODO|FIXME|XXX|HACK)\b", source) == []
    assert _found(r"mark\.(skip|xfail)|pytest\.(skip|xfail|importorskip)\(", tracked_files(".py")) == []


def test_every_silenced_check_gives_its_reason():
    silenced = r"# (noqa|type: ignore|pyright: ignore)"
    with_reason = r"# (noqa: [A-Z0-9, ]+|pyright: ignore\[[\w, ]+\])\s+#? ?\S+"
    assert [line for line in _found(silenced, tracked_files(".py")) if not re.search(with_reason, line)] == []


def _calls(path: Path, name: str) -> Iterator[ast.Call]:
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == name:
            yield node


def test_only_commands_print():
    outside = [path for path in CODE if BACKEND / "zerkalo" / "cli" not in path.parents]
    assert [str(path) for path in outside if any(_calls(path, "print"))] == []


def test_only_the_settings_read_the_environment():
    allowed = {
        "zerkalo/settings.py",
        "zerkalo/cli/psql.py",  # these three hand it on to PostgreSQL's own programs
        "zerkalo/db/backup.py",
        "embedded_postgres/binaries.py",
    }
    readers = {
        line.split(":")[0].removeprefix("backend/") for line in _found(r"\bos\.(environ|getenv)\b", CODE)
    }
    assert readers - allowed == set()


def test_every_folder_says_what_it_is():
    folders = {path.parent for path in CODE if "migrations" not in path.parts}
    silent = [
        str(folder.relative_to(BACKEND))
        for folder in sorted(folders)
        if not (folder / "__init__.py").is_file()
        or not ast.get_docstring(ast.parse((folder / "__init__.py").read_text(encoding="utf-8")))
    ]
    assert silent == []


def test_the_contract_inside_a_folder_covers_every_folder():
    configured = tomllib.loads((BACKEND / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    inside = next(contract for contract in configured if contract["name"].startswith("Inside a folder"))
    layered = {
        ".".join(path.parent.relative_to(BACKEND).parts)
        for path in CODE
        if BACKEND / "zerkalo" in path.parent.parents
        and path.stem in {"routes", "service", "store", "rules", "model"}
    }
    assert layered == set(inside["containers"])


def test_every_file_beside_the_code_travels_in_the_wheel():
    patterns = tomllib.loads((BACKEND / "pyproject.toml").read_text())["tool"]["setuptools"]["package-data"]
    packed = {
        path
        for package, globs in patterns.items()
        for glob in globs
        for path in (BACKEND / package).glob(glob)
    }
    beside = [
        path
        for path in tracked_files()
        if path.suffix not in {".py", ".md"} and path.relative_to(ROOT).parts[:2] == ("backend", "zerkalo")
    ]
    assert beside
    assert [str(path.relative_to(BACKEND)) for path in beside if path not in packed] == []


def test_one_place_chooses_the_event_loop():
    """`asyncio.run` would take Python's own, on which the server is slower by far."""
    own = [path for path in CODE if path.parent == BACKEND / "zerkalo" / "cli" and path.stem != "loop"]
    assert own
    choosing = re.compile(r"asyncio\.(run|Runner|new_event_loop)\b")
    assert [path.name for path in own if choosing.search(path.read_text())] == []


@pytest.mark.parametrize(
    "name", ["backend/zerkalo/web/static/vendor/", ".env", "data/", "node_modules/", ".venv/"]
)
def test_git_ignores_what_is_made(name: str):
    assert name in (ROOT / ".gitignore").read_text().splitlines()
