"""The rows of `form_bookings`."""

from collections.abc import Collection, Mapping
from datetime import datetime, timedelta
from hashlib import sha256
from typing import Any, LiteralString

import msgspec
from psycopg.rows import kwargs_row, scalar_row

from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json
from zerkalo.form_bookings.model import FormBooking, FormStatus, Refusal

Key = tuple[int, int]
"""(company, record)."""
CLAIM_SECONDS = 180.0
"""How long one request may hold a booking; longer than booking and checking it take, waits included."""

_COLUMNS = """
    api_id, user_id, company_id, record_id, status, request_digest, answer::text as answer, asked_at, claimed_until,
    coalesce(claimed_until > clock_timestamp(), false) as is_claimed, created_at
"""
_CLAIM = timedelta(seconds=CLAIM_SECONDS)
AUTO = "auto:"
"""Prefix of keys that we generate for requests without one."""
AUTO_SPAN = timedelta(minutes=10)
"""For so long after it was last worked on, a request without a key counts as the same as one before it."""


async def insert_claimed(
    conn: Connection,
    *,
    api_id: str,
    user_id: int | None,
    company_id: int,
    key: str,
    digest: bytes,
    comment: str,
    now: datetime,
) -> FormBooking | None:
    """Write a booking about to be made, claimed by the caller; None where the key is in use.

    Only a digest of `comment`, as sent to YCLIENTS, is kept.
    """
    sql = f"""
        insert into form_bookings
            (api_id, user_id, company_id, idempotency_key, request_digest, comment_digest, created_at,
                claimed_until)
        values (%(api_id)s, %(user_id)s, %(company_id)s, %(key)s, %(digest)s, %(comment)s, %(now)s,
                clock_timestamp() + %(claim)s)
        on conflict (idempotency_key) where idempotency_key is not null do nothing
        returning {_COLUMNS}
    """
    values = {
        "api_id": api_id,
        "user_id": user_id,
        "company_id": company_id,
        "key": key,
        "digest": digest,
        "comment": sha256(comment.encode()).digest(),
        "now": now,
        "claim": _CLAIM,
    }
    return await _one(conn, sql, values)


async def free_auto_key(conn: Connection, key: str, *, starts_at: datetime | None) -> None:
    """Free a key of our own whose request was refused, or its booking is not what was wished any more, or after `AUTO_SPAN`.

    `starts_at`: as wished, None where that is no time. Services are compared with those first seen, not with those wished:
    YCLIENTS may book them under other numbers, and then every lost answer would book twice.

    The only end of such a key: it outlives the booking's success, since the answer to that may be lost until it is sent.
    """
    sql = """
        update form_bookings f set idempotency_key = null
        where idempotency_key = %(key)s and idempotency_key like 'auto:%%' and status <> 'pending' and (
            status = 'refused' or claimed_until is null or claimed_until < clock_timestamp() - %(span)s
            or exists (
                select from bookings b
                where b.company_id = f.company_id and b.yclients_record_id = f.record_id and (
                    b.status = 'CANCELLED' or b.handed_over or b.appointment_datetime <> %(starts_at)s
                    or exists (select from booking_events e where e.booking_id = b.id and e.kind = 'services')
                )
            )
        )
    """
    await conn.execute(sql, {"key": key, "span": AUTO_SPAN, "starts_at": starts_at})


async def by_key(conn: Connection, key: str) -> FormBooking | None:
    """Return the booking of an idempotency key."""
    return await _one(
        conn, f"select {_COLUMNS} from form_bookings where idempotency_key = %(key)s", {"key": key}
    )


async def by_api_id(conn: Connection, api_id: str) -> FormBooking | None:
    """Return the booking with this `api_id`."""
    return await _one(
        conn, f"select {_COLUMNS} from form_bookings where api_id = %(api_id)s", {"api_id": api_id}
    )


async def claim(conn: Connection, api_id: str) -> FormBooking | None:
    """Claim a pending booking that is not claimed; None where there is no such booking."""
    sql = f"""
        update form_bookings set claimed_until = clock_timestamp() + %(claim)s
        where api_id = %(api_id)s and status = 'pending'
            and (claimed_until is null or claimed_until < clock_timestamp())
        returning {_COLUMNS}
    """
    return await _one(conn, sql, {"api_id": api_id, "claim": _CLAIM})


async def mark_asked(conn: Connection, form: FormBooking, *, now: datetime) -> bool:
    """Record that YCLIENTS is about to be asked; False where the claim is lost or the record was found meanwhile."""
    sql = """
        update form_bookings set asked_at = %(now)s
        where api_id = %(api_id)s and claimed_until = %(claimed_until)s and status = 'pending'
    """
    values = {"now": now, "api_id": form.api_id, "claimed_until": form.claimed_until}
    return (await conn.execute(sql, values)).rowcount == 1


async def mark_not_asked(conn: Connection, api_id: str) -> None:
    """Delete a booking that YCLIENTS has certainly not made, so that its key can be used again."""
    await conn.execute(
        "delete from form_bookings where api_id = %s and status = 'pending' and record_id is null", [api_id]
    )


async def release(conn: Connection, form: FormBooking) -> None:
    """Release the claim on the booking: it ends now."""
    await conn.execute(
        "update form_bookings set claimed_until = clock_timestamp() where api_id = %s and claimed_until = %s",
        [form.api_id, form.claimed_until],
    )


async def write_booked(conn: Connection, api_id: str, *, record_id: int, record_hash: str | None) -> None:
    """Write the record that was made. A known hash is kept, and the claim too, until the mirror has the record."""
    sql = """
        update form_bookings set status = 'booked', record_id = %(record_id)s, answer = null,
            record_hash = coalesce(%(record_hash)s, record_hash)
        where api_id = %(api_id)s
    """
    await conn.execute(sql, {"api_id": api_id, "record_id": record_id, "record_hash": record_hash})


async def write_refused(conn: Connection, api_id: str, refusal: Refusal) -> bool:
    """Record that the salon declined; False where the record was found after all."""
    sql = """
        update form_bookings set status = 'refused', answer = %(answer)s::jsonb, claimed_until = null
        where api_id = %(api_id)s and status = 'pending'
    """
    values = {"api_id": api_id, "answer": as_json(refusal)}
    return (await conn.execute(sql, values)).rowcount == 1


async def has_claimed(
    conn: Connection, user_id: int, company_id: int, record_id: int, record_hash: str
) -> bool:
    """Return whether this user has booked or claimed the record with this hash."""
    sql = """
        select from form_bookings
        where company_id = %s and record_id = %s and user_id = %s and record_hash = %s and status = 'booked' limit 1
    """
    cursor = await conn.execute(sql, [company_id, record_id, user_id, record_hash])
    return await cursor.fetchone() is not None


async def insert_claim(
    conn: Connection,
    *,
    api_id: str,
    user_id: int,
    company_id: int,
    record_id: int,
    record_hash: str,
    now: datetime,
) -> bool:
    """Record that the user proved to have made the record elsewhere; False where another user has booked or claimed it.

    Of two concurrent users the first one wins: the key is unique per record.
    """
    values = {
        "api_id": api_id,
        "user_id": user_id,
        "company_id": company_id,
        "record_id": record_id,
        "record_hash": record_hash,
        "key": f"claim:{company_id}:{record_id}",
        "now": now,
    }
    await conn.execute(
        """
        insert into form_bookings
            (api_id, user_id, company_id, record_id, record_hash, status, idempotency_key, created_at)
        select %(api_id)s, %(user_id)s, %(company_id)s, %(record_id)s, %(record_hash)s, 'booked', %(key)s, %(now)s
        where not exists (
            select from form_bookings
            where company_id = %(company_id)s and record_id = %(record_id)s and user_id <> %(user_id)s
        )
        on conflict (idempotency_key) where idempotency_key is not null do nothing
        """,
        values,
    )
    return await has_claimed(conn, user_id, company_id, record_id, record_hash)


async def record_hash(conn: Connection, company_id: int, record_id: int) -> str | None:
    """Return the hash that lets a client change this record; None where it was not booked here or the answer was lost."""
    sql = """
        select record_hash from form_bookings
        where company_id = %s and record_id = %s and record_hash is not null and record_hash <> '' limit 1
    """
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, [company_id, record_id])
        return await cursor.fetchone()


async def learn_records(conn: Connection, api_ids: Mapping[str, Key]) -> None:
    """Set the record of form bookings whose answer was lost, by the `api_id` in the record.

    A booking that has a record keeps it: a copied record carries its original's `api_id`.
    """
    wanted = [
        {"a": api_id, "c": company_id, "r": record_id} for api_id, (company_id, record_id) in api_ids.items()
    ]
    # The ids are given twice: otherwise a generic plan may read some ten thousand rows.
    await conn.execute(
        """
        with x as materialized (select * from jsonb_to_recordset(%s::jsonb) as x (a text, c bigint, r bigint))
        update form_bookings f set record_id = x.r, status = 'booked' from x
        where f.api_id = x.a and f.api_id = any (array(select a from x)) and f.company_id = x.c and f.record_id is null
        """,
        [as_json(wanted)],
    )


async def hand_on(
    conn: Connection, *, from_id: int, into_id: int, only: Collection[str] | None = None
) -> None:
    """Move the form bookings of one account, or `only` those with these `api_id`s, to another one."""
    await conn.execute(
        "update form_bookings set user_id = %(into)s"
        " where user_id = %(from)s and (%(only)s::text[] is null or api_id = any(%(only)s))",
        {"from": from_id, "into": into_id, "only": None if only is None else list(only)},
    )


async def forget_user(conn: Connection, user_id: int) -> None:
    """Remove from a user's form bookings all that identifies the user: answer, key and digests."""
    await conn.execute(
        "update form_bookings set user_id = null, answer = null, request_digest = null, comment_digest = null,"
        " idempotency_key = null where user_id = %s",
        [user_id],
    )


async def _one(conn: Connection, sql: LiteralString, values: dict[str, Any]) -> FormBooking | None:
    async with conn.cursor(row_factory=kwargs_row(_form_booking)) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchone()


def _form_booking(*, answer: str | None, status: str, **columns: Any) -> FormBooking:
    refusal = msgspec.json.decode(answer, type=Refusal) if answer and status == "refused" else None
    return FormBooking(**columns, status=FormStatus(status), refusal=refusal)
