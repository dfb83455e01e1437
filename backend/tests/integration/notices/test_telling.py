"""Notices from the tables into the outbox: one a change, none twice, none that is old, by the ways that people chose."""

import asyncio
import json
from dataclasses import astuple, dataclass, field, replace
from datetime import datetime, timedelta, tzinfo
from typing import LiteralString
from zoneinfo import ZoneInfo

import pytest

from tests.integration.outbox.test_gateways import Mailbox, mail_server
from tests.support.notices import AT, NOON, ZONE, Desk, open_desk
from tests.support.rows import add_booking, add_user
from zerkalo.db.pool import Connection, Pool
from zerkalo.notices import store
from zerkalo.notices.model import NoticePolicy
from zerkalo.notices.service import tell
from zerkalo.outbox.gateways.service import SmtpSender
from zerkalo.outbox.model import Channel
from zerkalo.outbox.rules import parse_smtp_url
from zerkalo.outbox.service import send_due
from zerkalo.users import store as users


@dataclass
class Recorder:
    """A gateway that takes every message."""

    sent: list[str] = field(default_factory=list[str])

    async def send(self, recipient: str, subject: str, body: str) -> None:
        del subject, body
        self.sent.append(recipient)


@pytest.fixture
async def desk(pool: Pool) -> Desk:
    return await open_desk(pool)


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
