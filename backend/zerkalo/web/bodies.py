"""Bounds on the size and the duration of a request's body: anybody may send JSON and forms, all of them short."""

import asyncio
import time

from starlette.exceptions import HTTPException
from starlette.types import ASGIApp, Message, Receive, Scope, Send

BODY_BYTES_MAX = 256 * 1024
"""The same as for forms (`pages.forms`)."""
BODY_SECONDS_MAX = 10.0

_CLOSE = {"Connection": "close"}
"""Close the connection of a client whose body is too large or too slow: more of it would follow."""


class BoundedBodies:
    """ASGI middleware that refuses larger bodies (413) and slower ones (408).

    It reads nothing by itself: the bounds apply while the application reads, so a route that does not read the body
    loses no time.
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
        # After the whole body only the client's disconnect can follow, at any time.
        if complete:
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
