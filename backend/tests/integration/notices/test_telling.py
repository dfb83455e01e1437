"""Notices from the tables into the outbox: one a change, none twice, none that is old, by the ways that people chose."""

import asyncio
import json
from collections.abc import Mapping
from dataclasses import astuple, dataclass, field, replace
from datetime import UTC, datetime, timedelta, tzinfo
from typing import LiteralString
from zoneinfo import ZoneInfo

import pytest

from tests.integration.outbox.test_gateways import Mailbox, mail_server
from tests.support.rows import add_booking, add_user
from zerkalo.bookings.journal import store as journal
from zerkalo.db.pool import Connection, Pool
from zerkalo.loyalty.service import move_ledger, return_ledger
from zerkalo.notices import store
from zerkalo.notices.model import Kind, NoticePolicy
from zerkalo.notices.service import Notices, tell
from zerkalo.outbox import store as outbox
from zerkalo.outbox.gateways.service import SmtpSender
from zerkalo.outbox.model import Channel, Message, SendFailed
from zerkalo.outbox.rules import parse_smtp_url
from zerkalo.outbox.service import send_due
from zerkalo.users import store as users

ZONE = ZoneInfo("Europe/Moscow")
NOON = datetime(2026, 12, 1, 12, 0, tzinfo=ZONE).astimezone(UTC)
AT = NOON + timedelta(days=2)


@dataclass
class Recorder:
    """A gateway that takes every message."""

    sent: list[str] = field(default_factory=list[str])

    async def send(self, recipient: str, subject: str, body: str) -> None:
        del subject, body
        self.sent.append(recipient)


@dataclass
class Desk:
    """A salon with Anna, who has a proved e-mail and phone, and the clock."""

    pool: Pool
    notices: Notices
    anna: int
    now: datetime = NOON

    async def tell(self) -> int:
        """A minute later the worker looks."""
        self.now += timedelta(minutes=1)
        return await tell(self.notices, now=self.now)

    async def book(self, **columns: object) -> int:
        values = {
            "user_id": self.anna,
            "matched_by": "code",
            "appointment_datetime": AT,
            "status": "CONFIRMED",
            "vendor_changed_at": self.now,
            "created_at": self.now,
            "updated_at": self.now,
            **columns,
        }
        async with self.pool.connection() as conn:
            return await add_booking(conn, **values)

    async def change(self, booking: int, column: str, value: object) -> None:
        async with self.pool.connection() as conn:
            await conn.execute(
                f"update bookings set {column} = %s, updated_at = %s, vendor_changed_at = %s where id = %s".encode(),
                [value, self.now, self.now, booking],
            )

    async def sent(self) -> list[tuple[str, str, str]]:
        async with self.pool.connection() as conn:
            cursor = await conn.execute("select channel, recipient, subject from outbox order by id")
            return await cursor.fetchall()

    async def choose(self, **ways: bool) -> None:
        async with self.pool.connection() as conn:
            await store.write_choices(
                conn, self.anna, **{"by_email": False, "by_phone": False, "by_telegram": False, **ways}
            )


async def zone(_: Connection) -> tzinfo:
    return ZONE


async def may_send(_: Connection, __: Channel, ___: str, ____: datetime) -> bool:
    return True


async def nothing_burns(_: Connection, __: datetime, ___: timedelta) -> Mapping[int, int]:
    return {}


@pytest.fixture
async def desk(pool: Pool) -> Desk:
    async with pool.connection() as conn:
        anna = await add_user(
            conn,
            email="anna@example.com",
            email_verified_at=NOON,
            phone="+79991234567",
            phone_verified_at=NOON,
        )
        await conn.execute("insert into companies (id, title) values (1, 'Отражение')")
    policy = NoticePolicy(kinds=frozenset(Kind), remind_before=timedelta(hours=24))
    desk = Desk(pool, Notices(pool, policy, zone, may_send, nothing_burns, has_telegram=True), anna)
    await desk.tell()
    return desk


MAIL = ("email", "anna@example.com")


async def test_a_visit_is_confirmed_moved_and_cancelled_each_once(desk: Desk) -> None:
    visit = await desk.book()
    assert [await desk.tell(), await desk.tell()] == [1, 0]
    for minutes in (15, 30, 45, 60):  # four updates of one change
        await desk.change(visit, "appointment_datetime", AT + timedelta(minutes=minutes))
    assert [await desk.tell(), await desk.tell()] == [1, 0]
    await desk.change(visit, "status", "CANCELLED")
    assert [await desk.tell(), await desk.tell()] == [1, 0]

    assert await desk.sent() == [(*MAIL, "Вы записаны"), (*MAIL, "Визит перенесён"), (*MAIL, "Визит отменён")]


async def test_what_is_taken_back_at_once_and_came_are_no_news(desk: Desk) -> None:
    visit = await desk.book()
    await desk.tell()
    await desk.change(visit, "appointment_datetime", AT + timedelta(hours=1))
    await desk.change(visit, "appointment_datetime", AT)
    await desk.change(visit, "status", "COMPLETED")
    assert await desk.tell() == 0


async def test_nobody_hears_of_what_was_so_before_notices_were_switched_on(pool: Pool, desk: Desk) -> None:
    async with pool.connection() as conn:
        await conn.execute("truncate notice_state")
    old = NOON - timedelta(days=3)
    visit = await desk.book(created_at=old, updated_at=old, vendor_changed_at=old)
    assert await desk.tell() == 0
    await desk.change(visit, "appointment_datetime", AT + timedelta(hours=1))
    assert await desk.tell() == 1, "and of what changes from then on they do"


async def test_a_first_history_read_today_sends_nothing(desk: Desk) -> None:
    await desk.book(vendor_changed_at=NOON - timedelta(days=30))
    assert await desk.tell() == 0


async def test_a_visit_restored_unseen_and_cancelled_again_is_told_of_again(desk: Desk) -> None:
    """Its user may know from the salon or the page that it stood again, and would come in vain."""
    visit = await desk.book()
    await desk.tell()
    await desk.change(visit, "status", "CANCELLED")
    assert await desk.tell() == 1

    long_ago = desk.now
    desk.now += timedelta(hours=2)
    async with desk.pool.connection() as conn:
        await conn.execute(
            "update bookings set status = 'CONFIRMED', vendor_changed_at = %s, updated_at = %s where id = %s",
            [long_ago, desk.now, visit],
        )
    assert await desk.tell() == 0, "what was read two hours late is no news"

    await desk.change(visit, "status", "CANCELLED")

    assert [await desk.tell(), await desk.tell()] == [1, 0]
    assert (await desk.sent())[1:] == [(*MAIL, "Визит отменён")] * 2


async def test_nothing_older_than_an_hour_is_sent(desk: Desk) -> None:
    visit = await desk.book()
    await desk.tell()
    await desk.change(visit, "status", "CANCELLED")
    desk.now += timedelta(minutes=61)
    assert await desk.tell() == 0


async def test_in_the_night_nothing_is_sent_and_in_the_morning_what_is_still_so(desk: Desk) -> None:
    first, second = await desk.book(), await desk.book()
    await desk.tell()
    desk.now = NOON + timedelta(hours=8, minutes=59)
    await desk.tell()
    desk.now = NOON + timedelta(hours=11)
    await desk.change(first, "status", "CANCELLED")
    await desk.change(second, "status", "CANCELLED")
    assert await desk.tell() == 0
    await desk.change(second, "status", "CONFIRMED")
    desk.now = NOON + timedelta(hours=21)
    assert await desk.tell() == 1
    assert (await desk.sent())[2:] == [(*MAIL, "Визит отменён")]


async def test_several_workers_at_once_write_one_message(desk: Desk) -> None:
    await desk.book()
    now = desk.now + timedelta(minutes=1)
    assert sum(await asyncio.gather(*(tell(desk.notices, now=now) for _ in range(5)))) == 1


async def test_a_reminder_comes_once_and_again_only_for_another_time(desk: Desk) -> None:
    long_ago = NOON - timedelta(days=9)
    visit = await desk.book(created_at=long_ago, vendor_changed_at=long_ago, updated_at=long_ago)
    await desk.tell()
    desk.now = AT - timedelta(hours=24)
    assert [await desk.tell(), await desk.tell()] == [1, 0]
    await desk.change(visit, "appointment_datetime", AT + timedelta(hours=2))
    assert await desk.tell() == 1
    desk.now = AT - timedelta(hours=22)
    assert await desk.tell() == 1
    assert [subject for *_, subject in await desk.sent()] == [
        "Напоминание о визите",
        "Визит перенесён",
        "Напоминание о визите",
    ]


async def test_who_books_later_than_the_hour_of_reminding_is_not_reminded(desk: Desk) -> None:
    await desk.book(appointment_datetime=NOON + timedelta(hours=23))
    await desk.tell()
    assert [subject for *_, subject in await desk.sent()] == ["Вы записаны"]


async def test_each_person_chooses_the_ways(desk: Desk) -> None:
    async with desk.pool.connection() as conn:
        await store.connect_chat(conn, desk.anna, 77)
    await desk.choose(by_phone=True, by_telegram=True)
    await desk.book()
    assert await desk.tell() == 2
    assert [(way, recipient) for way, recipient, _ in await desk.sent()] == [
        ("telegram", "77"),
        ("phone", "+79991234567"),
    ]

    await desk.choose()
    await desk.book()
    assert await desk.tell() == 0


@pytest.mark.parametrize(
    ("channel", "loss"),
    [
        ("phone", "update users set phone_verified_at = null where id = %s"),
        ("email", "update users set email = 'other@example.com' where id = %s"),
        ("telegram", "update notice_choices set chat_id = null where user_id = %s"),
    ],
)
async def test_a_message_that_waits_goes_to_no_contact_that_was_given_up(
    desk: Desk, channel: str, loss: LiteralString
) -> None:
    async with desk.pool.connection() as conn:
        await store.connect_chat(conn, desk.anna, 4242)
    await desk.choose(**{f"by_{channel}": True})
    await desk.book()
    assert await desk.tell() == 1
    async with desk.pool.connection() as conn:
        await conn.execute(loss, [desk.anna])
    sender = Recorder()

    await send_due(desk.pool, {channel: sender}, clock=lambda: desk.now)

    assert sender.sent == []
    async with desk.pool.connection() as conn:
        cursor = await conn.execute("select recipient, body, finished_at is not null, error from outbox")
        assert await cursor.fetchall() == [(None, "", True, "not_theirs")]


async def test_an_sms_beyond_the_bounds_is_left_out(desk: Desk) -> None:
    async def none_left(_: Connection, channel: Channel, __: str, ___: datetime) -> bool:
        return channel is not Channel.PHONE

    desk.notices = replace(desk.notices, may_send=none_left)
    await desk.choose(by_phone=True, by_email=True)
    await desk.book()
    assert await desk.tell() == 1


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
    async def burning(_: Connection, __: datetime, ___: timedelta) -> Mapping[int, int]:
        return {desk.anna: 40}

    desk.notices = replace(desk.notices, burning=burning)
    assert [await desk.tell(), await desk.tell()] == [1, 0]


async def test_off_nothing_is_written_at_all(desk: Desk) -> None:
    desk.notices = replace(desk.notices, policy=NoticePolicy())
    await desk.book()
    assert await desk.tell() == 0


async def would_be(desk: Desk) -> dict[str, tuple[int, ...]]:
    """By kind: occasions, people, by mail, by SMS, by Telegram, unreachable."""
    async with desk.pool.connection() as conn:
        found = await store.would_have_been(
            conn,
            since=NOON - timedelta(days=30),
            now=NOON,
            before=timedelta(hours=24),
            has_telegram=True,
        )
    return {one.kind: astuple(one)[1:] for one in found}


async def test_what_the_last_month_would_have_been_is_counted_whole_and_nothing_sent(desk: Desk) -> None:
    """By hand: of each kind what was news to somebody, what was none, and by which ways it would have gone."""
    pool = desk.pool
    async with pool.connection() as conn:
        boris = await add_user(
            conn, phone="+79990000002", phone_verified_at=NOON
        )  # SMS only if he asks for them
        vera = await add_user(conn, phone="+79990000003", phone_verified_at=NOON)
        await store.write_choices(conn, vera, by_email=True, by_phone=True, by_telegram=True)
        await store.connect_chat(conn, vera, 77)
        await conn.execute("insert into companies (id) values (5)")
        await conn.execute(
            "insert into sync_runs (company_id, status, full_history, started_at) values (5, 'finished', true, %s)",
            [NOON],
        )
        ((run,),) = await (await conn.execute("select id from sync_runs")).fetchall()

    async def happened(
        visit: int, kind: str, seconds: int = 0, cause: str = "call", **values: object
    ) -> None:
        async with pool.connection() as conn:
            await conn.execute(
                "insert into booking_events (booking_id, at, kind, cause, before, after, run_id) values (%s, %s, %s, %s, %s::jsonb, %s::jsonb, %s)",
                [
                    visit,
                    NOON - timedelta(days=1, seconds=-seconds),
                    kind,
                    cause,
                    json.dumps(values.get("before")),
                    json.dumps(values.get("after")),
                    values.get("run"),
                ],
            )

    pending, cancelled = {"status": "PENDING"}, {"status": "CANCELLED"}
    of_anna, of_vera = await desk.book(), await desk.book(user_id=vera)
    await happened(of_anna, "created", after=pending)
    for second in range(4):  # four updates of one change
        await happened(of_anna, "moved", 600 + second)
    await happened(of_vera, "status", before=pending, after=cancelled)
    await happened(of_vera, "status", 60, before=cancelled, after=cancelled)  # a no-show that is deleted
    of_boris = await desk.book(user_id=boris)
    await happened(of_boris, "moved")
    old = await desk.book(vendor_changed_at=NOON - timedelta(days=90))
    await happened(old, "created", cause="sync", after=pending)
    await happened(await desk.book(), "created", cause="sync", after=pending, run=run)  # a first history
    await happened(await desk.book(), "created", cause="import", after=pending)
    over = await desk.book(appointment_datetime=NOON - timedelta(days=2))
    await happened(over, "status", before=pending, after=cancelled)

    long_ago = NOON - timedelta(days=20)
    for at, made in (
        (NOON - timedelta(days=3), long_ago),
        (NOON + timedelta(hours=23), long_ago),
        (NOON + timedelta(hours=25), long_ago),
        (NOON, NOON),
    ):
        await desk.book(appointment_datetime=at, created_at=made, user_id=vera)

    async with pool.connection() as conn:
        visits = [
            await add_booking(
                conn, user_id=desk.anna, status="COMPLETED", appointment_datetime=at, created_at=NOON
            )
            for at in (NOON, NOON - timedelta(days=30))
        ]
        await conn.execute(
            "insert into bonus_entries (user_id, booking_id, amount, kind, entry_key, effective_at, created_at) values"
            " (%(u)s, %(b)s, 50, 'accrual', 'a', %(t)s, %(t)s), (%(u)s, %(b)s, 20, 'accrual', 'b', %(t)s, %(t)s),"
            " (%(u)s, %(o)s, 50, 'accrual', 'c', %(l)s, %(l)s), (%(u)s, null, -9, 'expiry', 'd', %(t)s, %(t)s)",
            {
                "u": desk.anna,
                "b": visits[0],
                "o": visits[1],
                "t": NOON - timedelta(hours=3),
                "l": NOON - timedelta(hours=9),
            },
        )

    assert await would_be(desk) == {
        "confirmation": (1, 1, 1, 0, 0, 0),
        "moved": (2, 2, 1, 0, 0, 1),
        "cancelled": (1, 1, 0, 1, 1, 0),
        "reminder": (3, 2, 1, 2, 2, 0),  # one of a visit that was over when it was read
        "points": (1, 1, 1, 0, 0, 0),
        "burning": (1, 1, 1, 0, 0, 0),
    }
    assert await desk.sent() == []


async def test_a_notice_arrives_by_mail_and_stays_nowhere(desk: Desk) -> None:
    mailbox = Mailbox()
    await desk.book(appointment_local=AT.astimezone(ZONE).replace(tzinfo=None))
    await desk.tell()
    with mail_server(mailbox) as port:
        sender = SmtpSender(parse_smtp_url(f"smtp://127.0.0.1:{port}?from=salon%40example.com"))
        assert await send_due(desk.pool, {Channel.EMAIL: sender}, clock=lambda: desk.now) == 1
    (mail,) = mailbox.mails
    assert (mail["To"], mail["Subject"]) == ("anna@example.com", "Вы записаны")
    assert mail.get_content().strip() == "Вы записаны: 3 декабря в 12:00, Стрижка. Отражение."
    assert await desk.sent() == [("email", None, "")]


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


async def test_each_person_is_written_to_in_their_language(desk: Desk) -> None:
    async with desk.pool.connection() as conn:
        await users.write_language(conn, desk.anna, "en", now=NOON)
    await desk.book()
    await desk.tell()
    assert await desk.sent() == [(*MAIL, "You are booked")]


async def test_in_the_night_after_a_day_abroad_the_salons_clock_counts(desk: Desk) -> None:
    """Quiet from 21 to 9 in Vladivostok is 14 to 2 in Moscow; over midnight a reminder waits for the morning."""

    async def far_east(_: Connection) -> tzinfo:
        return ZoneInfo("Asia/Vladivostok")

    async def told_at(hour: int, day: int = 1) -> int:
        desk.now = datetime(2026, 12, day, hour, 0, tzinfo=ZoneInfo("Asia/Vladivostok"))
        return await desk.tell()

    desk.notices = replace(desk.notices, zone=far_east)
    long_ago = NOON - timedelta(days=9)
    night = datetime(2026, 12, 2, 23, 30, tzinfo=ZoneInfo("Asia/Vladivostok"))
    await desk.book(
        appointment_datetime=night, created_at=long_ago, vendor_changed_at=long_ago, updated_at=long_ago
    )
    assert [await told_at(20), await told_at(23)] == [0, 0], (
        "a day ahead of it is half past eleven in the night"
    )
    assert [await told_at(0, 2), await told_at(8, 2), await told_at(9, 2), await told_at(10, 2)] == [
        0,
        0,
        1,
        0,
    ]
    assert (await desk.sent())[0][2] == "Напоминание о визите"
