"""`make reference`: the pages of the documentation that say what the code says, made from it.

`docs/reference/settings.md` from the settings, `commands.md` from the commands' help, `api.md` from the description of the
API, `docs/decisions/index.md` and `docs/llms.txt` from the pages themselves. A test holds them fresh.
"""

import re
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, cast

import typer

from zerkalo.cli.main import COMMANDS, Command, blocking, load
from zerkalo.settings import SETTING_NAMES, Settings, load_settings
from zerkalo.web.api import create_app

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"
HEAD = "<!-- Made by `make reference`; what is written here by hand is lost. -->\n"
METHODS = ("get", "post", "put", "patch", "delete")
ENTRY = re.compile(
    r"(?:^# --- (?P<part>.+) ---$)|(?:^# (?P<sentence>.+)\n# Unit: (?P<unit>.+)\. Default: (?P<default>\S+)\.\n(?:# )?(?P<name>[A-Z_]+)=)",
    re.MULTILINE,
)


class Unasked:
    """What the application is built over, where nobody will ask it anything: every attribute is there and empty."""

    secret_key = "never used"  # noqa: S105  it signs nothing: no request is answered
    settings = load_settings({}, Path("/"))

    def __getattr__(self, name: str) -> "Unasked":
        return Unasked()

    def __call__(self, *_: object, **__: object) -> "Unasked":
        return self


def pages() -> dict[Path, str]:
    """Every made page: where it stands, and its text."""
    made = {
        DOCS / "reference" / "settings.md": settings_page(),
        DOCS / "reference" / "commands.md": commands_page(),
        DOCS / "reference" / "api.md": api_page(),
        DOCS / "decisions" / "index.md": decisions_page(),
    }
    return made | {
        DOCS / "llms.txt": llms({path: text for path, text in texts().items() if path not in made} | made)
    }


def texts() -> dict[Path, str]:
    """The English pages of the documentation, by where they stand."""
    found = sorted(path for path in DOCS.rglob("*.md") if not path.name.endswith(".ru.md"))
    return {path: path.read_text(encoding="utf-8") for path in found}


def settings_page() -> str:
    """Each setting with its unit, default, an example and one sentence, in the parts of `.env.example`."""
    lines = [
        "# Settings\n",
        HEAD,
        "They come from the environment or from one `.env`; the environment wins.\n",
    ]
    for entry in ENTRY.finditer((ROOT / ".env.example").read_text(encoding="utf-8")):
        if entry["part"]:
            lines += [
                f"\n## {entry['part']}\n",
                "| name | default | unit | example | meaning |",
                "| --- | --- | --- | --- | --- |",
            ]
            continue
        (example,) = Settings.model_fields[SETTING_NAMES[entry["name"]]].examples or [""]
        cells = (
            f"`{entry['name']}`",
            _code(entry["default"]),
            entry["unit"],
            f"`{example}`",
            entry["sentence"],
        )
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def commands_page() -> str:
    """Each command as its `--help` tells it."""
    lines = [
        "# Commands\n",
        HEAD,
        "Each exits with 0 on success, 2 on wrong usage, and 1 with one line that says what to do.\n",
    ]
    for command in COMMANDS:
        lines += [f"## `zerkalo {command.words}`\n", *_command(command)]
    return "\n".join(lines).rstrip() + "\n"


def _command(command: Command) -> Iterator[str]:
    app = typer.Typer(add_completion=False)
    app.command()(blocking(load(command.function)))
    typed = typer.main.get_command(app)
    yield re.sub(r"\s*\n\s*", " ", re.split(r"\n\s*\n", (typed.help or "").strip())[0]) + "\n"
    told = [_parameter(one) for one in typed.params if not getattr(one, "hidden", False)]
    if told:
        yield from ("| | default | |", "| --- | --- | --- |", *told, "")


def _parameter(parameter: Any) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = f"`{parameter.name}`"
    default = parameter.default if isinstance(parameter.default, str | int) else None
    return _row(
        (names, "" if default in (None, False) else f"`{default}`", getattr(parameter, "help", None) or "")
    )


def api_page() -> str:
    """Each endpoint with its parameters, by what it is about."""
    described = create_app(cast("Any", Unasked())).openapi()
    lines = [
        "# API\n",
        HEAD,
        "The same, to try out: `/docs` of your own server; for programs: `/openapi.json`.\n",
    ]
    for path, operations in sorted(described["paths"].items()):
        for method in METHODS:
            if method in operations:
                lines += _operation(method, path, operations[method])
    return "\n".join(lines).rstrip() + "\n"


def _operation(method: str, path: str, operation: Mapping[str, Any]) -> Iterator[str]:
    yield f"## `{method.upper()} {path}`\n"
    sentence = operation.get("description") or operation.get("summary") or ""
    yield re.sub(r"\s+", " ", sentence).strip() + "\n"
    yield (
        f"Operation `{operation.get('operationId')}`; "
        + ("takes an access token." if operation.get("security") else "takes no token.")
        + "\n"
    )
    parameters = operation.get("parameters") or ()
    if parameters:
        yield from ("| parameter | in | |", "| --- | --- | --- |")
        for one in parameters:
            needed = "needed" if one.get("required") else ""
            yield _row(
                (f"`{one['name']}`", one["in"], ". ".join(filter(None, (needed, one.get("description")))))
            )
        yield ""
    if body := operation.get("requestBody"):
        yield "Body: " + ", ".join(f"`{kind}`" for kind in body["content"]) + ".\n"
    answers = ", ".join(
        f"`{status}` {_one_line(answer['description'])}" for status, answer in operation["responses"].items()
    )
    yield f"Answers: {answers}.\n"


def decisions_page() -> str:
    """The decision records, by their titles."""
    lines = [
        "# Decisions\n",
        HEAD,
        "What was costly to decide, a page each: the context, the decision, what it brings, what else was thought of.\n",
    ]
    for path in sorted((DOCS / "decisions").glob("0*.md")):
        title = path.read_text(encoding="utf-8").splitlines()[0].removeprefix("# ")
        lines.append(f"- [{title}]({path.name})")
    return "\n".join(lines) + "\n"


def llms(found: Mapping[Path, str]) -> str:
    """The documentation in one list, for programs that read: a line a page, with its first sentence."""
    lines = [
        "# Zerkalo\n",
        "> Keeps a salon's YCLIENTS appointments in the salon's own PostgreSQL, live, and builds on them.\n",
        "## Pages\n",
    ]
    for path, text in sorted(found.items()):
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        first = re.search(r"\n\n(?![#|<>`!\-*\d])([^\n].+?[.:])(?=\s)", text, re.DOTALL)
        assert title, f"{path} has no title"
        lines.append(
            f"- [{title[1]}]({path.relative_to(DOCS)}): {_one_line(first[1]) if first else title[1]}"
        )
    return "\n".join(lines) + "\n"


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)).strip().rstrip(".:")


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in cells) + " |"


def _code(text: str) -> str:
    return "none" if text == "none" else f"`{text}`"


def main() -> None:
    """Write the pages that differ."""
    for path, text in pages().items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")


if __name__ == "__main__":
    main()
