"""Finds and reads the one `.env` file in use.

python-dotenv parses it, but nothing in a value is expanded (a password may hold `$`), and a line that it
would pass over in silence, or a value that it would cut short, stops us instead.
"""

import io
import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path

from dotenv.parser import Binding, parse_stream


class DotenvError(Exception):
    """The file can't be used; the text is one line that names file, place and remedy, and shows no value."""


@dataclass(frozen=True)
class DotenvFile:
    """What the file says."""

    path: Path
    values: dict[str, str]
    """By name, unexpanded; of two lines with one name the last counts. Names that we don't know are not here."""
    unknown: dict[str, int]
    """The names that we don't know, with their lines."""


def find_dotenv(folder: Path) -> Path | None:
    """The `.env` in `folder`, else in the nearest folder above it, else None."""
    for candidate in (folder, *folder.parents):
        path = candidate / ".env"
        if path.is_file():
            return path
    return None


def read_dotenv(path: Path, known_names: Collection[str], free_texts: Collection[str] = ()) -> DotenvFile:
    """Read the file. `free_texts`: names whose value may hold spaces, so that ` #` may be meant as a part of it.

    Raises `DotenvError` where the file can't be read, isn't UTF-8, has a line that isn't `NAME=value`, or cuts the
    value of a free text at ` #`.
    """
    values: dict[str, str] = {}
    unknown: dict[str, int] = {}
    for binding in parse_stream(io.StringIO(_text(path))):
        line = binding.original.line + _lines_before_text(binding.original.string)
        name = binding.key
        if binding.error or (name is not None and binding.value is None):
            raise DotenvError(f"{path}: line {line} is not NAME=value; for example YCLIENTS_ENABLED=True")
        if name is None:
            continue  # a comment
        if name not in known_names:
            unknown[name] = line
            continue
        if name in free_texts and _is_cut(binding):
            raise DotenvError(
                f"{name}: would be cut at ` #` ({path}, line {line}); put it in quotes, for example {name}='long #1 x'"
            )
        values[name] = binding.value or ""
    return DotenvFile(path, values, unknown)


def _is_cut(binding: Binding) -> bool:
    """Whether a comment stands behind a value without quotes: the value may have been meant to go on."""
    written = binding.original.string.split("=", 1)[1].strip()
    return written[:1] not in {"'", '"', "#"} and re.search(r"\s#", written) is not None


def _lines_before_text(original: str) -> int:
    """python-dotenv counts blank lines in front of an assignment as part of it."""
    return original[: len(original) - len(original.lstrip())].count("\n")


def _text(path: Path) -> str:
    try:
        return path.read_text(encoding="utf-8-sig")  # Windows editors put a byte order mark in front
    except UnicodeDecodeError:
        raise DotenvError(f"{path}: is not UTF-8 text; save it as UTF-8") from None
    except OSError as error:
        raise DotenvError(
            f"{path}: can't be read ({error.strerror}); make it readable for this user"
        ) from None
