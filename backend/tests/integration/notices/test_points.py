"""Notices of points: told once, together, when they stand, and only of what is news."""

from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime, timedelta
from decimal import Decimal
from types import SimpleNamespace
from typing import cast

import pytest

from tests.support.notices import NOON, Desk, open_desk
from tests.support.rows import add_booking, add_user
from zerkalo.db.pool import Connection, Pool
from zerkalo.engine.registry import TaskParts, notices_of
from zerkalo.loyalty import service as loyalty
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.loyalty.service import move_ledger, return_ledger
from zerkalo.settings import Settings


@pytest.fixture
async def desk(pool: Pool) -> Desk:
    return await open_desk(pool)


async def test_points_come_together_once_and_only_for_visits_of_these_days(desk: Desk) -> None:
    async with desk.pool.connection() as conn:
        for number, day in enumerate((NOON, NOON, NOON - timedelta(days=30))):
            visit = await add_booking(
                conn, user_id=desk.anna, matched_by="code", status="COMPLETED", appointment_datetime=day
            )
            await conn.execute(
                "insert into bonus_entries (user_id, booking_id, amount, kind, entry_key, effective_at, created_at)"
                " values (%s, %s, 50, 'accrual', %s, %s, %s)",
                [desk.anna, visit, str(number), desk.now, desk.now],
            )
    assert await desk.tell() == 0, "others may follow"
    desk.now += timedelta(minutes=10)
    assert [await desk.tell(), await desk.tell()] == [1, 0]
    async with desk.pool.connection() as conn:
        ((body,),) = await (await conn.execute("select body from outbox")).fetchall()
    assert body == "Вам начислено баллов: 100. Всего: 150."


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        ([75, -75, 75], ["Вам начислено баллов: 75. Всего: 75."]),
        ([75, None, -75, 75], ["Вам начислено баллов: 75. Всего: 75."]),
        ([75, None, -75, None, 75], ["Вам начислено баллов: 75. Всего: 75."]),
        ([75, None, 25], ["Вам начислено баллов: 75. Всего: 75.", "Вам начислено баллов: 25. Всего: 100."]),
        ([75, -75], []),
    ],
    ids=["at once", "told before", "far apart", "more", "taken back"],
)
async def test_points_of_a_visit_that_were_reversed_and_given_again_are_told_once(
    desk: Desk, amounts: list[int | None], told: list[str]
) -> None:
    async with desk.pool.connection() as conn:
        visit = await add_booking(
            conn, user_id=desk.anna, matched_by="code", status="COMPLETED", appointment_datetime=NOON
        )
    for number, amount in enumerate([*amounts, None]):
        if amount is None:
            desk.now += timedelta(minutes=15)
            await desk.tell()
            desk.now += timedelta(minutes=50)
            continue
        async with desk.pool.connection() as conn:
            await conn.execute(
                "insert into bonus_entries (user_id, booking_id, amount, kind, entry_key, effective_at, created_at)"
                " values (%s, %s, %s, %s, %s, %s, %s)",
                [
                    desk.anna,
                    visit,
                    amount,
                    "accrual" if amount > 0 else "reversal",
                    f"{number}",
                    desk.now,
                    desk.now,
                ],
            )
    async with desk.pool.connection() as conn:
        bodies = await (await conn.execute("select body from outbox order by id")).fetchall()
    assert [body for (body,) in bodies] == told


@pytest.mark.parametrize(
    ("amounts", "told"),
    [
        ([-60], "Списано баллов: 60. Всего: 40."),
        ([25], "Вам начислено баллов: 25. Всего: 125."),
        ([-60, 60], None),
        ([-60, 60, -30], "Списано баллов: 30. Всего: 70."),
    ],
    ids=["spent", "given", "undone", "spent anew"],
)
async def test_points_moved_by_hand_are_told_once_they_stand(
    desk: Desk, amounts: list[int], told: str | None
) -> None:
    async with desk.pool.connection() as conn:
        for number, amount in enumerate([100, *amounts]):
            at = desk.now if number else desk.now - timedelta(days=9)
            await conn.execute(
                "insert into bonus_entries (user_id, amount, kind, created_by, entry_key, effective_at, created_at)"
                " values (%s, %s, 'adjustment', %s, %s, %s, %s)",
                [desk.anna, amount, desk.anna, f"hand {number}", at, at],
            )
    assert await desk.tell() == 0, "it may still be undone"
    desk.now += timedelta(minutes=10)
    assert [await desk.tell(), await desk.tell()] == [int(told is not None), 0]
    async with desk.pool.connection() as conn:
        bodies = await (await conn.execute("select body from outbox")).fetchall()
    assert bodies == ([(told,)] if told else [])


async def test_points_that_a_merge_of_accounts_moves_are_no_news(desk: Desk) -> None:
    """Neither what the account that ended had been told of, nor what goes back when the merge is undone."""
    async with desk.pool.connection() as conn:
        other = await add_user(conn, email="other@example.com", email_verified_at=NOON)
        visit = await add_booking(
            conn, user_id=other, matched_by="code", status="COMPLETED", appointment_datetime=NOON
        )
        for of, by in ((visit, None), (None, desk.anna)):
            await conn.execute(
                "insert into bonus_entries (user_id, booking_id, amount, kind, created_by, entry_key, effective_at, created_at)"
                " values (%s, %s, 50, 'accrual', %s, %s, %s, %s)",
                [other, of, by, f"of {of}", desk.now, desk.now],
            )
    desk.now += timedelta(minutes=10)
    assert await desk.tell() == 1

    for user, move, one, into in (
        (desk.anna, move_ledger, other, desk.anna),
        (other, return_ledger, other, desk.anna),
    ):
        async with desk.pool.connection() as conn:
            assert await move(conn, one, into, desk.now) == 2
            await conn.execute("update bookings set user_id = %s where id = %s", [user, visit])
        desk.now += timedelta(minutes=10)
        assert await desk.tell() == 0


async def test_burning_points_are_told_once_a_month(desk: Desk) -> None:
    async def burning(
        _: Connection, __: datetime, ___: timedelta, ____: int
    ) -> tuple[Mapping[int, int], int]:
        return {desk.anna: 40}, 0

    desk.notices = replace(desk.notices, burning=burning)
    assert [await desk.tell(), await desk.tell()] == [1, 0]


async def test_burning_points_are_told_to_everybody_however_many_there_are(
    desk: Desk, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(loyalty, "SWEEP_USERS", 2)
    policy = LoyaltyPolicy(enabled=True, percent=Decimal(5), expire_days=100)
    parts = SimpleNamespace(
        settings=Settings(notices=("burning",)), pool=desk.pool, policy=policy, people=None
    )
    own = notices_of(cast("TaskParts", parts))
    desk.notices = replace(desk.notices, policy=own.policy, burning=own.burning)
    earned_at = desk.now - timedelta(days=95)
    async with desk.pool.connection() as conn:
        for number in range(5):
            user = await add_user(conn, email=f"user{number}@example.com", email_verified_at=NOON)
            # The second has spent them since, and is no reason to stop either.
            for amount in (30, -30) if number == 1 else (30,):
                await conn.execute(
                    "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
                    " values (%s, %s, 'adjustment', %s, %s, %s)",
                    [user, amount, f"{number} {amount}", earned_at, earned_at],
                )

    told = [await desk.tell() for _ in range(6)]

    assert sum(told) == 4, told
    assert sorted({to for _, to, _ in await desk.sent()}) == [
        f"user{number}@example.com" for number in (0, 2, 3, 4)
    ]
