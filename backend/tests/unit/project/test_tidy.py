"""Rules over the source that no other tool checks."""

import ast
import re
import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

import shape
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


INDEX = re.compile(
    r"(index-url|index_url|INDEX_URL|find-links|FIND_LINKS|registry|\"resolved\")[\"']?\s*[:= ]\s*[\"']?https?://"
    r"|https?://\S+/simple/?(?![\w/-])|https?://\S+\.(whl|tgz|tar\.gz)\b"
)
"""Where packages come from is the machine's business: such an address, whichever its host, stands in no file."""


@pytest.mark.parametrize(
    "line",
    [
        "--index-url https://index.example/simple",
        "extra-index-url = https://index.example/simple/",
        'registry="https://index.example/"',
        '"resolved": "https://index.example/htmx/-/htmx-2.tgz",',
        "PIP_INDEX_URL=https://index.example",
        "zerkalo @ https://index.example/zerkalo-1-py3-none-any.whl",
    ],
)
def test_address_of_a_package_index_is_known_by_its_form(line: str):
    assert INDEX.search(line)


def test_no_package_index_is_named():
    assert _found(INDEX.pattern, TEXTS) == []


FUNCTION_LINES_MAX = 70


def test_no_function_is_too_long():
    long = {place for place, length in shape.functions("zerkalo") if length > FUNCTION_LINES_MAX}
    assert long == set()


def test_no_module_imports_itself_in_a_circle():
    assert {package: shape.circles(package) for package in PACKAGES} == {package: [] for package in PACKAGES}


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


def test_a_log_line_has_one_language():
    event = re.compile(r"log\.(?:debug|info|warning|error|exception)\(\s*\"([^\"]*)\"")
    mixed = [
        text
        for path in CODE
        for text in event.findall(path.read_text(encoding="utf-8"))
        if re.search("[а-яё]", text, re.IGNORECASE) and re.search("[a-z]", text, re.IGNORECASE)
    ]
    assert mixed == []


def test_a_user_is_they():
    texts = [path for path in TEXTS if path.suffix in {".py", ".sql", ".html"} and "zerkalo" in path.parts]
    assert _found(r"(?<![\w-])([Ss]he|[Hh]er|hers|herself|himself)(?![\w-])", texts) == []


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
    own = [path for path in CODE if BACKEND / "zerkalo" / "cli" in path.parents and path.stem != "loop"]
    assert own
    choosing = re.compile(r"asyncio\.(run|Runner|new_event_loop)\b")
    assert [path.name for path in own if choosing.search(path.read_text())] == []


@pytest.mark.parametrize(
    "name", ["backend/zerkalo/web/static/vendor/", ".env", "data/", "node_modules", ".venv"]
)
def test_git_ignores_what_is_made(name: str):
    assert name in (ROOT / ".gitignore").read_text().splitlines()


def test_every_table_is_written_by_one_module():
    tables = re.findall(r"^create table (\w+)", (BACKEND / "zerkalo/db/schema.sql").read_text(), re.MULTILINE)
    writes = re.compile(rf"(?i)\b(?:insert into|update|delete from)\s+({'|'.join(tables)})\b")
    writers: dict[str, set[str]] = {table: set() for table in tables}
    for name, path in shape.modules("zerkalo").items():
        for table in writes.findall(path.read_text(encoding="utf-8")):
            writers[table.lower()].add(name.removeprefix("zerkalo."))
        assert not re.search(
            r"(?i)\b(?:insert into|update|delete from)\s+\{", path.read_text(encoding="utf-8")
        ), name
    assert {table: names for table, names in writers.items() if len(names) > 1} == {}


def test_every_statement_is_a_literal_or_composed_by_psycopg():
    """Encoded, or taken for a plain string, a statement passes the type check whatever was pasted into it."""
    assert _found(r"execute\([^)]*\.encode\(\)|\bsql\w*: (str|bytes)\b(?! \|)", CODE) == []


ASKS_THE_DATABASE = {
    "checkup.machine.service": "asks for the clock of the database, beside that of the machine",
    "importing.source.service": "another program's database, by its own statements",
    "web.stats": "counts of the charts, of several subjects",
    "yclients.limiter": "one row an address, taken in turn by all processes",
}
"""Files beside the stores that send statements, and why."""


def test_statements_stand_in_stores():
    asking = {
        name.removeprefix("zerkalo.")
        for name, path in shape.modules("zerkalo").items()
        if re.search(r"\.execute\(", path.read_text(encoding="utf-8"))
        and not name.endswith(".store")
        and not name.startswith("zerkalo.db.")
    }
    assert asking == ASKS_THE_DATABASE.keys()


NAMED_AFTER_AN_IDEA = {
    "auth.dependencies": "what FastAPI asks for who is signed in",
    "booking_form.form": "the form put together: what routes and pages call",
    "engine.registry": "every periodic task on one page",
    "mirror.batch": "one batch from snapshots to rows",
    "mirror.context": "what every part of the mirror is handed",
    "mirror.links": "the cards of a batch, and whose its bookings are",
    "mirror.snapshots": "YCLIENTS's records as snapshots",
    "users.belongings": "what a user has in other subjects' tables",
    "users.ports": "what users ask of the rooms above them",
    "webhook.committer": "the group commit",
}
"""Files in subjects' folders that are not called model, rules, store, service, routes or jobs, and why."""


def test_files_in_subjects_have_the_names_that_every_reader_knows():
    others = {
        name.removeprefix("zerkalo.")
        for name in shape.subject_files()
        if name.rpartition(".")[2] not in shape.SHORT_LIST
    }
    assert others - NAMED_AFTER_AN_IDEA.keys() == set()
    assert NAMED_AFTER_AN_IDEA.keys() - others == set(), "gone: take it off the list"
    assert len(others) * 10 <= len(shape.subject_files()), "nine of ten files are one of the six"


def _folders(parent: Path) -> set[str]:
    return {
        path.relative_to(parent).parts[0]
        for path in tracked_files(".py")
        if parent in path.parents and path.parent != parent
    }


@pytest.mark.parametrize("kind", ["unit", "property"])
def test_a_folder_of_tests_has_the_name_of_the_subject_that_it_tests(kind: str):
    zerkalo = BACKEND / "zerkalo"
    subjects = {*PACKAGES, *_folders(zerkalo), *(path.stem for path in zerkalo.glob("*.py"))}
    assert _folders(BACKEND / "tests" / kind) - subjects - {"project"} == set(), (
        "project: the repository itself"
    )


def test_the_page_on_tests_names_every_folder_of_them():
    tests = BACKEND / "tests"
    folders = {
        path.relative_to(tests).parts[0]
        for path in tracked_files()
        if path.parent != tests and tests in path.parents
    }
    page = (tests / "README.md").read_text(encoding="utf-8")
    assert {name for name in folders if f"`{name}/" not in page} == set()
