"""The rows of `outbox`."""

from collections.abc import Collection
from datetime import datetime, timedelta

from psycopg.rows import args_row, scalar_row

from zerkalo.db.pool import Connection
from zerkalo.outbox.model import DueMessage, Message

KEPT = timedelta(days=7)
"""How long a finished row, emptied of whom and what, stays to be counted."""


async def put(conn: Connection, message: Message, *, now: datetime) -> int:
    """Write a message to be sent once this transaction is committed; return its id."""
    sql = """
        insert into outbox (user_id, channel, recipient, subject, body, created_at, expires_at, next_attempt_at)
        values (%s, %s, %s, %s, %s, %s, %s, %s) returning id
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
    ]
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, values)
        return int(await cursor.fetchone() or 0)


async def drop_expired(conn: Connection, *, now: datetime) -> int:
    """Give up, and empty, messages that are of no use any more; return how many."""
    cursor = await conn.execute(
        "update outbox set finished_at = %(now)s, error = coalesce('expired; ' || error, 'expired'),"
        " recipient = null, subject = '', body = '' where finished_at is null and expires_at <= %(now)s",
        {"now": now},
    )
    return cursor.rowcount


async def claim_due(
    conn: Connection, channels: Collection[str], *, now: datetime, until: datetime, limit: int
) -> list[DueMessage]:
    """Take messages that are due, oldest first, for this process alone until `until`; count the try."""
    sql = """
        update outbox o set claimed_until = %(until)s, attempts = o.attempts + 1
        from (select id from outbox
              where finished_at is null and next_attempt_at <= %(now)s and channel = any(%(channels)s)
                and (claimed_until is null or claimed_until <= %(now)s)
              order by next_attempt_at, id limit %(limit)s for update skip locked) as due
        where o.id = due.id
        returning o.id, o.channel, o.recipient, o.subject, o.body, o.expires_at, o.attempts
    """
    values = {"now": now, "until": until, "limit": limit, "channels": list(channels)}
    async with conn.cursor(row_factory=args_row(_due_message)) as cursor:
        await cursor.execute(sql, values)
        return sorted(await cursor.fetchall(), key=lambda message: message.id)


async def finish(conn: Connection, message_id: int, *, error: str | None, now: datetime) -> None:
    """Mark a message as sent (`error` None) or given up, and forget whom and what."""
    await conn.execute(
        "update outbox set finished_at = %s, error = %s, claimed_until = null, recipient = null, subject = '',"
        " body = '' where id = %s",
        [now, error, message_id],
    )


async def put_off(conn: Connection, message_id: int, *, error: str, next_attempt_at: datetime) -> None:
    """Leave a message for a later try."""
    await conn.execute(
        "update outbox set next_attempt_at = %s, error = %s, claimed_until = null"
        " where id = %s and finished_at is null",
        [next_attempt_at, error, message_id],
    )


async def prune(conn: Connection, *, now: datetime) -> None:
    """Delete finished rows after `KEPT`."""
    await conn.execute("delete from outbox where finished_at < %s", [now - KEPT])


def _due_message(
    id_: int, channel: str, recipient: str, subject: str, body: str, expires_at: datetime, attempts: int
) -> DueMessage:
    return DueMessage(id_, channel, recipient, subject, body, expires_at, attempts)


async def forget_user(conn: Connection, user_id: int) -> None:
    """Delete the messages of a user who is erased or merged."""
    await conn.execute("delete from outbox where user_id = %s", [user_id])
