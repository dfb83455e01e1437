"""An answer leaves in one write, and nothing of it is ever kept back or put in another order."""

import asyncio
from collections.abc import Iterable

from zerkalo.web.connections import WholeAnswers

HEAD = b"HTTP/1.1 200 OK\r\ncontent-length: 4\r\n\r\n"


class Wire(asyncio.Transport):
    """Remembers each write."""

    def __init__(self) -> None:
        super().__init__()
        self.writes: list[bytes] = []
        self.is_closed = False

    def write(self, data: bytes | bytearray | memoryview) -> None:
        assert not self.is_closed
        self.writes.append(bytes(data))

    def writelines(self, list_of_data: Iterable[bytes | bytearray | memoryview]) -> None:
        self.write(b"".join(list_of_data))

    def close(self) -> None:
        self.is_closed = True


async def test_head_and_body_leave_together() -> None:
    wire = Wire()
    transport = WholeAnswers(wire, asyncio.get_running_loop())

    for _ in range(2):
        transport.write(HEAD)
        transport.write(b"body")
    transport.write(b"more")

    await asyncio.sleep(0)
    assert wire.writes == [HEAD + b"body", HEAD + b"body", b"more"]


async def test_a_head_whose_body_comes_later_does_not_wait_for_it() -> None:
    wire = Wire()
    transport = WholeAnswers(wire, asyncio.get_running_loop())

    transport.write(HEAD)
    await asyncio.sleep(0)
    transport.write(b"body")

    assert wire.writes == [HEAD, b"body"]


async def test_a_head_alone_leaves_before_the_connection_is_closed() -> None:
    wire = Wire()
    transport = WholeAnswers(wire, asyncio.get_running_loop())

    transport.write(HEAD)
    transport.close()

    await asyncio.sleep(0)
    assert wire.writes == [HEAD]
    assert wire.is_closed
