"""Bounds on the time and size of a request's head, closing idle connections when they run out, answers in one write.

uvicorn has no such bounds: a silent connection stays open for ever, and one that never ends its headers grows for ever.
The bounds on bodies are in `web.bodies` and in the webhook itself.
"""

import asyncio
import resource
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_BYTES_MAX = 64 * 1024
"""Size of the request line and the headers, and of trailers or chunk sizes between two parts of a body."""
HEAD_SECONDS_MAX = 10.0
"""From the opening of a connection, or the first byte of a further request on it, to the end of its headers."""
LAST_HEAD_SECONDS = 0.3
"""How long a stopping server waits for a request on a connection just opened, or for the rest of a head. A proxy does
not retry a POST."""
PIPELINE_MAX = 8
"""Pipelined requests that may wait on one connection. Browsers and proxies send none."""
FILES_KEPT = 100
"""Open files reserved for other uses than clients' connections: the database, YCLIENTS, the mail server, the log."""


class TooMuch(Exception):
    """The client sends too many pipelined requests. Raised inside the parser, it ends the connection with a 400."""


class WholeAnswers(asyncio.Transport):
    """A connection's transport that sends the head of an answer together with the first piece of its body.

    uvicorn writes them separately, each with a system call and a packet. A head without a body in the same turn of the
    event loop is sent alone.
    """

    def __init__(self, transport: asyncio.Transport, loop: asyncio.AbstractEventLoop) -> None:
        super().__init__()
        self._transport = transport
        self._loop = loop
        self._head: bytes | None = None

    def write(self, data: bytes | bytearray | memoryview) -> None:
        if self._head is not None:
            self._transport.writelines((self._head, data))
            self._head = None
        elif isinstance(data, bytes) and data.startswith(b"HTTP/1.1 ") and data.endswith(b"\r\n\r\n"):
            self._head = data
            self._loop.call_soon(self._write_head)
        else:
            self._transport.write(data)

    def close(self) -> None:
        self._write_head()
        self._transport.close()

    def is_closing(self) -> bool:
        return self._transport.is_closing()

    def pause_reading(self) -> None:
        self._transport.pause_reading()

    def resume_reading(self) -> None:
        self._transport.resume_reading()

    def get_extra_info(self, name: str, default: Any = None) -> Any:
        return self._transport.get_extra_info(name, default)

    def set_protocol(self, protocol: asyncio.BaseProtocol) -> None:
        self._transport.set_protocol(protocol)

    def _write_head(self) -> None:
        if self._head is not None:
            self._transport.write(self._head)
            self._head = None


class BoundedProtocol(HttpToolsProtocol):
    """A connection of uvicorn, with bounds."""

    connections_max: ClassVar[int] = 100_000
    """Connections of this process; above it the one idle the longest is closed. See `allow_many_connections`."""
    _idle: ClassVar[dict["BoundedProtocol", None]] = {}
    """Connections without a request, the one idle the longest first."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_timer: asyncio.TimerHandle | None = None
        self._bytes_without_progress = 0
        self._is_last = False
        """The next request is the last one on this connection."""

    def connection_made(self, transport: asyncio.Transport) -> None:
        super().connection_made(WholeAnswers(transport, self.loop))
        self._idle[self] = None
        self._await_head()
        if len(self.connections) > self.connections_max:
            next(iter(self._idle)).transport.close()

    def connection_lost(self, exc: Exception | None) -> None:
        self._stop_waiting()
        super().connection_lost(exc)

    def data_received(self, data: bytes) -> None:
        if self.transport.is_closing():
            return
        self._bytes_without_progress += len(data)
        if self._head_timer is None and not self._is_busy():
            self._await_head()
        super().data_received(data)
        if self._bytes_without_progress > HEAD_BYTES_MAX and not self.transport.is_closing():
            self._refuse()

    def on_headers_complete(self) -> None:
        self._bytes_without_progress = 0
        if len(self.pipeline) >= PIPELINE_MAX:
            raise TooMuch
        self._stop_waiting()
        super().on_headers_complete()
        if self._is_last:
            self.cycle.keep_alive = False

    def on_body(self, body: bytes) -> None:
        self._bytes_without_progress = 0
        super().on_body(body)

    def on_message_complete(self) -> None:
        self._bytes_without_progress = 0
        super().on_message_complete()

    def on_response_complete(self) -> None:
        super().on_response_complete()
        if not self.transport.is_closing() and not self._is_busy():
            self._idle[self] = None

    def shutdown(self) -> None:
        """Close the connection once the current request is answered, also one that is just arriving."""
        if self._head_timer is None:
            super().shutdown()
            return
        self._is_last = True
        self._head_timer.cancel()
        self._head_timer = self.loop.call_later(LAST_HEAD_SECONDS, self._close)

    def _is_busy(self) -> bool:
        # None until the first request, though its type does not say so.
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _await_head(self) -> None:
        self._head_timer = self.loop.call_later(HEAD_SECONDS_MAX, self._close)

    def _stop_waiting(self) -> None:
        self._idle.pop(self, None)
        if self._head_timer is not None:
            self._head_timer.cancel()
            self._head_timer = None

    def _close(self) -> None:
        if not self.transport.is_closing():
            self.transport.close()

    def _refuse(self) -> None:
        """Answer 431 unless another answer is under way; then close."""
        if not self._is_busy():
            self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


def allow_many_connections() -> None:
    """Raise this process's limit of open files as far as allowed, up to 65,536, and bound connections by it.

    Without the bound a flood of idle connections would leave no files for the database.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft != resource.RLIM_INFINITY:
        BoundedProtocol.connections_max = max(soft - FILES_KEPT, FILES_KEPT)
