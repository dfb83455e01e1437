"""A Telegram on loopback: a chat is connected by a one-time code, notices and alerts arrive, a blocked bot gives up."""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from tests.support.rows import add_user
from tests.support.telegram import Telegram, running_telegram
from zerkalo.db.pool import Pool
from zerkalo.notices import store
from zerkalo.notices.telegram import service
from zerkalo.outbox.model import SendFailed
from zerkalo.outbox.service import send_due
from zerkalo.outbox.telegram.service import Bot

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


@pytest.fixture
def telegram() -> Iterator[Telegram]:
    with running_telegram() as running:
        yield running


@pytest.fixture
def bot(telegram: Telegram) -> Bot:
    return Bot("token-of-the-bot", telegram.url)


async def send(pool: Pool, bot: Bot) -> int:
    return await send_due(pool, {"telegram": bot}, clock=lambda: NOW)


async def chat_of(pool: Pool, user_id: int) -> int | None:
    async with pool.connection() as conn:
        return (await store.reach_of(conn, [user_id]))[user_id].chat_id


async def test_a_code_connects_a_chat_once(pool: Pool, telegram: Telegram, bot: Bot) -> None:
    async with pool.connection() as conn:
        anna, eve = await add_user(conn), await add_user(conn)
    link = await service.new_link(pool, bot, anna, now=NOW)
    address, _, code = link.partition("?start=")
    assert address == "https://t.me/salon_bot"
    assert len(code) <= 64, "Telegram takes no more"

    telegram.write(1, "/start made-up")
    telegram.write(-5, f"/start {code}", kind="group")
    telegram.write(77, f"/start {code}")
    telegram.write(88, f"/start {code}")
    assert await service.take_updates(pool, bot, now=NOW) == 1
    assert await service.take_updates(pool, bot, now=NOW) == 0

    assert (await chat_of(pool, anna), await chat_of(pool, eve)) == (77, None)
    assert await send(pool, bot) == 1
    assert telegram.sent == [(77, "Готово: здесь будут сообщения о ваших визитах и баллах.")]


async def test_a_late_code_connects_nothing_and_without_codes_nobody_asks(
    pool: Pool, telegram: Telegram, bot: Bot
) -> None:
    async with pool.connection() as conn:
        anna = await add_user(conn)
    _, _, code = (await service.new_link(pool, bot, anna, now=NOW)).partition("?start=")
    telegram.write(77, f"/start {code}")
    assert await service.take_updates(pool, bot, now=NOW + timedelta(minutes=15)) == 0
    assert await chat_of(pool, anna) is None
    assert telegram.calls == ["getMe"]


async def connect(pool: Pool, telegram: Telegram, bot: Bot, chat_id: int, *, now: datetime) -> int | None:
    """A new client opens the link and sends the code from this chat; return the chat that they are connected to."""
    async with pool.connection() as conn:
        user_id = await add_user(conn)
    _, _, code = (await service.new_link(pool, bot, user_id, now=now)).partition("?start=")
    await service.take_updates(pool, bot, now=now)  # nothing was written yet
    telegram.write(chat_id, f"/start {code}")
    await service.take_updates(pool, bot, now=now)
    return await chat_of(pool, user_id)


async def test_after_a_quiet_week_ids_begin_anew_lower(pool: Pool, telegram: Telegram, bot: Bot) -> None:
    telegram.next_id = 700_000_000
    assert await connect(pool, telegram, bot, 1, now=NOW) == 1
    async with pool.connection() as conn:
        idle = await add_user(conn)
    later = NOW + timedelta(days=3)
    await service.new_link(pool, bot, idle, now=later)
    assert await service.take_updates(pool, bot, now=later) == 0, "a link that is not followed is no message"

    telegram.next_id, later = 3_000, NOW + timedelta(days=7)

    assert await connect(pool, telegram, bot, 2, now=later) == 2
    assert await connect(pool, telegram, bot, 3, now=later) == 3
    await service.new_link(pool, bot, idle, now=later)
    await service.take_updates(pool, bot, now=later)
    assert telegram.updates == [], "what was read is confirmed"


async def test_another_bot_has_ids_of_its_own(pool: Pool, telegram: Telegram, bot: Bot) -> None:
    telegram.next_id = 700_000_000
    assert await connect(pool, telegram, bot, 1, now=NOW) == 1

    telegram.next_id, telegram.updates = 3_000, []

    assert await connect(pool, telegram, Bot("token-of-another", telegram.url), 2, now=NOW) == 2
    async with pool.connection() as conn:
        cursor = await conn.execute("select name, value::text from notice_state")
        assert "token-of" not in str(await cursor.fetchall())


async def test_how_far_an_older_version_has_read_is_left_alone(
    pool: Pool, telegram: Telegram, bot: Bot
) -> None:
    """It did not say whose messages they were; reading a code twice does no harm."""
    async with pool.connection() as conn:
        await store.hold_state(conn, "read")
        await store.write_state(conn, "read", 700_000_000, now=NOW)

    assert await connect(pool, telegram, bot, 1, now=NOW) == 1


async def test_a_link_that_was_being_made_ends_with_a_new_password(
    pool: Pool, telegram: Telegram, bot: Bot, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with pool.connection() as conn:
        anna = await add_user(conn)
    ask = Bot.name

    async def name(self: Bot) -> str:
        async with pool.connection() as conn:
            await store.end_chat(conn, anna)  # as a new password does
        return await ask(self)

    monkeypatch.setattr(Bot, "name", name)
    _, _, code = (await service.new_link(pool, bot, anna, now=NOW)).partition("?start=")
    telegram.write(77, f"/start {code}")

    assert await service.take_updates(pool, bot, now=NOW) == 0
    assert await chat_of(pool, anna) is None


async def test_a_chat_is_one_users(pool: Pool, telegram: Telegram, bot: Bot) -> None:
    async with pool.connection() as conn:
        anna, boris = await add_user(conn), await add_user(conn)
    for user in (anna, boris):
        _, _, code = (await service.new_link(pool, bot, user, now=NOW)).partition("?start=")
        telegram.write(77, f"/start {code}")
        await service.take_updates(pool, bot, now=NOW)
    assert (await chat_of(pool, anna), await chat_of(pool, boris)) == (None, 77)
    await send(pool, bot)
    is_told = ["другого аккаунта сюда больше не приходят" in text for _, text in telegram.sent]
    # Several are sent at once, in no order.
    assert sorted(is_told) == [False, True], "whoever reads the chat hears that it changed hands"


async def test_who_blocked_the_bot_is_given_up_without_another_try(
    pool: Pool, telegram: Telegram, bot: Bot
) -> None:
    telegram.blocked.add(77)
    with pytest.raises(SendFailed) as failed:
        await bot.send("77", "", "Привет")
    assert failed.value.is_final
    assert "token" not in failed.value.reason


async def test_the_group_hears_of_a_problem_once_until_it_is_over(
    pool: Pool, telegram: Telegram, bot: Bot
) -> None:
    silent, quarantine = {"webhook_silent": "Сутки не было вебхука."}, {"quarantine": "Карантин: 2."}
    for problems in (silent, silent, silent | quarantine, {}, silent):
        await service.alert(pool, "-100", problems, now=NOW)
    await send(pool, bot)
    # Several are sent at once, in no order.
    assert sorted(text.partition("\n")[2] for _, text in telegram.sent) == [
        "Карантин: 2.",
        "Сутки не было вебхука.",
        "Сутки не было вебхука.",
    ]
    assert {chat for chat, _ in telegram.sent} == {-100}


async def test_a_problem_that_lasts_longer_than_telegram_was_away_is_reported_then(
    pool: Pool, telegram: Telegram, bot: Bot
) -> None:
    gone = Bot("token-of-the-bot", "http://127.0.0.1:9")
    now, failed = NOW, {"sync_failed": "Сверка не удалась."}

    async def look_for(span: timedelta, sender: Bot) -> None:
        nonlocal now
        until = now + span
        while now < until:
            await service.alert(pool, "-100", failed, now=now)
            for _ in range(10):
                await send_due(pool, {"telegram": sender}, clock=lambda at=now: at)
                now += timedelta(minutes=1)

    for away in (timedelta(minutes=20), service.ALERT_SPAN + timedelta(minutes=20)):
        await look_for(away, gone)
        await look_for(timedelta(hours=2), bot)
        assert telegram.sent == [(-100, "Зеркало:\nСверка не удалась.")], "once, and not silently never"
        telegram.sent.clear()
        await service.alert(pool, "-100", {}, now=now)


async def test_a_group_that_refused_the_bot_is_told_once_it_takes_it_back(
    pool: Pool, telegram: Telegram, bot: Bot
) -> None:
    failed = {"sync_failed": "Сверка не удалась."}
    telegram.blocked.add(-100)
    for _ in range(2):
        await service.alert(pool, "-100", failed, now=NOW)
        await send(pool, bot)
    telegram.blocked.clear()

    for _ in range(2):
        await service.alert(pool, "-100", failed, now=NOW)
        await send(pool, bot)

    assert len(telegram.sent) == 1


async def test_what_an_older_version_has_reported_is_not_reported_again(pool: Pool) -> None:
    async with pool.connection() as conn:
        await store.hold_state(conn, service.ALERTS)
        await store.write_state(conn, service.ALERTS, ["sync_failed"], now=NOW)

    assert await service.alert(pool, "-100", {"sync_failed": "x", "quarantine": "y"}, now=NOW) == 1


async def test_a_telegram_that_does_not_answer_is_waited_for(pool: Pool) -> None:
    gone = Bot("token-of-the-bot", "http://127.0.0.1:9")
    with pytest.raises(SendFailed) as failed:
        await gone.send("77", "", "Привет")
    assert not failed.value.is_final
    assert "token" not in failed.value.reason
