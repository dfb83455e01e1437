"""`make reference`: the pages of the documentation that say what the code says, made from it.

`docs/reference/settings.md` from the settings, `commands.md` from the commands' help and `api.md` from the description of
the API, each in Russian too; `docs/decisions/index.md` and `docs/llms.txt` from the pages themselves. What the code does not
say, its Russian and an example of each command, stands in `reference.toml`. Tests hold pages and texts fresh.
"""

import re
import sys
import tomllib
from collections.abc import Callable, Iterator, Mapping
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
    r"(?:^# --- (?P<part>.+) ---$)"
    r"|(?:(?P<sentence>(?:^# .+\n)+)# Unit: (?P<unit>.+)\. Default: (?P<default>\S+)\.\n(?:# )?(?P<name>[A-Z_]+)=)",
    re.MULTILINE,
)
TYPES = {"string": "text", "integer": "whole number", "boolean": "true or false", "null": "null"}
TEXTS = tomllib.loads(Path(__file__).with_suffix(".toml").read_text(encoding="utf-8"))

Say = Callable[[str], str]
"""A text of the code in the language of the page."""


def english(text: str) -> str:
    """As the code says it."""
    return text


class Russian:
    """The Russian of what the code says in English; knows what it was asked for and what of that it lacks."""

    def __init__(self) -> None:
        self.texts = {one["en"]: one["ru"] for one in TEXTS["text"]}
        self.asked: set[str] = set()

    def __call__(self, text: str) -> str:
        self.asked.add(text)
        return self.texts.get(text, text)

    @property
    def missing(self) -> list[str]:
        """What has no Russian yet: a new text, or one whose English was changed."""
        return sorted(self.asked - self.texts.keys())


class Unasked:
    """What the application is built over, where nobody will ask it anything: every attribute is there and empty."""

    secret_key = "never used"  # noqa: S105  it signs nothing: no request is answered
    settings = load_settings({}, Path("/"))

    def __getattr__(self, name: str) -> "Unasked":
        return Unasked()

    def __call__(self, *_: object, **__: object) -> "Unasked":
        return self


def pages(russian: Say | None = None) -> dict[Path, str]:
    """Every made page: where it stands, and its text."""
    russian = russian or Russian()
    made = {
        DOCS / "reference" / "settings.ru.md": settings_page(russian),
        DOCS / "reference" / "commands.ru.md": commands_page(russian),
        DOCS / "reference" / "api.ru.md": str(ApiPage(russian)),
    }
    in_english = {
        DOCS / "reference" / "settings.md": settings_page(english),
        DOCS / "reference" / "commands.md": commands_page(english),
        DOCS / "reference" / "api.md": str(ApiPage(english)),
        DOCS / "decisions" / "index.md": decisions_page(),
    }
    return made | in_english | {DOCS / "llms.txt": llms(texts() | in_english)}


def texts() -> dict[Path, str]:
    """The English pages of the documentation, by where they stand."""
    found = sorted(path for path in DOCS.rglob("*.md") if not path.name.endswith(".ru.md"))
    return {path: path.read_text(encoding="utf-8") for path in found}


def settings_page(say: Say) -> str:
    """Each setting with its unit, default, an example and what it means, in the parts of `.env.example`."""
    lines = [
        f"# {say('Settings')}\n",
        HEAD,
        say("Each comes from the environment or from one `.env`; the environment wins.") + "\n",
    ]
    for entry in ENTRY.finditer((ROOT / ".env.example").read_text(encoding="utf-8")):
        if entry["part"]:
            head = map(say, ("name", "default", "meaning"))
            lines += [f"\n## {say(entry['part'])}\n", _row(tuple(head)), "| --- | --- | --- |"]
            continue
        (example,) = Settings.model_fields[SETTING_NAMES[entry["name"]]].examples or [""]
        value = f"{say(entry['unit'])}; {say('for example')} `{example}`"
        meaning = say(" ".join(entry["sentence"].replace("# ", "").split()))
        default = say("none") if entry["default"] == "none" else f"`{entry['default']}`"
        cells = (f"`{entry['name']}`", default, f"{meaning}<br>*{value}*")
        lines.append(_row(cells))
    return "\n".join(lines) + "\n"


def commands_page(say: Say) -> str:
    """Each command as its `--help` tells it, with an example."""
    lines = [
        f"# {say('Commands')}\n",
        HEAD,
        say(
            "Every command exits with 0 on success, 2 on wrong usage, and 1 with one line that says what to do."
        )
        + "\n",
    ]
    for command in COMMANDS:
        lines += [f"## `zerkalo {command.words}`\n", *_command(command, say)]
    return "\n".join(lines).rstrip() + "\n"


def _command(command: Command, say: Say) -> Iterator[str]:
    app = typer.Typer(add_completion=False)
    app.command()(blocking(load(command.function)))
    typed = typer.main.get_command(app)
    yield say(_one_paragraph(typed.help or "")) + "\n"
    yield f"```bash\n{TEXTS['examples'][command.words]}\n```\n"
    told = [_parameter(one, say) for one in typed.params if not getattr(one, "hidden", False)]
    if told:
        yield from (_row(("", say("default"), "")), "| --- | --- | --- |", *told, "")


def _one_paragraph(text: str) -> str:
    return re.sub(r"\s*\n\s*", " ", re.split(r"\n\s*\n", text.strip())[0])


def _parameter(parameter: Any, say: Say) -> str:
    names = ", ".join(f"`{name}`" for name in (*parameter.opts, *parameter.secondary_opts))
    if parameter.param_type_name == "argument":
        names = f"`{parameter.name}`"
    default = parameter.default if isinstance(parameter.default, str | int) else None
    told = getattr(parameter, "help", None)
    return _row((names, "" if default in (None, False, "") else f"`{default}`", say(told) if told else ""))


class ApiPage:
    """Each endpoint with its parameters, its body and its answers, in the order of their addresses."""

    def __init__(self, say: Say) -> None:
        described = create_app(cast("Any", Unasked())).openapi()
        self._say = say
        self._paths: Mapping[str, Mapping[str, Any]] = described["paths"]
        self._shapes: Mapping[str, Any] = described["components"]["schemas"]

    def __str__(self) -> str:
        told = "Every call, its parameters and its body. To try out: `/docs` of your own server; for programs: `/openapi.json`."
        lines = ["# API\n", HEAD, self._say(told) + "\n"]
        for path, operations in sorted(self._paths.items()):
            for method in METHODS:
                if method in operations:
                    lines += [f"## `{method.upper()} {path}`\n", *self._operation(operations[method])]
        return "\n".join(lines).rstrip() + "\n"

    def _operation(self, operation: Mapping[str, Any]) -> Iterator[str]:
        say = self._say
        yield say(_one_line(operation.get("description") or operation["summary"])) + ".\n"
        token = "takes an access token" if operation.get("security") else "takes no token"
        yield f"{say('Operation')} `{operation['operationId']}`; {say(token)}.\n"
        if parameters := operation.get("parameters"):
            yield from (_row((say("parameter"), say("in"), "")), "| --- | --- | --- |")
            for one in parameters:
                yield _row((f"`{one['name']}`", say(one["in"]), self._needed(one, one.get("required"))))
            yield ""
        for kind, content in operation.get("requestBody", {}).get("content", {}).items():
            yield from self._body(kind, self._shape(content["schema"]))
        answers = [
            f"`{status}` {say(_one_line(answer['description']))}"
            for status, answer in operation["responses"].items()
        ]
        yield f"{say('Answers')}: {' · '.join(answers)}.\n"

    def _body(self, kind: str, shape: Mapping[str, Any]) -> Iterator[str]:
        told = _one_paragraph(shape.get("description", ""))
        yield f"{self._say('Body')}: `{kind}`. {self._say(told) if told else ''}".strip() + "\n"
        if fields := shape.get("properties"):
            yield from (_row((self._say("field"), "", "")), "| --- | --- | --- |")
            for name, field in fields.items():
                needed = self._needed(field, name in shape.get("required", ()))
                yield _row((f"`{name}`", self._type(field), needed))
            yield ""

    def _needed(self, one: Mapping[str, Any], is_needed: object) -> str:
        told = ("needed" if is_needed else "", one.get("description", ""))
        return ". ".join(self._say(text) for text in told if text)

    def _shape(self, schema: Mapping[str, Any]) -> Mapping[str, Any]:
        return self._shapes[schema["$ref"].rpartition("/")[2]] if "$ref" in schema else schema

    def _type(self, schema: Mapping[str, Any]) -> str:
        either = [self._type(one) for one in schema.get("anyOf", ())]
        either += [f"`{word}`" for word in schema.get("enum", ())]
        if either:
            return f" {self._say('or')} ".join(either)
        if schema.get("type") == "array":
            return f"{self._say('list of')}: {self._type(schema['items'])}"
        return self._say(TYPES.get(schema.get("type", ""), "any JSON"))


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
        "Each page stands in this folder under the path of its link.\n",
        "## Pages\n",
    ]
    for path, text in sorted(found.items()):
        title = re.search(r"^# (.+)$", text, re.MULTILINE)
        assert title, f"{path} has no title"
        first = _first_sentence(text)
        lines.append(f"- [{title[1]}]({path.relative_to(DOCS)})" + (f": {first}" if first else ""))
    return "\n".join(lines) + "\n"


def _first_sentence(text: str) -> str:
    """Of the first paragraph that is prose; empty where a decision's status is all that comes before its parts."""
    for paragraph in text.split("\n\n")[1:]:
        if re.match(r"Status: |##", paragraph):
            return ""
        if not re.match(r"[#|<>!*-]|```|\d+\. ", paragraph.strip()):
            return _one_line(re.split(r"(?<=[.?!])\s", paragraph.strip(), maxsplit=1)[0])
    return ""


def _one_line(text: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"\[([^\]]+)\]\([^)]+\)", r"\1", text)).strip().rstrip(".:")


def _row(cells: tuple[str, ...]) -> str:
    return "| " + " | ".join(re.sub(r"\s+", " ", cell).replace("|", "\\|") for cell in cells) + " |"


def main() -> None:
    """Write the pages that differ; exit with 1 where `reference.toml` lacks the Russian of a text."""
    russian = Russian()
    for path, text in pages(russian).items():
        if not path.exists() or path.read_text(encoding="utf-8") != text:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text, encoding="utf-8")
            sys.stdout.write(f"{path.relative_to(ROOT)}\n")
    if russian.missing:
        sys.exit("\n  ".join(["backend/reference.toml lacks the Russian of:", *russian.missing]))


if __name__ == "__main__":
    main()
