"""How long and how large the head of a request may be, who goes when connections run out, and an answer in one write.

uvicorn bounds neither: a connection that never says anything stays for ever, one that never ends its headers grows for
ever. What a request's body may be is told by `web.bodies` and by the webhook itself.
"""

import asyncio
import resource
from typing import Any, ClassVar

from uvicorn.protocols.http.httptools_impl import STATUS_LINE, HttpToolsProtocol

HEAD_BYTES_MAX = 64 * 1024
"""Of the request line and the headers, and of trailers or chunk sizes between two parts of a body."""
HEAD_SECONDS_MAX = 10.0
"""From the opening of a connection, or the first byte of a further request on it, to the end of its headers."""
LAST_HEAD_SECONDS = 0.3
"""How long a server that is stopped waits for a request that is on its way: on a connection that has just been opened, or
a head of which a part is there. A proxy does not send it again where it is a POST."""
PIPELINE_MAX = 8
"""Requests that wait for the one before on the same connection. Browsers and proxies send none."""
FILES_KEPT = 100
"""Open files that are no clients' connections: the database, YCLIENTS, the mail server, the log."""


class TooMuch(Exception):
    """The client sends more than may be; raised inside the parser, it ends the connection with a 400."""


class WholeAnswers(asyncio.Transport):
    """The transport of a connection, on which the head of an answer leaves together with the first piece of its body.

    uvicorn writes them one after the other, each a system call and, for who asked, a packet. A head without a body in the
    same turn of the loop leaves alone.
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
    """One connection of uvicorn's, with bounds."""

    connections_max: ClassVar[int] = 100_000
    """In this process; over it the one that has waited longest for a head is closed. See `allow_many_connections`."""
    _idle: ClassVar[dict["BoundedProtocol", None]] = {}
    """Connections on which nothing is under way, the longest waiting first."""

    def __init__(self, *args: Any, **options: Any) -> None:
        super().__init__(*args, **options)
        self._head_timer: asyncio.TimerHandle | None = None
        self._bytes_without_progress = 0
        self._is_last = False
        """The next request is the last one here."""

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
        """End when what is under way is answered, a request that is on its way among it."""
        if self._head_timer is None:
            super().shutdown()
            return
        self._is_last = True
        self._head_timer.cancel()
        self._head_timer = self.loop.call_later(LAST_HEAD_SECONDS, self._close)

    def _is_busy(self) -> bool:
        # None until the first request, which its type does not say.
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
        """431, where no answer is under way; else only the end."""
        if not self._is_busy():
            self.transport.write(STATUS_LINE[431] + b"content-length: 0\r\nconnection: close\r\n\r\n")
        self.transport.close()


def allow_many_connections() -> None:
    """Raise this process's limit of open files as far as it may go, and bound connections by it.

    Without the bound a flood of idle connections would leave no file for the database's.
    """
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = min(hard, 65_536) if hard != resource.RLIM_INFINITY else 65_536
    if soft != resource.RLIM_INFINITY and soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))
        soft = wanted
    if soft != resource.RLIM_INFINITY:
        BoundedProtocol.connections_max = max(soft - FILES_KEPT, FILES_KEPT)
