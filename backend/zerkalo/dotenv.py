"""Finds and reads the one `.env` file in use.

python-dotenv parses it, but nothing in a value is expanded (a password may hold `$`), and a line that it
would pass over in silence stops us instead.
"""

import difflib
import io
from collections.abc import Collection
from pathlib import Path

from dotenv.parser import parse_stream

# A name of ours that is misspelt would do nothing, unseen; one that belongs to somebody else is none of our business.
_OUR_PREFIXES = ("YCLIENTS_", "LOYALTY_")
_LIKENESS_OF_A_SLIP = 0.9


class DotenvError(Exception):
    """The file can't be used; the text is one line that names file, place and remedy, and shows no value."""


def find_dotenv(folder: Path) -> Path | None:
    """The `.env` in `folder`, else in the nearest folder above it, else None."""
    for candidate in (folder, *folder.parents):
        path = candidate / ".env"
        if path.is_file():
            return path
    return None


def read_dotenv(path: Path, known_names: Collection[str]) -> dict[str, str]:
    """The file's values by name, unexpanded; the last of two lines with one name counts; unknown names are left out.

    Raises `DotenvError` where the file can't be read, isn't UTF-8, has a line that isn't `NAME=value`, or
    misspells one of `known_names`.
    """
    values: dict[str, str] = {}
    for binding in parse_stream(io.StringIO(_text(path))):
        line = binding.original.line + _lines_before_text(binding.original.string)
        name = binding.key
        if binding.error or (name is not None and binding.value is None):
            raise DotenvError(f"{path}: line {line} is not NAME=value; for example YCLIENTS_ENABLED=True")
        if name is None:
            continue  # a comment
        if name in known_names:
            values[name] = binding.value or ""
        elif name.startswith(_OUR_PREFIXES):
            close = difflib.get_close_matches(name, known_names, 1, _LIKENESS_OF_A_SLIP)
            if close:
                raise DotenvError(
                    f"{name}: is no setting ({path}, line {line}); write for example {close[0]}=…"
                )
    return values


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
