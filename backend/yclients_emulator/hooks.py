"""The vendor's webhooks: late, sent once, in no guaranteed order; and worse with the modes."""

import asyncio
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from random import Random
from typing import Any, Protocol

import httpx2
import msgspec
from msgspec import Struct, structs

from yclients_emulator.faults import Chance, Dice

LOG_LENGTH = 10_000
CONCURRENT_MAX = 32


class DeliveryFailed(Exception):
    """The receiver could not be reached, or did not answer in time."""


class Sender(Protocol):
    """Sends one webhook body to a URL."""

    async def send(self, url: str, body: bytes, timeout_seconds: float) -> int:
        """POST once and return the HTTP status; DeliveryFailed when there is none."""
        ...


class HttpSender:
    """Posts over the network."""

    def __init__(self) -> None:
        self._client: httpx2.AsyncClient | None = None

    async def send(self, url: str, body: bytes, timeout_seconds: float) -> int:
        if self._client is None:
            self._client = httpx2.AsyncClient(trust_env=False)
        headers = {"Content-Type": "application/json"}
        try:
            answer = await self._client.post(url, content=body, headers=headers, timeout=timeout_seconds)
        except (httpx2.HTTPError, httpx2.InvalidURL) as error:
            raise DeliveryFailed(type(error).__name__) from error
        return answer.status_code

    async def close(self) -> None:
        if self._client is not None:
            await self._client.aclose()
            self._client = None


class HookModes(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How deliveries go wrong; every mode off by default. Times in seconds."""

    delay_seconds: float = 5.0
    timeout_seconds: float = 15.0
    retries: int = 0  # further attempts after no answer, 429 or 5xx: none on YCLIENTS, two on Altegio
    retry_seconds: float = 1.5
    drop: Chance = Chance()
    duplicate: Chance = Chance()
    duplicate_times: int = 4  # copies in all, as once reported
    reorder: Chance = Chance()
    reorder_seconds: float = 20.0  # the maximum delay of a reordered one, so that later ones overtake it
    delayed: Chance = Chance()
    delayed_seconds: float = 600.0
    partial: Chance = Chance()  # of a record update only `id` and `comment` (body 12)
    bare_delete: Chance = Chance()  # of a delete only `id`, `company_id`, `deleted` (body 07)


class Delivery(Struct, kw_only=True):
    """One call to one URL: waiting, then `sent` (with its HTTP status), `failed` or `dropped`."""

    id: int
    url: str
    body: bytes
    made_at: datetime
    due_at: datetime
    state: str = "waiting"
    http_status: int | None = None
    error: str | None = None
    sent_at: datetime | None = None
    attempts: int = 0


class HookQueue:
    """Waiting and past deliveries.

    `clock` is the emulator's time. A simulation calls `deliver_due` (or removes deliveries with `take_due` and
    sends them itself); a real run keeps `run` running. One attempt each, as the vendor does, unless the modes have
    `retries`.
    """

    def __init__(
        self,
        rng: Random,
        clock: Callable[[], datetime],
        sender: Sender,
    ) -> None:
        self.sender = sender
        self.waiting: list[Delivery] = []
        self.gone: deque[Delivery] = deque(maxlen=LOG_LENGTH)
        self._rng = rng
        self._clock = clock
        self._last_id = 0
        self._bell = asyncio.Event()
        self.set_modes(HookModes())

    # --- modes

    @property
    def modes(self) -> HookModes:
        """The modes with their remaining counts."""
        return structs.replace(self._modes, **{name: dice.chance for name, dice in self._dice.items()})

    def set_modes(self, modes: HookModes) -> None:
        self._modes = modes
        names = ("drop", "duplicate", "reorder", "delayed", "partial", "bare_delete")
        self._dice = {name: Dice(self._rng, getattr(modes, name)) for name in names}

    # --- queueing

    def announce(self, urls: tuple[str, ...], envelope: dict[str, Any]) -> None:
        """Queue this envelope for every URL, changed by the modes."""
        body = msgspec.json.encode(self._thinned(envelope))
        for url in urls:
            copies = self._modes.duplicate_times if self._dice["duplicate"].roll() else 1
            for _ in range(copies):
                self._queue(url, body)
        self.wake()

    def wake(self) -> None:
        """Make `run` check the clock again."""
        self._bell.set()

    def _thinned(self, envelope: dict[str, Any]) -> dict[str, Any]:
        data = envelope["data"]
        if envelope["resource"] != "record":
            return envelope
        if envelope["status"] == "delete" and self._dice["bare_delete"].roll():
            return envelope | {"data": {name: data[name] for name in ("id", "company_id", "deleted")}}
        if envelope["status"] == "update" and self._dice["partial"].roll():
            return envelope | {"data": {name: data[name] for name in ("id", "comment")}}
        return envelope

    def _queue(self, url: str, body: bytes) -> None:
        now = self._clock()
        late = self._modes.delay_seconds
        if self._dice["reorder"].roll():
            late += self._rng.uniform(0, self._modes.reorder_seconds)
        if self._dice["delayed"].roll():
            late += self._modes.delayed_seconds
        self._last_id += 1
        due_at = now + timedelta(seconds=late)
        delivery = Delivery(id=self._last_id, url=url, body=body, made_at=now, due_at=due_at)
        if self._dice["drop"].roll():
            delivery.state = "dropped"
            self.gone.append(delivery)
        else:
            self.waiting.append(delivery)

    # --- delivering

    def next_due_at(self) -> datetime | None:
        """When the next delivery is due; None when nothing waits."""
        return min((delivery.due_at for delivery in self.waiting), default=None)

    def take_due(self, now: datetime | None = None, *, everything: bool = False) -> list[Delivery]:
        """Remove and return what is due at `now` (the clock's, if None), or everything, in order of time."""
        moment = self._clock() if now is None else now
        due = [one for one in self.waiting if everything or one.due_at <= moment]
        taken = {one.id for one in due}
        self.waiting = [one for one in self.waiting if one.id not in taken]
        return sorted(due, key=lambda one: (one.due_at, one.id))

    async def deliver_due(self, *, everything: bool = False) -> int:
        """Send what is due, one after another; return how many were sent or tried."""
        due = self.take_due(everything=everything)
        for delivery in due:
            await self.deliver(delivery)
        return len(due)

    async def deliver(self, delivery: Delivery) -> None:
        """Make one attempt; a receiver that fails loses the event, unless it is tried again."""
        delivery.sent_at, delivery.attempts = self._clock(), delivery.attempts + 1
        delivery.http_status = delivery.error = None
        try:
            delivery.http_status = await self.sender.send(
                delivery.url, delivery.body, self._modes.timeout_seconds
            )
            delivery.state = "sent" if 200 <= delivery.http_status < 300 else "failed"
        except DeliveryFailed as error:
            delivery.state, delivery.error = "failed", str(error)
        if delivery.state == "failed" and self._is_tried_again(delivery):
            delivery.state, delivery.due_at = "waiting", self._clock() + self._retry_pause
            self.waiting.append(delivery)
            self.wake()
        else:
            self.gone.append(delivery)

    @property
    def _retry_pause(self) -> timedelta:
        return timedelta(seconds=self._modes.retry_seconds)

    def _is_tried_again(self, delivery: Delivery) -> bool:
        """No answer, 429 and 5xx are tried again; another 4xx is final."""
        status = delivery.http_status
        passes = status is None or status == 429 or status >= 500
        return passes and delivery.attempts <= self._modes.retries

    async def run(self) -> None:
        """Deliver what falls due until cancelled, without a slow receiver delaying the others."""
        room = asyncio.Semaphore(CONCURRENT_MAX)

        async def carry(delivery: Delivery) -> None:
            async with room:
                await self.deliver(delivery)

        async with asyncio.TaskGroup() as tasks:
            while True:
                for delivery in self.take_due():
                    tasks.create_task(carry(delivery))
                await self._wait()

    async def _wait(self) -> None:
        self._bell.clear()
        due_at = self.next_due_at()
        seconds = 3600.0 if due_at is None else max(0.0, (due_at - self._clock()).total_seconds())
        try:
            await asyncio.wait_for(self._bell.wait(), seconds)
        except TimeoutError:
            return
