"""Reading forms: bounded in size, and accepted only from our own pages."""

import hmac
import secrets
from collections.abc import Sequence
from hashlib import sha256
from urllib.parse import parse_qsl

from starlette.requests import Request

from zerkalo.kit.problem import ProblemError
from zerkalo.kit.text import storable_text
from zerkalo.web.pages import cookies
from zerkalo.web.pages.cookies import Cookies

FORM_BYTES_MAX = 256 * 1024
"""Enough for a comment of 20,000 emoji, each twelve bytes when percent-encoded."""
FIELDS_MAX = 200
TEXT_CHARS_MAX = 1000
CSRF_FIELD = "csrf"


class Form:
    """The fields of a form, or of an address, in the order they came."""

    def __init__(self, pairs: Sequence[tuple[str, str]]) -> None:
        self._pairs = [(storable_text(name), storable_text(value)) for name, value in pairs]

    def pairs(self) -> list[tuple[str, str]]:
        """Return all fields with their values."""
        return list(self._pairs)

    def text(self, name: str, chars_max: int = TEXT_CHARS_MAX) -> str:
        """Return a field without outer spaces, cut to a length; "" where there is none."""
        return self.raw(name).strip()[:chars_max]

    def raw(self, name: str) -> str:
        """Return a field as typed, for passwords; "" where there is none."""
        return next((value for one, value in self._pairs if one == name), "")

    def all(self, name: str) -> list[str]:
        """Return every value of a repeated field, such as check boxes."""
        return [value for one, value in self._pairs if one == name]

    def number(self, name: str) -> int | None:
        """Return a whole number of at most 15 digits; None for anything else."""
        return whole_number(self.text(name))

    def numbers(self, name: str) -> list[int]:
        """Return the whole numbers among the values of a field, without duplicates."""
        found = (whole_number(value.strip()) for value in self.all(name))
        return list(dict.fromkeys(number for number in found if number is not None))


def whole_number(text: str) -> int | None:
    """Parse a whole number of at most 15 ASCII digits; None for anything else."""
    return int(text) if text.isascii() and text.isdigit() and len(text) <= 15 else None


def query_of(request: Request) -> Form:
    """Return the fields of the address."""
    return Form(request.query_params.multi_items()[:FIELDS_MAX])


async def read_form(request: Request) -> Form:
    """Read the fields of a posted form. Raises `ProblemError`: 415, 413, 400."""
    media_type = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if media_type != "application/x-www-form-urlencoded":
        raise ProblemError(415, "unsupported_media_type", "A form is expected.")
    body = bytearray()
    async for chunk in request.stream():
        body += chunk
        if len(body) > FORM_BYTES_MAX:
            raise ProblemError(413, "too_large", "The form is too long.")
    try:
        pairs = parse_qsl(
            body.decode(errors="replace"), keep_blank_values=True, max_num_fields=FIELDS_MAX, errors="replace"
        )
    except ValueError:
        raise ProblemError(400, "bad_request", "The form has too many fields.") from None
    return Form(pairs)


def check_csrf(form: Form, expected: str) -> None:
    """Raise a 403 `stale_form` `ProblemError` for a form that is not from a page of this browser's session."""
    if not hmac.compare_digest(form.raw(CSRF_FIELD).encode(), expected.encode()):
        raise stale_form()


def stale_form() -> ProblemError:
    """The 403 of a form that none of our pages holds now."""
    return ProblemError(403, "stale_form", "The form is out of date. Open the page again and repeat.")


def csrf_token(key: bytes, jar: Cookies) -> str:
    """Return the token that every form of this browser must carry, bound to its seed and its session.

    The first call makes the seed and sets it with the answer. Signing in changes the token.
    """
    seed = jar.get(cookies.FORM)
    if seed is None:
        seed = secrets.token_urlsafe(24)
        jar.set(cookies.FORM, seed, seconds=None)
    text = f"{seed}|{jar.get(cookies.SESSION) or ''}"
    return hmac.digest(key, text.encode(errors="replace"), sha256).hex()
