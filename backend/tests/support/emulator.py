"""What tests of and with the emulator share: a clock to turn, a receiver of webhooks, the sample bodies."""

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import httpx2

from yclients_emulator import DeliveryFailed, Emulator, build_app

FIXTURES = Path(__file__).parents[1] / "fixtures" / "yclients"
NOON = datetime(2026, 12, 2, 9, 0, tzinfo=UTC)  # a Wednesday, noon in Moscow
TOKENS = {"Authorization": "Bearer emulator-partner-token, User emulator-user-token"}
PARTNER = {"Authorization": "Bearer emulator-partner-token"}


def sample(number: str) -> Any:
    """The body of the fixture whose name starts with that number."""
    (path,) = FIXTURES.glob(f"{number}-*.json")
    return json.loads(path.read_text())


def kinds(value: Any) -> Any:
    """A body without its values: keys and JSON kinds; int and float are one kind."""
    if isinstance(value, dict):
        return {key: kinds(one) for key, one in value.items()}
    if isinstance(value, list):
        return [kinds(one) for one in value]
    return "number" if type(value) in (int, float) else type(value).__name__


class TurnedClock:
    """A clock that moves only when told to; `sleep` moves it too and remembers."""

    def __init__(self, now: datetime = NOON) -> None:
        self.now = now
        self.slept: list[float] = []

    def __call__(self) -> datetime:
        return self.now

    def pass_seconds(self, seconds: float) -> None:
        self.now += timedelta(seconds=seconds)

    async def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.pass_seconds(seconds)


class Receiver:
    """A webhook receiver that keeps what it gets and answers as told."""

    def __init__(self, status: int = 200) -> None:
        self.status = status
        self.reachable = True
        self.bodies: list[dict[str, Any]] = []

    async def send(self, url: str, body: bytes, timeout_seconds: float) -> int:
        if not self.reachable:
            raise DeliveryFailed("ConnectError")
        self.bodies.append(json.loads(body))
        return self.status


def caller(
    emulator: Emulator, headers: dict[str, str] | None = None, address: str = "10.0.0.1"
) -> httpx2.AsyncClient:
    """A client of the emulator's API, in process, with both tokens unless told otherwise."""
    return httpx2.AsyncClient(
        transport=httpx2.ASGITransport(app=build_app(emulator), client=(address, 1)),
        base_url="http://yclients/api/v1/",
        headers=TOKENS if headers is None else headers,
    )
