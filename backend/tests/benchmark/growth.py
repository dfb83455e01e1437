"""How much slower one call becomes with a thousand times the bookings: databases on one server, asked call by call in turns."""

from collections.abc import Callable, Sequence
from contextlib import AsyncExitStack, ExitStack
from datetime import UTC, datetime
from http.client import HTTPConnection
from statistics import median

import psycopg
import uvloop

from tests.benchmark.bodies import USERS, changed_event, event
from tests.benchmark.load import TOKEN
from tests.benchmark.pages import applier_of, apply_page, bodies_from
from tests.benchmark.stage import SECRET_KEY, Stage, call, caller, server
from tests.benchmark.statements import Statements, listening
from tests.benchmark.told import Told, milliseconds_of
from zerkalo.auth.service import Auth
from zerkalo.db.pool import open_pool
from zerkalo.mirror.model import OutcomeStatus

SMALL = 10_000
MIDDLE = 1_000_000
LARGE = 10_000_000
CALLS = 500
LISTENED_CALLS = 200
PAGES = 60
LISTENED_PAGES = 20
WARM_SHARE = 0.1
"""The first calls of each make plans and fill caches; they don't count."""
SHORT_MS = 0.1
"""Of a statement below it the clock says little: it is told, and no aim is held against it."""
WEBHOOK = f"/api/v1/yclients/webhook?token={TOKEN}"
FIRST_EVENT_ID = 10**11
FIRST_LISTENED_ID = 15 * 10**10
FIRST_PAGED_ID = 2 * 10**11
FIRST_LISTENED_PAGED_ID = 3 * 10**11

Times = tuple[list[float], ...]
"""Milliseconds of each call, from the smallest database to the largest."""


def measure(stage: Stage, told: Told, *, bookings_max: int) -> None:
    """Note the p50 of each call, and of each statement of the write path, at every size, and their ratios."""
    sizes = [size for size in (SMALL, MIDDLE) if size < bookings_max] + [bookings_max]
    told.title(f"From {SMALL:,} to {bookings_max:,} bookings and deliveries, p50")
    with ExitStack() as open_until_the_end:
        dsns = [
            open_until_the_end.enter_context(stage.database(f"of_{size}", bookings=size, deliveries=size))
            for size in sizes
        ]
        ports = [open_until_the_end.enter_context(server(dsn)) for dsn in dsns]
        _show(
            told, "a webhook", sizes, _webhooks(ports, event, range(FIRST_EVENT_ID, FIRST_EVENT_ID + CALLS))
        )
        _show(told, "GET /booking", sizes, _bookings(ports, dsns))
        new, unchanged = uvloop.run(_pages(dsns, FIRST_PAGED_ID, PAGES))
        _show(told, "a sync page of new records", sizes, new)
        _show(told, "a sync page of unchanged ones", sizes, unchanged)
        for dsn in dsns:
            with psycopg.connect(dsn, autocommit=True) as conn:
                conn.execute("checkpoint")
        with listening(stage.dsn) as statements:
            records = range(FIRST_LISTENED_ID, FIRST_LISTENED_ID + LISTENED_CALLS)
            for body in (event, event, changed_event):  # new, told again, changed
                _webhooks(ports, body, records)
            uvloop.run(_pages(dsns, FIRST_LISTENED_PAGED_ID, LISTENED_PAGES))
        _show_statements(told, statements, sizes)


def _show(told: Told, name: str, sizes: Sequence[int], times: Times) -> None:
    medians = [median(some[int(len(some) * WARM_SHARE) :]) for some in times]
    for size, milliseconds in zip(sizes, medians, strict=True):
        told.figure(f"{name}, at {size:,}", milliseconds, "ms")
    told.ratio(f"{name} grows", medians[-1] / medians[0], "aim: 1.15 at most")


def _show_statements(told: Told, statements: Statements, sizes: Sequence[int]) -> None:
    """Of statements that ran once a call at least, at every size."""
    told.title(f"From {sizes[0]:,} to {sizes[-1]:,}, the write path's statements in PostgreSQL, p50")
    found = [statements.of(f"of_{size}") for size in sizes]
    for name in found[0]:
        if any(len(one.get(name, ())) < LISTENED_PAGES for one in found):
            continue
        medians = [median(one[name][int(len(one[name]) * WARM_SHARE) :]) for one in found]
        for size, milliseconds in zip(sizes, medians, strict=True):
            told.figure(f"{name}, at {size:,}", milliseconds, "ms")
        told.ratio(name, medians[-1] / medians[0], "aim: 1.15 at most" if medians[-1] >= SHORT_MS else "")


def _webhooks(ports: Sequence[int], body: Callable[[int], bytes], records: range) -> Times:
    bodies = [body(record_id) for record_id in records]
    return _in_turns(ports, len(bodies), lambda conn, n, _: call(conn, "POST", WEBHOOK, bodies[n]))


def _bookings(ports: Sequence[int], dsns: Sequence[str]) -> Times:
    tokens = [uvloop.run(_tokens(dsn)) for dsn in dsns]
    return _in_turns(
        ports, CALLS, lambda conn, n, at: call(conn, "GET", "/api/v1/booking", token=tokens[at][n])
    )


def _in_turns(ports: Sequence[int], calls: int, ask: Callable[[HTTPConnection, int, int], object]) -> Times:
    """Asks each of them so often. `ask` takes the connection, the number of the call and which of them it is."""
    times: Times = tuple([] for _ in ports)
    with ExitStack() as open_until_the_end:
        every = [(at, open_until_the_end.enter_context(caller(port))) for at, port in enumerate(ports)]
        for n in range(calls):
            every.append(every.pop(0))  # each goes first as often as the others
            for at, conn in every:
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


async def _pages(dsns: Sequence[str], first_id: int, pages: int) -> tuple[Times, Times]:
    bodies = bodies_from(first_id, pages)
    new: Times = tuple([] for _ in dsns)
    unchanged: Times = tuple([] for _ in dsns)
    for times, status in ((new, OutcomeStatus.APPLIED), (unchanged, OutcomeStatus.UNCHANGED)):
        async with AsyncExitStack() as open_until_the_end:
            pools = [
                await open_until_the_end.enter_async_context(open_pool(dsn, name="bench")) for dsn in dsns
            ]
            appliers = [applier_of(pool) for pool in pools]
            for body in bodies:
                for at, applier in enumerate(appliers):
                    times[at].append(1000 * await apply_page(applier, body, status))
    return new, unchanged
