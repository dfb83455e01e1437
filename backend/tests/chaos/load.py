"""The load: a salon that lives fast, its webhooks carried to either server, and a memory of every answer."""

import asyncio
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime

import httpx2

from yclients_emulator import DeliveryFailed, Emulator
from yclients_emulator.faults import Chance
from yclients_emulator.hooks import HookModes
from yclients_emulator.life import Life, Person

PATH = "/api/v1/yclients/webhook"
STEP_SECONDS = 0.025
"""One thing happens in the salon so often."""
ANSWER_SECONDS_MAX = 15.0
"""So long YCLIENTS waits for an answer (yclients-api.md)."""
MODES = HookModes(
    delay_seconds=0,
    timeout_seconds=ANSWER_SECONDS_MAX,
    drop=Chance(probability=0.02),
    duplicate=Chance(probability=0.05),
    duplicate_times=2,
    reorder=Chance(probability=0.1),
    reorder_seconds=3,
    partial=Chance(probability=0.05),
    bare_delete=Chance(probability=0.2),
)
"""As badly as YCLIENTS itself delivers, on a good day."""


@dataclass(frozen=True)
class Acknowledged:
    """A call that was answered 200: what it was about, what the answer said."""

    record_id: int
    version: datetime | None
    """The change time that it told; None for a partial one."""
    status: str


@dataclass
class Tally:
    """Answers counted over some time."""

    answers: Counter[str] = field(default_factory=Counter[str])
    slowest_seconds: float = 0.0


class Load:
    """Carries the emulator's webhooks (it is the emulator's `Sender`), each once, as YCLIENTS does."""

    def __init__(self, ports: Sequence[int], secret: str, *, seed: int) -> None:
        self.acknowledged: dict[int, Acknowledged] = {}
        """By the number that the call carries in its body."""
        self.sent = Counter[int]()
        """Record -> how many calls about it were sent, whatever became of them."""
        self.wrong: list[str] = []
        """Answers that no call may ever get."""
        self.whole = Tally()
        self.tally = Tally()
        """Since the last `new_tally`."""
        self.acknowledged_since: dict[int, float] = dict.fromkeys(ports, 0.0)
        """Port -> when the last call began that this server answered 200."""
        self.under_way = 0
        """Calls that were not answered yet."""
        self._ports = tuple(ports)
        self._secret = secret
        self._rng = random.Random(seed)
        self._numbers = itertools.count(1)
        self._client = httpx2.AsyncClient(
            trust_env=False, limits=httpx2.Limits(max_connections=64, max_keepalive_connections=64)
        )

    def new_tally(self) -> Tally:
        """Begin to count anew; returns what is being counted from here on."""
        self.tally = Tally()
        return self.tally

    async def live(self, emulator: Emulator, company_id: int, people: Sequence[Person]) -> None:
        """Let things happen in the salon, for ever."""
        life = Life(emulator, people=people, company_ids=[company_id])
        while True:
            life.step()
            await asyncio.sleep(STEP_SECONDS)

    async def send(self, url: str, body: bytes, timeout_seconds: float) -> int:
        """Carry one webhook to one of the servers and remember the answer."""
        del url
        self.under_way += 1
        try:
            return await self._carry(body, timeout_seconds)
        finally:
            self.under_way -= 1

    async def close(self) -> None:
        await self._client.aclose()

    async def _carry(self, body: bytes, timeout_seconds: float) -> int:
        number = next(self._numbers)
        port = self._rng.choice(self._ports)
        began_at = time.monotonic()
        self.sent[json.loads(body)["resource_id"]] += 1
        try:
            answer = await self._client.post(
                f"http://127.0.0.1:{port}{PATH}",
                params={"token": self._secret},
                content=b'{"call":%d,' % number + body[1:],
                timeout=timeout_seconds,
            )
        except httpx2.ConnectError as error:
            self._count("nobody there", began_at)
            raise DeliveryFailed(type(error).__name__) from error
        except httpx2.TimeoutException as error:
            self._count("too late", began_at)
            self.wrong.append(f"call {number}: no answer in {timeout_seconds:.0f} s from a server that lives")
            raise DeliveryFailed(type(error).__name__) from error
        except httpx2.TransportError as error:
            self._count("cut off", began_at)
            raise DeliveryFailed(type(error).__name__) from error
        self._count(str(answer.status_code), began_at)
        if answer.status_code == httpx2.codes.OK:
            self.acknowledged[number] = _acknowledged(body, answer.json()["status"])
            self.acknowledged_since[port] = max(began_at, self.acknowledged_since[port])
        elif answer.status_code != httpx2.codes.SERVICE_UNAVAILABLE:
            self.wrong.append(f"call {number}: answered {answer.status_code} {answer.text[:200]}")
        elif not answer.headers.get("retry-after", "").isdigit():
            self.wrong.append(f"call {number}: 503 without Retry-After")
        return answer.status_code

    def _count(self, what: str, began_at: float) -> None:
        seconds = time.monotonic() - began_at
        for tally in (self.whole, self.tally):
            tally.answers[what] += 1
            tally.slowest_seconds = max(tally.slowest_seconds, seconds)


def _acknowledged(body: bytes, status: str) -> Acknowledged:
    told = json.loads(body)
    changed = told["data"].get("last_change_date") if isinstance(told["data"], dict) else None
    return Acknowledged(told["resource_id"], changed and datetime.fromisoformat(changed), status)
