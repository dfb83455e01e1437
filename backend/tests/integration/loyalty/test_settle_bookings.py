"""Settling against real rows: the ledger sums to what the bookings earn, whoever settles when."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

import psycopg
import pytest

from tests.support.rows import NOON, add_booking, add_user
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import transaction
from zerkalo.loyalty import service, store
from zerkalo.loyalty.model import EarningState, LoyaltyPolicy, Tier
from zerkalo.loyalty.rules import ledger_of

NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
FIVE = LoyaltyPolicy(enabled=True, percent=Decimal(5))
OFF = replace(FIVE, enabled=False)


async def state_of(conn: Connection, booking_id: int) -> EarningState:
    row = await (
        await conn.execute(
            "select revision, user_id, status, service_price,"
            " coalesce(appointment_local, appointment_datetime at time zone 'UTC')::date"
            " from bookings where id = %s",
            [booking_id],
        )
    ).fetchone()
    assert row
    return EarningState(booking_id, *row)


async def write_and_settle(conn: Connection, booking_id: int, policy=FIVE, now=NOW, **columns) -> int:
    sets = ", ".join(f"{name} = %({name})s" for name in columns)
    await conn.execute(
        f"update bookings set revision = revision + 1, {sets} where id = %(id)s".encode(),
        {**columns, "id": booking_id},
    )
    return await service.settle_bookings(conn, [await state_of(conn, booking_id)], policy, now)


async def sums(conn: Connection, booking_id: int) -> dict[int, int]:
    ledger = ledger_of(await store.read_ledger_lines(conn, [booking_id])).get(booking_id)
    return {user: points for user, points in ledger.sums.items() if points} if ledger else {}


async def test_a_life_of_a_booking_always_sums_to_what_it_earns(conn):
    anna, vera = await add_user(conn), await add_user(conn)
    booking = await add_booking(conn, user_id=anna)

    assert await write_and_settle(conn, booking, status="CONFIRMED") == 0
    assert await write_and_settle(conn, booking, status="COMPLETED") == 1
    assert await sums(conn, booking) == {anna: 125}
    assert await write_and_settle(conn, booking, service_price=300_000) == 1
    assert await sums(conn, booking) == {anna: 150}
    assert await write_and_settle(conn, booking, status="PENDING") == 1
    assert await sums(conn, booking) == {}
    assert (
        await write_and_settle(conn, booking, status="COMPLETED", policy=replace(FIVE, percent=Decimal(50)))
        == 1
    )
    assert await sums(conn, booking) == {anna: 150}
    assert await write_and_settle(conn, booking, user_id=vera) == 2
    assert await sums(conn, booking) == {vera: 150}
    assert await service.balance(conn, anna) == 0
    assert await service.balance(conn, vera) == 150


async def test_settling_the_same_state_again_writes_nothing(conn):
    booking = await add_booking(conn, user_id=await add_user(conn), status="COMPLETED")
    state = await state_of(conn, booking)

    assert await service.settle_bookings(conn, [state], FIVE, NOW) == 1
    assert await service.settle_bookings(conn, [state], FIVE, NOW) == 0
    assert await service.settle_bookings(conn, [state], OFF, NOW) == 0


async def test_a_batch_of_many_bookings_takes_a_fixed_number_of_statements(conn):
    """One reads the ledger, one writes; first accruals ask also from when on the users earn."""
    anna = await add_user(conn)
    bookings = [await add_booking(conn, user_id=anna, status="COMPLETED") for _ in range(20)]
    states = [await state_of(conn, booking) for booking in bookings]
    counting: Any = CountingConnection(conn)

    assert await service.settle_bookings(counting, states, FIVE, NOW) == 20
    assert counting.statements == 3

    dearer = [replace(state, price_kopecks=300_000) for state in states]
    counting.statements = 0
    assert (
        await service.settle_bookings(counting, [replace(one, revision=2) for one in dearer], FIVE, NOW) == 20
    )
    assert counting.statements == 2


async def test_new_bookings_that_earn_nothing_cost_no_query(conn):
    booking = await add_booking(conn, user_id=await add_user(conn), status="COMPLETED")
    counting: Any = CountingConnection(conn)

    assert await service.settle_bookings(counting, [await state_of(conn, booking)], OFF, NOW) == 0
    assert counting.statements == 0


class CountingConnection:
    """A connection that counts what it is asked."""

    def __init__(self, conn):
        self.conn = conn
        self.statements = 0

    async def execute(self, *args):
        self.statements += 1
        return await self.conn.execute(*args)


async def test_tiers_look_at_the_year_before_the_day_of_the_visit(conn):
    anna = await add_user(conn)
    policy = replace(FIVE, tiers=(Tier(20_000, Decimal(10)),))
    for days, price in [
        (-1, 1_000_000),
        (-365, 1_000_000),
        (-366, 5_000_000),
        (0, 5_000_000),
        (1, 5_000_000),
    ]:
        await add_booking(
            conn,
            user_id=anna,
            status="COMPLETED",
            service_price=price,
            appointment_datetime=NOON + timedelta(days=days),
        )
    await add_booking(
        conn,
        user_id=anna,
        status="CANCELLED",
        service_price=9_000_000,
        appointment_datetime=NOON - timedelta(days=9),
    )
    booking = await add_booking(conn, user_id=anna, status="COMPLETED", service_price=100_000)

    await service.settle_bookings(conn, [await state_of(conn, booking)], policy, NOW)

    # 20,000 roubles in the year before, of the 200,000 in all.
    assert await sums(conn, booking) == {anna: 100}


async def test_tiers_go_by_the_salons_calendar(conn):
    anna = await add_user(conn)
    policy = replace(FIVE, tiers=(Tier(20_000, Decimal(10)),))
    late = datetime(
        2025, 5, 31, 21, 30, tzinfo=UTC
    )  # half past midnight on 1 June in Moscow: the day of the visit
    await add_booking(
        conn,
        user_id=anna,
        status="COMPLETED",
        service_price=9_000_000,
        appointment_datetime=late,
        appointment_local=datetime(2025, 6, 1, 0, 30),  # noqa: DTZ001  a wall clock
    )
    booking = await add_booking(conn, user_id=anna, status="COMPLETED", service_price=100_000)

    await service.settle_bookings(conn, [await state_of(conn, booking)], policy, NOW)

    assert await sums(conn, booking) == {anna: 50}


async def test_a_ledger_written_behind_the_back_of_a_settler_is_read_again(pool: Pool):
    """Two who settle the same booking without its lock: the second one's entry meets the first one's key."""
    async with pool.connection() as conn:
        booking = await add_booking(conn, user_id=await add_user(conn), status="COMPLETED", revision=2)
        state = await state_of(conn, booking)

    async def settle_it(conn: Connection) -> int:
        return await service.settle_bookings(conn, [state], FIVE, NOW)

    async def settle_too() -> int:
        async with transaction(pool) as conn:
            return await settle_it(conn)

    async with transaction(pool) as first:
        assert await settle_it(first) == 1
        second = asyncio.create_task(settle_too())  # reads a ledger without the first one's entry, for sure
        async with pool.connection() as watching:
            while not second.done() and not await somebody_waits(watching):
                await asyncio.sleep(0.01)

    assert await second == 0
    async with pool.connection() as conn:
        assert list((await sums(conn, booking)).values()) == [125]


async def test_points_that_expired_are_not_taken_again_by_a_reversal(conn):
    anna = await add_user(conn)
    policy = replace(FIVE, expire_days=365)
    booking = await add_booking(conn, user_id=anna, status="PENDING")
    await write_and_settle(conn, booking, policy, status="COMPLETED")
    later = NOW + timedelta(days=400)
    assert await service.expire_points(conn, [anna], 365, later) == 1
    assert await service.balance(conn, anna) == 0

    await write_and_settle(conn, booking, policy, later, status="CANCELLED")

    assert await sums(conn, booking) == {}
    assert await service.balance(conn, anna) == 0


async def test_points_that_expire_at_this_very_moment_are_not_taken_again_by_a_reversal(pool: Pool):
    policy = replace(FIVE, expire_days=365)
    later = NOW + timedelta(days=400)
    async with transaction(pool) as conn:
        anna = await add_user(conn)
        booking = await add_booking(conn, user_id=anna, status="PENDING")
        await write_and_settle(conn, booking, policy, status="COMPLETED")

    async def reverse():
        async with transaction(pool) as conn:
            await write_and_settle(conn, booking, policy, later, status="CANCELLED")

    async with transaction(pool) as sweeping:
        assert await service.expire_points(sweeping, [anna], 365, later) == 1
        reversal = asyncio.create_task(reverse())
        # It ends by itself, or waits for the sweep: then it is seen to wait.
        async with pool.connection() as conn:
            while not reversal.done() and not await somebody_waits(conn):
                await asyncio.sleep(0.01)
    await reversal

    async with pool.connection() as conn:
        assert await service.balance(conn, anna) == 0


async def somebody_waits(conn: Connection) -> bool:
    cursor = await conn.execute(
        "select exists (select from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database())"
    )
    return bool((await cursor.fetchone() or (False,))[0])


async def test_bookings_unlinked_in_bulk_are_settled_as_their_rows_stand(conn):
    anna = await add_user(conn)
    first, second = [await add_booking(conn, user_id=anna, status="COMPLETED") for _ in range(2)]
    await service.settle_bookings_by_id(conn, [first, second], FIVE, NOW)
    assert await service.balance(conn, anna) == 250

    await conn.execute("update bookings set user_id = null where id = %s", [first])

    assert await service.settle_bookings_by_id(conn, [first, second], OFF, NOW) == 1
    assert await service.balance(conn, anna) == 125
    assert await service.settle_bookings_by_id(conn, [], OFF, NOW) == 0


async def test_the_ledger_only_grows(conn):
    booking = await add_booking(conn, user_id=await add_user(conn), status="COMPLETED")
    await service.settle_bookings(conn, [await state_of(conn, booking)], FIVE, NOW)

    for statement in (
        "update bonus_entries set amount = 1000000",
        "delete from bonus_entries",
        "truncate bonus_entries",
    ):
        with pytest.raises(psycopg.errors.RaiseException, match="only grows"):
            async with conn.transaction():
                await conn.execute(statement)


async def test_the_start_date_is_kept_with_the_accrual(conn):
    booking = await add_booking(conn, user_id=await add_user(conn), status="COMPLETED")
    policy = replace(FIVE, start_date=date(2025, 1, 1), percent=Decimal("7.1234"))

    await service.settle_bookings(conn, [await state_of(conn, booking)], policy, NOW)

    (line,) = await store.read_ledger_lines(conn, [booking])
    assert (line.percent, line.start_date, line.amount) == (Decimal("7.1234"), date(2025, 1, 1), 178)
