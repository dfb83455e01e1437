"""A delivery's body as shown to an admin: readable, bounded, with tokens masked. Pure."""

import json
import re
from dataclasses import dataclass
from typing import Any, cast

BODY_CHARS_MAX = 20_000
MASK = "•••"

_SECRET_WORDS = ("token", "secret", "password", "api_key", "apikey", "user_data_sign", "authorization")
_SECRET_IN_TEXT = re.compile(
    r'("[^"\\]{0,60}(?:' + "|".join(_SECRET_WORDS) + r')[^"\\]{0,60}"\s*:\s*)("(?:[^"\\]|\\.)*"?|[^\s,}\]]+)',
    re.IGNORECASE,
)


@dataclass(frozen=True, slots=True)
class ShownBody:
    """The part of a body that is shown. `is_cut`: there is more."""

    text: str
    is_cut: bool


def shown_body(body: bytes) -> ShownBody:
    """Return the body as text: JSON indented, anything else as it came, invalid UTF-8 as U+FFFD.

    Values whose name suggests a token, a secret or a password are masked: the marketplace's calls carry
    `partner_token` when an application is removed, and bystanders may see the page.
    """
    text = body.decode(errors="replace")
    try:
        text = json.dumps(_masked(json.loads(text)), ensure_ascii=False, indent=2)
    except (ValueError, RecursionError):
        text = _SECRET_IN_TEXT.sub(rf"\1{MASK}", text)
    return ShownBody(text[:BODY_CHARS_MAX], len(text) > BODY_CHARS_MAX)


def _masked(value: Any) -> Any:
    if isinstance(value, dict):
        parts = cast("dict[str, Any]", value)
        return {name: MASK if _is_secret(name) and one else _masked(one) for name, one in parts.items()}
    if isinstance(value, list):
        return [_masked(one) for one in cast("list[Any]", value)]
    return value


def _is_secret(name: str) -> bool:
    return any(word in name.lower() for word in _SECRET_WORDS)
