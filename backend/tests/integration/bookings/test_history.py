"""What happened to a booking stands in its history, and its service lines can be read by SQL."""

from typing import Any

import pytest
from psycopg.rows import namedtuple_row

from tests.support.rows import add_user
from tests.support.salon import NOW, salon
from tests.support.vendor import State, answer, event, page, page_item
from zerkalo.bookings import store as bookings
from zerkalo.db.pool import Connection, Pool
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.mirror.by_hand.service import link_by_hand
from zerkalo.mirror.model import Observation

pytestmark = pytest.mark.integration


async def history(conn: Connection, booking_id: int) -> list[Any]:
    """What happened to a booking, oldest first."""
    async with conn.cursor(row_factory=namedtuple_row) as cursor:
        await cursor.execute("select * from booking_events where booking_id = %s order by id", [booking_id])
        return await cursor.fetchall()


async def test_each_change_stands_in_the_history_with_its_cause(pool: Pool) -> None:
    async with salon(pool) as server:
        await server.status(event(State(5)))
        await server.status(event(State(6, visit_hour=10, roubles=900, comment="секрет")))
        await server.status(event(State(5)))
        await server.applier.apply(
            [page(State(7, visit_hour=10, roubles=900, attendance=1, comment="секрет"))]
        )
        await server.applier.apply([answer(State(7, purged=True), deleted_is_404=True)])
        booking = await server.booking()
        async with pool.connection() as conn:
            events = await history(conn, booking["id"])

    assert [(one.kind, one.cause) for one in events] == [
        ("created", "call"), ("moved", "call"), ("price", "call"), ("comment", "call"), ("status", "sync"), ("status", "read"),
    ]  # fmt: skip
    assert (events[2].before, events[2].after) == ({"service_price": 180_000}, {"service_price": 90_000})
    deliveries = {one["id"]: one for one in await server.deliveries()}
    assert deliveries[events[0].delivery_id]["outcome"] == "applied"
    assert all(one.delivery_id is None for one in events[4:])
    assert "секрет" not in str(events)


async def test_a_link_by_hand_and_an_erasure_stand_in_the_history(pool: Pool) -> None:
    async with salon(pool) as server:
        await server.status(event(State(5)))
        async with pool.connection() as conn:
            admin_id = await add_user(conn, is_admin=True)
            user_id = await add_user(conn)
        booking_id = (await server.booking())["id"]
        await link_by_hand(
            pool,
            booking_id=booking_id,
            user_id=user_id,
            admin_id=admin_id,
            policy=LoyaltyPolicy(enabled=False, percent=5),  # pyright: ignore[reportArgumentType]  # it is off
            now=NOW,
        )
        async with pool.connection() as conn, conn.transaction():
            _, linked = await history(conn, booking_id)
            await bookings.erase(conn, [booking_id], now=NOW)
            _, left, erased = await history(conn, booking_id)

    assert (linked.kind, linked.cause, linked.by_user_id) == ("link", "person", admin_id)
    assert linked.after == {"user_id": user_id, "matched_by": "manual"}
    assert (erased.kind, erased.cause) == ("erased", "person")
    assert (left.id, left.kind, left.before, left.after) == (linked.id, "link", None, None)


async def test_a_card_that_names_another_person_stands_in_the_history_of_its_visits(pool: Pool) -> None:
    async with salon(pool) as server:
        async with pool.connection() as conn:
            maria = await add_user(conn, phone="+79990000009", phone_verified_at="2026-01-01T00:00:00Z")
        known = {"id": 900, "name": "Мария", "email": ""}
        await server.status(event(State(5), client=known | {"phone": "+79990000001"}))
        booking_id = (await server.booking())["id"]
        await server.status(event(State(6), id=99, client=known | {"phone": "+79990000009"}))
        await server.status(event(State(7), client=known | {"id": 901, "phone": "+79990000009"}))
        async with pool.connection() as conn:
            events = await history(conn, booking_id)

    assert [(one.kind, one.cause) for one in events] == [
        ("created", "call"), ("link", "card"), ("client", "call"),
    ]  # fmt: skip
    assert events[1].after == {"user_id": maria, "matched_by": "phone"}
    assert (events[2].before, events[2].after) == ({"client_id": 900}, {"client_id": 901})


def shown(**changes: Any) -> Observation:
    """A page's item of the one record."""
    item = page_item(State(5), **changes)
    assert item is not None
    return item


async def test_other_service_lines_or_another_specialist_alone_are_a_change(pool: Pool) -> None:
    one, two = {"id": 31, "title": "Стрижка", "cost": 1800}, {"id": 32, "title": "Стрижка", "cost": 1800}
    async with salon(pool) as server:
        await server.applier.apply([shown(services=[one])])
        await server.applier.apply([shown(services=[two])])
        (line,) = await server.rows("select * from booking_lines")
        await server.applier.apply([shown(services=[two], staff={"id": 7, "name": "Анна"})])

        assert line["service_id"] == 32
        assert (await server.booking())["staff_id"] == 7


async def test_a_payment_is_a_change_and_what_was_not_told_is_none(pool: Pool) -> None:
    booked = {"online": False, "created_user_id": 7001}
    async with salon(pool) as server:
        await server.status(event(State(5)))
        await server.status(event(State(6), paid_full=0, prepaid_confirmed=False, **booked))
        await server.status(event(State(7), paid_full=1))
        booking = await server.booking()
        async with pool.connection() as conn:
            events = await history(conn, booking["id"])

    assert [one.kind for one in events] == ["created", "paid"]
    assert (events[1].before, events[1].after) == (
        {"paid": False, "prepaid": False},
        {"paid": True, "prepaid": False},
    )
    found = [booking[name] for name in ("paid", "prepaid", "online", "created_by")]
    assert found == [True, False, False, 7001], "what the last call did not tell has stayed"


async def test_service_lines_are_rows_of_a_view(pool: Pool) -> None:
    services = [
        {"id": 31, "title": "Стрижка", "cost": 1800, "amount": 1},
        {"id": 32, "title": "Укладка", "cost": "450.50", "cost_per_unit": 450.5, "discount": 0, "amount": 2},
    ]
    async with salon(pool) as server:
        await server.status(event(State(5), services=services))
        lines = await server.rows("select * from booking_lines order by position")
        booking = await server.booking()

    assert [(one["service_id"], one["title"], one["amount"], one["cost"]) for one in lines] == [
        (31, "Стрижка", 1, 180_000), (32, "Укладка", 2, 90_100),
    ]  # fmt: skip
    assert booking["service_price"] == sum(one["cost"] for one in lines)
    assert booking["staff_id"] == 1
