"""Prints the shape of the code: how much of it there is, how it is parted, how long its functions are.

Run as `make shape`. Counts what stands in files, and judges nothing: the tests in `tests/unit/project` do.
"""

import ast
import re
import statistics
import sys
from collections import Counter, defaultdict
from collections.abc import Iterator
from functools import cache
from pathlib import Path

BACKEND = Path(__file__).resolve().parent
PACKAGES = ("zerkalo", "yclients_emulator", "embedded_postgres")
SHORT_LIST = frozenset({"model", "rules", "store", "service", "routes", "jobs"})
"""The names of files inside a subject's folder."""
NO_SUBJECTS = frozenset({"cli", "db", "kit", "metrics", "telemetry", "web", "yclients"})
"""Folders of `zerkalo` that are no subject: their files are named after what they do."""
GROUND = frozenset(
    {"db", "kit", "logs", "metrics", "telemetry", "settings", "setting_values", "setting_names", "dotenv"}
)
"""What every part of `zerkalo` stands on: left out where the files of a webhook's way are counted."""


@cache
def modules(package: str) -> dict[str, Path]:
    """Every module of a package by its dotted name; migrations and `__init__` files are left out."""
    paths = sorted((BACKEND / package).rglob("*.py"))
    return {
        ".".join(path.relative_to(BACKEND).with_suffix("").parts): path
        for path in paths
        if path.stem != "__init__" and "migrations" not in path.parts
    }


@cache
def tree(path: Path) -> ast.Module:
    """The parsed source of a file."""
    return ast.parse(path.read_text(encoding="utf-8"))


def lines(package: str) -> int:
    """Lines of Python in a package, blank ones and comments included."""
    return sum(
        len(path.read_text(encoding="utf-8").splitlines()) for path in (BACKEND / package).rglob("*.py")
    )


def folders(package: str) -> dict[str, int]:
    """Modules in each folder of a package."""
    return dict(Counter(name.rpartition(".")[0] for name in modules(package)))


def subject_files() -> list[str]:
    """The modules that stand in subjects' folders, or in a folder of one."""
    return [
        name
        for name in modules("zerkalo")
        if len(parts := name.split(".")) > 2 and parts[1] not in NO_SUBJECTS
    ]


def functions(package: str) -> Iterator[tuple[str, int]]:
    """Each function with its place (`module:name`) and its length in lines, decorators left out."""
    for module, path in modules(package).items():
        for node in ast.walk(tree(path)):
            if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
                yield f"{module}:{node.name}", (node.end_lineno or node.lineno) - node.lineno + 1


@cache
def imports(package: str) -> dict[str, frozenset[str]]:
    """Module -> the modules of the same package that it imports, inside functions too; not for types alone."""
    known = modules(package)
    return {name: frozenset(_imported(tree(path), known)) - {name} for name, path in known.items()}


def _imported(node: ast.AST, known: dict[str, Path]) -> Iterator[str]:
    for child in ast.iter_child_nodes(node):
        if (
            isinstance(child, ast.If)
            and isinstance(child.test, ast.Name)
            and child.test.id == "TYPE_CHECKING"
        ):
            continue
        if isinstance(child, ast.Import):
            yield from (alias.name for alias in child.names if alias.name in known)
        elif isinstance(child, ast.ImportFrom) and child.module:
            names = {child.module, *(f"{child.module}.{alias.name}" for alias in child.names)}
            yield from (name for name in names if name in known)
        yield from _imported(child, known)


def circles(package: str) -> list[list[str]]:
    """The groups of modules that import each other in a circle."""
    graph = imports(package)
    reached = {name: _reached(graph, name) for name in graph}
    found = {
        frozenset(other for other in reached[name] if name in reached[other])
        for name in graph
        if name in reached[name]
    }
    return sorted(sorted(group) for group in found)


def _reached(graph: dict[str, frozenset[str]], start: str) -> frozenset[str]:
    seen: set[str] = set()
    waiting = [start]
    while waiting:
        for name in graph[waiting.pop()] - seen:
            seen.add(name)
            waiting.append(name)
    return frozenset(seen)


def patches_a_hundred_tests() -> tuple[int, int]:
    """How often tests patch something (environment and folder aside), and how many tests there are."""
    patches = tests = 0
    for path in sorted((BACKEND / "tests").rglob("*.py")):
        text = path.read_text(encoding="utf-8")
        patches += len(
            re.findall(
                r"monkeypatch\.(?:setattr|setitem|delattr|delitem)\(|\bmock\.patch|(?<!\.)\bpatch\(", text
            )
        )
        tests += len(re.findall(r"^\s*(?:async )?def test_", text, re.MULTILINE))
    return patches, tests


def main() -> None:
    """Print one figure a line."""
    say = sys.stdout.write
    for package in PACKAGES:
        say(f"lines of {package}: {lines(package)}\n")
    largest = sorted(folders("zerkalo").items(), key=lambda one: -one[1])
    say("modules a folder: " + ", ".join(f"{folder} {count}" for folder, count in largest[:6]) + "\n")
    files = subject_files()
    on_it = sum(name.rpartition(".")[2] in SHORT_LIST for name in files)
    say(f"files of subjects on the short list: {on_it} of {len(files)} ({on_it / len(files):.0%})\n")
    lengths = defaultdict(list)
    for place, length in functions("zerkalo"):
        lengths[length].append(place)
    every = sorted(length for length, places in lengths.items() for _ in places)
    longest = max(lengths)
    say(
        f"functions: {len(every)}, length median {statistics.median(every):.0f}, p90 {every[len(every) * 9 // 10]},"
        f" max {longest} ({', '.join(lengths[longest])}), over 70: {sum(length > 70 for length in every)}\n"
    )
    for package in PACKAGES:
        say(f"import circles in {package}: {len(circles(package))}\n")
        for group in circles(package):
            say(f"  {' '.join(group)}\n")
    patches, tests = patches_a_hundred_tests()
    say(f"patches: {patches} in {tests} tests, {100 * patches / tests:.1f} a hundred\n")


if __name__ == "__main__":
    main()
