"""The cookies of the pages: not readable by scripts and, over https, not settable by other hosts or over http."""

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import Response

SESSION = "zerkalo_session"
"""A refresh token: see `Auth.browser_session`."""
FORM = "zerkalo_form"
"""A random seed of the CSRF token in every form, so that no other site can post one."""
LANGUAGE = "zerkalo_lang"
FLASH = "zerkalo_flash"
"""The name of the text that the next page shows."""
GUEST = "zerkalo_guest"
"""The token by which a guest may change the booking just made: see `book/guest.py`."""
TYPED = "zerkalo_typed"
"""What a guest typed to book: see `account/takeover.py`."""

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_VALUE_CHARS_MAX = 4096


class Cookies:
    """Reads and writes the cookies of one request."""

    def __init__(self, request: Request, public_url: str) -> None:
        self._request = request
        self._secure = request.url.scheme == "https" or URL(public_url).hostname not in _LOCAL_HOSTS
        self._changes: dict[str, tuple[str, int | None]] = {}

    def get(self, name: str) -> str | None:
        """Return the value that the browser sent or that was just set; None where there is none."""
        if name in self._changes:
            return self._changes[name][0] or None
        value = self._request.cookies.get(self._full(name), "")
        return value if 0 < len(value) <= _VALUE_CHARS_MAX else None

    def set(self, name: str, value: str, *, seconds: int | None) -> None:
        """Set a cookie with the answer; `seconds` None: until the browser is closed."""
        self._changes[name] = (value, seconds)

    def delete(self, name: str) -> None:
        """Delete a cookie with the answer."""
        self._changes[name] = ("", 0)

    def write(self, response: Response) -> None:
        """Write what was set and deleted to the answer."""
        for name, (value, seconds) in self._changes.items():
            response.set_cookie(
                self._full(name),
                value,
                max_age=seconds,
                path="/",
                secure=self._secure,
                httponly=True,
                samesite="lax",
            )

    def _full(self, name: str) -> str:
        # With this prefix browsers refuse the cookie from any other host, subdomains included, and over http.
        return f"__Host-{name}" if self._secure else name
