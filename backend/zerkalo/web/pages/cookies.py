"""The cookies of the pages: out of reach of scripts, and where there is https, of other hosts and of http too."""

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import Response

SESSION = "zerkalo_session"
"""A refresh token: see `Auth.browser_session`."""
FORM = "zerkalo_form"
"""A random seed; what a form carries is made from it, so that no other site can send one."""
LANGUAGE = "zerkalo_lang"
FLASH = "zerkalo_flash"
"""What the next page is to tell: the name of one of our texts."""
GUEST = "zerkalo_guest"
"""The token by which a guest may change the booking just made: see `book/guest.py`."""
TYPED = "zerkalo_typed"
"""What a guest typed to book: see `account/takeover.py`."""

_LOCAL_HOSTS = frozenset({"localhost", "127.0.0.1", "::1"})
_VALUE_CHARS_MAX = 4096


class Cookies:
    """Reads and writes them for one request."""

    def __init__(self, request: Request, public_url: str) -> None:
        self._request = request
        self._secure = request.url.scheme == "https" or URL(public_url).hostname not in _LOCAL_HOSTS
        self._changes: dict[str, tuple[str, int | None]] = {}

    def get(self, name: str) -> str | None:
        """The value the browser sent, or that was just set; None where there is none."""
        if name in self._changes:
            return self._changes[name][0] or None
        value = self._request.cookies.get(self._full(name), "")
        return value if 0 < len(value) <= _VALUE_CHARS_MAX else None

    def set(self, name: str, value: str, *, seconds: int | None) -> None:
        """To be set with the answer; `seconds` None: until the browser is closed."""
        self._changes[name] = (value, seconds)

    def delete(self, name: str) -> None:
        """To be taken away with the answer."""
        self._changes[name] = ("", 0)

    def write(self, response: Response) -> None:
        """Put what was set and deleted on the answer."""
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
        # With this prefix a browser refuses the cookie from any other host, a subdomain too, and over http.
        return f"__Host-{name}" if self._secure else name
