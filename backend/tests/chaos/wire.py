"""The network between Zerkalo and YCLIENTS: a relay that can be cut, hang or be slow."""

import asyncio
import contextlib
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

CHUNK_BYTES = 64 * 1024


class Wire:
    """Relays connections from its own port to another one. `latency_seconds` holds every piece up."""

    def __init__(self, port: int, target_port: int) -> None:
        self.port = port
        self.latency_seconds = 0.0
        self._target_port = target_port
        self._flows = asyncio.Event()
        self._flows.set()
        self._server: asyncio.Server | None = None
        self._relays: set[asyncio.Task[None]] = set()

    async def open(self) -> None:
        """Take connections."""
        self._server = await asyncio.start_server(self._relay, "127.0.0.1", self.port)

    async def cut(self) -> None:
        """Refuse connections and break those that are open."""
        if self._server is not None:
            self._server.close()
            self._server = None
        for relay in list(self._relays):
            relay.cancel()
        await asyncio.gather(*self._relays, return_exceptions=True)

    @asynccontextmanager
    async def refusing(self) -> AsyncIterator[None]:
        """Nobody listens for as long as the block lasts."""
        await self.cut()
        try:
            yield
        finally:
            await self.open()

    @asynccontextmanager
    async def hanging(self) -> AsyncIterator[None]:
        """Connections are taken and nothing comes through."""
        self._flows.clear()
        try:
            yield
        finally:
            self._flows.set()

    async def _relay(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        relay = asyncio.current_task()
        assert relay is not None, "asyncio calls it in a task"
        self._relays.add(relay)
        try:
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", self._target_port)
            try:
                pumps = [
                    asyncio.create_task(self._pump(reader, far_writer)),
                    asyncio.create_task(self._pump(far_reader, writer)),
                ]
                try:
                    await asyncio.wait(pumps, return_when=asyncio.FIRST_COMPLETED)
                finally:
                    for pump in pumps:
                        pump.cancel()
            finally:
                far_writer.close()
        except (OSError, asyncio.CancelledError):
            pass  # the far end is gone, or the wire was cut: so is this one
        finally:
            self._relays.discard(relay)
            writer.close()

    async def _pump(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(OSError):
            while chunk := await reader.read(CHUNK_BYTES):
                await self._flows.wait()
                if self.latency_seconds:
                    await asyncio.sleep(self.latency_seconds)
                writer.write(chunk)
                await writer.drain()
