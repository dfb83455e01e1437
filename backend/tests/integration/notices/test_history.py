"""What a booking's history tells of its messages: which were sent, and why the others were not."""

from dataclasses import replace
from datetime import datetime, timedelta

import pytest

from tests.support.notices import AT, NOON, Desk, open_desk
from tests.support.rows import add_booking
from zerkalo.bookings.journal import store as journal
from zerkalo.db.pool import Connection, Pool
from zerkalo.outbox import store as outbox
from zerkalo.outbox.model import Channel, Message, SendFailed
from zerkalo.outbox.service import send_due


@pytest.fixture
async def desk(pool: Pool) -> Desk:
    return await open_desk(pool)


async def messages_of(desk: Desk, visit: int) -> list[tuple[str, str | None, str]]:
    """What the history of a booking tells of messages, the oldest first: about what, by which way, what became of it."""
    async with desk.pool.connection() as conn:
        events = await journal.read_history(conn, visit, after=None, limit=50)
    told = [one.after for one in reversed(events) if one.kind == "message"]
    assert all(one is not None and one["to_user_id"] == desk.anna for one in told)
    return [
        (str(one["message"]), None if one["channel"] is None else str(one["channel"]), str(one["outcome"]))
        for one in told
        if one is not None
    ]


class Gateway:
    """Takes every message, or refuses it for good."""

    def __init__(self, refusal: str | None = None) -> None:
        self.refusal = refusal

    async def send(self, recipient: str, subject: str, body: str) -> None:
        if self.refusal is not None:
            raise SendFailed(self.refusal, is_final=True)


async def test_a_bookings_history_tells_of_its_messages_when_the_outbox_is_long_pruned(desk: Desk) -> None:
    visit, other = await desk.book(), await desk.book()
    await desk.tell()
    assert await messages_of(desk, visit) == [("confirmation", "email", "waiting")]
    await send_due(desk.pool, {Channel.EMAIL: Gateway()}, clock=lambda: desk.now)
    await desk.change(visit, "appointment_datetime", AT + timedelta(hours=1))
    await desk.tell()
    await send_due(desk.pool, {Channel.EMAIL: Gateway("HTTP 550")}, clock=lambda: desk.now)
    await desk.change(visit, "status", "CANCELLED")
    await desk.tell()
    async with desk.pool.connection() as conn:
        await outbox.drop_expired(conn, now=desk.now + timedelta(hours=2))
        await outbox.put(conn, Message("email", "a@example.com", "Код", "1", desk.now), now=desk.now)
        await outbox.drop_expired(conn, now=desk.now + timedelta(hours=2))
        await outbox.prune(conn, now=desk.now + timedelta(days=400))

    assert await messages_of(desk, visit) == [
        ("confirmation", "email", "sent"),
        ("moved", "email", "HTTP 550"),
        ("cancelled", "email", "expired"),
    ]
    assert await messages_of(desk, other) == [("confirmation", "email", "sent")]
    assert await desk.sent() == [("email", None, "")] * 4, "no contact and no text stays, and no code at all"


async def test_a_bookings_history_tells_why_nobody_was_written_to(desk: Desk) -> None:
    await desk.choose()
    unreachable = await desk.book()
    await desk.tell()

    async def none_left(_: Connection, __: Channel, ___: str, ____: datetime) -> bool:
        return False

    desk.notices = replace(desk.notices, may_send=none_left)
    await desk.choose(by_phone=True)
    beyond = await desk.book()
    assert [await desk.tell(), await desk.tell()] == [0, 0]

    assert await messages_of(desk, unreachable) == [("confirmation", None, "no_way")]
    assert await messages_of(desk, beyond) == [("confirmation", None, "over_bounds")]


async def test_points_of_one_visit_stand_in_its_history_and_those_of_several_in_none(desk: Desk) -> None:
    async with desk.pool.connection() as conn:
        visits = [
            await add_booking(
                conn, user_id=desk.anna, matched_by="code", status="COMPLETED", appointment_datetime=NOON
            )
            for _ in range(3)
        ]

    async def earn(*earning: int) -> None:
        async with desk.pool.connection() as conn:
            for visit in earning:
                await conn.execute(
                    "insert into bonus_entries (user_id, booking_id, amount, kind, entry_key, effective_at, created_at)"
                    " values (%s, %s, 50, 'accrual', %s, %s, %s)",
                    [desk.anna, visit, f"{visit}", desk.now, desk.now],
                )
        desk.now += timedelta(minutes=15)
        await desk.tell()

    await earn(visits[0])
    await earn(*visits[1:])

    found = [await messages_of(desk, visit) for visit in visits]
    assert found == [[("points", "email", "waiting")], [], []]
