"""YCLIENTS's rate limit, kept by all processes on one database together.

YCLIENTS allows 5 requests a second and 200 a minute per IP address (yclients-api.md, section 1). One row an
address holds the next free slot; reserving one is a single statement, so that the row lock orders the
processes. A slot that is reserved and not used is lost, which only makes us slower.
"""

import asyncio
from collections.abc import Awaitable, Callable
from datetime import datetime
from typing import Literal, Protocol, TypeAlias

from zerkalo.db.pool import Connection, Pool
from zerkalo.kit.clock import Clock
from zerkalo.yclients.errors import VendorBusy

Kind: TypeAlias = Literal["interactive", "background", "hint"]
"""Who asks: a person who waits; sync and refetches; refetches that an unproved webhook asked for."""

HINT_SHARE = 3
"""Hints get one slot in so many: whoever learns the webhook's URL must not use up the salon's limit."""
SPACING_MARGIN = 1.01
"""Slots are spaced a little wider than the limit: requests leave and arrive with some jitter."""
AHEAD_SECONDS_MAX: dict[Kind, float] = {"interactive": 5.0, "background": 1.0, "hint": 1.0}
"""How far ahead a slot may be reserved. Little for machines, so that no long queue is before a person."""
WAIT_SECONDS_MAX: dict[Kind, float] = {"interactive": 5.0, "background": 120.0, "hint": 120.0}
"""How long to wait in all before VendorBusy."""
PAUSE_SECONDS_MAX = 3600.0
"""How long a `Retry-After` may stop everybody: a date that somebody's wrong clock wrote must not do so for days."""

Sleep: TypeAlias = Callable[[float], Awaitable[None]]


def spacing_seconds(per_second: float, per_minute: float) -> float:
    """How far apart requests from one address leave: by the slower of the two rates, and a little wider."""
    return max(1 / per_second, 60 / per_minute) * SPACING_MARGIN


class Limiter(Protocol):
    """What the client needs of a limiter."""

    async def acquire(self, kind: Kind) -> None:
        """Return when one request may be sent; raise VendorBusy when that would take too long."""
        ...

    async def pause(self, seconds: float) -> None:
        """Let nobody send a request for so long: YCLIENTS said 429."""
        ...


_RESERVE = """
insert into rate_limits (egress, next_slot_at)
values (
  %(egress)s, coalesce(%(now)s::timestamptz, clock_timestamp()) + make_interval(secs => %(spacing_seconds)s)
)
on conflict (egress) do update
  set next_slot_at = greatest(rate_limits.next_slot_at, coalesce(%(now)s::timestamptz, clock_timestamp()))
    + make_interval(secs => %(spacing_seconds)s)
  where rate_limits.next_slot_at
    <= coalesce(%(now)s::timestamptz, clock_timestamp()) + make_interval(secs => %(ahead_seconds_max)s)
returning extract(
  epoch from next_slot_at - make_interval(secs => %(spacing_seconds)s)
    - coalesce(%(now)s::timestamptz, clock_timestamp())
)::float8
"""
"""Reserves the next slot and returns in how many seconds it is; no row where it is too far ahead."""

_WAIT = """
select extract(epoch from next_slot_at - coalesce(%(now)s::timestamptz, clock_timestamp()))::float8
from rate_limits
where egress = %(egress)s
"""
"""How many seconds until the next slot that nobody has reserved."""

_PAUSE = """
insert into rate_limits (egress, next_slot_at)
values (%(egress)s, coalesce(%(now)s::timestamptz, clock_timestamp()) + make_interval(secs => %(seconds)s))
on conflict (egress) do update
  set next_slot_at = greatest(rate_limits.next_slot_at, excluded.next_slot_at)
"""

_ADDRESSES = """
select count(*) from rate_limits where next_slot_at > %(since)s and not egress like '%%#hint'
"""


async def addresses_in_use(conn: Connection, *, since: datetime) -> int:
    """From how many addresses YCLIENTS was asked since then, each with a limit of its own; at least 1."""
    row = await (await conn.execute(_ADDRESSES, {"since": since})).fetchone()
    return max(row[0] if row else 0, 1)


class DatabaseLimiter:
    """The limiter over one row of `rate_limits` an egress, and a second one for its hints.

    Times are the database's own, so that machines need no common clock, unless `clock` is given: a simulation
    steers by it. Every statement commits by itself; nothing is held while waiting.
    """

    def __init__(
        self,
        pool: Pool,
        egress: str,
        *,
        per_second: float,
        per_minute: float,
        clock: Clock | None = None,
        sleep: Sleep = asyncio.sleep,
    ) -> None:
        self._pool = pool
        self._egress = egress
        self._spacing_seconds = spacing_seconds(per_second, per_minute)
        self._clock = clock
        self._sleep = sleep

    async def acquire(self, kind: Kind) -> None:
        """Return when one request may be sent; raise VendorBusy when that takes too long for its kind."""
        left = WAIT_SECONDS_MAX[kind]
        if kind == "hint":
            left = await self._wait_for_slot(
                f"{self._egress}#hint", self._spacing_seconds * HINT_SHARE, kind, left
            )
        await self._wait_for_slot(self._egress, self._spacing_seconds, kind, left)

    async def pause(self, seconds: float) -> None:
        """Let no process on this egress send a request for so long; an earlier, longer pause stays."""
        parameters = {
            "egress": self._egress,
            "now": self._now(),
            "seconds": min(max(seconds, 0), PAUSE_SECONDS_MAX),
        }
        async with self._pool.connection() as conn:
            await conn.execute(_PAUSE, parameters)

    async def _wait_for_slot(self, egress: str, spacing_seconds: float, kind: Kind, left: float) -> float:
        """Return, at a slot of our own, how much of the waiting time is left."""
        while True:
            wait = await self._reserve(egress, spacing_seconds, min(AHEAD_SECONDS_MAX[kind], left))
            if wait is not None:
                await self._sleep(max(wait, 0))
                return left - max(wait, 0)
            # Too far ahead: come back when it has come near, and compete again.
            far = await self._seconds_until_free(egress)
            if far > left:
                raise VendorBusy(far)
            step = max(far - AHEAD_SECONDS_MAX[kind], spacing_seconds)
            await self._sleep(step)
            left -= step

    async def _reserve(self, egress: str, spacing_seconds: float, ahead_seconds_max: float) -> float | None:
        parameters = {
            "egress": egress,
            "now": self._now(),
            "spacing_seconds": spacing_seconds,
            "ahead_seconds_max": max(ahead_seconds_max, 0),
        }
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_RESERVE, parameters)).fetchone()
        return None if row is None else row[0]

    async def _seconds_until_free(self, egress: str) -> float:
        async with self._pool.connection() as conn:
            row = await (await conn.execute(_WAIT, {"egress": egress, "now": self._now()})).fetchone()
        return 0.0 if row is None else row[0]

    def _now(self) -> datetime | None:
        return None if self._clock is None else self._clock()
