"""Text that any store accepts: no U+0000, no lone surrogates, bounded."""

import re

REPLACEMENT = "\N{REPLACEMENT CHARACTER}"

_UNSTORABLE = re.compile("[\x00\ud800-\udfff]")
_BYTE_ORDER_MARK = b"\xef\xbb\xbf"

_SUSPECT = re.compile(rb"\\u(?:0000|[dD][89a-fA-F])")

# An escape begins with the last of an odd number of backslashes. The run before it is matched from its beginning, without
# backtracking: a megabyte of backslashes is scanned once. A proper surrogate pair is matched as a whole and stays.
_ESCAPE = re.compile(
    rb"(?<!\\)((?:\\\\)*+)\\u(?:([dD][89abAB][0-9a-fA-F]{2}\\u[dD][c-fC-F][0-9a-fA-F]{2})|0000|[dD][89a-fA-F][0-9a-fA-F]{2})"
)


def in_any_case(text: str) -> str:
    """Return a PostgreSQL regular expression that matches the text in any case.

    In a database with the locale C, as the embedded one, `lower` handles Latin letters only, and `translate` of each
    row takes several times as long.
    """
    return "".join(map(_in_any_case, text))


def _in_any_case(character: str) -> str:
    large, small = character.upper(), character.lower()
    if large != small and len(large) == len(small) == 1:
        return f"[{large}{small}]"
    return f"\\{character}" if character.isascii() and not character.isalnum() else character


def storable_text(text: str, length_max: int | None = None) -> str:
    """Return the text with U+0000 and lone surrogates replaced by U+FFFD, cut to `length_max` characters.

    PostgreSQL's `text` refuses U+0000, and UTF-8 has no surrogates.
    """
    clean = _UNSTORABLE.sub(REPLACEMENT, text)
    return clean if length_max is None else clean[:length_max]


def printable_text(text: str) -> str:
    """Return the text as a terminal may show it: control characters, which could steer it or hide a line, become `?`."""
    return "".join(character if character.isprintable() else "?" for character in text)


def storable_json(body: bytes) -> bytes:
    """Return JSON text that is valid UTF-8 without a byte order mark or escapes that no store accepts.

    Bad UTF-8 becomes U+FFFD, and so do the escapes of U+0000 and of lone surrogates, in keys too. All else
    stays byte for byte; a body with nothing to replace is returned itself. Does not check that it is JSON.
    """
    if not body.isascii():
        body = _valid_utf8(body)
    # The first test is a memchr and suffices for most bodies.
    if b"\\" in body and _SUSPECT.search(body):
        body = _ESCAPE.sub(_replaced_escape, body)
    return body


def _valid_utf8(body: bytes) -> bytes:
    try:
        body.decode()
    except UnicodeDecodeError:
        body = body.decode(errors="replace").encode()
    return body.removeprefix(_BYTE_ORDER_MARK)


def _replaced_escape(match: re.Match[bytes]) -> bytes:
    return match[0] if match[2] else match[1] + rb"\ufffd"
