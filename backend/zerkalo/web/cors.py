"""Which other sites may call the API from a browser: the origins in the settings. For the API only."""

from collections.abc import Sequence

from starlette.middleware.cors import CORSMiddleware
from starlette.types import ASGIApp, Receive, Scope, Send

METHODS = ("GET", "HEAD", "POST", "PATCH", "DELETE")
HEADERS = ("Authorization", "Content-Type", "Idempotency-Key")
SHOWN_HEADERS = ("Location", "Retry-After", "WWW-Authenticate")
MAX_AGE_SECONDS = 600


class ApiCors:
    """ASGI middleware. Credentials stay off: the API authenticates by the `Authorization` header, never by a cookie."""

    def __init__(self, app: ASGIApp, *, origins: Sequence[str], prefix: str) -> None:
        self._app = app
        self._prefix = prefix
        self._with_cors = CORSMiddleware(
            app,
            allow_origins=origins,
            allow_methods=METHODS,
            allow_headers=HEADERS,
            expose_headers=SHOWN_HEADERS,
            allow_credentials=False,
            max_age=MAX_AGE_SECONDS,
        )

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Add the headers to the API's answers only; the pages are for our own origin."""
        is_api = scope["type"] == "http" and scope["path"].startswith(self._prefix)
        await (self._with_cors if is_api else self._app)(scope, receive, send)
