"""What YCLIENTS is still to be asked about, record by record, in PostgreSQL.

A row is a question. Asking claims it for a while; the answer's being applied removes it, unless somebody asked again
meanwhile (a higher generation): then it stays, due at once. Claims are measured like the leases of runs.

While a question is claimed, its `hint` tells only of who asked again since: or unsigned calls that come in during the
asking would be asked for as a signed call's, without their bound. What was claimed by a process that died is asked as
a hint, which is slower and no less sure.
"""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import LiteralString

import msgspec
from psycopg.rows import class_row

from zerkalo.db.pool import Connection

CLAIM_SECONDS = 45.0
"""How long a claimed question stays with its process. One batch of asking takes some 6 s; where YCLIENTS is so slow that
this runs out, another process asks the same once more, and where a process is killed, its questions wait so long."""

_LEASE_CLOCK = "coalesce(%(lease_now)s::timestamptz, clock_timestamp())"
_FREE = f"(r.claimed_until is null or r.claimed_until < {_LEASE_CLOCK})"


@dataclass(frozen=True, slots=True)
class Question:
    """A claimed row of `refetches`. `hint`: only unsigned calls asked for it; `attempts` so far failed."""

    company_id: int
    record_id: int
    hint: bool
    generation: int
    attempts: int


async def claim_due(
    conn: Connection, company_id: int, *, now: datetime, limit: int, lease_now: datetime | None = None
) -> list[Question]:
    """Claim the company's questions that are due, those of signed calls first; at most `limit`."""
    sql = f"""
        update refetches r set claimed_until = {_LEASE_CLOCK} + %(claim)s, hint = true
        from (
            select company_id, record_id, hint from refetches r
            where company_id = %(company_id)s and next_attempt_at <= %(now)s and {_FREE}
            order by hint, next_attempt_at limit %(limit)s
            for update skip locked
        ) as due
        where r.company_id = due.company_id and r.record_id = due.record_id
        returning r.company_id, r.record_id, due.hint, r.generation, r.attempts
    """
    values = {
        "company_id": company_id,
        "now": now,
        "limit": limit,
        "claim": timedelta(seconds=CLAIM_SECONDS),
        "lease_now": lease_now,
    }
    return await _questions(conn, sql, values)


async def claim_new(
    conn: Connection,
    company_id: int,
    record_ids: Collection[int],
    *,
    reason: str,
    now: datetime,
    lease_now: datetime | None = None,
) -> list[Question]:
    """Put questions about these records and claim them at once; those that somebody is asking already are left out."""
    sql = f"""
        insert into refetches as r
            (company_id, record_id, hint, reason, requested_at, next_attempt_at, claimed_until)
        select %(company_id)s, record_id, true, %(reason)s, %(now)s, %(now)s, {_LEASE_CLOCK} + %(claim)s
        from unnest(%(record_ids)s::bigint[]) as s (record_id) order by record_id
        on conflict (company_id, record_id) do update set claimed_until = excluded.claimed_until, hint = true
        where {_FREE}
        returning company_id, record_id, false as hint, generation, attempts
    """
    values = {
        "company_id": company_id,
        "record_ids": sorted(set(record_ids)),
        "reason": reason,
        "now": now,
        "claim": timedelta(seconds=CLAIM_SECONDS),
        "lease_now": lease_now,
    }
    return await _questions(conn, sql, values)


async def settle(conn: Connection, questions: Sequence[Question], *, now: datetime) -> None:
    """The answers are applied: remove the questions; one that was asked again meanwhile stays, due at once."""
    rows = msgspec.json.encode(
        [{"c": q.company_id, "r": q.record_id, "g": q.generation} for q in questions]
    ).decode()
    sql = """
        with answered as (
            select * from jsonb_to_recordset(%(rows)s::jsonb) as x (c bigint, r bigint, g bigint)
        ), removed as (
            delete from refetches r using answered a
            where r.company_id = a.c and r.record_id = a.r and r.generation = a.g
        )
        update refetches r set claimed_until = null, attempts = 0, next_attempt_at = least(r.next_attempt_at, %(now)s)
        from answered a where r.company_id = a.c and r.record_id = a.r and r.generation <> a.g
    """
    await conn.execute(sql, {"rows": rows, "now": now})


async def give_back(
    conn: Connection, questions: Sequence[Question], *, next_attempt_at: datetime | None
) -> None:
    """Release questions that got no answer. `next_attempt_at` None: they were not asked; else that counts as an attempt."""
    rows = msgspec.json.encode(
        [{"c": q.company_id, "r": q.record_id, "h": q.hint} for q in questions]
    ).decode()
    sql = """
        update refetches r set claimed_until = null, hint = r.hint and x.h,
            attempts = r.attempts + case when %(at)s::timestamptz is null then 0 else 1 end,
            next_attempt_at = coalesce(%(at)s, r.next_attempt_at)
        from jsonb_to_recordset(%(rows)s::jsonb) as x (c bigint, r bigint, h boolean)
        where r.company_id = x.c and r.record_id = x.r
    """
    await conn.execute(sql, {"rows": rows, "at": next_attempt_at})


async def companies_with_due(
    conn: Connection, ids: Collection[int], *, now: datetime, lease_now: datetime | None = None
) -> list[int]:
    """Companies among `ids` that have a question due and unclaimed."""
    sql = f"""
        select distinct r.company_id from refetches r
        where r.company_id = any(%(ids)s) and r.next_attempt_at <= %(now)s and {_FREE}
    """
    rows = await (await conn.execute(sql, {"ids": list(ids), "now": now, "lease_now": lease_now})).fetchall()
    return [row[0] for row in rows]


async def put_for_unverified(conn: Connection, ids: Collection[int], *, now: datetime) -> int:
    """Put a question about every unverified booking of these companies that has none. Returns how many.

    An unverified row is a question by itself; this mends what a lost row of `refetches` would leave standing.
    """
    sql = """
        insert into refetches (company_id, record_id, hint, reason, requested_at, next_attempt_at)
        select b.company_id, b.yclients_record_id, true, 'unverified', %(now)s, %(now)s
        from bookings b
        where not b.verified and b.company_id = any(%(ids)s) and b.yclients_record_id is not null
            and not exists (
                select from refetches r where r.company_id = b.company_id and r.record_id = b.yclients_record_id
            )
        order by b.company_id, b.yclients_record_id
        on conflict do nothing
    """
    return (await conn.execute(sql, {"ids": list(ids), "now": now})).rowcount


async def _questions(conn: Connection, sql: LiteralString, values: dict[str, object]) -> list[Question]:
    async with conn.cursor(row_factory=class_row(Question)) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchall()
