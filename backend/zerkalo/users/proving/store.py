"""`verification_codes`; who has proved or claims a contact; the lock on a contact that is being proved."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

from psycopg.rows import class_row

from zerkalo.db.locks import lock
from zerkalo.db.pool import Connection
from zerkalo.db.sql import scalar
from zerkalo.kit.clock import CLOCKS_APART_MAX
from zerkalo.kit.phone import TAIL_DIGITS
from zerkalo.outbox.model import Channel
from zerkalo.users.model import User
from zerkalo.users.proving.model import Aim
from zerkalo.users.store import USER_COLUMNS, many_users, one_user

CODES_KEPT = timedelta(days=7)
"""How long a code stays after its end."""


@dataclass(frozen=True, slots=True)
class ProofCode:
    """A code that was sent. `contact`: what it proves, as it is stored."""

    id: int
    contact: str
    code_hash: bytes
    attempts: int
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None


async def holder_of_email(conn: Connection, email: str, *, lock: bool = False) -> User | None:
    """The user who has proved this e-mail (lower case); None where nobody has."""
    sql = f"select {USER_COLUMNS} from users u where lower(u.email) = %s and u.email_verified_at is not null"
    return await one_user(conn, sql, [email], lock=lock)


async def holders_of_phone(conn: Connection, phone: str, *, proved: bool = True) -> list[User]:
    """Users who have proved this phone (E.164), or with `proved` off only claim it, by id; imports may give it to several.

    Compares the whole number: phones of two countries may end alike.
    """
    sql = (
        f"select {USER_COLUMNS} from users u where u.phone10 = %s and u.phone = %s"
        " and (u.phone_verified_at is not null) = %s order by u.id limit 10"
    )
    return await many_users(conn, sql, [phone[-TAIL_DIGITS:].removeprefix("+"), phone, proved])


async def claimants_of_email(conn: Connection, email: str) -> list[User]:
    """Users who claim this e-mail (lower case) unproved, by id, at most ten."""
    sql = (
        f"select {USER_COLUMNS} from users u"
        " where lower(u.email) = %s and u.email_verified_at is null and u.email is not null order by u.id limit 10"
    )
    return await many_users(conn, sql, [email])


async def insert_code(
    conn: Connection, aim: Aim, *, kept: str, code_hash: bytes, now: datetime, expires_at: datetime
) -> int:
    """Store the digest of a code and return its id; end the code before it, if any.

    `kept`: the contact as it is stored, here and below.
    """
    await end_code(conn, aim, kept=kept, now=now)
    sql = """
        insert into verification_codes (user_id, purpose, channel, contact, code_hash, created_at, expires_at)
        values (%s, %s, %s, %s, %s, %s, %s) returning id
    """
    values = [aim.user_id, aim.purpose, aim.contact.channel, kept, code_hash, now, expires_at]
    return await scalar(conn, sql, values)


async def live_code(conn: Connection, aim: Aim, *, kept: str, now: datetime) -> ProofCode | None:
    """Lock the newest code that is neither used, ended, expired nor sent in the future; None where there is none."""
    sql = f"""
        {_CODES} {_whose(aim)} and used_at is null and expires_at > %(now)s and created_at <= %(latest)s
        order by id desc limit 1 for update
    """
    return await _one(conn, sql, aim, kept, now)


async def used_code(conn: Connection, aim: Aim, *, kept: str, now: datetime) -> ProofCode | None:
    """The code that was used or ended last and has not expired; None where there is none."""
    sql = f"""
        {_CODES} {_whose(aim)} and used_at <= %(latest)s and expires_at > %(now)s and created_at <= %(latest)s
        order by used_at desc, id desc limit 1
    """
    return await _one(conn, sql, aim, kept, now)


_CODES: LiteralString = (
    "select id, contact, code_hash, attempts, created_at, expires_at, used_at from verification_codes where"
)


def _whose(aim: Aim) -> LiteralString:
    """The condition for the codes of an aim: by user, whatever the contact was; without a user by contact."""
    if aim.user_id is None:
        return "user_id is null and contact = %(kept)s and purpose = %(purpose)s and channel = %(channel)s"
    return "user_id = %(user_id)s and purpose = %(purpose)s and channel = %(channel)s"


def _values(aim: Aim, kept: str, now: datetime) -> dict[str, object]:
    return {
        "user_id": aim.user_id,
        "purpose": aim.purpose,
        "channel": aim.contact.channel,
        "kept": kept,
        "now": now,
        "latest": now + CLOCKS_APART_MAX,
    }


async def _one(conn: Connection, sql: LiteralString, aim: Aim, kept: str, now: datetime) -> ProofCode | None:
    async with conn.cursor(row_factory=class_row(ProofCode)) as cursor:
        await cursor.execute(sql, _values(aim, kept, now))
        return await cursor.fetchone()


async def count_try(conn: Connection, code_id: int) -> None:
    """Count a wrong try."""
    await conn.execute("update verification_codes set attempts = attempts + 1 where id = %s", [code_id])


async def end_code(conn: Connection, aim: Aim, *, kept: str, now: datetime) -> None:
    """End the live code of this aim, if there is one."""
    await conn.execute(
        f"update verification_codes set used_at = %(now)s where {_whose(aim)} and used_at is null",
        _values(aim, kept, now),
    )


async def end_codes(
    conn: Connection,
    user_id: int,
    *,
    now: datetime,
    purpose: str | None = None,
    channel: Channel | None = None,
) -> None:
    """End the user's live codes, of one purpose and channel or all."""
    await conn.execute(
        "update verification_codes set used_at = %(now)s where user_id = %(user_id)s and used_at is null"
        " and (%(purpose)s::text is null or purpose = %(purpose)s)"
        " and (%(channel)s::text is null or channel = %(channel)s)",
        {"user_id": user_id, "now": now, "purpose": purpose, "channel": channel},
    )


async def lock_contact(conn: Connection, channel: Channel, contact: str) -> None:
    """Lock a contact until the transaction ends: two users who prove it at once do so one after the other.

    `contact`: an e-mail in lower case, or a phone as E.164, the form in which contacts are compared.
    """
    await lock(conn, "contact", [f"{channel}|{contact}"])


async def forget_user(conn: Connection, user_id: int) -> None:
    """Delete the codes of a user who is erased or merged."""
    await conn.execute("delete from verification_codes where user_id = %s", [user_id])


async def prune(conn: Connection, *, now: datetime) -> None:
    """Delete codes that expired long ago."""
    await conn.execute("delete from verification_codes where expires_at < %s", [now - CODES_KEPT])
