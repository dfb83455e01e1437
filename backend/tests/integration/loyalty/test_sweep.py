"""The sweep: what settings newly cover is settled, what is old expires, and either only once."""

import asyncio
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

import pytest
import structlog

from tests.support.rows import NOON, add_booking, add_user
from zerkalo.db.pool import Pool
from zerkalo.loyalty import service, store
from zerkalo.loyalty.by_hand import service as by_hand
from zerkalo.loyalty.model import LoyaltyPolicy, Programme
from zerkalo.loyalty.programme import service as programme

NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
FIVE = LoyaltyPolicy(enabled=True, percent=Decimal(5))
OFF = replace(FIVE, enabled=False)


@pytest.fixture
async def anna(pool: Pool) -> int:
    """A user with three completed visits (125 points each) and a pending one."""
    async with pool.connection() as conn:
        user = await add_user(conn)
        for days in (-60, -30, 0):
            await add_booking(
                conn, user_id=user, status="COMPLETED", appointment_datetime=NOON + timedelta(days=days)
            )
        await add_booking(conn, user_id=user, status="PENDING")
        await add_booking(conn, status="COMPLETED")
    return user


async def balance(pool: Pool, user: int) -> int:
    async with pool.connection() as conn:
        return await service.balance(conn, user)


async def test_switched_off_it_settles_nothing(pool, anna):
    assert await service.sweep(pool, OFF, NOW) == 0


async def test_switched_on_it_settles_what_was_completed_before_and_only_once(pool, anna):
    assert await service.sweep(pool, FIVE, NOW) == 3
    assert await balance(pool, anna) == 375
    assert await service.sweep(pool, FIVE, NOW) == 0
    assert await service.sweep(pool, FIVE, NOW + timedelta(days=2)) == 0


async def test_a_start_date_set_earlier_covers_more_and_set_later_takes_nothing(pool, anna):
    assert await service.sweep(pool, replace(FIVE, start_date=date(2025, 5, 31)), NOW) == 1
    assert await service.sweep(pool, replace(FIVE, start_date=date(2025, 4, 15)), NOW) == 1
    assert await service.sweep(pool, replace(FIVE, start_date=date(2026, 1, 1)), NOW) == 0
    assert await service.sweep(pool, FIVE, NOW) == 1
    assert await balance(pool, anna) == 375


async def test_a_booking_that_was_held_is_settled_by_the_next_sweep(pool, anna):
    """Whoever held it changed nothing that earns, so that nothing else settles it."""
    async with pool.connection() as conn, conn.transaction():
        await conn.execute("select from bookings for update")
        assert await service.sweep(pool, FIVE, NOW) == 0

    await service.sweep(pool, FIVE, NOW + timedelta(minutes=10))

    assert await balance(pool, anna) == 375


async def test_switched_off_and_on_again_it_settles_what_was_completed_in_between(pool, anna):
    await service.sweep(pool, FIVE, NOW)
    await service.sweep(pool, OFF, NOW)
    async with pool.connection() as conn:
        await conn.execute("update bookings set status = 'COMPLETED', revision = 2 where status = 'PENDING'")

    assert await service.sweep(pool, FIVE, NOW) == 1


async def test_what_a_process_with_old_settings_completed_is_found_within_a_day(pool, anna):
    await service.sweep(pool, FIVE, NOW)
    async with pool.connection() as conn:
        await conn.execute("update bookings set status = 'COMPLETED', revision = 2 where status = 'PENDING'")

    assert await service.sweep(pool, FIVE, NOW + timedelta(hours=23)) == 0
    assert await service.sweep(pool, FIVE, NOW + timedelta(hours=24)) == 1


@pytest.mark.parametrize("policy", [FIVE, OFF])
async def test_points_left_with_a_booking_that_is_hers_no_more_are_taken_back_within_a_day(
    pool, anna, policy
):
    await service.sweep(pool, FIVE, NOW)
    async with pool.connection() as conn:
        await conn.execute("update bookings set user_id = null where id = 1")
        await conn.execute("update bookings set status = 'CANCELLED' where id = 2")

    assert await service.sweep(pool, policy, NOW + timedelta(days=1)) == 2
    assert await balance(pool, anna) == 125


async def test_it_goes_on_where_it_was_stopped(pool, anna, monkeypatch):
    monkeypatch.setattr(service, "SWEEP_BOOKING_IDS", 2)
    lock_unsettled, ranges = store.lock_unsettled, []

    async def stop_in_the_second_range(conn, after_id, until_id, **settings):
        ranges.append((after_id, until_id))
        if len(ranges) == 2:
            raise ConnectionError("killed")
        return await lock_unsettled(conn, after_id, until_id, **settings)

    monkeypatch.setattr(store, "lock_unsettled", stop_in_the_second_range)
    with pytest.raises(ConnectionError):
        await service.sweep(pool, FIVE, NOW)
    assert await balance(pool, anna) == 250

    await service.sweep(pool, FIVE, NOW)
    assert await balance(pool, anna) == 375
    assert ranges[1] == ranges[2], "the range that was not finished is done again, the finished one is not"


async def test_many_at_once_settle_once(pool, anna):
    await asyncio.gather(*[service.sweep(pool, replace(FIVE, expire_days=1), NOW) for _ in range(6)])

    assert await balance(pool, anna) == 375


async def test_old_points_expire_oldest_first_and_once(pool, anna):
    policy = replace(FIVE, expire_days=100)
    await service.sweep(pool, policy, NOW)
    async with pool.connection() as conn:
        admin = await add_user(conn, is_admin=True)
    await by_hand.redeem(
        pool,
        user_id=anna,
        points=75,
        reason="мыло",
        idempotency_key="k",
        admin_id=admin,
        policy=policy,
        now=NOW,
    )

    assert await service.sweep(pool, policy, NOW + timedelta(days=100)) == 0
    assert await service.sweep(pool, policy, NOW + timedelta(days=100, seconds=1)) == 1
    assert await balance(pool, anna) == 0
    assert await service.sweep(pool, policy, NOW + timedelta(days=200)) == 0


async def test_expiry_switched_on_later_leaves_what_was_spent(pool, anna):
    await service.sweep(pool, FIVE, NOW)
    async with pool.connection() as conn:
        admin = await add_user(conn, is_admin=True)
    late = NOW + timedelta(days=400)
    await by_hand.redeem(
        pool,
        user_id=anna,
        points=375,
        reason="мыло",
        idempotency_key="k",
        admin_id=admin,
        policy=FIVE,
        now=late,
    )

    assert await service.sweep(pool, replace(FIVE, expire_days=365), late) == 0
    assert await balance(pool, anna) == 0


async def test_points_due_to_expire_cannot_be_redeemed_before_the_sweep(pool, anna):
    policy = replace(FIVE, expire_days=100)
    await service.sweep(pool, policy, NOW)
    async with pool.connection() as conn:
        admin = await add_user(conn, is_admin=True)

    with pytest.raises(Exception, match="balance_too_low"):
        await by_hand.redeem(
            pool,
            user_id=anna,
            points=1,
            reason="",
            idempotency_key="k",
            admin_id=admin,
            policy=policy,
            now=NOW + timedelta(days=101),
        )

    # What was refused, and why, shows at once.
    assert await balance(pool, anna) == 0


async def test_the_programme_starts_on_the_day_it_was_first_switched_on(pool, anna):
    async with pool.connection() as conn:
        off = await programme.since_switched_on(conn, OFF, NOW)
        first = await programme.since_switched_on(conn, FIVE, NOW)
        later = await programme.since_switched_on(conn, FIVE, NOW + timedelta(days=40))

    assert off.start_date is None
    assert first.start_date == later.start_date == NOW.date()
    assert await service.sweep(pool, first, NOW) == 0, "switching it on gives nothing for the past by itself"


async def test_an_earlier_start_is_the_owners_word_and_the_log_says_what_it_gave(pool, anna):
    async with pool.connection() as conn:
        told = await programme.since_switched_on(conn, replace(FIVE, start_date=date(2025, 4, 15)), NOW)

    with structlog.testing.capture_logs() as lines:
        await service.sweep(pool, told, NOW)

    (line,) = [line for line in lines if line["event"] == "loyalty: earlier visits were given points"]
    assert (line["points"], line["visits"], line["since"]) == (250, 2, date(2025, 4, 15))
    async with pool.connection() as conn:
        shown = await programme.programme_of(conn, told)
    assert shown == Programme(FIVE.percent, date(2025, 4, 15), 250, 2, date(2025, 4, 15))


async def test_what_the_history_was_given_is_counted_whole_whichever_sweep_gave_it(pool, anna):
    """As after a kill in the middle: the second sweep finds a part done."""
    async with pool.connection() as conn:
        early = replace(FIVE, start_date=date(2025, 4, 15))
        await programme.since_switched_on(conn, early, NOW)
    await service.sweep(pool, early, NOW)
    async with pool.connection() as conn:
        await conn.execute("delete from facts where name <> 'loyalty_started'")
        await add_booking(
            conn, user_id=anna, status="COMPLETED", appointment_datetime=NOW - timedelta(days=9)
        )
    await service.sweep(pool, early, NOW)

    async with pool.connection() as conn:
        shown = await programme.programme_of(conn, early)
    assert (shown.history_points, shown.history_visits) == (375, 3)


async def test_visits_since_the_first_day_are_no_history(pool, anna):
    async with pool.connection() as conn:
        told = await programme.since_switched_on(
            conn, replace(FIVE, start_date=date(2025, 4, 15)), NOW - timedelta(days=90)
        )
    await service.sweep(pool, told, NOW)

    async with pool.connection() as conn:
        shown = await programme.programme_of(conn, told)
    assert (shown.starts_on, shown.history_visits) == (date(2025, 4, 15), 0)
