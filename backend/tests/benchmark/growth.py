"""How much slower one call becomes with a thousand times the bookings: two databases on one server, asked call by call in turns."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from http.client import HTTPConnection
from statistics import median

import uvloop

from tests.benchmark.bodies import USERS, event
from tests.benchmark.load import TOKEN
from tests.benchmark.pages import applier_of, apply_page, bodies_from
from tests.benchmark.stage import SECRET_KEY, Stage, call, caller, server
from tests.benchmark.told import Told, milliseconds_of
from zerkalo.auth.service import Auth
from zerkalo.db.pool import open_pool
from zerkalo.mirror.model import OutcomeStatus

SMALL = 10_000
LARGE = 10_000_000
CALLS = 500
PAGES = 60
WARM_SHARE = 0.1
"""The first calls of each make plans and fill caches; they don't count."""
WEBHOOK = f"/api/v1/yclients/webhook?token={TOKEN}"
FIRST_EVENT_ID = 10**11
FIRST_PAGED_ID = 2 * 10**11

Times = tuple[list[float], list[float]]
"""Milliseconds of each call, on the small database and on the large one."""


def measure(stage: Stage, told: Told, *, bookings_max: int) -> None:
    """Note the p50 of each call at both sizes and their ratio."""
    told.title(f"From {SMALL:,} to {bookings_max:,} bookings, p50")
    with (
        stage.database("small", bookings=SMALL) as small_dsn,
        stage.database("large", bookings=bookings_max) as large_dsn,
    ):
        dsns = (small_dsn, large_dsn)
        with server(small_dsn) as small_port, server(large_dsn) as large_port:
            ports = (small_port, large_port)
            _show(told, "a webhook", bookings_max, _webhooks(ports))
            _show(told, "GET /booking", bookings_max, _bookings(ports, dsns))
        new, unchanged = uvloop.run(_pages(dsns))
        _show(told, "a sync page of new records", bookings_max, new)
        _show(told, "a sync page of unchanged ones", bookings_max, unchanged)


def _show(told: Told, name: str, bookings_max: int, times: Times) -> None:
    small, large = (median(some[int(len(some) * WARM_SHARE) :]) for some in times)
    told.figure(f"{name}, at {SMALL:,}", small, "ms")
    told.figure(f"{name}, at {bookings_max:,}", large, "ms")
    told.ratio(f"{name} grows", large / small, "aim: 1.15 at most")


def _webhooks(ports: tuple[int, int]) -> Times:
    bodies = [event(record_id) for record_id in range(FIRST_EVENT_ID, FIRST_EVENT_ID + CALLS)]
    return _in_turns(ports, lambda conn, n, _: call(conn, "POST", WEBHOOK, bodies[n]))


def _bookings(ports: tuple[int, int], dsns: tuple[str, str]) -> Times:
    tokens = [uvloop.run(_tokens(dsn)) for dsn in dsns]
    return _in_turns(ports, lambda conn, n, at: call(conn, "GET", "/api/v1/booking", token=tokens[at][n]))


def _in_turns(ports: tuple[int, int], ask: Callable[[HTTPConnection, int, int], object]) -> Times:
    """Asks each of the two `CALLS` times. `ask` takes the connection, the number of the call and which of the two it is."""
    times: Times = ([], [])
    with caller(ports[0]) as small, caller(ports[1]) as large:
        both = [(0, small), (1, large)]
        for n in range(CALLS):
            both.reverse()  # each goes first as often as the other
            for at, conn in both:
                times[at].append(milliseconds_of(lambda conn=conn, n=n, at=at: ask(conn, n, at)))
    return times


async def _tokens(dsn: str) -> Sequence[str]:
    """Of users all over the table; each has the same number of bookings, whatever the size."""
    async with open_pool(dsn, name="bench") as pool, pool.connection() as conn:
        row = await (await conn.execute("select max(id) from users")).fetchone()
        assert row is not None
        auth, now, first = Auth(pool, SECRET_KEY), datetime.now(UTC), USERS - CALLS + 1
        async with conn.transaction():
            pairs = [
                await auth.new_session(conn, user_id, 0, now=now)
                for user_id in range(first, row[0] + 1, max(1, (row[0] - first) // CALLS))
            ]
    return [pair.access_token for pair in pairs]


async def _pages(dsns: tuple[str, str]) -> tuple[Times, Times]:
    bodies = bodies_from(FIRST_PAGED_ID, PAGES)
    new: Times = ([], [])
    unchanged: Times = ([], [])
    async with open_pool(dsns[0], name="bench") as small, open_pool(dsns[1], name="bench") as large:
        appliers = (applier_of(small), applier_of(large))
        for times, status in ((new, OutcomeStatus.APPLIED), (unchanged, OutcomeStatus.UNCHANGED)):
            for body in bodies:
                for at, applier in enumerate(appliers):
                    times[at].append(1000 * await apply_page(applier, body, status))
    return new, unchanged
