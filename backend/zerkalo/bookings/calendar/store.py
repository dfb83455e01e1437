"""`calendar_tokens`: the secret address of a user's calendar, of which only the hash is kept."""

import hashlib
import secrets
from datetime import datetime

from zerkalo.db.pool import Connection


async def make_calendar_token(conn: Connection, user_id: int, *, now: datetime) -> str:
    """Make and return a new secret for the user's calendar, replacing the old one. Only its hash is stored."""
    token = secrets.token_urlsafe(32)
    await conn.execute(
        "insert into calendar_tokens (token_hash, user_id, created_at) values (%(hash)s, %(user_id)s, %(now)s)"
        " on conflict (user_id) do update set token_hash = excluded.token_hash, created_at = excluded.created_at",
        {"hash": _hash(token), "user_id": user_id, "now": now},
    )
    return token


async def calendar_made_at(conn: Connection, user_id: int) -> datetime | None:
    """When the address of the user's calendar was made; None where there is none."""
    cursor = await conn.execute("select created_at from calendar_tokens where user_id = %s", [user_id])
    row = await cursor.fetchone()
    return row[0] if row else None


async def revoke_calendar_token(conn: Connection, user_id: int) -> None:
    """Close the user's calendar to whoever has its address."""
    await conn.execute("delete from calendar_tokens where user_id = %s", [user_id])


async def user_of_calendar_token(conn: Connection, token: str) -> int | None:
    """Return the user whose calendar a token opens; None for a wrong or revoked one."""
    cursor = await conn.execute(
        "select u.id from calendar_tokens t"
        " join users u on u.id = t.user_id and u.erased_at is null and u.merged_into is null where t.token_hash = %s",
        [_hash(token)],
    )
    row = await cursor.fetchone()
    return row[0] if row else None


def _hash(token: str) -> bytes:
    # A plain hash is enough: the token has 256 random bits, so there is nothing to guess.
    return hashlib.sha256(token.encode(errors="replace")).digest()
