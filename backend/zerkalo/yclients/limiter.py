"""YCLIENTS's rate limit, shared by all processes on one database.

YCLIENTS allows 5 requests a second and 200 a minute per IP address (yclients-api.md, section 1). One row per
address holds the next free slot; reserving one is a single statement, so that the row lock orders the
processes. A reserved slot that is not used is lost, which only makes us slower.
"""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal, LiteralString, Protocol, TypeAlias

from zerkalo.db.pool import Connection, Pool
from zerkalo.kit.clock import Clock
from zerkalo.yclients.errors import VendorBusy

Kind: TypeAlias = Literal["interactive", "background", "unsigned"]
"""The caller: a waiting person; sync and refetches; refetches requested by unsigned webhook calls."""

UNSIGNED_SHARE = 3
"""Reads for unsigned calls get one slot in this many: an attacker with the webhook's URL must not use up the salon's limit."""
OTHERS_SHARE = 1.5
"""Interactive and unsigned calls together get one slot in this many, two thirds: the last third is always the sync's."""
OTHERS_BURST = 6
"""How many slots interactive and unsigned calls may use at once after a pause, before their share of two thirds applies:
a page needs several calls to YCLIENTS, and the sync can wait for two seconds."""
SPACING_MARGIN = 1.01
"""Slots are spaced a little wider than the limit: requests leave and arrive with some jitter."""
AHEAD_SECONDS_MAX: dict[Kind, float] = {"interactive": 5.0, "background": 1.0, "unsigned": 1.0}
"""How far ahead a slot may be reserved. Little for background calls, so that a person never waits behind a long queue."""
WAIT_SECONDS_MAX: dict[Kind, float] = {"interactive": 5.0, "background": 120.0, "unsigned": 120.0}
"""The total wait before VendorBusy."""
PAUSE_SECONDS_MAX = 3600.0
"""How long a `Retry-After` may stop all calls: a date from a wrong clock must not stop them for days."""
CLOCK_MARGIN_SECONDS = 10.0
"""A slot further ahead than the reservation limit plus this was reserved by a wrong clock: it counts as now."""

Sleep: TypeAlias = Callable[[float], Awaitable[None]]


def spacing_seconds(per_second: float, per_minute: float) -> float:
    """Return the seconds between requests from one address: by the slower of the two rates, and a little wider."""
    return max(1 / per_second, 60 / per_minute) * SPACING_MARGIN


class Limiter(Protocol):
    """What the client needs of a limiter."""

    async def acquire(self, kind: Kind) -> None:
        """Return when one request may be sent; raise VendorBusy when that would take too long."""
        ...

    async def pause(self, seconds: float) -> None:
        """Block all requests for this long: YCLIENTS answered 429."""
        ...


_NOW: LiteralString = "coalesce(%(now)s::timestamptz, clock_timestamp())"
_FREE: LiteralString = f"""greatest(
    {_NOW} - make_interval(secs => %(burst_seconds)s),
    case when r.next_slot_at <= {_NOW} + make_interval(secs => %(far_seconds)s) then r.next_slot_at end,
    case when r.paused_at <= {_NOW} + make_interval(secs => %(margin_seconds)s) then r.paused_until end
)"""
"""The next free slot. A time written by a clock ahead of the database's current time is ignored."""

_RESERVE: LiteralString = f"""
insert into rate_limits as r (egress, next_slot_at)
values (%(egress)s, {_NOW} + make_interval(secs => %(spacing_seconds)s - %(burst_seconds)s))
on conflict (egress) do update
  set next_slot_at = {_FREE} + make_interval(secs => %(spacing_seconds)s)
  where {_FREE} <= {_NOW} + make_interval(secs => %(ahead_seconds_max)s)
returning extract(epoch from next_slot_at - make_interval(secs => %(spacing_seconds)s) - {_NOW})::float8
"""
"""Reserve the next slot and return the seconds until it; no row where it is too far ahead."""

_WAIT: LiteralString = f"""
select extract(epoch from {_FREE} - {_NOW})::float8 from rate_limits r where egress = %(egress)s
"""
"""The seconds until the next free slot."""

_PAUSE: LiteralString = f"""
insert into rate_limits as r (egress, next_slot_at, paused_at, paused_until)
values (%(egress)s, {_NOW}, {_NOW}, {_NOW} + make_interval(secs => %(seconds)s))
on conflict (egress) do update
  set paused_at = excluded.paused_at, paused_until = greatest(
    excluded.paused_until,
    case when r.paused_at <= {_NOW} + make_interval(secs => %(margin_seconds)s) then r.paused_until end
  )
"""

_ADDRESSES = """
select count(*) from rate_limits where next_slot_at > %(since)s and not egress like '%%#unsigned' and not egress like '%%#others'
"""


async def addresses_in_use(conn: Connection, *, since: datetime) -> int:
    """Return the number of IP addresses that called YCLIENTS since then, each with its own limit; at least 1."""
    row = await (await conn.execute(_ADDRESSES, {"since": since})).fetchone()
    return max(row[0] if row else 0, 1)


@dataclass(frozen=True, slots=True)
class _Row:
    """One row of `rate_limits`: the spacing of its slots, and how many (`burst`) may be used at once after a pause."""

    egress: str
    spacing_seconds: float
    burst: int = 0


class DatabaseLimiter:
    """The limiter: a row of `rate_limits` per egress, one more for all but background calls, one for unsigned calls.

    Times are the database's, so that machines need no common clock, unless `clock` is given, as in a simulation.
    Every statement commits by itself; no lock is held while waiting.
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
        spacing = spacing_seconds(per_second, per_minute)
        self._all = _Row(egress, spacing)
        self._others = _Row(f"{egress}#others", spacing * OTHERS_SHARE, OTHERS_BURST)
        self._unsigned = _Row(f"{egress}#unsigned", spacing * UNSIGNED_SHARE)
        self._clock = clock
        self._sleep = sleep

    async def acquire(self, kind: Kind) -> None:
        """Return when one request may be sent; raise VendorBusy when that takes too long for its kind."""
        rows = {
            "unsigned": (self._unsigned, self._others, self._all),
            "interactive": (self._others, self._all),
            "background": (self._all,),
        }
        left = WAIT_SECONDS_MAX[kind]
        for row in rows[kind]:
            left = await self._wait_for_slot(row, kind, left)

    async def pause(self, seconds: float) -> None:
        """Block requests of all processes on this egress for this long; an earlier, longer pause stays."""
        parameters = self._parameters(self._all, seconds=min(max(seconds, 0), PAUSE_SECONDS_MAX))
        async with self._pool.connection() as conn:
            await conn.execute(_PAUSE, parameters)

    async def _wait_for_slot(self, row: _Row, kind: Kind, left: float) -> float:
        """Wait for a reserved slot; return how much of the waiting time is left."""
        while True:
            wait = await self._reserve(row, min(AHEAD_SECONDS_MAX[kind], left))
            if wait is not None:
                await self._sleep(max(wait, 0))
                return left - max(wait, 0)
            # Too far ahead: wait until it is near, and compete again.
            far = await self._seconds_until_free(row)
            if far > left:
                raise VendorBusy(far)
            step = max(far - AHEAD_SECONDS_MAX[kind], row.spacing_seconds)
            await self._sleep(step)
            left -= step

    async def _reserve(self, row: _Row, ahead_seconds_max: float) -> float | None:
        parameters = self._parameters(row, ahead_seconds_max=max(ahead_seconds_max, 0))
        async with self._pool.connection() as conn:
            found = await (await conn.execute(_RESERVE, parameters)).fetchone()
        return None if found is None else found[0]

    async def _seconds_until_free(self, row: _Row) -> float:
        async with self._pool.connection() as conn:
            found = await (await conn.execute(_WAIT, self._parameters(row))).fetchone()
        return 0.0 if found is None else found[0]

    def _parameters(self, row: _Row, **more: float) -> dict[str, str | float | datetime | None]:
        return {
            "egress": row.egress,
            "now": self._now(),
            "spacing_seconds": row.spacing_seconds,
            "burst_seconds": row.burst * row.spacing_seconds,
            "far_seconds": max(AHEAD_SECONDS_MAX.values()) + row.spacing_seconds + CLOCK_MARGIN_SECONDS,
            "margin_seconds": CLOCK_MARGIN_SECONDS,
            **more,
        }

    def _now(self) -> datetime | None:
        return None if self._clock is None else self._clock()
