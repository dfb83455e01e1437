"""Callers of the webhook, in a process of their own: `python -m tests.benchmark.load PORT CONNECTIONS SECONDS FIRST_ID …`.

A bare protocol on kept-alive connections, for on two cores every microsecond of the callers is taken from the server. Prints one JSON
object: answered, failed, per second, p50 and p99 in milliseconds.
"""

import asyncio
import json
import sys
from itertools import count
from time import perf_counter
from typing import cast

import uvloop

from tests.benchmark.bodies import event

ANSWER_SECONDS_MAX = 30
TOKEN = "a-long-random-word"


class Caller(asyncio.Protocol):
    """One connection with one request under way at most."""

    def __init__(self, load: "Load") -> None:
        self._load = load
        self._began_at = 0.0
        self._received = b""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        self._transport = cast("asyncio.Transport", transport)  # uvloop's own is none by its class

    def call(self) -> None:
        load = self._load
        if perf_counter() >= load.ends_at or load.is_through:
            self._transport.close()
            return
        pause = load.pause()
        if pause > 0:
            asyncio.get_running_loop().call_later(pause, self._send)
        else:
            self._send()

    def _send(self) -> None:
        body = self._load.next_body()
        head = f"POST /api/v1/yclients/webhook?token={TOKEN} HTTP/1.1\r\nHost: salon\r\nContent-Length: {len(body)}\r\n\r\n"
        self._began_at = perf_counter()
        self._transport.write(head.encode() + body)

    def data_received(self, data: bytes) -> None:
        self._received += data
        head, found, body = self._received.partition(b"\r\n\r\n")
        if not found or not body.endswith(b"}"):
            return
        self._received = b""
        self._load.answered(
            perf_counter() - self._began_at,
            ok=head.startswith(b"HTTP/1.1 200") and self._load.says_right(body),
        )
        self.call()

    def connection_lost(self, exc: Exception | None) -> None:
        self._load.lost()


class Load:
    """What the callers share. `per_second` 0: as fast as they are answered.

    `different` 0: each event is another one; else so many, again and again, or `once`, until all have been sent.
    """

    def __init__(
        self,
        seconds: float,
        first_id: int,
        connections: int,
        per_second: float,
        different: int,
        *,
        once: bool,
    ) -> None:
        self._ids = count(first_id)
        ready = different or int(seconds * (per_second or 6_000))
        self._ready = [event(next(self._ids)) for _ in range(ready)][::-1]
        self._repeated = list(self._ready) if different and not once else []
        self._right = b"unchanged" if self._repeated else b"applied"
        self._once = once
        self._per_second = per_second
        self._sent = 0
        self._open = connections
        self._seconds = seconds
        self.times: list[float] = []
        self.failed = 0
        self.done = asyncio.Event()
        self.began_at = self.ends_at = 0.0

    def begin(self) -> None:
        self.began_at = perf_counter()
        self.ends_at = self.began_at + (ANSWER_SECONDS_MAX if self._once else self._seconds)

    @property
    def is_through(self) -> bool:
        return self._once and not self._ready

    def says_right(self, answer: bytes) -> bool:
        return self._right in answer

    def next_body(self) -> bytes:
        if not self._ready and self._repeated:
            self._ready = list(self._repeated)
        return self._ready.pop() if self._ready else event(next(self._ids))

    def pause(self) -> float:
        """Seconds until the next call is due."""
        if not self._per_second:
            return 0
        self._sent += 1
        return self.began_at + self._sent / self._per_second - perf_counter()

    def answered(self, seconds: float, *, ok: bool) -> None:
        self.times.append(seconds)
        self.failed += not ok

    def lost(self) -> None:
        self._open -= 1
        if not self._open:
            self.done.set()

    def told(self) -> dict[str, float]:
        times = sorted(self.times)
        seconds = perf_counter() - self.began_at
        return {
            "answered": len(times),
            "failed": self.failed,
            "per_second": len(times) / seconds,
            "p50_ms": 1000 * times[len(times) // 2],
            "p99_ms": 1000 * times[len(times) * 99 // 100],
        }


async def main(
    port: int,
    connections: int,
    seconds: float,
    first_id: int,
    per_second: float = 0,
    different: float = 0,
    once: float = 0,
) -> None:
    loop = asyncio.get_running_loop()
    load = Load(seconds, first_id, connections, per_second, int(different), once=bool(once))
    callers = [
        (await loop.create_connection(lambda: Caller(load), "127.0.0.1", port))[1] for _ in range(connections)
    ]
    load.begin()
    for caller in callers:
        caller.call()
    await asyncio.wait_for(load.done.wait(), seconds + ANSWER_SECONDS_MAX)
    print(json.dumps(load.told()))


if __name__ == "__main__":
    port, connections, seconds, first_id, *more = sys.argv[1:]
    uvloop.run(main(int(port), int(connections), float(seconds), int(first_id), *map(float, more)))
