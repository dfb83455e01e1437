"""A YCLIENTS that answers what a test tells it to, and what the client needs around it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path

import httpx2

from zerkalo.yclients.client import YclientsClient
from zerkalo.yclients.limiter import Kind

FIXTURES = Path(__file__).parents[1] / "fixtures" / "yclients"
NOW = datetime(2026, 12, 2, 9, 0, tzinfo=UTC)

Answer = httpx2.Response | Exception | Callable[[httpx2.Request], httpx2.Response]


def body_of(number: str) -> bytes:
    """The sample body whose file name starts with that number."""
    (path,) = FIXTURES.glob(f"{number}-*.json")
    return path.read_bytes()


def answer(status: int, body: bytes | str | None = None, **headers: str) -> httpx2.Response:
    """An answer; a body given as text is the sample of that number."""
    content = body_of(body) if isinstance(body, str) else body or b""
    return httpx2.Response(
        status, content=content, headers={name.replace("_", "-"): value for name, value in headers.items()}
    )


class OpenLimiter:
    """A limiter that lets everything through and remembers who asked and for how long it was to pause."""

    def __init__(self) -> None:
        self.acquired: list[Kind] = []
        self.paused: list[float] = []

    async def acquire(self, kind: Kind) -> None:
        self.acquired.append(kind)

    async def pause(self, seconds: float) -> None:
        self.paused.append(seconds)


class ScriptedVendor:
    """Gives its answers in order, the last one again and again, and keeps the requests."""

    def __init__(self, *answers: Answer) -> None:
        self.answers = list(answers)
        self.requests: list[httpx2.Request] = []
        self.limiter = OpenLimiter()
        self.slept: list[float] = []

    def client(self, *, partner: str = "PARTNER-TOKEN", user: str = "USER-TOKEN") -> YclientsClient:
        """A client of this vendor that never really sleeps, with these tokens."""
        return YclientsClient(
            "https://api.example.com/api/v1",
            partner,
            user,
            self.limiter,
            transport=httpx2.MockTransport(self._answer),
            clock=lambda: NOW,
            sleep=self._sleep,
            rng=lambda: 1.0,
        )

    def bodies(self) -> Sequence[bytes]:
        """What was sent."""
        return [request.content for request in self.requests]

    def _answer(self, request: httpx2.Request) -> httpx2.Response:
        self.requests.append(request)
        told = self.answers.pop(0) if len(self.answers) > 1 else self.answers[0]
        if isinstance(told, Exception):
            raise told
        if isinstance(told, httpx2.Response):  # a fresh one each time: an answer can be read once
            return httpx2.Response(told.status_code, content=told.content, headers=told.headers)
        return told(request)

    async def _sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
