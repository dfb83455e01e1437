"""What a connection may cost: real sockets to a real server, by clients that want it to break."""

import asyncio
import json
import sys
import time
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import replace
from pathlib import Path

import httpx2
import psutil
import pytest

from tests.support.application import SECRET, WEBHOOK, Application, running_application
from tests.support.emulator import sample
from zerkalo.web import bodies, connections
from zerkalo.webhook.model import LIMITS

pytestmark = pytest.mark.integration

HOOK = f"{WEBHOOK}/{SECRET}"
EVENT = sample("01")
EVENT["data"]["last_change_date"] = "2025-12-01T12:00:00+0300"  # past: a change ahead of now is asked for
BODY = json.dumps(EVENT).encode()
REGISTER = "/api/v1/auth/register"


@pytest.fixture
async def application(dsn: str, tmp_path: Path) -> AsyncIterator[Application]:
    async with running_application(dsn, tmp_path) as running:
        yield running


@pytest.fixture
async def port(application: Application) -> AsyncIterator[int]:
    async with application.listening() as listening:
        yield listening


@asynccontextmanager
async def connected(port: int) -> AsyncIterator[tuple[asyncio.StreamReader, asyncio.StreamWriter]]:
    reader, writer = await asyncio.open_connection("127.0.0.1", port)
    try:
        yield reader, writer
    finally:
        writer.close()


async def everything(reader: asyncio.StreamReader, seconds: float = 5) -> bytes:
    """What comes until the server closes the connection; fails if it does not."""
    answer = b""
    async with asyncio.timeout(seconds):
        while True:
            try:
                part = await reader.read(65_536)
            except ConnectionResetError:
                return answer
            if not part:
                return answer
            answer += part


async def sent(port: int, data: bytes, seconds: float = 5) -> bytes:
    """What the server answers to these bytes until it closes the connection."""
    async with connected(port) as (reader, writer):
        writer.write(data)
        return await everything(reader, seconds)


def head(path: str = HOOK, method: str = "POST", **headers: str) -> bytes:
    """A request's head, ready for its body."""
    lines = [f"{name.replace('_', '-')}: {value}" for name, value in {"Host": "salon", **headers}.items()]
    return "\r\n".join([f"{method} {path} HTTP/1.1", *lines, "", ""]).encode()


async def assert_alive(port: int) -> None:
    async with httpx2.AsyncClient(trust_env=False) as client:
        assert (await client.get(f"http://127.0.0.1:{port}/readyz", timeout=5)).status_code == 200


async def test_a_connection_that_says_nothing_is_closed(port: int, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS_MAX", 0.2)

    assert await sent(port, b"", seconds=3) == b""


async def test_a_head_that_comes_letter_by_letter_is_not_waited_for(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Slow-loris: each letter in time, the head never."""
    monkeypatch.setattr(connections, "HEAD_SECONDS_MAX", 0.5)
    async with connected(port) as (reader, writer):
        writer.write(b"POST /api/v1/yclients/webhook HTTP/1.1\r\nHost: s\r\n")
        began = time.monotonic()

        async def drip() -> None:
            while True:
                writer.write(b"X-Slow: a\r\n")
                await asyncio.sleep(0.05)

        dripping = asyncio.create_task(drip())
        try:
            await everything(reader)
        finally:
            dripping.cancel()

    assert time.monotonic() - began < 3
    await assert_alive(port)


async def test_after_an_answer_the_next_head_has_its_time_too(
    port: int, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with connected(port) as (reader, writer):
        writer.write(head("/healthz", "GET"))
        assert b"200 OK" in await reader.readuntil(b"}")
        monkeypatch.setattr(connections, "HEAD_SECONDS_MAX", 0.2)
        writer.write(b"GET /healthz HT")

        assert await everything(reader, 3) == b""


@pytest.mark.parametrize(
    "flood",
    [
        pytest.param(b"X-Many: value\r\n" * 40_000, id="many headers"),
        pytest.param(b"X-Long: " + b"a" * 2_000_000, id="one endless header"),
        pytest.param(b"a" * 2_000_000, id="an endless name"),
    ],
)
async def test_an_endless_head_is_refused(port: int, flood: bytes) -> None:
    answer = await sent(port, b"POST " + HOOK.encode() + b" HTTP/1.1\r\nHost: s\r\n" + flood)

    assert answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")) or answer == b""
    await assert_alive(port)


async def test_an_endless_address_is_refused(port: int) -> None:
    answer = await sent(port, b"GET /" + b"a" * 2_000_000)

    assert answer.startswith((b"HTTP/1.1 431", b"HTTP/1.1 400")) or answer == b""


async def test_endless_trailers_are_refused(port: int) -> None:
    chunked = head(Transfer_Encoding="chunked", Content_Type="application/json")
    answer = await sent(port, chunked + b"2\r\n{}\r\n0\r\n" + b"X-Trailer: value\r\n" * 40_000)

    assert b"200 OK" not in answer
    await assert_alive(port)


async def test_a_thousand_requests_at_once_on_one_connection_end_it(port: int) -> None:
    answer = await sent(port, head("/healthz", "GET") * 1_000)

    assert answer.count(b"200 OK") <= connections.PIPELINE_MAX + 1
    await assert_alive(port)


async def test_some_requests_at_once_on_one_connection_are_all_answered(port: int) -> None:
    closing = head("/healthz", "GET", Connection="close")
    answer = await sent(port, head("/healthz", "GET") * 4 + closing)

    assert answer.count(b"200 OK") == 5


@pytest.mark.parametrize("path", [HOOK, REGISTER], ids=["webhook", "register"])
async def test_a_body_that_never_comes_is_not_waited_for(
    application: Application, port: int, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    application.app.webhook.limits = replace(LIMITS, body_seconds=0.3)
    monkeypatch.setattr(bodies, "BODY_SECONDS_MAX", 0.3)
    monkeypatch.setattr(connections, "HEAD_SECONDS_MAX", 0.3)
    unfinished = head(path, Content_Length="100", Content_Type="application/json", Connection="close")

    answer = await sent(port, unfinished + b'{"email": ')

    assert answer.startswith(b"HTTP/1.1 408")
    assert b"application/problem+json" in answer


@pytest.mark.parametrize("path", [HOOK, REGISTER], ids=["webhook", "register"])
async def test_a_body_without_a_length_is_bounded_too(
    port: int, path: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(connections, "HEAD_SECONDS_MAX", 1.0)
    async with connected(port) as (reader, writer):
        writer.write(head(path, Transfer_Encoding="chunked", Content_Type="application/json"))
        part = b"10000\r\n" + b" " * 65_536 + b"\r\n"

        async def flood() -> None:
            for _ in range(80):  # 5 MiB
                writer.write(part)
                await writer.drain()

        flooding = asyncio.create_task(flood())
        answer = await everything(reader)
        flooding.cancel()

    assert answer.startswith(b"HTTP/1.1 413")


@pytest.mark.parametrize("path", [HOOK, REGISTER, "/api/v1/auth/login"])
async def test_five_mebibytes_are_refused_before_they_are_read(port: int, path: str) -> None:
    process = psutil.Process()
    before = process.memory_info().rss
    body = b'{"a": "' + b"x" * (5 * 1024 * 1024) + b'"}'
    async with httpx2.AsyncClient(trust_env=False, base_url=f"http://127.0.0.1:{port}") as client:
        for _ in range(10):
            try:
                answer = await client.post(path, content=body, headers={"Content-Type": "application/json"})
            except httpx2.TransportError:  # the server closed while we were still sending
                continue
            assert answer.status_code in (413, 422)

    assert process.memory_info().rss - before < 60 * 1024 * 1024


HALF_CHUNKED = b"0\r\n\r\nGET /smuggled HTTP/1.1\r\nHost: s\r\n\r\n"


@pytest.mark.parametrize(
    "request_head",
    [
        pytest.param(head(Content_Length="6", Transfer_Encoding="chunked"), id="length and chunked"),
        pytest.param(head(Content_Length="4")[:-2] + b"Content-Length: 44\r\n\r\n", id="two lengths"),
        pytest.param(head(Content_Length="+6"), id="a signed length"),
        pytest.param(head(Transfer_Encoding="chunked, identity"), id="chunked not last"),
        pytest.param(head(Transfer_Encoding="xchunked"), id="nearly chunked"),
        pytest.param(
            b"POST /healthz HTTP/1.1\r\nHost : s\r\nTransfer-Encoding : chunked\r\n\r\n", id="a space"
        ),
        pytest.param(b"POST /healthz HTTP/1.1\r\nHost: s\r\nX: a\r\n Content-Length: 3\r\n\r\n", id="folded"),
        pytest.param(b"POST /healthz HTTP/1.1\nHost: s\n\n", id="bare line feeds"),
        pytest.param(b"POST /healthz HTTP/1.1\r\nHost: s\r\nX: a\x00b\r\n\r\n", id="NUL in a header"),
    ],
)
async def test_a_head_that_two_servers_may_read_differently_ends_the_connection(
    port: int, request_head: bytes, monkeypatch: pytest.MonkeyPatch
) -> None:
    """No second request is ever read out of the body of a doubtful one."""
    monkeypatch.setattr(connections, "HEAD_SECONDS_MAX", 0.5)
    answer = await sent(port, request_head + HALF_CHUNKED)

    assert answer.count(b"HTTP/1.1 ") <= 1
    assert b"smuggled" not in answer


async def test_an_upgrade_is_not_followed(port: int) -> None:
    upgrade = head("/healthz", "GET", Connection="Upgrade, close", Upgrade="websocket", Sec_WebSocket_Key="a")

    assert b"101 " not in await sent(port, upgrade)


IDLE_CLIENTS = """
import asyncio, resource, sys
resource.setrlimit(resource.RLIMIT_NOFILE, (resource.getrlimit(resource.RLIMIT_NOFILE)[1],) * 2)
async def main(port, count):
    held = []
    while len(held) < count:
        held += await asyncio.gather(*(asyncio.open_connection("127.0.0.1", port) for _ in range(200)))
    print("held", flush=True)
    await asyncio.to_thread(sys.stdin.read)
asyncio.run(main(int(sys.argv[1]), int(sys.argv[2])))
"""


@pytest.mark.slow
@pytest.mark.parametrize(("count", "connections_max"), [(10_000, 15_000), (10_000, 500)])
async def test_ten_thousand_idle_connections_stop_nobody(
    port: int, monkeypatch: pytest.MonkeyPatch, count: int, connections_max: int
) -> None:
    """With room for them, and where most must be closed so that others come in."""
    connections.allow_many_connections()
    monkeypatch.setattr(connections.BoundedProtocol, "connections_max", connections_max)
    before = psutil.Process().memory_info().rss
    clients = await asyncio.create_subprocess_exec(
        *(sys.executable, "-c", IDLE_CLIENTS, str(port), str(count)),
        stdin=asyncio.subprocess.PIPE,
        stdout=asyncio.subprocess.PIPE,
    )
    assert clients.stdout is not None
    try:
        assert await asyncio.wait_for(clients.stdout.readline(), 60) == b"held\n"
        began = time.monotonic()
        await assert_alive(port)
        async with httpx2.AsyncClient(trust_env=False) as client:
            answer = await client.post(f"http://127.0.0.1:{port}{HOOK}", content=BODY)

        assert answer.json()["status"] == "applied"
        assert time.monotonic() - began < 3
        assert psutil.Process().memory_info().rss - before < 300 * 1024 * 1024
    finally:
        clients.kill()
        await clients.wait()
