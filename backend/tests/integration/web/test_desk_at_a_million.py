"""The salon's desk with a million bookings behind it: every page in less than a tenth of a second, from indexes."""

import statistics
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass, fields

import httpx2
import pytest

from tests.support.application import settings_of
from tests.support.database import open_folder
from tests.support.million import BOOKINGS, NOW
from tests.support.plans import Plans, explaining
from tests.support.rows import add_user
from zerkalo.bookings.reading import store as reading
from zerkalo.checkup.store import read_facts
from zerkalo.composition import Parts, assembled
from zerkalo.db.pool import Connection
from zerkalo.inbox.desk import store as inbox
from zerkalo.loyalty import store as ledger
from zerkalo.main import Runtime
from zerkalo.runs import store as runs
from zerkalo.users import store as users
from zerkalo.web import stats
from zerkalo.web.api import create_app
from zerkalo.web.pages.admin.desk import Desk
from zerkalo.web.pages.cookies import SESSION
from zerkalo.webhook.committer import Committer

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

MEDIAN_SECONDS_MAX = 0.1
TIMES_A_PLAIN_PAGE_MAX = 60
"""On a machine that is slow or busy: against a page that asks the database for the session only, read beside it."""
PLAIN_PAGE = "/privacy"
TIMES = 9
ROUNDS = 3
# Without the search for a part of a name or a contact: that reads all users and cards, two hundred thousand of them here, and
# takes longer than the others.
PAGES = (
    "/admin",
    "/admin/state",
    "/admin/runs",
    "/admin/drift",
    "/admin/bookings",
    "/admin/bookings?q=9000055555",
    "/admin/bookings?q=A0055555",
    "/admin/unmatched?choose=1",
    "/admin/unmatched?record=777",
    "/admin/bookings/500000",
    "/admin/events",
    "/admin/events?outcome=quarantined",
    "/admin/events?record=777",
    "/admin/events/50000",
    "/admin/quarantine",
    "/admin/users",
    "/admin/users?search=9000055555",
    "/admin/users/777",
    "/admin/setup",
    "/me",
    "/me/visits",
)
CLIENT = 777
"""One of the hundred thousand, with visits of her own."""


@dataclass
class Salon:
    """The running parts on the million, an admin's browser, and a client's."""

    runtime: Runtime
    browser: httpx2.AsyncClient
    hers: httpx2.AsyncClient


@pytest.fixture(scope="module")
async def salon(million: str) -> AsyncIterator[Salon]:
    with open_folder() as folder:
        # YCLIENTS is out of reach here: what is asked of it is asked behind the pages.
        settings = settings_of(
            folder,
            "http://127.0.0.1:9/api/v1",
            YCLIENTS_COMPANY_ID="1,2,3,4,5",
            PUBLIC_URL="http://localhost:9",
        )
        async with (
            assembled(settings, million, name="test", clock=lambda: NOW) as parts,
            Committer(parts.applier.apply_items) as committer,
        ):
            known = {one.name: getattr(parts, one.name) for one in fields(Parts)}
            runtime = Runtime(**known, committer=committer)
            async with runtime.pool.connection() as conn, conn.transaction():
                admin = await add_user(conn, is_admin=True, name="Мария")
                sessions = [
                    await runtime.people.auth.new_session(conn, one, 0, now=NOW) for one in (admin, CLIENT)
                ]
            transport = httpx2.ASGITransport(create_app(runtime))
            async with (
                httpx2.AsyncClient(transport=transport, base_url="http://localhost:9") as browser,
                httpx2.AsyncClient(transport=transport, base_url="http://localhost:9") as hers,
            ):
                for one, session in zip((browser, hers), sessions, strict=True):
                    one.headers["Accept"] = "text/html"
                    one.cookies.set(SESSION, session.refresh_token)
                yield Salon(runtime, browser, hers)


@pytest.mark.parametrize("path", PAGES)
async def test_every_page_takes_less_than_a_tenth_of_a_second(salon: Salon, path: str) -> None:
    browser = salon.hers if path.startswith("/me") else salon.browser

    async def seconds(of: str) -> float:
        begun = time.perf_counter()
        answer = await browser.get(of)
        took = time.perf_counter() - begun
        assert answer.status_code in (200, 303), answer.text[:300]
        return took

    first = await seconds(path)
    # What else runs on the machine may take a round, not three.
    medians = [statistics.median([await seconds(path) for _ in range(TIMES)]) for _ in range(ROUNDS)]
    plain = statistics.median([await seconds(PLAIN_PAGE) for _ in range(TIMES)])

    shown = ", ".join(f"{median * 1000:.0f}" for median in medians)
    print(
        f"{path}: medians {shown} ms, {min(medians) / plain:.0f} plain pages, the first one {first * 1000:.0f} ms"
    )
    assert min(medians) < max(MEDIAN_SECONDS_MAX, TIMES_A_PLAIN_PAGE_MAX * plain)


async def test_what_is_kept_is_what_takes_long(salon: Salon) -> None:
    """Counts over every booking, the charts and the journal's specialists are the only figures that a page may show some seconds old."""
    desk = Desk(salon.runtime)
    for name, figures in (("counts", desk.counts), ("charts", desk.charts), ("staff", desk.staff)):
        begun = time.perf_counter()
        await figures.get()
        took = time.perf_counter() - begun
        begun = time.perf_counter()
        await figures.get()
        again = time.perf_counter() - begun
        print(f"{name}: read in {took * 1000:.0f} ms, shown again in {again * 1000:.2f} ms")
        assert again < MEDIAN_SECONDS_MAX
    facts = await desk.facts()
    assert facts.matched + facts.unmatched == BOOKINGS


Question = Callable[[Connection], Awaitable[object]]


def questions(salon: Salon) -> dict[str, Question]:
    """What the pages ask for each time, and is not kept."""
    settings = salon.runtime.settings

    async def facts(conn: Connection) -> object:
        counts = await Desk(salon.runtime).counts.get()
        return await read_facts(conn, settings, webhook_url="", now=NOW, counts=counts)

    return {
        "facts": facts,
        "runs": lambda conn: runs.latest_runs(conn, before_id=None, limit=6),
        "unmatched": lambda conn: reading.read_unmatched(conn, after=None, limit=21),
        "ambiguous": lambda conn: reading.read_ambiguous(conn, after=None, limit=21),
        "candidates": lambda conn: reading.read_candidates(conn, range(1000, 22_000, 1000)),
        "one": lambda conn: reading.read_one(conn, 500_000),
        "of a record": lambda conn: reading.read_of_record(conn, 1, 777),
        "visits": lambda conn: reading.read_newest_first(conn, 777, status=None, after=None, limit=10),
        "entries": lambda conn: ledger.read_entries(conn, 777, None, 10),
        "user": lambda conn: users.read_user(conn, 777),
        "events": lambda conn: inbox.read_deliveries(conn, before_id=None, limit=31),
        "quarantine": lambda conn: inbox.read_quarantined(conn, before_id=None, limit=31),
        "last event": inbox.last_received_at,
    }


async def test_what_a_page_asks_each_time_reads_no_table_of_many_rows(salon: Salon, million: str) -> None:
    conn, plans = await explaining(million)
    async with conn:
        for name, ask in questions(salon).items():
            await ask(conn)
            taken: Plans = plans.take()
            assert not taken.scanned & {"bookings", "deliveries", "bonus_entries", "users"}, name


async def test_the_chart_of_bookings_reads_its_window_only(million: str) -> None:
    conn, plans = await explaining(million)
    async with conn:
        assert await stats.bookings_by_day(conn, now=NOW)
        assert await stats.deliveries_by_day(conn, now=NOW)
    assert "bookings" not in plans.scanned
