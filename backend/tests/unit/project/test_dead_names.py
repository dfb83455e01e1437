"""What nothing names any more is deleted: a name defined in the code must stand somewhere else in the code as well."""

import ast
import re
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

from tests.support.project import BACKEND, tracked_files

PACKAGES = ("embedded_postgres", "yclients_emulator", "zerkalo")
CODE = [
    path
    for path in tracked_files(".py")
    if path.relative_to(BACKEND).parts[0] in PACKAGES and "migrations" not in path.parts
]
BESIDE = [path for path in tracked_files() if path.suffix in {".html", ".toml", ".sql"}]
"""Names that templates and settings of tools use."""

CALLED_BY_OTHERS = re.compile(
    r"__\w+__|connection_(made|lost)|data_received|(pause|resume)_reading|get_extra_info|set_protocol|on_\w+|emit"
)
"""Called by Python, asyncio, uvicorn and httptools, by their names."""

ALLOWED: dict[str, str] = {
    "tell_schedule": "an event of the emulator that nothing in a salon's life causes",
    "count_up_to": "written ahead of its caller: whoever calls or deletes it takes this line out",
    "ReadPeople": "written ahead of its caller, as above",
    "ReadVisits": "written ahead of its caller, as above",
}
"""Name -> why it stays although our code does not name it."""


def _defined(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Functions, classes, methods and names of modules and classes, with where they stand; not those under a decorator.

    What is decorated is called by whoever made the decorator: a route, a command, a property, a job.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef | ast.ClassDef):
            if not node.decorator_list or isinstance(node, ast.ClassDef):
                yield node.name, node
        elif isinstance(node, ast.Module):
            for statement in node.body:
                for target in statement.targets if isinstance(statement, ast.Assign) else []:
                    if isinstance(target, ast.Name):
                        yield target.id, statement
                if isinstance(statement, ast.AnnAssign) and isinstance(statement.target, ast.Name):
                    yield statement.target.id, statement


def _words(text: str) -> Counter[str]:
    return Counter(re.findall(r"[A-Za-z_]\w*", text))


def dead_names(code: dict[Path, str], beside: list[str]) -> list[str]:
    """Names defined in `code` that stand nowhere else in it: not in another definition's text, nor `beside` it.

    A docstring or a comment that speaks of a name counts as naming it, so this finds less than there is, and nothing
    that is alive.
    """
    words = Counter[str]()
    for text in (*code.values(), *beside):
        words += _words(text)
    dead: list[str] = []
    for path, text in code.items():
        lines = text.splitlines()
        for name, node in _defined(ast.parse(text)):
            assert isinstance(node, ast.stmt)
            own = _words("\n".join(lines[node.lineno - 1 : node.end_lineno]))
            if words[name] <= own[name] and not CALLED_BY_OTHERS.fullmatch(name):
                dead.append(f"{path.name}: {name}")
    return dead


def test_nothing_is_left_that_nothing_names() -> None:
    code = {path: path.read_text(encoding="utf-8") for path in CODE}
    beside = [path.read_text(encoding="utf-8") for path in BESIDE]

    dead = [one for one in dead_names(code, beside) if one.split(": ")[1] not in ALLOWED]

    assert dead == []


def test_a_dead_name_is_found_and_a_living_one_is_not() -> None:
    text = """
LIMIT = 3
UNUSED = 4

class Pages:
    def ping(self): return self.ping()
    def show(self): return LIMIT
    @route
    def page(self): ...

def main(): return Pages().show()
main()
"""
    assert dead_names({Path("a.py"): text}, []) == ["a.py: UNUSED", "a.py: ping"]
    assert dead_names({Path("a.py"): text}, ["{{ ping }} UNUSED"]) == []
