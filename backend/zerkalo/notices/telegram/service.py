"""Connect a user's chat by a one-time code, and report problems to the salon's group."""

import hashlib
import secrets
from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any, cast

import structlog

from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.problem import ProblemError
from zerkalo.notices import store
from zerkalo.notices.model import TELEGRAM
from zerkalo.notices.rules import connected_message
from zerkalo.outbox import store as outbox_store
from zerkalo.outbox.model import Message, SendFailed
from zerkalo.outbox.telegram.service import Bot, Update

CODE_SPAN = timedelta(minutes=15)
ALERT_SPAN = timedelta(hours=6)
SAME_NUMBERS_SPAN = timedelta(days=6)
"""For how long after a message was read the next ones are sure to have higher ids.

Telegram begins anew at a random id after a week without messages, and hands out a message for up to a day.
"""
START = "/start "
ALERTS = "alerts"
"""Name of the state that holds the problems reported to the group with the ids of the messages."""
_log = structlog.get_logger("zerkalo.notices")


async def new_link(pool: Pool, bot: Bot, user_id: int, *, now: datetime) -> str:
    """Return a link that opens the bot with a code of this user, valid once within `CODE_SPAN`; only its digest is kept.

    Raises 503 `telegram_unavailable` where Telegram does not answer.
    """
    code = secrets.token_urlsafe(24)
    # Before Telegram is waited for: a new password, or an erasure, meanwhile ends the code.
    async with pool.connection() as conn:
        await store.insert_code(conn, user_id, _digest(code), expires_at=now + CODE_SPAN)
    try:
        name = await bot.name()
    except SendFailed:
        raise ProblemError(503, "telegram_unavailable", "Telegram does not answer.") from None
    return f"https://t.me/{name}?start={code}"


async def take_updates(pool: Pool, bot: Bot, *, now: datetime) -> int:
    """Read the messages to the bot while there are valid codes; return how many chats were connected.

    Answers are sent through the outbox. Messages without a valid code are ignored; one that is read again is, too.
    """
    async with pool.connection() as conn:
        if not await store.has_codes(conn, now=now):
            return 0
        offset = await _next_id(conn, bot, now)
    try:
        updates = await bot.updates(offset)
    except SendFailed as error:
        _log.warning("the bot's messages can't be read", reason=error.reason)
        return 0

    async def write(conn: Connection) -> int:
        next_id = await _next_id(conn, bot, now)
        fresh = [update for update in updates if update.id >= next_id]
        taken = [await _take(conn, update, now) for update in fresh]
        if fresh:  # else the state keeps its age, which is that of the last message
            await store.write_state(conn, _read_by(bot), max(update.id for update in fresh) + 1, now=now)
        return sum(taken)

    return await in_transaction(pool, write)


async def _next_id(conn: Connection, bot: Bot, now: datetime) -> int:
    """Lock how far this bot's messages are read; return the id to read from, 0 where they may have begun anew.

    One too high would make Telegram drop the messages below it, unread.
    """
    next_id, read_at = await store.hold_state(conn, _read_by(bot))
    is_known = read_at is not None and now - read_at < SAME_NUMBERS_SPAN
    return next_id if is_known else 0


def _read_by(bot: Bot) -> str:
    """Name of the state that holds the id of the next update to read: every bot counts its own."""
    return f"read {bot.digest}"


async def _take(conn: Connection, update: Update, now: datetime) -> bool:
    """Connect a private chat that sent a valid code; in a group many people could read the code."""
    if not update.is_private or not update.text.startswith(START):
        return False
    user_id = await store.take_code(conn, _digest(update.text.removeprefix(START).strip()), now=now)
    if user_id is None:
        return False
    was_anothers = await store.connect_chat(conn, user_id, update.chat_id)
    reach = (await store.reach_of(conn, [user_id])).get(user_id)
    text = connected_message(reach.language if reach else "ru", was_anothers=was_anothers)
    message = Message(TELEGRAM, str(update.chat_id), "", text, now + CODE_SPAN, user_id)
    await outbox_store.put(conn, message, now=now)
    return True


async def alert(pool: Pool, chat: str, problems: Mapping[str, str], *, now: datetime) -> int:
    """Report to the salon's group the problems (code -> text) that are new since the last call; return how many.

    A problem whose message was given up, or expired unsent, is new again while it lasts.
    """

    async def write(conn: Connection) -> int:
        state, _ = await store.hold_state(conn, ALERTS)
        told = _told(state)
        unsent = await outbox_store.given_up(conn, told.values())
        told = {code: id_ for code, id_ in told.items() if code in problems and id_ not in unsent}
        new = {code: text for code, text in problems.items() if code not in told}
        if new:
            body = "Зеркало:\n" + "\n".join(new.values())
            message = Message(TELEGRAM, chat, "", body, now + ALERT_SPAN)
            told |= dict.fromkeys(new, await outbox_store.put(conn, message, now=now))
        await store.write_state(conn, ALERTS, told, now=now)
        return len(new)

    return await in_transaction(pool, write)


def _told(state: Any) -> dict[str, int]:
    """The message that reported each problem, by the problem's code; 0 where an older version kept the codes alone."""
    return cast("dict[str, int]", state) if isinstance(state, dict) else dict.fromkeys(state or [], 0)


def _digest(code: str) -> bytes:
    return hashlib.sha256(code.encode(errors="replace")).digest()
