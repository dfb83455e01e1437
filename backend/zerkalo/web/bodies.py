"""How large a request's body may be, and how long it may take: JSON and forms of some lines, from anybody."""

import asyncio
import time

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX = 256 * 1024
"""As long as a form may be (`pages.forms`)."""
BODY_SECONDS_MAX = 10.0

_CLOSE = {"Connection": "close"}
"""Who sends too much or too slowly has more of it under way."""


class BoundedBodies:
    """ASGI middleware that refuses larger bodies (413) and slower ones (408).

    Nothing is read here: the bounds hold while the application reads, so that what answers without reading is as quick
    as ever.
    """

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on with a bounded `receive`."""
        await self._app(scope, _bounded(receive) if scope["type"] == "http" else receive, send)


def _bounded(receive: Receive) -> Receive:
    size = 0
    until: float | None = None
    complete = False

    async def receive_bounded() -> Message:
        nonlocal size, until, complete
        if complete:  # only the news that the client has gone is still to come, and that may take its time
            return await receive()
        until = until or time.monotonic() + BODY_SECONDS_MAX
        try:
            message = await asyncio.wait_for(receive(), max(until - time.monotonic(), 0))
        except TimeoutError:
            raise HTTPException(408, "The body did not arrive in time.", _CLOSE) from None
        if message["type"] != "http.request":
            return message
        size += len(message.get("body", b""))
        complete = not message.get("more_body", False)
        if size > BODY_BYTES_MAX:
            raise HTTPException(413, f"The body is over {BODY_BYTES_MAX} bytes.", _CLOSE)
        return message

    return receive_bounded
