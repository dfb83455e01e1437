"""Redeeming, adjusting, merging: concurrent, repeated, and never below zero by redeeming."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest

from tests.support.rows import add_booking, add_user
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty import service, store
from zerkalo.loyalty.by_hand import service as by_hand
from zerkalo.loyalty.model import EarningState, Kind, LoyaltyPolicy
from zerkalo.loyalty.rules import ledger_of
from zerkalo.loyalty.till.service import undo_redemption

NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
POLICY = LoyaltyPolicy(enabled=True, percent=Decimal(5))


@pytest.fixture
async def people(pool: Pool) -> tuple[int, int, int]:
    """An admin and two users."""
    async with pool.connection() as conn:
        return await add_user(conn, is_admin=True), await add_user(conn), await add_user(conn)


async def give(pool, admin, user, points, key="given", now=NOW):
    return await by_hand.adjust(
        pool,
        user_id=user,
        points=points,
        reason="подарок",
        idempotency_key=key,
        admin_id=admin,
        policy=POLICY,
        now=now,
    )


async def redeem(pool, admin, user, points, key, reason="скидка", policy=POLICY, now=NOW):
    return await by_hand.redeem(
        pool,
        user_id=user,
        points=points,
        reason=reason,
        idempotency_key=key,
        admin_id=admin,
        policy=policy,
        now=now,
    )


async def balance(pool, user):
    async with pool.connection() as conn:
        return await service.balance(conn, user)


async def test_fifty_at_once_never_redeem_more_than_there_is(pool, people):
    admin, anna, _ = people
    await give(pool, admin, anna, 100)

    answers = await asyncio.gather(
        *[redeem(pool, admin, anna, 7, f"key {n}") for n in range(50)], return_exceptions=True
    )

    granted = [answer for answer in answers if not isinstance(answer, BaseException)]
    refused = [answer for answer in answers if isinstance(answer, ProblemError)]
    assert len(granted) == 14
    assert len(refused) == 36
    assert {(problem.status, problem.code) for problem in refused} == {(409, "balance_too_low")}
    assert await balance(pool, anna) == 2
    assert sorted(entry.balance_after for entry in granted) == [2 + 7 * n for n in range(14)]


async def test_fifty_repetitions_of_one_request_move_once_and_get_one_answer(pool, people):
    admin, anna, _ = people
    await give(pool, admin, anna, 100)

    answers = await asyncio.gather(*[redeem(pool, admin, anna, 60, "same") for _ in range(50)])

    assert len(set(answers)) == 1
    assert answers[0].balance_after == 40
    assert await balance(pool, anna) == 40


async def test_a_repetition_gets_the_first_answer_whatever_came_between(pool, people):
    admin, anna, _ = people
    await give(pool, admin, anna, 100)
    first = await redeem(pool, admin, anna, 60, "a")
    await redeem(pool, admin, anna, 40, "b")

    assert await redeem(pool, admin, anna, 60, "a") == first


@pytest.mark.parametrize("changed", [{"points": 61}, {"reason": "другое"}, {"user": 2}])
async def test_a_key_used_for_another_request_is_refused(pool, people, changed):
    admin, anna, vera = people
    await give(pool, admin, anna, 100)
    await give(pool, admin, vera, 100, "given too")
    await redeem(pool, admin, anna, 60, "a")

    with pytest.raises(ProblemError, match="422 idempotency_key_reused"):
        await redeem(
            pool,
            admin,
            vera if "user" in changed else anna,
            changed.get("points", 60),
            "a",
            changed.get("reason", "скидка"),
        )
    assert await balance(pool, anna) == 40
    assert await balance(pool, vera) == 100


async def test_one_key_for_two_users_at_once_is_granted_to_one(pool, people):
    admin, anna, vera = people

    answers = await asyncio.gather(
        give(pool, admin, anna, 5, "same"), give(pool, admin, vera, 5, "same"), return_exceptions=True
    )

    assert sorted(isinstance(answer, ProblemError) for answer in answers) == [False, True]
    assert await balance(pool, anna) + await balance(pool, vera) == 5


async def test_a_refused_redemption_may_be_repeated_when_there_are_points(pool, people):
    admin, anna, _ = people
    with pytest.raises(ProblemError, match="409 balance_too_low"):
        await redeem(pool, admin, anna, 60, "a")
    await give(pool, admin, anna, 100)

    assert (await redeem(pool, admin, anna, 60, "a")).balance_after == 40


async def test_an_unknown_or_erased_user_is_not_found(pool, people):
    admin, anna, _ = people
    async with pool.connection() as conn:
        await conn.execute("update users set erased_at = %s where id = %s", [NOW, anna])

    for user in (anna, 999_999):
        with pytest.raises(ProblemError, match="404 user_not_found"):
            await give(pool, admin, user, 5)


async def test_movements_by_hand_are_audited_once_and_without_their_reason(pool, people):
    admin, anna, _ = people
    for _ in range(2):
        await give(pool, admin, anna, 100)
    await redeem(pool, admin, anna, 60, "a")

    async with pool.connection() as conn:
        cursor = await conn.execute(
            "select admin_id, action, subject, details from audit_entries order by id"
        )
        rows = await cursor.fetchall()
    assert rows == [
        (admin, "loyalty.adjustment", f"user {anna}", {"points": 100, "after": 100}),
        (admin, "loyalty.redemption", f"user {anna}", {"points": -60, "after": 40}),
    ]


async def complete(conn, booking_id, user_id, status="COMPLETED", price=250_000, now=NOW, policy=POLICY):
    state = EarningState(booking_id, 2, user_id, status, price, NOW.date())
    return await service.settle_bookings(conn, [state], policy, now)


async def test_a_reversal_of_spent_points_leaves_a_debt_that_later_points_fill(pool, people):
    admin, anna, _ = people
    async with pool.connection() as conn:
        first, second = await add_booking(conn, user_id=anna), await add_booking(conn, user_id=anna)
        await complete(conn, first, anna)
    await redeem(pool, admin, anna, 100, "a")

    async with pool.connection() as conn:
        await complete(conn, first, anna, "CANCELLED")
        assert await service.balance(conn, anna) == -100
        await complete(conn, second, anna)
        assert await service.balance(conn, anna) == 25


async def test_a_merge_moves_the_whole_ledger_and_keeps_every_sum(pool, people):
    admin, anna, vera = people
    async with transaction(pool) as conn:
        first, second = await add_booking(conn, user_id=anna), await add_booking(conn, user_id=vera)
        await complete(conn, first, anna)
        await complete(conn, first, anna, price=300_000)
        await complete(conn, second, vera)
    await redeem(pool, admin, anna, 100, "a")

    async with transaction(pool) as conn:
        assert await service.move_ledger(conn, anna, vera, NOW, "merged") == 3

    async with transaction(pool) as conn:
        assert await service.balance(conn, anna) == 0
        assert await service.balance(conn, vera) == 150 + 125 - 100
        ledger = ledger_of(await store.read_ledger_lines(conn, [first]))[first]
        assert (dict(ledger.sums), ledger.percent) == ({anna: 0, vera: 150}, Decimal(5))
        assert await complete(conn, first, vera, price=300_000) == 0, (
            "the booking is settled for its new user"
        )
        assert await service.move_ledger(conn, anna, vera, NOW, "merged") == 0, "twice is once"
        assert await complete(conn, first, vera, "CANCELLED") == 1
        assert await service.balance(conn, vera) == 125 - 100


async def test_a_merge_keeps_the_age_of_points_and_what_expired(pool, people):
    _, anna, vera = people
    policy = replace(POLICY, expire_days=100)
    async with transaction(pool) as conn:
        first, second = await add_booking(conn, user_id=anna), await add_booking(conn, user_id=anna)
        await complete(conn, first, anna)
        await service.expire_points(conn, [anna], 100, NOW + timedelta(days=101))
        await complete(conn, second, anna, now=NOW + timedelta(days=150))

        merged_at = NOW + timedelta(days=200)
        await service.move_ledger(conn, anna, vera, merged_at, "merged", expire_days=100)

        assert await service.balance(conn, anna) == 0
        assert await service.balance(conn, vera) == 125
        await complete(conn, first, vera, "CANCELLED", now=merged_at, policy=policy)
        assert await service.balance(conn, vera) == 125, "what had expired is not taken again"
        assert await service.expire_points(conn, [vera], 100, NOW + timedelta(days=251)) == 1
        assert await service.balance(conn, vera) == 0


async def test_points_expire_after_a_merge_that_was_undone_as_before(pool, people):
    """What expired while the two were one stays; no expiry since may count as that one."""
    _, anna, vera = people
    async with transaction(pool) as conn:
        first, second, third, fourth = [
            await add_booking(conn, user_id=user) for user in (anna, vera, vera, vera)
        ]
        await complete(conn, first, anna)
        await complete(conn, second, vera)
        assert await service.expire_points(conn, [anna, vera], 100, NOW + timedelta(days=101)) == 2
        await complete(conn, third, vera, now=NOW + timedelta(days=102))
        await service.move_ledger(conn, anna, vera, NOW + timedelta(days=203), "merged", expire_days=100)
        assert await service.balance(conn, vera) == 0
        await service.return_ledger(conn, anna, vera, NOW + timedelta(days=203), expire_days=100)
        await complete(conn, fourth, vera, now=NOW + timedelta(days=204))

        assert await service.balance(conn, vera) == 125
        assert await service.expire_points(conn, [vera], 100, NOW + timedelta(days=305)) == 1
        assert await service.balance(conn, vera) == 0


@pytest.mark.parametrize("spent", [0, 60])
async def test_after_a_merge_is_undone_each_account_pays_for_what_expired_of_its_own(pool, people, spent):
    """Anna's old points expired, and Vera's; what Vera spent then was not taken from those that had expired."""
    admin, anna, vera = people
    policy = replace(POLICY, expire_days=100)
    await give(pool, admin, anna, 50, "old", now=NOW)
    await give(pool, admin, vera, 30, "old too", now=NOW + timedelta(hours=1))
    await give(pool, admin, vera, 100, "fresh", now=NOW + timedelta(days=90))
    async with transaction(pool) as conn:
        await service.move_ledger(conn, anna, vera, NOW + timedelta(days=99, hours=12), expire_days=100)
    await service.sweep(pool, policy, NOW + timedelta(days=100, hours=2))
    assert await balance(pool, vera) == 100
    if spent:
        await redeem(pool, admin, vera, spent, "tea", policy=policy, now=NOW + timedelta(days=100, hours=3))

    async with transaction(pool) as conn:
        parted_at = NOW + timedelta(days=100, hours=4)
        await service.return_ledger(conn, anna, vera, parted_at, expire_days=100)

    for days in (100, 101, 150, 189):
        await service.sweep(pool, policy, NOW + timedelta(days=days, hours=5))
        assert [await balance(pool, anna), await balance(pool, vera)] == [0, 100 - spent]
    await service.sweep(pool, policy, NOW + timedelta(days=191))
    assert [await balance(pool, anna), await balance(pool, vera)] == [0, 0]


async def test_points_expire_although_an_undone_expiry_followed_the_same_entry(pool, people):
    """The account's latest entry that stands is then an older one than the undone expiry's."""
    admin, anna, vera = people
    await give(pool, admin, anna, 50)
    async with transaction(pool) as conn:
        assert await service.expire_points(conn, [anna], 100, NOW + timedelta(days=101)) == 1
        (expiry,) = await store.read_entries(conn, anna, None, 1)
        await store.move_entries(conn, anna, vera, NOW + timedelta(days=101), "unmerged", [expiry.id])
        assert await service.balance(conn, anna) == 50

        assert await service.expire_points(conn, [anna], 100, NOW + timedelta(days=102)) == 1
        assert await service.balance(conn, anna) == 0


async def test_entries_come_newest_first_page_by_page(pool, people):
    admin, anna, vera = people
    for n in range(5):
        await give(pool, admin, anna, n + 1, f"key {n}")
        await give(pool, admin, vera, 50, f"other {n}")

    async with pool.connection() as conn:
        page = await store.read_entries(conn, anna, None, 3)
        rest = await store.read_entries(conn, anna, page[-1].id, 3)

    assert [entry.amount for entry in page + rest] == [5, 4, 3, 2, 1]
    assert {entry.kind for entry in page} == {Kind.ADJUSTMENT}


async def test_points_that_were_spent_and_undone_are_as_old_as_before(pool, people):
    """Else whoever taps and undoes every year would keep points for ever; and what would have expired meanwhile does."""
    admin, anna, _ = people
    policy = replace(POLICY, expire_days=365)
    await give(pool, admin, anna, 100)
    later = NOW + timedelta(days=364)
    spent = await redeem(pool, admin, anna, 60, "a", policy=policy, now=later)

    await undo_redemption(pool, spent.id, admin_id=admin, policy=policy, now=later + timedelta(minutes=9))
    assert await balance(pool, anna) == 100

    await service.sweep(pool, policy, NOW + timedelta(days=366))
    assert await balance(pool, anna) == 0


async def test_one_spending_is_undone_once_however_many_ask_at_once(pool, people):
    admin, anna, _ = people
    await give(pool, admin, anna, 100)
    spent = await redeem(pool, admin, anna, 60, "a")

    undone = await asyncio.gather(
        *(undo_redemption(pool, spent.id, admin_id=admin, policy=POLICY, now=NOW) for _ in range(10))
    )

    assert len({one.id for one in undone}) == 1
    assert await balance(pool, anna) == 100
