"""The door as an ASGI application: what it refuses before it reads, and what it leaves in counts and log."""

import asyncio
import json
from collections.abc import AsyncIterator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, datetime

import httpx2
import pytest
from psycopg import OperationalError
from psycopg.errors import DiskFull, ReadOnlySqlTransaction
from structlog.testing import capture_logs

from tests.support.vendor import COMPANY_ID, RECORD_ID, State, event
from zerkalo.mirror.model import Item, Outcome, OutcomeStatus
from zerkalo.webhook.committer import Committer
from zerkalo.webhook.model import LIMITS, Limits
from zerkalo.webhook.routes import PATH, Tally, Webhook, is_webhook

BODY = json.dumps(event(State(1))).encode()


class Door:
    """A webhook over a database that takes everything; remembers what reached it."""

    def __init__(self, *secrets: str, limits: Limits = LIMITS) -> None:
        self.secrets = secrets
        self.limits = limits
        self.tally = Tally()
        self.items: list[Item] = []
        self.error: Exception | None = None

    async def take(self, items: Sequence[Item]) -> list[Outcome]:
        self.items += items
        if self.error is not None:
            raise self.error
        return [Outcome(OutcomeStatus.APPLIED, booking_id=7) for _ in items]

    @asynccontextmanager
    async def open(self) -> AsyncIterator[httpx2.AsyncClient]:
        async with Committer(self.take, limits=self.limits) as committer:
            webhook = Webhook(
                committer,
                {COMPANY_ID},
                self.secrets,
                clock=lambda: datetime(2026, 12, 1, tzinfo=UTC),
                tally=self.tally,
                limits=self.limits,
            )
            transport = httpx2.ASGITransport(webhook)
            async with httpx2.AsyncClient(transport=transport, base_url="http://salon") as client:
                yield client


@pytest.mark.parametrize(
    ("path", "is_ours"),
    [
        (PATH, True),
        (f"{PATH}/", True),
        (f"{PATH}/token", True),
        (f"{PATH}s", False),
        ("/api/v1/yclients/runs", False),
        ("/", False),
    ],
)
def test_only_the_webhooks_addresses_are_the_doors(path: str, is_ours: bool) -> None:
    assert is_webhook(path) is is_ours


@pytest.mark.parametrize(
    "end", ["?token=one", "/one", "/one/", "/?token=one", "?token=one/", "?token=two", "/two/"]
)
async def test_each_secret_is_taken_wherever_it_stands_and_with_a_slash_at_the_end(end: str) -> None:
    door = Door("one", "two")
    async with door.open() as client:
        answer = await client.post(PATH + end, content=BODY)

    assert (answer.status_code, answer.json()) == (200, {"status": "applied", "booking_id": 7})


@pytest.mark.parametrize("end", ["", "/", "?token=", "?token=three", "/three", "?token=one,two", "/one/two"])
async def test_no_other_token_is_taken_and_its_body_is_not_read(end: str) -> None:
    door = Door("one", "two")

    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body is read")
        yield b""

    async with door.open() as client:
        answer = await client.post(PATH + end, content=unread())

    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_token")
    assert answer.headers["connection"] == "close", "nobody waits for the rest of the body"
    assert door.items == []


async def test_without_a_secret_a_large_body_is_refused_unread() -> None:
    door = Door()

    async def unread() -> AsyncIterator[bytes]:
        raise AssertionError("the body is read")
        yield b""

    too_large = {"Content-Length": str(LIMITS.unsigned_body_bytes + 1)}
    async with door.open() as client:
        refused = await client.post(PATH, content=unread(), headers=too_large)
        fits = await client.post(PATH, content=BODY.ljust(LIMITS.unsigned_body_bytes))
        over = await client.post(PATH, content=BODY.ljust(LIMITS.unsigned_body_bytes + 1))

    assert [one.status_code for one in (refused, fits, over)] == [413, 200, 413]


async def test_without_a_length_no_more_is_read_than_may_be() -> None:
    sent = 0

    async def endless() -> AsyncIterator[bytes]:
        nonlocal sent
        while True:
            sent += 16_384
            yield b" " * 16_384

    async with Door().open() as client:
        answer = await client.post(PATH, content=endless())

    assert answer.status_code == 413
    assert sent <= LIMITS.unsigned_body_bytes + 16_384


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "OPTIONS"])
async def test_another_method_is_told_the_one_there_is(method: str) -> None:
    async with Door("one").open() as client:
        answer = await client.request(method, f"{PATH}/one")

    assert (answer.status_code, answer.headers["allow"]) == (405, "POST")


async def test_a_fault_of_ours_is_answered_as_a_problem_and_logged_without_the_body() -> None:
    door = Door("one")
    door.error = RuntimeError("nobody thought of it")
    with capture_logs() as logged:
        async with door.open() as client:
            answer = await client.post(f"{PATH}/one", content=BODY)

    assert (answer.status_code, answer.json()["code"]) == (500, "internal_error")
    assert answer.headers["content-type"] == "application/problem+json"
    assert "webhook failed" in [one["event"] for one in logged]


@pytest.mark.parametrize(
    ("error", "reason"),
    [
        (
            DiskFull('could not extend file "base/1/2": No space left on device'),
            "the disk of the database is full",
        ),
        (ReadOnlySqlTransaction("cannot execute INSERT"), "the database is read-only"),
        (OperationalError("server closed the connection"), "the database does not answer"),
    ],
)
async def test_the_line_about_calls_not_stored_says_why(error: Exception, reason: str) -> None:
    door = Door("one")
    door.error = error
    with capture_logs() as logged:
        async with door.open() as client:
            answer = await client.post(f"{PATH}/one", content=BODY)
        door.tally.log()

    assert (answer.status_code, answer.json()["code"]) == (503, "database_unavailable")
    assert [one["event"] for one in logged] == [f"webhook not stored: {reason}"]


async def test_many_calls_are_one_line_of_the_log() -> None:
    door = Door("one")
    with capture_logs() as logged:
        async with door.open() as client:
            for _ in range(50):
                await client.post(f"{PATH}/one", content=BODY)
            for _ in range(30):
                await client.post(f"{PATH}/two", content=BODY)
            await client.post(f"{PATH}/one", content=b"not json")
        door.tally.log()
        door.tally.log()

    lines = [(one["log_level"], one["event"]) for one in logged]
    assert lines == [
        ("info", "webhook"),
        ("warning", "webhook refused: wrong token"),
        ("warning", "webhook refused: not json"),
    ]
    assert logged[0]["applied"] == 50
    assert logged[0]["yclients_record_ids"] == [RECORD_ID] * 20
    assert logged[1]["count"] == 30


async def test_a_lone_call_is_in_the_log_a_moment_later() -> None:
    tally = Tally(log_seconds=0.01)
    with capture_logs() as logged:
        tally.count("applied", 0.001, 5)
        assert logged == []
        async with asyncio.timeout(10):
            while not logged:
                await asyncio.sleep(0.01)

    assert logged[0]["yclients_record_ids"] == [5]


async def test_the_bounds_of_time_are_told_as_prometheus_has_them() -> None:
    tally = Tally()
    for seconds in (0.0005, 0.001, 0.004, 60):
        tally.count("applied", seconds)

    found = dict(tally.seconds.buckets())
    assert (found["0.001"], found["0.0025"], found["0.005"], found["10.0"], found["+Inf"]) == (2, 2, 3, 3, 4)
