"""What people read, at a million bookings: each call's time and processor time, beside a bare `select` of the same rows."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from http.client import HTTPConnection
from statistics import median
from time import perf_counter
from urllib.parse import quote

import psycopg
import uvloop

from tests.benchmark.stage import (
    COMPANIES,
    SECRET_KEY,
    Stage,
    caller,
    pause,
    postgres_pid,
    processor_seconds,
    server_process,
)
from tests.benchmark.told import Told, milliseconds_of, percentile
from zerkalo.auth.model import Tokens
from zerkalo.auth.service import Auth
from zerkalo.db.pool import open_pool
from zerkalo.reports.sums.service import bring_up_to_date
from zerkalo.web.pages.cookies import SESSION

BOOKINGS = 1_000_000
CALLS = 100
WARM_CALLS = 10
SELECTS = 20
COUNTING_SECONDS_MAX = 1200
USERS = range(50_000, 50_000 + CALLS)
DAY = "2025-06-02"
"""The filled database's today."""
_OWN = "select * from bookings where user_id = %(user)s order by appointment_datetime desc, id desc limit 50"
_DAY = """
    select * from bookings where company_id = %(company)s
        and appointment_datetime >= '2025-06-01 21:00+00' and appointment_datetime < '2025-06-02 21:00+00'
    order by appointment_datetime limit 200
"""
_REPORT = "/api/v1/admin/reports"
_SEARCH = "select * from bookings where match_phone10 = '9000055555' limit 50"


@dataclass(frozen=True, slots=True)
class _Asked:
    """A call, in whose name, and the bare statement that reads the same rows; None: there is no such one."""

    name: str
    path: str
    is_admin: bool
    is_page: bool
    sql: str | None


ASKED = (
    _Asked("GET /booking", "/api/v1/booking", False, False, _OWN),
    _Asked("/me", "/me", False, True, _OWN),
    _Asked("/admin", "/admin", True, True, None),
    _Asked("the journal of a day", f"/admin/bookings?day={DAY}", True, True, _DAY),
    _Asked("its API", f"/api/v1/admin/bookings?day={DAY}", True, False, _DAY),
    _Asked("a search for a phone", "/api/v1/admin/bookings?q=9000055555", True, False, _SEARCH),
    _Asked("for a piece of a phone", "/api/v1/admin/bookings?q=0055555", True, False, None),
    _Asked("for a name", f"/api/v1/admin/bookings?q={quote('Мария 55555')}", True, False, None),
    _Asked("a report of a month", f"{_REPORT}?from=2025-05-01&to=2025-05-31", True, False, None),
    _Asked("of a quarter", f"{_REPORT}?from=2025-01-01&to=2025-03-31", True, False, None),
    _Asked("of a year", f"{_REPORT}?from=2024-01-01&to=2024-12-31", True, False, None),
    _Asked(
        "of a year from the middle of a month", f"{_REPORT}?from=2024-05-15&to=2025-05-14", True, False, None
    ),
    _Asked("of two years", f"{_REPORT}?from=2023-06-01&to=2025-05-31", True, False, None),
)


def measure(stage: Stage, told: Told, *, bookings: int = BOOKINGS) -> None:
    """Note p50, p99 and the processor time of each call, and the ratio of that to the bare statement's."""
    told.title(f"Reads at {bookings:,} bookings")
    with stage.database("reads", bookings=bookings) as dsn:
        sessions = uvloop.run(_sessions(dsn))
        told.figure("counting all for reports, once", uvloop.run(_counted(dsn)), "s")
        with (
            server_process(dsn, companies=COMPANIES) as (port, pid),
            caller(port) as conn,
            psycopg.connect(dsn) as bare,
        ):
            for asked in ASKED:
                _measure_one(told, asked, conn, sessions, (pid, postgres_pid(dsn)), bare)


def _measure_one(
    told: Told,
    asked: _Asked,
    conn: HTTPConnection,
    sessions: Sequence[Tokens],
    pids: Sequence[int],
    bare: psycopg.Connection,
) -> None:
    admin, *users = sessions
    conn.close()  # opened anew: the server may have closed it during what came before

    def call(n: int) -> None:
        session = admin if asked.is_admin else users[n % len(users)]
        _get(conn, asked, session)

    def select(n: int) -> None:
        assert asked.sql is not None
        values = {"user": USERS[n % len(USERS)], "company": COMPANIES[0]}
        for _ in range(SELECTS):  # one alone is less than the processor's clock ticks
            bare.execute(asked.sql.encode(), values).fetchall()

    times, us = _timed(call, pids)
    told.figure(f"{asked.name}, p50", median(times), "ms")
    told.figure(f"{asked.name}, p99", percentile(times, 0.99), "ms")
    told.figure(f"{asked.name}, processor", us, "µs each")
    if asked.sql is not None:
        _, bare_us = _timed(select, pids[1:])
        told.figure("  of a bare select of its rows, in PostgreSQL", bare_us / SELECTS, "µs each")


def _timed(ask: Callable[[int], None], pids: Sequence[int]) -> tuple[list[float], float]:
    """Milliseconds of each call, and microseconds of those processes a call."""
    for n in range(WARM_CALLS):
        ask(n)
    pause()
    before = sum(map(processor_seconds, pids))
    times = [milliseconds_of(lambda n=n: ask(n)) for n in range(CALLS)]
    return times, 10**6 * (sum(map(processor_seconds, pids)) - before) / CALLS


def _get(conn: HTTPConnection, asked: _Asked, session: Tokens) -> None:
    headers = (
        {"Cookie": f"{SESSION}={session.refresh_token}", "Accept": "text/html"}
        if asked.is_page
        else {"Authorization": f"Bearer {session.access_token}"}
    )
    conn.request("GET", asked.path, headers=headers)
    answer = conn.getresponse()
    text = answer.read()
    assert answer.status == 200, (asked.path, answer.status, text[:300])


async def _counted(dsn: str) -> float:
    """How many seconds the first counting takes; the tables are vacuumed then, as they are by themselves after a while."""
    began_at = perf_counter()
    async with open_pool(dsn, name="bench") as pool:
        assert await bring_up_to_date(pool, seconds_max=COUNTING_SECONDS_MAX) == 0
        seconds = perf_counter() - began_at
        async with pool.connection() as conn:
            await conn.execute("vacuum analyze report_visits")
            await conn.execute("vacuum analyze report_sums")
    return seconds


async def _sessions(dsn: str) -> list[Tokens]:
    """Of an owner, then of users all over the table."""
    async with open_pool(dsn, name="bench") as pool, pool.connection() as conn, conn.transaction():
        auth, now = Auth(pool, SECRET_KEY), datetime.now(UTC)
        cursor = await conn.execute(
            "insert into users (email, email_verified_at, role) values ('owner@example.com', now(), 'owner') returning id"
        )
        ((owner,),) = await cursor.fetchall()
        return [await auth.new_session(conn, one, 0, now=now) for one in (owner, *USERS)]
