"""The emulator as a real server: sockets, real webhooks, broken connections, a clean end."""

import asyncio
import signal
import socket
import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import httpx2
import pytest
import uvicorn
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from tests.support.emulator import TOKENS
from yclients_emulator import cli

BACKEND = Path(__file__).parents[3]


def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


async def answers_soon(url: str) -> int:
    """The status of `url` as soon as somebody listens there; 0 when nobody does for ten seconds."""
    async with httpx2.AsyncClient(headers=TOKENS, trust_env=False) as client:
        for _ in range(200):
            try:
                return (await client.get(url)).status_code
            except httpx2.ConnectError:
                await asyncio.sleep(0.05)
    return 0


@asynccontextmanager
async def serving(server: uvicorn.Server) -> AsyncIterator[None]:
    task = asyncio.create_task(server.serve())
    while not server.started:
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


async def test_a_booking_s_webhook_arrives_by_http_while_the_salon_lives():
    got: asyncio.Queue[bytes] = asyncio.Queue()

    async def receive(request: Request) -> Response:
        await got.put(await request.body())
        return Response(status_code=200)

    hook_port, port = free_port(), free_port()
    hook_app = Starlette(routes=[Route("/hook", receive, methods=["POST"])])
    hook_server = uvicorn.Server(uvicorn.Config(hook_app, port=hook_port, log_level="warning"))
    emulator = cli.build(
        seed=2, webhook_url=f"http://127.0.0.1:{hook_port}/hook", life_seconds=0.05, hook_delay_seconds=0.05
    )

    async with serving(hook_server), serving(cli.new_server(emulator, port=port)):
        bodies = [await asyncio.wait_for(got.get(), 10) for _ in range(3)]

    assert all(b'"resource"' in body for body in bodies)
    assert [one.state for one in list(emulator.hooks.gone)[:3]] == ["sent"] * 3


async def test_a_disconnect_breaks_the_connection_in_the_middle_of_the_body():
    port = free_port()
    emulator = cli.build(life=False)
    base = f"http://127.0.0.1:{port}"

    async with (
        serving(cli.new_server(emulator, port=port)),
        httpx2.AsyncClient(headers=TOKENS, trust_env=False) as client,
    ):
        await client.post(f"{base}/_control/faults", json={"kind": "disconnect", "next": 1})
        with pytest.raises(httpx2.RemoteProtocolError):
            await client.get(f"{base}/api/v1/records/100200")
        assert (await client.get(f"{base}/api/v1/records/100200")).status_code == 200


@pytest.mark.parametrize("how", [signal.SIGINT, signal.SIGTERM])
async def test_the_command_prints_how_to_reach_it_and_ends_on_a_signal(how: signal.Signals):
    port = free_port()
    process = await asyncio.create_subprocess_exec(
        *(sys.executable, "-m", "yclients_emulator", "--port", str(port), "--life-seconds", "0.05"),
        cwd=BACKEND,
        stdout=asyncio.subprocess.PIPE,
    )
    assert process.stdout is not None
    try:
        lines = [(await asyncio.wait_for(process.stdout.readline(), 20)).decode() for _ in range(5)]
        assert f"YCLIENTS_API_URL=http://127.0.0.1:{port}/api/v1\n" in lines
        assert "YCLIENTS_COMPANY_ID=100200,100201,100202\n" in lines
        assert await answers_soon(f"http://127.0.0.1:{port}/api/v1/company/100200") == 200
    finally:
        process.send_signal(how)
        status = await asyncio.wait_for(process.wait(), 20)
    assert status in (0, -signal.SIGTERM)
