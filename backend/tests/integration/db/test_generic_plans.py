"""The write path's statements by the plan that is kept for any values: none reads a large table from end to end.

A kept plan knows no values, so it guesses how many there are, and may rather read all bookings than look up a few.
"""

from collections.abc import AsyncGenerator, AsyncIterator, Iterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from typing import Any

import psycopg
import pytest
from psycopg._queries import PostgresQuery  # what the driver sends: it has no public name
from psycopg.adapt import Transformer
from psycopg.rows import tuple_row

from tests.support.database import TestServer
from tests.support.million import fill
from tests.support.plans import Plans
from zerkalo.bookings import store as bookings
from zerkalo.clients import store as clients
from zerkalo.form_bookings import store as form_bookings
from zerkalo.inbox import store as inbox
from zerkalo.inbox.model import Delivery, Finished
from zerkalo.loyalty import store as ledger
from zerkalo.mirror import store
from zerkalo.users.model import Names

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]

NOW = datetime(2026, 12, 1, tzinfo=UTC)
LARGE = {"bookings", "deliveries", "users", "clients", "bonus_entries", "form_bookings"}
SMALL = 5_000
KEYS = [(1, 5), (2, 11), (3, 10**9)]


@pytest.fixture(scope="module")
def thousands(database_server: TestServer) -> Iterator[str]:
    """A small salon's database: reading it from end to end costs milliseconds, so a planner is tempted."""
    with database_server.database() as address:
        fill(address, bookings=SMALL, companies=range(1, 6), deliveries=SMALL)
        yield address


@pytest.fixture
async def asked(million: str) -> AsyncIterator[tuple[psycopg.AsyncConnection[Any], Plans]]:
    """A connection to a million bookings whose every question is also prepared, and what was planned for it."""
    async with preparing(million) as opened:
        yield opened


@pytest.fixture
async def asked_of_few(thousands: str) -> AsyncIterator[tuple[psycopg.AsyncConnection[Any], Plans]]:
    """The same to thousands of bookings."""
    async with preparing(thousands) as opened:
        yield opened


@asynccontextmanager
async def preparing(dsn: str) -> AsyncGenerator[tuple[psycopg.AsyncConnection[Any], Plans]]:
    plans = Plans()

    class Preparing(psycopg.AsyncCursor[Any]):
        async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
            converted = PostgresQuery(Transformer(self.connection))
            converted.convert(query, params)
            plain = psycopg.AsyncCursor(self.connection, row_factory=tuple_row)
            kinds = [f"{kind}::regtype::text" for kind in converted.types]
            names = (
                await (await plain.execute(f"select {', '.join(kinds) or '1'}".encode())).fetchone()
            ) or ()
            types = f"({', '.join('unknown' if name == '-' else name for name in names)})" if kinds else ""
            nulls = f"({', '.join('null' for _ in kinds)})" if kinds else ""
            await plain.execute(f"prepare asked {types} as ".encode() + converted.query, prepare=False)
            await plain.execute(f"explain (format json) execute asked {nulls}".encode(), prepare=False)
            plans.seen.append((await plain.fetchall())[0][0][0]["Plan"])
            await plain.execute("deallocate asked")
            return await super().execute(query, params, **options)

    conn = await psycopg.AsyncConnection.connect(dsn, autocommit=True, cursor_factory=Preparing)
    async with conn:
        await psycopg.AsyncCursor(conn).execute("set plan_cache_mode to force_generic_plan")
        await psycopg.AsyncCursor(conn).execute("begin")
        yield conn, plans
        await psycopg.AsyncCursor(conn).execute("rollback")


async def test_deliveries_are_put_without_reading_all_bookings(asked: Any) -> None:
    conn, plans = asked
    delivery = Delivery(b"{}", NOW, company_id=1, resource="record", resource_id=5, event="update")

    await inbox.put(conn, [Finished(delivery, "applied")], now=NOW)

    assert plans.scanned & LARGE == set()
    assert "bookings" in str(plans.indexes)


async def test_what_a_batch_must_know_is_looked_up(asked: Any) -> None:
    conn, plans = asked
    names = Names(
        codes=frozenset({"A0000042"}),
        emails=frozenset({"user43@example.com"}),
        phone10s=frozenset({"9000000044"}),
    )

    await store.hold(conn, KEYS)
    await form_bookings.learn_records(conn, {"an id of ours": KEYS[0]})
    rows = await bookings.rows_for_update(conn, KEYS)
    known = await store.answer(
        await store.ask(conn, KEYS, cards=[(1, 5)], names=names, api_ids=["an id of ours"])
    )

    assert len(rows) + len(known.new_ids) == len(KEYS)
    assert {42, 43, 44} <= {user.id for user in known.users}
    assert plans.scanned & LARGE == set()


async def test_the_inbox_is_pruned_and_the_ledger_read_without_reading_all(asked: Any) -> None:
    conn, plans = asked

    assert await inbox.prune(conn, before=datetime(2025, 5, 10, tzinfo=UTC)) == inbox.PRUNE_BATCH
    await ledger.read_ledger_lines(conn, range(1000, 1050))
    await ledger.read_entries(conn, 45, None, 51)
    await ledger.read_balance(conn, 45)
    await ledger.read_movements(conn, [45])
    await ledger.read_expiring_users(conn, NOW, NOW, 0, 200)
    await ledger.read_users_with_expiries(conn, [45])
    await ledger.read_earns_from(conn, [45])

    assert plans.scanned & LARGE == set()


async def test_a_small_salons_bookings_and_deliveries_are_looked_up_too(asked_of_few: Any) -> None:
    """At ten thousand bookings a kept plan once read them all for every call: 5 ms of it."""
    conn, plans = asked_of_few
    delivery = Delivery(b"{}", NOW, company_id=1, resource="record", resource_id=5, event="update")

    await store.hold(conn, KEYS)
    rows = await bookings.rows_for_update(conn, KEYS)
    await store.answer(await store.ask(conn, KEYS, cards=[(1, 5)]))
    await bookings.update(conn, {row.id: row for row in rows.values() if row.id}, now=NOW)
    await clients.cards_for_update(conn, [(1, 5)])
    await inbox.put(conn, [Finished(delivery, "applied")], now=NOW)

    assert rows
    assert plans.scanned & {"bookings", "deliveries"} == set()
