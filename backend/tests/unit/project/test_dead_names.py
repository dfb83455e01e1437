"""What nothing names any more is deleted: a name defined in the code, a template or a sheet stands elsewhere as well."""

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
WEB = BACKEND / "zerkalo" / "web"
TEMPLATES = [path for path in tracked_files() if path.suffix == ".html" and WEB in path.parents]
SHEETS = [path for path in tracked_files() if path.suffix == ".css" and WEB in path.parents]
SCRIPTS = [path for path in tracked_files() if path.suffix == ".js" and WEB in path.parents]

CALLED_BY_OTHERS = re.compile(
    r"__\w+__|connection_(made|lost)|data_received|(pause|resume)_reading|get_extra_info|set_protocol|on_\w+|emit"
)
"""Called by Python, asyncio, uvicorn and httptools, by their names."""

ALLOWED: dict[str, str] = {
    "tell_schedule": "an event of the emulator that nothing in a salon's life causes",
    "count_up_to": "written ahead of its caller: whoever calls or deletes it takes this line out",
    "ReadPeople": "written ahead of its caller, as above",
    "ReadVisits": "written ahead of its caller, as above",
    "token_type": "a client of OAuth2 reads it",
    "FINISHED": "a run's status that SQL alone writes, and pages show",
}
"""Name -> why it stays although our code does not name it."""


CALLED_BY_NAME = {"property", "staticmethod", "classmethod", "contextmanager", "asynccontextmanager"}
"""Decorators under which a name is called by us as ever."""


def _defined(tree: ast.AST) -> Iterator[tuple[str, ast.AST]]:
    """Functions, classes, methods, fields and constants, with where they stand; not what is under another's decorator.

    What is decorated is called by whoever made the decorator: a route, a command, a job.
    """
    for node in ast.walk(tree):
        if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef):
            if {ast.unparse(one) for one in node.decorator_list} <= CALLED_BY_NAME:
                yield node.name, node
        elif isinstance(node, ast.Module | ast.ClassDef):
            if isinstance(node, ast.ClassDef):
                yield node.name, node
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


def dead_in_template(text: str, words: Counter[str]) -> list[str]:
    """Macros that no template calls, and macros that this one imports and does not use."""
    macros = re.findall(r"{%-?\s*macro\s+(\w+)", text)
    imported = [
        part.split()[-1]
        for names in re.findall(r"{%-?\s*from\s+\S+\s+import\s+(.+?)(?:\s+with context)?\s*-?%}", text)
        for part in names.split(",")
    ]
    own = _words(text)
    return [name for name in macros if words[name] < 2] + [name for name in imported if own[name] < 2]


def test_no_template_keeps_a_macro_that_is_not_called() -> None:
    texts = {path: path.read_text(encoding="utf-8") for path in TEMPLATES}
    words = sum((_words(text) for text in texts.values()), Counter[str]())

    assert [
        (path.name, dead) for path, text in texts.items() if (dead := dead_in_template(text, words))
    ] == []
    assert dead_in_template('{% from "a.html" import used, kept as idle %}{{ used() }}', Counter()) == [
        "idle"
    ]
    assert dead_in_template("{% macro lonely(a) %}{% endmacro %}", Counter(["lonely"])) == ["lonely"]


OF_THE_VENDORS = re.compile(r"htmx-\w+|u-\w+|uplot")
"""Classes that htmx and uPlot set."""


def test_no_sheet_dresses_a_class_that_nothing_has() -> None:
    texts = [path.read_text(encoding="utf-8") for path in (*TEMPLATES, *SCRIPTS, *CODE)]
    used = set(re.findall(r"[A-Za-z][\w-]*", "\n".join(texts)))
    sheets = re.sub(
        r"/\*.*?\*/|{[^{}]*}", "{}", "\n".join(path.read_text("utf-8") for path in SHEETS), flags=re.DOTALL
    )

    classes = set(re.findall(r"\.([A-Za-z][\w-]*)", sheets))

    assert len(classes) > 50
    assert {name for name in classes - used if not OF_THE_VENDORS.fullmatch(name)} == set()


def test_no_page_has_words_for_a_code_that_nothing_answers() -> None:
    code = {path: path.read_text(encoding="utf-8") for path in CODE}
    texts = "\n".join([*code.values(), *(path.read_text(encoding="utf-8") for path in TEMPLATES)])
    keys = [
        key.value
        for name in ("answers/flashes.py", "answers/problems.py")
        for node in ast.walk(ast.parse(code[WEB / "pages" / name]))
        if isinstance(node, ast.Dict)
        for key in node.keys
        if isinstance(key, ast.Constant) and isinstance(key.value, str)
    ]

    assert len(keys) > 50
    assert [key for key in keys if texts.count(f'"{key}"') < 2] == []


def test_a_dead_name_is_found_and_a_living_one_is_not() -> None:
    text = """
LIMIT = 3
UNUSED = 4

class Pages:
    idle: int
    @property
    def lazy(self): ...
    def ping(self): return self.ping()
    def show(self): return LIMIT
    @route
    def page(self): ...

def main(): return Pages().show()
main()
"""
    assert dead_names({Path("a.py"): text}, []) == ["a.py: UNUSED", "a.py: idle", "a.py: lazy", "a.py: ping"]
    assert dead_names({Path("a.py"): text}, ["{{ ping }} UNUSED idle lazy"]) == []
