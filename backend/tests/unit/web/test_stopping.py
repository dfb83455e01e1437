"""A server that is stopped answers the request that is on its way: real sockets to a real server."""

import asyncio
import os
import signal
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager

import pytest
from starlette.types import Receive, Scope, Send

from tests.support.application import free_port
from zerkalo.main import Server, serve_until_stopped, server_of

REQUEST = b"POST / HTTP/1.1\r\nHost: salon\r\nContent-Length: 2\r\n\r\n{}"


async def app(scope: Scope, receive: Receive, send: Send) -> None:
    await send({"type": "http.response.start", "status": 200, "headers": [(b"content-length", b"4")]})
    await send({"type": "http.response.body", "body": b"done"})


@asynccontextmanager
async def serving() -> AsyncIterator[tuple[Server, int, asyncio.Task[None]]]:
    port = free_port()
    server = server_of(app, "127.0.0.1", port, lifespan="off")
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    yield server, port, task
    server.should_exit = True
    async with asyncio.timeout(10):
        await task


@pytest.mark.parametrize("sent_before", [0, 10], ids=["nothing yet", "a part of the head"])
async def test_a_request_on_its_way_is_answered_and_is_the_last(sent_before: int) -> None:
    async with serving() as (server, port, task):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        writer.write(REQUEST[:sent_before])
        await asyncio.sleep(0.05)
        server.should_exit = True
        await asyncio.sleep(0.2)  # uvicorn looks every tenth of a second

        writer.write(REQUEST[sent_before:])

        assert (await reader.read()).endswith(b"done")
        writer.close()
        async with asyncio.timeout(2):
            await task


async def test_a_connection_on_which_nothing_comes_holds_nobody_up() -> None:
    async with serving() as (server, port, task):
        reader, writer = await asyncio.open_connection("127.0.0.1", port)
        await asyncio.sleep(0.05)
        server.should_exit = True
        async with asyncio.timeout(2):
            await task
        assert await reader.read() == b""
        writer.close()


async def test_a_stopped_server_answers_until_the_delay_is_over_or_a_second_signal_comes() -> None:
    port, told = free_port(), asyncio.Event()
    server = server_of(app, "127.0.0.1", port, lifespan="off")
    task = asyncio.create_task(serve_until_stopped(server, told, delay_seconds=60))
    while not server.started:
        await asyncio.sleep(0.01)

    os.kill(os.getpid(), signal.SIGTERM)
    await told.wait()
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    writer.write(REQUEST)

    assert (await reader.readuntil(b"done")).startswith(b"HTTP/1.1 200")
    writer.close()
    os.kill(os.getpid(), signal.SIGTERM)
    async with asyncio.timeout(10):
        await task
