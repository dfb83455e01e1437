"""The rows of `outbox`."""

from collections.abc import Collection, Iterable
from datetime import datetime, timedelta

from psycopg.rows import args_row

from zerkalo.db.pool import Connection
from zerkalo.db.sql import scalar
from zerkalo.kit.clock import CLOCKS_APART_MAX
from zerkalo.outbox.model import DueMessage, Message
from zerkalo.outbox.rules import PAUSE_MAX, QUICK_ATTEMPTS

KEPT = timedelta(days=7)
"""How long a finished row, without recipient and text, is kept for counting. Rows about a booking stay, for its history."""


async def put(conn: Connection, message: Message, *, now: datetime) -> int:
    """Write a message to be sent once this transaction is committed; return its id."""
    sql = """
        insert into outbox
            (user_id, channel, recipient, subject, body, created_at, expires_at, next_attempt_at, kind, booking_id)
        values (%s, %s, %s, %s, %s, %s, %s, %s, %s, %s) returning id
    """
    values = [
        message.user_id,
        message.channel,
        message.recipient,
        message.subject,
        message.body,
        now,
        message.expires_at,
        now,
        message.kind,
        message.booking_id,
    ]
    return await scalar(conn, sql, values)


async def put_unsent(
    conn: Connection, user_id: int, *, kind: str, booking_id: int, why: str, now: datetime
) -> None:
    """Record in the booking's history that a message about it was due and could not be sent."""
    await conn.execute(
        "insert into outbox (user_id, body, created_at, expires_at, next_attempt_at, finished_at, error, kind, booking_id)"
        " values (%(user_id)s, '', %(now)s, %(now)s, %(now)s, %(now)s, %(why)s, %(kind)s, %(booking_id)s)",
        {"user_id": user_id, "kind": kind, "booking_id": booking_id, "why": why, "now": now},
    )


async def drop_expired(conn: Connection, *, now: datetime) -> int:
    """Give up expired messages and clear their recipient and text; return how many."""
    cursor = await conn.execute(
        "update outbox set finished_at = %(now)s, error = coalesce('expired; ' || error, 'expired'),"
        " recipient = null, subject = '', body = '' where finished_at is null and expires_at <= %(now)s",
        {"now": now},
    )
    return cursor.rowcount


async def drop_lost(conn: Connection, *, now: datetime) -> int:
    """Give up notices whose recipient is no longer a proved contact, or the chat, of their user; return how many."""
    cursor = await conn.execute(
        """
        update outbox o set finished_at = %(now)s, error = 'not_theirs', recipient = null, subject = '', body = ''
        where o.finished_at is null and o.kind is not null and o.user_id is not null and not exists (
            select from users u left join notice_choices n on n.user_id = u.id
            where u.id = o.user_id and u.erased_at is null and o.recipient = case o.channel
                when 'email' then case when u.email_verified_at is not null then u.email end
                when 'phone' then case when u.phone_verified_at is not null then u.phone end
                else n.chat_id::text end)
        """,
        {"now": now},
    )
    return cursor.rowcount


async def claim_due(
    conn: Connection, channels: Collection[str], *, now: datetime, until: datetime, limit: int
) -> list[DueMessage]:
    """Claim due messages, oldest first, until `until`; count the try. Those that failed often come last.

    A pause or a claim that ends later than any can was written by a wrong clock and is ignored.
    """
    sql = """
        update outbox o set claimed_until = %(until)s, attempts = o.attempts + 1
        from (select id from outbox
              where finished_at is null and channel = any(%(channels)s)
                and (next_attempt_at <= %(now)s or next_attempt_at > %(no_pause)s)
                and (claimed_until is null or claimed_until <= %(now)s or claimed_until > %(no_claim)s)
              order by attempts >= %(quick)s, next_attempt_at, id limit %(limit)s for update skip locked) as due
        where o.id = due.id
        returning o.id, o.channel, o.recipient, o.subject, o.body, o.expires_at, o.attempts
    """
    values = {
        "now": now,
        "until": until,
        "no_pause": now + PAUSE_MAX + CLOCKS_APART_MAX,
        "no_claim": until + CLOCKS_APART_MAX,
        "limit": limit,
        "quick": QUICK_ATTEMPTS,
        "channels": list(channels),
    }
    async with conn.cursor(row_factory=args_row(_due_message)) as cursor:
        await cursor.execute(sql, values)
        return sorted(await cursor.fetchall(), key=lambda message: message.id)


async def finish(conn: Connection, message_id: int, *, error: str | None, now: datetime) -> None:
    """Mark a message as sent (`error` None) or given up, and clear its recipient and text."""
    await conn.execute(
        "update outbox set finished_at = %s, error = %s, claimed_until = null, recipient = null, subject = '',"
        " body = '' where id = %s",
        [now, error, message_id],
    )


async def put_off(conn: Connection, message_id: int, *, error: str, next_attempt_at: datetime) -> None:
    """Schedule a message for another try."""
    await conn.execute(
        "update outbox set next_attempt_at = %s, error = %s, claimed_until = null"
        " where id = %s and finished_at is null",
        [next_attempt_at, error, message_id],
    )


async def given_up(conn: Connection, ids: Iterable[int]) -> frozenset[int]:
    """Those of these messages that ended without being sent: given up, or expired."""
    cursor = await conn.execute(
        "select id from outbox where id = any(%s) and finished_at is not null and error is not null",
        [list(ids)],
    )
    return frozenset([id_ async for (id_,) in cursor])


async def prune(conn: Connection, *, now: datetime) -> None:
    """Delete finished rows older than `KEPT`, except those of a booking's history."""
    await conn.execute("delete from outbox where finished_at < %s and booking_id is null", [now - KEPT])


def _due_message(
    id_: int, channel: str, recipient: str, subject: str, body: str, expires_at: datetime, attempts: int
) -> DueMessage:
    return DueMessage(id_, channel, recipient, subject, body, expires_at, attempts)


async def hand_on(conn: Connection, *, from_id: int, into_id: int) -> None:
    """Move a user's finished messages about bookings to the account they are merged into; unsent ones stay behind."""
    await conn.execute(
        "update outbox set user_id = %s where user_id = %s and finished_at is not null and booking_id is not null",
        [into_id, from_id],
    )


async def forget_user(conn: Connection, user_id: int) -> None:
    """Delete the messages of a user who is erased or merged."""
    await conn.execute("delete from outbox where user_id = %s", [user_id])
