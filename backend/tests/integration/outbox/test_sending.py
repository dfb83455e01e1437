"""What is due is sent once, put off when it fails, and forgotten when it is done."""

from collections.abc import Collection
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Any

import anyio
import pytest
from psycopg import OperationalError

from tests.support.people import RememberingSender
from zerkalo.checkup.store import read_facts
from zerkalo.db.pool import Connection, Pool
from zerkalo.kit.few_at_once import FewAtOnce
from zerkalo.outbox import store
from zerkalo.outbox.model import Channel, Message, Sender, SendFailed
from zerkalo.outbox.rules import PAUSE_MAX, QUICK_ATTEMPTS
from zerkalo.outbox.service import AT_ONCE_MAX, BATCH, CLAIM_SPAN, SEND_SECONDS_MAX, send_due
from zerkalo.settings import Settings

NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
MESSAGE = Message(Channel.EMAIL, "anna@example.com", "Код", "Ваш код 123456", NOW + timedelta(minutes=10))


class Clock:
    """A clock that the test moves."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


async def put(pool: Pool, message: Message = MESSAGE) -> int:
    async with pool.connection() as conn:
        return await store.put(conn, message, now=NOW)


async def row(pool: Pool) -> dict[str, Any]:
    names = ("recipient", "body", "attempts", "finished_at", "error", "next_attempt_at")
    async with pool.connection() as conn:
        found = await (await conn.execute(f"select {', '.join(names)} from outbox")).fetchone()
    assert found is not None
    return dict(zip(names, found, strict=True))


async def test_a_clock_that_was_hours_ahead_holds_up_no_message(pool: Pool, clock: Clock) -> None:
    sender, later = RememberingSender(), NOW + timedelta(hours=3)
    message = replace(MESSAGE, expires_at=later + timedelta(minutes=10))
    async with pool.connection() as conn:
        await store.put(conn, message, now=later)
        await store.put(conn, message, now=NOW)
        await conn.execute("update outbox set claimed_until = %s where id = 2", [later])

    assert await send_due(pool, {Channel.EMAIL: sender}, clock=clock) == 2


async def test_a_message_is_sent_once_and_then_forgotten(pool: Pool, clock: Clock) -> None:
    sender = RememberingSender()
    await put(pool)

    assert await send_due(pool, {Channel.EMAIL: sender}, clock=clock) == 1
    assert await send_due(pool, {Channel.EMAIL: sender}, clock=clock) == 0

    assert sender.sent == [("anna@example.com", "Код", "Ваш код 123456")]
    kept = await row(pool)
    assert (kept["recipient"], kept["body"], kept["error"]) == (None, "", None)
    assert kept["finished_at"] == NOW


async def test_many_processes_send_each_message_once(pool: Pool, clock: Clock) -> None:
    sender = RememberingSender()
    for number in range(60):
        await put(pool, replace(MESSAGE, recipient=f"user{number}@example.com"))
    counts: list[int] = []

    async def work() -> None:
        counts.append(await send_due(pool, {Channel.EMAIL: sender}, clock=clock))

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(work)

    assert sum(counts) == 60
    assert len({to for to, _, _ in sender.sent}) == len(sender.sent) == 60


async def test_what_fails_is_tried_again_later_and_sent_then(pool: Pool, clock: Clock) -> None:
    sender = RememberingSender(failure=SendFailed("SMTP 451"))
    await put(pool)

    assert await send_due(pool, {Channel.EMAIL: sender}, clock=clock) == 0
    waiting = await row(pool)
    assert (waiting["error"], waiting["attempts"], waiting["finished_at"]) == ("SMTP 451", 1, None)
    assert waiting["next_attempt_at"] == NOW + timedelta(seconds=5)
    sender.failure = None
    assert await send_due(pool, {Channel.EMAIL: sender}, clock=clock) == 0, "not before its time"
    clock.now += timedelta(seconds=5)
    assert await send_due(pool, {Channel.EMAIL: sender}, clock=clock) == 1


async def test_a_final_refusal_is_not_tried_again(pool: Pool, clock: Clock) -> None:
    sender = RememberingSender(failure=SendFailed("recipient refused, SMTP 550", is_final=True))
    await put(pool)

    await send_due(pool, {Channel.EMAIL: sender}, clock=clock)

    kept = await row(pool)
    assert (kept["finished_at"], kept["recipient"], kept["error"]) == (
        NOW,
        None,
        "recipient refused, SMTP 550",
    )


async def test_what_is_out_of_time_is_dropped(pool: Pool, clock: Clock) -> None:
    sender = RememberingSender(failure=SendFailed("down"))
    await put(pool)
    while clock.now < MESSAGE.expires_at:
        await send_due(pool, {Channel.EMAIL: sender}, clock=clock)
        clock.now += timedelta(seconds=30)

    sender.failure = None
    assert await send_due(pool, {Channel.EMAIL: sender}, clock=clock) == 0

    kept = await row(pool)
    assert (kept["recipient"], kept["body"]) == (None, "")
    assert kept["finished_at"] is not None
    assert sender.sent == []


async def test_an_invitation_outlives_an_hour_without_the_mail_server(pool: Pool, clock: Clock) -> None:
    sender = RememberingSender(failure=SendFailed("the mail server can't be used"))
    await put(pool, replace(MESSAGE, expires_at=NOW + timedelta(days=7)))
    while clock.now < NOW + timedelta(hours=1):
        await send_due(pool, {Channel.EMAIL: sender}, clock=clock)
        clock.now += timedelta(minutes=1)
    assert (await row(pool))["attempts"] < 12, "it is not asked every minute"

    sender.failure = None
    clock.now += timedelta(minutes=30)

    assert await send_due(pool, {Channel.EMAIL: sender}, clock=clock) == 1


async def test_a_process_that_died_leaves_its_message_to_others(pool: Pool, clock: Clock) -> None:
    sender = RememberingSender()
    await put(pool)
    async with pool.connection() as conn:
        claimed = await store.claim_due(conn, [Channel.EMAIL], now=NOW, until=NOW + CLAIM_SPAN, limit=9)
    assert len(claimed) == 1

    assert await send_due(pool, {Channel.EMAIL: sender}, clock=clock) == 0, "it is claimed"
    clock.now += CLAIM_SPAN
    assert await send_due(pool, {Channel.EMAIL: sender}, clock=clock) == 1


async def test_a_sender_that_breaks_holds_up_nobody(pool: Pool, clock: Clock) -> None:
    class Broken:
        async def send(self, recipient: str, subject: str, body: str) -> None:
            raise RuntimeError("anna@example.com 123456")

    phone = RememberingSender()
    await put(pool)
    await put(pool, replace(MESSAGE, channel=Channel.PHONE, recipient="+79991234567"))

    assert await send_due(pool, {Channel.EMAIL: Broken(), Channel.PHONE: phone}, clock=clock) == 1

    async with pool.connection() as conn:
        errors = await (await conn.execute("select error from outbox where error is not null")).fetchall()
    assert errors == [("unexpected RuntimeError",)]


async def test_a_gateway_that_never_ends_its_answer_holds_up_nobody(pool: Pool, clock: Clock) -> None:
    class Dripping:
        """Each byte comes within the time-out for one; the answer never ends."""

        async def send(self, recipient: str, subject: str, body: str) -> None:
            while True:
                await anyio.sleep(0.01)

    await put(pool)

    with anyio.fail_after(60):
        assert await send_due(pool, {Channel.EMAIL: Dripping()}, clock=clock, seconds_max=0.1) == 0

    kept = await row(pool)
    assert (kept["error"], kept["attempts"]) == ("no answer in time", 1)
    assert kept["next_attempt_at"] > NOW, "it is tried again"


def test_a_claim_outlasts_the_slowest_batch() -> None:
    rounds = -(-BATCH // AT_ONCE_MAX)

    assert timedelta(seconds=rounds * SEND_SECONDS_MAX) < CLAIM_SPAN


async def test_a_channel_without_a_sender_waits(pool: Pool, clock: Clock) -> None:
    await put(pool)

    assert await send_due(pool, {}, clock=clock) == 0
    assert (await row(pool))["attempts"] == 0


async def test_a_message_of_a_transaction_that_failed_is_never_sent(pool: Pool, clock: Clock) -> None:
    sender = RememberingSender()

    async def fail() -> None:
        async with pool.connection() as conn, conn.transaction():
            await store.put(conn, MESSAGE, now=NOW)
            raise RuntimeError("the request failed")

    with pytest.raises(RuntimeError):
        await fail()

    assert await send_due(pool, {Channel.EMAIL: sender}, clock=clock) == 0


async def test_finished_rows_are_pruned_after_a_week(pool: Pool, clock: Clock) -> None:
    await put(pool)
    await send_due(pool, {Channel.EMAIL: RememberingSender()}, clock=clock)

    async with pool.connection() as conn:
        await store.prune(conn, now=NOW + timedelta(days=6))
        assert await (await conn.execute("select count(*) from outbox")).fetchone() == (1,)
        await store.prune(conn, now=NOW + timedelta(days=8))
        assert await (await conn.execute("select count(*) from outbox")).fetchone() == (0,)


class HungSender:
    """A gateway that answers nothing."""

    def __init__(self) -> None:
        self.asked = 0

    async def send(self, recipient: str, subject: str, body: str) -> None:
        self.asked += 1
        await anyio.sleep_forever()


async def test_a_gateway_that_hangs_holds_up_no_other_channel_and_has_one_call_at_work(
    pool: Pool, clock: Clock
) -> None:
    """Before: every ten seconds another call began to wait for it, until no background work had a place."""
    mail, phone, sending = HungSender(), RememberingSender(), FewAtOnce()
    senders: dict[str, Sender] = {Channel.EMAIL: mail, Channel.PHONE: phone}
    for number in range(BATCH + 1):
        await put(pool, replace(MESSAGE, recipient=f"user{number}@example.com"))
    async with anyio.create_task_group() as tasks:
        tasks.start_soon(partial(send_due, pool, senders, clock=clock, sending=sending))
        with anyio.fail_after(10):
            while mail.asked < AT_ONCE_MAX:
                await anyio.sleep(0.01)
        await put(pool, replace(MESSAGE, channel=Channel.PHONE, recipient="+79991234567"))

        with anyio.fail_after(10):
            assert await send_due(pool, senders, clock=clock, sending=sending) == 1

        assert mail.asked == AT_ONCE_MAX, "the second call left the mails to the first"
        tasks.cancel_scope.cancel()


async def test_a_gateway_that_takes_nothing_is_left_until_the_next_call(pool: Pool, clock: Clock) -> None:
    sender = RememberingSender(failure=SendFailed("away"))
    for number in range(BATCH + 5):
        await put(pool, replace(MESSAGE, recipient=f"user{number}@example.com"))

    assert await send_due(pool, {Channel.EMAIL: sender}, clock=clock) == 0

    async with pool.connection() as conn:
        found = await (
            await conn.execute("select count(*) filter (where attempts = 0) from outbox")
        ).fetchone()
    assert found == (5,)


async def test_a_database_that_fails_beside_it_lets_a_message_under_way_be_noted(
    pool: Pool, clock: Clock, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Before: what the other channel's failure broke off had been sent, and was sent again three minutes later."""
    phone, claim, is_sending = RememberingSender(), store.claim_due, anyio.Event()

    class SlowSender(RememberingSender):
        async def send(self, recipient: str, subject: str, body: str) -> None:
            is_sending.set()
            await anyio.sleep(0.2)
            await phone.send(recipient, subject, body)

    async def failing(conn: Connection, channels: Collection[str], **how: Any) -> list[Any]:
        if Channel.EMAIL in channels:
            await is_sending.wait()
            raise OperationalError("the connection is lost")
        return await claim(conn, channels, **how)

    monkeypatch.setattr(store, "claim_due", failing)
    await put(pool, replace(MESSAGE, channel=Channel.PHONE, recipient="+79991234567"))

    with pytest.raises(OperationalError):
        await send_due(pool, {Channel.EMAIL: RememberingSender(), Channel.PHONE: SlowSender()}, clock=clock)

    assert len(phone.sent) == 1
    assert (await row(pool))["finished_at"] == NOW


async def test_a_fresh_code_goes_before_messages_that_have_failed_for_long(pool: Pool, clock: Clock) -> None:
    old = replace(MESSAGE, recipient="old@example.com", expires_at=NOW + timedelta(days=1))
    for _ in range(BATCH):
        await put(pool, old)
    async with pool.connection() as conn:
        await conn.execute("update outbox set attempts = %s", [QUICK_ATTEMPTS])
    await put(pool)
    async with pool.connection() as conn:
        due = await store.claim_due(conn, [Channel.EMAIL], now=NOW, until=NOW + CLAIM_SPAN, limit=BATCH)

    assert MESSAGE.recipient in [one.recipient for one in due]


@pytest.mark.parametrize(("other", "failing"), [(SendFailed("away"), 1), (None, 0)])
async def test_check_tells_of_a_gateway_that_fails_and_not_of_one_bad_recipient(
    pool: Pool, clock: Clock, other: SendFailed | None, failing: int
) -> None:
    sender = RememberingSender(failure=SendFailed("mailbox full"))
    message = replace(MESSAGE, expires_at=NOW + timedelta(days=1))
    await put(pool, message)
    for _ in range(3):
        await send_due(pool, {Channel.EMAIL: sender}, clock=clock)
        clock.now += timedelta(minutes=5)
    sender.failure = other
    async with pool.connection() as conn:
        await store.put(conn, replace(message, recipient="olga@example.com"), now=clock.now)
        await conn.execute("update outbox set next_attempt_at = %s where id = 1", [clock.now + PAUSE_MAX])
    await send_due(pool, {Channel.EMAIL: sender}, clock=clock)

    async with pool.connection() as conn:
        facts = await read_facts(conn, Settings(), webhook_url="", now=clock.now)

    assert facts.outbox_failing == failing
