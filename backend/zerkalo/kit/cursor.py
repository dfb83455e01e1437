"""Cursors of lists: where a paged read continues, opaque to the caller, validated when sent back.

Not signed: a cursor is only a position, in a list that is always the caller's own.
"""

import json
from base64 import urlsafe_b64decode, urlsafe_b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Generic, TypeVar, cast

from zerkalo.kit.problem import ProblemError

CURSOR_CHARS_MAX = 400
ID_MAX = 2**63 - 1
"""The highest id that PostgreSQL's bigint holds."""

Position = int | datetime
Moment = tuple[datetime, int]
"""(instant, id) of the last row of a page: the next page starts after it."""

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Page(Generic[T]):
    """Some rows of a list; `next_cursor` gives the next ones, None where there are none."""

    items: list[T]
    next_cursor: str | None


@dataclass(frozen=True, slots=True)
class ById:
    """A list in the order of ids. `name` distinguishes its cursors from other lists'."""

    name: str

    def position(self, cursor: str | None) -> int | None:
        """Return the id to continue after; None without a cursor. Raises as `decode_cursor`."""
        return cast("int", decode_cursor(cursor, self.name, int)[0]) if cursor is not None else None

    def page(self, found: Sequence[T], limit: int, id_of: Callable[[T], int]) -> Page[T]:
        """The first `limit` rows of a list that was read one row longer."""
        return _page(found, limit, lambda row: encode_cursor(self.name, id_of(row)))


@dataclass(frozen=True, slots=True)
class ByMoment:
    """A list in the order of instants, rows of one instant in the order of ids."""

    name: str

    def position(self, cursor: str | None) -> Moment | None:
        """Return the instant and id to continue after; None without a cursor. Raises as `decode_cursor`."""
        return cast("Moment", decode_cursor(cursor, self.name, datetime, int)) if cursor is not None else None

    def page(self, found: Sequence[T], limit: int, moment_of: Callable[[T], Moment]) -> Page[T]:
        """The first `limit` rows of a list that was read one row longer."""
        return _page(found, limit, lambda row: encode_cursor(self.name, *moment_of(row)))


def encode_cursor(mode: str, *position: Position) -> str:
    """Return a cursor to continue after `position` in the list called `mode`; instants are aware."""
    parts = [part if isinstance(part, int) else part.astimezone(UTC).isoformat() for part in position]
    return urlsafe_b64encode(json.dumps([mode, *parts], separators=(",", ":")).encode()).decode().rstrip("=")


def decode_cursor(cursor: str, mode: str, *kinds: type[Position]) -> tuple[Position, ...]:
    """Return the position that `encode_cursor` encoded for this list, of these kinds (`int` or `datetime`).

    Raises a 422 `ProblemError` with code `invalid_cursor` for anything else: garbage, or another list's cursor.
    """
    try:
        if len(cursor) > CURSOR_CHARS_MAX:
            raise ValueError("too long for a cursor of ours")
        text = urlsafe_b64decode(cursor + "=" * (-len(cursor) % 4))
        parsed: object = json.loads(text)
        parts = cast("list[object]", parsed) if isinstance(parsed, list) else []
        if parts[0] != mode:
            raise ValueError("the cursor of another list")
        return tuple(_position(part, kind) for part, kind in zip(parts[1:], kinds, strict=True))
    except (ValueError, IndexError, OverflowError, RecursionError):
        raise ProblemError(422, "invalid_cursor", "This cursor does not belong to this list.") from None


def _page(found: Sequence[T], limit: int, cursor_of: Callable[[T], str]) -> Page[T]:
    shown = list(found[:limit])
    return Page(shown, cursor_of(shown[-1]) if len(found) > limit else None)


def _position(part: object, kind: type[Position]) -> Position:
    if kind is int and isinstance(part, int) and not isinstance(part, bool) and 0 <= part <= ID_MAX:
        return part
    if kind is datetime and isinstance(part, str):
        instant = datetime.fromisoformat(part)
        if instant.utcoffset() is not None:
            return instant.astimezone(UTC)
    raise ValueError("not a position of this list")
