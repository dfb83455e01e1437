"""What the documentation names is there: commands, options, targets, files, settings, and what `check` and the log say."""

import configparser
import re
import subprocess
from pathlib import Path

import pytest
import typer

import reference
from tests.support.project import BACKEND, ROOT, tracked_files
from zerkalo.checkup.texts.model import TEXTS
from zerkalo.cli.main import COMMANDS, blocking, load
from zerkalo.kit.language import Language
from zerkalo.settings import SETTING_NAMES

DOCS = [path for path in tracked_files(".md") if "fixtures" not in path.parts]
RUNBOOKS = {"en": ROOT / "docs" / "runbook.md", "ru": ROOT / "docs" / "runbook.ru.md"}
QUOTING_PAGES = [("desk", 20), ("yclients-setup", 5)]
"""Pages that quote what stands on ours, and how often at the least."""
READMES = [ROOT / "README.md", ROOT / "README.ru.md"]
DAYS = [ROOT / "docs" / "day-by-day.md", ROOT / "docs" / "day-by-day.ru.md"]
SOURCE = "\n".join(
    path.read_text(encoding="utf-8")
    for package in ("zerkalo", "embedded_postgres")
    for path in sorted((BACKEND / package).rglob("*.py"))
)

named = pytest.mark.parametrize("doc", DOCS, ids=lambda path: str(path.relative_to(ROOT)))


def _anchors(text: str) -> set[str]:
    """The names that a page's headings are linked by, as GitHub makes them."""
    headings = re.findall(r"^#+ (.+)$", text, re.MULTILINE)
    return {re.sub(r"[^\w\- ]", "", heading.lower()).replace(" ", "-") for heading in headings}


@named
def test_every_link_leads_somewhere(doc: Path):
    links = re.findall(r"\]\(([^)\s]+)\)", doc.read_text(encoding="utf-8"))
    for link in links:
        if re.match(r"https?:|mailto:", link):
            continue
        path, _, anchor = link.partition("#")
        target = (doc.parent / path).resolve() if path else doc
        assert target.exists(), link
        assert not anchor or anchor in _anchors(target.read_text(encoding="utf-8")), link


def _options(words: str) -> set[str]:
    """The options that a command takes."""
    (command,) = (command for command in COMMANDS if command.words == words)
    app = typer.Typer(add_completion=False)
    app.command()(blocking(load(command.function)))
    return {name for parameter in typer.main.get_command(app).params for name in parameter.opts}


@named
def test_every_command_and_option_that_is_named_exists(doc: Path):
    known = {command.words for command in COMMANDS}
    texts_of_commands = re.findall(
        r"(?:`|\n|&& |\| |bin/|\w=\S+ )zerkalo ([a-z][^`\n|&#\"]*)", doc.read_text(encoding="utf-8")
    )
    for text in texts_of_commands:
        words = text.split()
        name = " ".join(words[:2]) if " ".join(words[:2]) in known else words[0]
        assert name in known | {"user"}, text  # "zerkalo user …" stands for its three
        given = {word.split("=")[0].rstrip(".,)") for word in words if word.startswith("--") and word != "--"}
        assert given <= (_options(name) if name in known else set()) | {"--help"}, text


@named
def test_every_target_that_is_named_exists(doc: Path):
    targets = set(re.findall(r"^([a-z]+):", (ROOT / "Makefile").read_text(), re.MULTILINE))
    called = re.findall(r"(?:`|^)make ([a-z]+)", doc.read_text(encoding="utf-8"), re.MULTILINE)
    assert set(called) <= targets


@named
def test_every_file_of_the_code_that_is_named_exists(doc: Path):
    text = doc.read_text(encoding="utf-8")
    paths = re.findall(r"`((?:[a-z_]+/)+[a-z_]+\.(?:py|sql|sh|toml|txt|js|css|lock))`", text)
    roots = (ROOT, BACKEND, BACKEND / "zerkalo", BACKEND / "tests", BACKEND / "yclients_emulator", doc.parent)
    assert [path for path in paths if not any((root / path).exists() for root in roots)] == []


@named
def test_every_test_that_is_named_exists(doc: Path, names_of_tests: frozenset[str]):
    assert set(re.findall(r"`(test_\w+)`", doc.read_text(encoding="utf-8"))) <= names_of_tests


@pytest.fixture(scope="module")
def names_of_tests() -> frozenset[str]:
    files = (BACKEND / "tests").rglob("test_*.py")
    texts_of_tests = [file.read_text(encoding="utf-8") for file in files]
    return frozenset(
        name
        for text in texts_of_tests
        for name in re.findall(r"^(?:async )?def (test_\w+)", text, re.MULTILINE)
    )


@named
def test_every_setting_that_is_named_exists(doc: Path):
    text = doc.read_text(encoding="utf-8")
    ours = re.findall(r"\b((?:YCLIENTS|LOYALTY|INBOX|SMTP|SMS|ADMIN)_[A-Z_]*[A-Z])\b(?!…)", text)
    assert set(ours) <= SETTING_NAMES.keys()


@pytest.mark.parametrize("code", sorted(TEXTS))
@pytest.mark.parametrize("language", ["en", "ru"])
def test_the_runbook_begins_with_everything_that_check_may_say(language: Language, code: str):
    sentence = re.sub(r"{\w+}", "…", TEXTS[code][language][0])
    runbook = RUNBOOKS[language].read_text(encoding="utf-8")
    quoted = re.findall(r"«([^»]+)»" if language == "ru" else r'"([^"]+)"', runbook)
    # The runbook shortens: "Codes can't be sent by e-mail", "… by SMS".
    patterns = [re.escape(text.strip(" :")).replace("…", ".*") for text in quoted if len(text) > 5]
    assert any(re.match(pattern, sentence) for pattern in patterns), sentence


@pytest.mark.parametrize("language", ["en", "ru"])
@pytest.mark.parametrize(("name", "least"), QUOTING_PAGES)
def test_what_the_documentation_quotes_of_our_pages_stands_there(language: str, name: str, least: int):
    doc = ROOT / "docs" / (f"{name}.ru.md" if language == "ru" else f"{name}.md")
    quoted = re.findall(r"«([^»]+)»" if language == "ru" else r'"([^"]+)"', doc.read_text(encoding="utf-8"))
    pages = BACKEND / "zerkalo" / "web" / "pages"
    shown = "".join(
        path.read_text(encoding="utf-8")
        for path in tracked_files()
        if pages in path.parents and path.suffix in {".html", ".py"}
    )
    assert len(quoted) >= least
    missing = [
        text
        for text in map(" ".join, map(str.split, quoted))
        if not re.search(rf"['\"]{re.escape(text)}['\":]", shown)
    ]
    assert missing == []


@pytest.mark.parametrize("language", ["en", "ru"])
def test_what_the_runbook_quotes_of_the_log_is_logged(language: str):
    runbook = RUNBOOKS[language].read_text(encoding="utf-8")
    rows = re.findall(r"^\| (?:log: |в логе )([^|]+)\|", runbook, re.MULTILINE)
    quoted = [text for row in rows for text in re.findall(r"«([^»]+)»|`([^`]+)`", row.split("`check`")[0])]
    assert len(quoted) >= 5
    assert [told for told in (one or other for one, other in quoted) if told not in SOURCE] == []


@pytest.mark.parametrize("language", ["en", "ru"])
def test_every_entry_of_the_runbook_ends_with_something_to_do(language: str):
    rows = re.findall(r"^\|(?! -)(.+)\|$", RUNBOOKS[language].read_text(encoding="utf-8"), re.MULTILINE)
    entries = [row.split(" | ")[-1] for row in rows if not re.search(r"\| (do|что делать) $", f"|{row}")]
    assert len(entries) > 30
    assert [entry for entry in entries if "`" not in entry] == []


def test_both_runbooks_have_the_same_entries():
    shapes = [
        [
            len(re.findall(r"^\| ", part, re.MULTILINE))
            for part in path.read_text(encoding="utf-8").split("\n## ")
        ]
        for path in RUNBOOKS.values()
    ]
    assert shapes[0] == shapes[1]


def _units(doc: Path) -> dict[str, configparser.ConfigParser]:
    found: dict[str, configparser.ConfigParser] = {}
    for block in re.findall(r"```ini\n(.+?)```", doc.read_text(encoding="utf-8"), re.DOTALL):
        for name, text in re.findall(r"# /etc/systemd/system/(\S+)\n(.+?)(?=\n# /etc|\Z)", block, re.DOTALL):
            found[name] = configparser.ConfigParser()
            found[name].optionxform = str  # pyright: ignore[reportAttributeAccessIssue]  names of systemd have capitals
            found[name].read_string(text)
    return found


@pytest.mark.parametrize("doc", DAYS, ids=lambda path: path.name)
def test_the_timer_runs_the_promised_script_as_an_ordinary_user(doc: Path):
    units = _units(doc)
    service, timer = units["zerkalo-check.service"]["Service"], units["zerkalo-check.timer"]

    script = service["ExecStart"].split()[1]
    assert (BACKEND / script).is_file()
    assert service["WorkingDirectory"].endswith("/backend")
    assert (service["Type"], service["User"], service["KillMode"]) == ("oneshot", "zerkalo", "process")
    assert timer["Timer"]["OnCalendar"] == "*:0/15"
    assert timer["Install"]["WantedBy"] == "timers.target"


@pytest.mark.parametrize("doc", DAYS, ids=lambda path: path.name)
@pytest.mark.parametrize(("ends_with", "mailed"), [(0, ""), (1, "all that it said\nand complained of\n")])
def test_the_cron_line_mails_the_report_when_something_needs_doing(
    doc: Path, tmp_path: Path, ends_with: int, mailed: str
):
    (line,) = re.findall(r"^\*/15 \* \* \* \* +(.+)$", doc.read_text(encoding="utf-8"), re.MULTILINE)
    (tmp_path / "backend" / "scripts").mkdir(parents=True)
    (tmp_path / "backend" / "scripts" / "check_booking_sync.py").write_text(
        f"import sys; print('all that it said'); sys.stdout.flush(); sys.exit({ends_with} and 'and complained of')"
    )
    (tmp_path / "mail").write_text(f"#!/bin/sh\ncat > {tmp_path}/mailed\n")
    (tmp_path / "mail").chmod(0o755)

    # cron's own shell, which knows no bash, and its short PATH behind the mail of the test
    subprocess.run(
        ["/bin/sh", "-c", line.replace("/srv/zerkalo", str(tmp_path)).replace("python3", '"$PYTHON"')],
        env={"PATH": f"{tmp_path}:/usr/bin:/bin", "PYTHON": str(BACKEND / ".venv" / "bin" / "python")},
        check=True,
    )

    assert "%" not in line, "cron takes it for the end of the line"
    assert ((tmp_path / "mailed").read_text() if (tmp_path / "mailed").exists() else "") == mailed


@pytest.mark.parametrize("doc", READMES, ids=lambda path: path.name)
def test_a_readme_is_read_in_one_go(doc: Path):
    assert len(doc.read_text(encoding="utf-8").splitlines()) < 100


def test_the_pages_that_are_made_from_the_code_are_fresh():
    stale = [
        path.name for path, text in reference.pages().items() if path.read_text(encoding="utf-8") != text
    ]
    assert stale == [], "make reference"


def test_the_site_has_every_page_of_the_documentation():
    named = set(re.findall(r"[\w/-]+\.md", (ROOT / "mkdocs.yml").read_text(encoding="utf-8")))
    there = {str(path.relative_to(reference.DOCS)) for path in reference.texts()}
    assert {page for page in there if not page.startswith("decisions/0")} == named


def test_the_locked_tools_of_the_site_are_those_that_are_named():
    named = (BACKEND / "requirements-docs.in").read_text().split()
    lock = (BACKEND / "requirements-docs.lock").read_text()
    assert all(re.search(rf"^{name}==\S+ ", lock, re.MULTILINE) for name in named)
