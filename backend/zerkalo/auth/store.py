"""Credentials in `users`, `refresh_tokens`, and counted tries in `attempts`."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import LiteralString
from uuid import UUID

from psycopg.rows import args_row, class_row

from zerkalo.auth.model import (
    AccessClaims,
    AuthenticatedUser,
    Credentials,
    Limit,
    Session,
    authenticated_user,
)
from zerkalo.db.locks import lock
from zerkalo.db.pool import Connection
from zerkalo.db.sql import scalar
from zerkalo.kit.clock import CLOCKS_APART_MAX

ATTEMPTS_KEPT = timedelta(days=2)
"""Longer than the span of any limit."""
TOKENS_KEPT = timedelta(days=7)
"""How long a refresh token stays after its end, so that a late reuse is distinguished from an unknown token."""


_CLAIMANTS: LiteralString = """
    (select id as user_id, password_hash, token_epoch from users
     where lower(email) = %(email)s and email_verified_at is null and email is not null
        and password_hash is not null order by id limit 1)
    union
    (select id, password_hash, token_epoch from users
     where lower(email) = %(email)s and email_verified_at is null and email is not null
        and password_hash is not null order by id desc limit 1)
"""


async def credentials_of_email(conn: Connection, email: str) -> list[Credentials]:
    """Accounts that a log-in with this e-mail (lower case) may mean: the holder, then the oldest and the newest claimant.

    Zero to three. Anybody may claim an address until it is proved (docs/decisions/0007-claimed-addresses.md), so the
    password decides between them.
    """
    sql = f"""
        select user_id, password_hash, token_epoch from (
            select id as user_id, password_hash, token_epoch, false as is_claimed from users
            where lower(email) = %(email)s and email_verified_at is not null and password_hash is not null
            union all
            select *, true from ({_CLAIMANTS}) as claimants
        ) as named order by is_claimed, user_id
    """
    async with conn.cursor(row_factory=class_row(Credentials)) as cursor:
        await cursor.execute(sql, {"email": email})
        return await cursor.fetchall()


async def claimants_of_email(conn: Connection, email: str) -> list[Credentials]:
    """The oldest and the newest account with a password that claims this e-mail (lower case) unproved."""
    async with conn.cursor(row_factory=class_row(Credentials)) as cursor:
        await cursor.execute(_CLAIMANTS, {"email": email})
        return await cursor.fetchall()


async def credentials_of_user(conn: Connection, user_id: int, *, lock: bool = False) -> Credentials | None:
    """The credentials of one user; None where there is no password. `lock`: until the transaction ends."""
    sql = "select id as user_id, password_hash, token_epoch from users where id = %s and password_hash is not null"
    async with conn.cursor(row_factory=class_row(Credentials)) as cursor:
        await cursor.execute(sql + (" for no key update" if lock else ""), [user_id])
        return await cursor.fetchone()


async def user_of_claims(conn: Connection, claims: AccessClaims) -> AuthenticatedUser | None:
    """The user of an access token; None where their tokens or this log-in were ended, or the user was erased."""
    sql = """
        select u.id, coalesce(u.email, ''), u.role from users u
        where u.id = %(user_id)s and u.token_epoch = %(epoch)s and u.erased_at is null
            and exists (select from refresh_tokens r
                        where r.family = %(family)s and r.user_id = u.id and r.revoked_at is null)
    """
    values = {"user_id": claims.user_id, "epoch": claims.epoch, "family": claims.family}
    async with conn.cursor(row_factory=args_row(authenticated_user)) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchone()


async def has_signed_in(conn: Connection, email: str, address_digest: bytes) -> bool:
    """Whether this address has signed in to the account of this e-mail (lower case) in the last month or so.

    Who only claims the e-mail has signed in to another account, where somebody who has proved it has a password.
    """
    sql = """
        select exists (
            select from users u join refresh_tokens r on r.user_id = u.id
            where lower(u.email) = %(email)s and u.email is not null and r.address_digest = %(address)s
                and (u.email_verified_at is not null or not exists (
                    select from users o where lower(o.email) = %(email)s
                        and o.email_verified_at is not null and o.password_hash is not null)))
    """
    return await scalar(conn, sql, {"email": email, "address": address_digest})


async def insert_refresh_token(
    conn: Connection,
    *,
    digest: bytes,
    family: UUID,
    user_id: int,
    address_digest: bytes,
    now: datetime,
    expires_at: datetime,
) -> None:
    """Store the digest of the first token of a log-in, and of the address it came from."""
    await conn.execute(
        "insert into refresh_tokens (token_hash, family, user_id, address_digest, issued_at, expires_at)"
        " values (%s, %s, %s, %s, %s, %s)",
        [digest, family, user_id, address_digest, now, expires_at],
    )


async def use_refresh_token(
    conn: Connection,
    digest: bytes,
    successor: bytes,
    *,
    now: datetime,
    expires_at: datetime,
    grace: timedelta,
) -> tuple[UUID, int, int] | None:
    """Replace a token by `successor`: (family, user, epoch); None where it is unknown, ended or expired.

    A token that was used before gets the same answer within `grace` while the successor is unused; otherwise it ends its
    whole family, because somebody has a copy. That is written in the same transaction, so commit in both cases. The time
    of use is by the database's clock, which all processes share.
    """
    cursor = await conn.execute("select family, user_id from refresh_tokens where token_hash = %s", [digest])
    found = await cursor.fetchone()
    if found is None:
        return None
    family, user_id = found
    epoch = await _lock_user(conn, user_id)
    values = {
        "digest": digest,
        "successor": successor,
        "family": family,
        "now": now,
        "expires_at": expires_at,
        "grace": grace,
    }
    cursor = await conn.execute(_ROTATE, values)
    if epoch is not None and await cursor.fetchone() is not None:
        return family, user_id, epoch
    await conn.execute(
        "update refresh_tokens set revoked_at = %(now)s where family = %(family)s and revoked_at is null"
        " and exists (select from refresh_tokens where token_hash = %(digest)s and used_at is not null)",
        values,
    )
    return None


_ROTATE = """
    with used as (
        update refresh_tokens set used_at = clock_timestamp()
        where token_hash = %(digest)s and used_at is null and revoked_at is null and expires_at > %(now)s
        returning family, user_id, address_digest
    ), given as (
        insert into refresh_tokens (token_hash, family, user_id, address_digest, issued_at, expires_at)
        select %(successor)s, family, user_id, address_digest, %(now)s, %(expires_at)s from used
        returning 1
    )
    select 1 from given
    union all
    select 1 from refresh_tokens t join refresh_tokens s on s.token_hash = %(successor)s
    where t.token_hash = %(digest)s and t.revoked_at is null and t.used_at > clock_timestamp() - %(grace)s
        and s.used_at is null and s.revoked_at is null and s.expires_at > %(now)s
"""


async def session_of_unused_token(
    conn: Connection, digest: bytes, *, now: datetime
) -> tuple[Session, datetime] | None:
    """The session of an unused refresh token, and when the token expires; None where it is not valid."""
    sql = """
        select u.id, coalesce(u.email, ''), u.role, r.family, r.expires_at
        from refresh_tokens r join users u on u.id = r.user_id and u.erased_at is null
        where r.token_hash = %s and r.used_at is null and r.revoked_at is null and r.expires_at > %s
    """
    cursor = await conn.execute(sql, [digest, now])
    found = await cursor.fetchone()
    if found is None:
        return None
    *user, family, expires_at = found
    return Session(authenticated_user(*user), family), expires_at


async def extend_refresh_token(conn: Connection, digest: bytes, *, expires_at: datetime) -> None:
    """Extend a valid token; one that was ended meanwhile stays ended."""
    await conn.execute(
        "update refresh_tokens set expires_at = greatest(expires_at, %s)"
        " where token_hash = %s and used_at is null and revoked_at is null",
        [expires_at, digest],
    )


async def family_of_token(conn: Connection, digest: bytes) -> UUID | None:
    """The log-in that a refresh token descends from; None where the token is unknown."""
    return await scalar(conn, "select family from refresh_tokens where token_hash = %s", [digest])


async def end_family(conn: Connection, family: UUID, *, now: datetime) -> None:
    """End one log-in: its refresh tokens and, with them, its access tokens."""
    user_id = await scalar(conn, "select user_id from refresh_tokens where family = %s limit 1", [family])
    if user_id is None:
        return
    await _lock_user(conn, user_id)
    await conn.execute(
        "update refresh_tokens set revoked_at = %s where family = %s and revoked_at is null", [now, family]
    )


async def end_sessions(
    conn: Connection, user_id: int, *, now: datetime, since: datetime | None = None
) -> None:
    """End every log-in of a user; with `since` only those made at or after it."""
    await _lock_user(conn, user_id)
    await conn.execute(
        "update refresh_tokens r set revoked_at = %(now)s where user_id = %(user_id)s and revoked_at is null"
        " and (%(since)s::timestamptz is null or not exists (select from refresh_tokens o"
        "  where o.family = r.family and o.issued_at < %(since)s))",
        {"now": now, "user_id": user_id, "since": since},
    )


async def reserve_attempts(
    conn: Connection, buckets: Sequence[tuple[Limit, str]], *, now: datetime
) -> tuple[list[int], timedelta | None]:
    """Count a try in every bucket, or in none: (ids of the tries, None), or ([], how long to wait).

    A try is counted before its outcome is known, under a lock of the bucket, so that a hundred parallel guesses are a
    hundred tries on however many machines. A success releases it by `release_attempts`. Tries that a wrong clock dated
    ahead do not count: they would for hours.
    """
    await lock(conn, "attempt", [bucket for _, bucket in buckets])
    waits: list[timedelta] = []
    for limit, bucket in buckets:
        oldest = await scalar(
            conn,
            "select at from attempts where bucket = %s and at > %s and at <= %s order by at desc offset %s limit 1",
            [bucket, now - limit.span, now + CLOCKS_APART_MAX, limit.count_max - 1],
        )
        if oldest is not None:
            waits.append(oldest + limit.span - now)
    if waits:
        return [], max(waits)
    insert = "insert into attempts (bucket, at) values (%s, %s) returning id"
    ids = [await scalar(conn, insert, [bucket, now]) for _, bucket in buckets]
    return ids, None


async def release_attempts(conn: Connection, ids: Sequence[int]) -> None:
    """Delete tries that did not fail."""
    if ids:
        await conn.execute("delete from attempts where id = any(%s)", [list(ids)])


async def prune(conn: Connection, *, now: datetime) -> None:
    """Delete tries that no limit counts any more, and tokens that expired long ago."""
    await conn.execute("delete from attempts where at < %s", [now - ATTEMPTS_KEPT])
    await conn.execute("delete from refresh_tokens where expires_at < %s", [now - TOKENS_KEPT])


async def _lock_user(conn: Connection, user_id: int) -> int | None:
    """Lock the user and return the epoch of their tokens; None for an erased one.

    Both issuing and ending tokens take this lock: otherwise a token issued while the others are ended would outlive
    them.
    """
    return await scalar(
        conn, "select token_epoch from users where id = %s and erased_at is null for no key update", [user_id]
    )


async def forget_user(conn: Connection, user_id: int) -> None:
    """Delete the log-ins of a user who is erased or merged."""
    await conn.execute("delete from refresh_tokens where user_id = %s", [user_id])
