"""The records to ask YCLIENTS for, in PostgreSQL.

A row is a question. A process claims it before asking and removes it once the answer is applied; if it was requested
again meanwhile (a higher generation), it stays, due at once. Claims use the same clock as the leases of runs.

While a question is claimed, its `unsigned` describes only the requests made since: otherwise unsigned calls that arrive
meanwhile would count as signed and escape their limit. A question whose process died is asked again as unsigned, which
is slower but just as reliable.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import LiteralString

import msgspec
from psycopg.rows import class_row

from zerkalo.db.pool import Connection
from zerkalo.refetches.model import CHANGES, Refetch

CLAIM_SECONDS = 45.0
"""How long a claim lasts. A batch takes some 6 s; where YCLIENTS is so slow that the claim expires, another process asks
the same again. The questions of a killed process wait so long."""

RETRY_SECONDS_MAX = 1800.0
"""The longest pause after a failure."""

_LEASE_CLOCK = "coalesce(%(lease_now)s::timestamptz, clock_timestamp())"
_FREE = (
    f"(r.claimed_until is null or r.claimed_until < {_LEASE_CLOCK}"
    f" or r.claimed_until > {_LEASE_CLOCK} + interval '90 seconds')"
)
_DUE = "(r.next_attempt_at <= %(now)s or r.next_attempt_at > %(now)s + interval '1 hour')"
"""A claim or pause that ends later than any can was written by a wrong clock and is ignored."""


UNSIGNED_MAX = 20
"""If unsigned calls request more records of a company than this, its recent changes are read instead."""


async def ask(conn: Connection, wanted: Sequence[Refetch], *, now: datetime) -> None:
    """Request these records. A record that waits already keeps its one row, with a higher generation.

    An unsigned call does not shorten the pause of a signed call's question: anybody could make us ask at any rate.
    """
    if not wanted:
        return
    rows = msgspec.json.encode(sorted(wanted, key=lambda one: (one.company_id, one.record_id))).decode()
    await conn.execute(_ASK, {"rows": rows, "now": now})
    crowded = sorted({one.company_id for one in wanted if one.unsigned})
    if crowded:
        await conn.execute(
            _GATHER_UNSIGNED, {"ids": crowded, "now": now, "changes": CHANGES, "max": UNSIGNED_MAX}
        )


_ASK = """
    insert into refetches as r (company_id, record_id, unsigned, reason, requested_at, next_attempt_at)
    select x.company_id, x.record_id, x.unsigned, x.reason, %(now)s, %(now)s
    from jsonb_to_recordset(%(rows)s::jsonb) as x (company_id bigint, record_id bigint, unsigned boolean, reason text)
    on conflict (company_id, record_id) do update set
        unsigned = r.unsigned and excluded.unsigned,
        reason = excluded.reason,
        requested_at = excluded.requested_at,
        generation = r.generation + 1,
        next_attempt_at = case when excluded.unsigned and not r.unsigned then r.next_attempt_at
            else least(r.next_attempt_at, excluded.next_attempt_at) end
"""

# A claimed question stays: its `unsigned` does not describe who requested it first. `skip locked`: don't wait for another
# batch that gathers the same rows.
_GATHER_UNSIGNED = """
    with crowded as (
        select c.id from unnest(%(ids)s::bigint[]) as c (id)
        where (select count(*) from (
            select from refetches r where r.company_id = c.id and r.unsigned and r.record_id <> %(changes)s limit %(max)s + 1
        ) as counted) > %(max)s
    ), gathered as (
        delete from refetches where (company_id, record_id) in (
            select r.company_id, r.record_id from refetches r join crowded on r.company_id = crowded.id
            where r.unsigned and r.record_id <> %(changes)s and r.claimed_until is null
            order by r.company_id, r.record_id for update of r skip locked
        )
    )
    insert into refetches as r (company_id, record_id, unsigned, reason, requested_at, next_attempt_at)
    select id, %(changes)s, true, 'many unsigned calls', %(now)s, %(now)s from crowded
    on conflict (company_id, record_id) do update set generation = r.generation + 1
"""


async def claim_due(
    conn: Connection, company_id: int, *, now: datetime, limit: int, lease_now: datetime | None = None
) -> list[Refetch]:
    """Claim up to `limit` of the company's due questions: those of signed calls first, then those of bookings we know.

    `CHANGES` is not among them.
    """
    sql = f"""
        update refetches r set claimed_until = {_LEASE_CLOCK} + %(claim)s, unsigned = true
        from (
            select company_id, record_id, unsigned from refetches r
            where company_id = %(company_id)s and record_id <> %(changes)s and {_DUE} and {_FREE}
            order by unsigned, unsigned and not exists (
                select from bookings b where b.company_id = r.company_id and b.yclients_record_id = r.record_id
            ), next_attempt_at limit %(limit)s
            for update skip locked
        ) as due
        where r.company_id = due.company_id and r.record_id = due.record_id
        returning r.company_id, r.record_id, r.reason, due.unsigned, r.generation, r.attempts
    """
    values = {
        "company_id": company_id,
        "changes": CHANGES,
        "now": now,
        "limit": limit,
        "claim": timedelta(seconds=CLAIM_SECONDS),
        "lease_now": lease_now,
    }
    return await _claimed(conn, sql, values)


async def claim_new(
    conn: Connection,
    company_id: int,
    record_ids: Collection[int],
    *,
    reason: str,
    unsigned: bool = False,
    now: datetime,
    lease_now: datetime | None = None,
) -> list[Refetch]:
    """Request these records and claim them at once; those claimed by another process are left out."""
    sql = f"""
        insert into refetches as r
            (company_id, record_id, unsigned, reason, requested_at, next_attempt_at, claimed_until)
        select %(company_id)s, record_id, true, %(reason)s, %(now)s, %(now)s, {_LEASE_CLOCK} + %(claim)s
        from unnest(%(record_ids)s::bigint[]) as s (record_id) order by record_id
        on conflict (company_id, record_id) do update set claimed_until = excluded.claimed_until, unsigned = true
        where {_FREE}
        returning company_id, record_id, reason, %(unsigned)s as unsigned, generation, attempts
    """
    values = {
        "company_id": company_id,
        "record_ids": sorted(set(record_ids)),
        "reason": reason,
        "unsigned": unsigned,
        "now": now,
        "claim": timedelta(seconds=CLAIM_SECONDS),
        "lease_now": lease_now,
    }
    return await _claimed(conn, sql, values)


async def claim_changes(
    conn: Connection, company_id: int, *, now: datetime, lease_now: datetime | None = None
) -> Refetch | None:
    """Claim the request to read the company's recent changes (`CHANGES`); None: there is none due."""
    sql = f"""
        update refetches r set claimed_until = {_LEASE_CLOCK} + %(claim)s
        where r.company_id = %(company_id)s and r.record_id = %(changes)s and {_DUE} and {_FREE}
        returning r.company_id, r.record_id, r.reason, r.unsigned, r.generation, r.attempts
    """
    values = {
        "company_id": company_id,
        "changes": CHANGES,
        "now": now,
        "claim": timedelta(seconds=CLAIM_SECONDS),
        "lease_now": lease_now,
    }
    claimed = await _claimed(conn, sql, values)
    return claimed[0] if claimed else None


async def settle(conn: Connection, questions: Sequence[Refetch], *, now: datetime) -> None:
    """Remove questions whose answers are applied; one that was requested again meanwhile stays, due at once."""
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
    conn: Connection,
    questions: Sequence[Refetch],
    *,
    next_attempt_at: datetime | None,
    refused: str | None = None,
) -> None:
    """Release questions that got no answer. `next_attempt_at` None: they were not asked; else count an attempt.

    `refused`: YCLIENTS's answer where it refuses only these records.
    """
    rows = msgspec.json.encode(
        [{"c": q.company_id, "r": q.record_id, "h": q.unsigned} for q in questions]
    ).decode()
    sql = """
        update refetches r set claimed_until = null, unsigned = r.unsigned and x.h,
            attempts = r.attempts + case when %(at)s::timestamptz is null then 0 else 1 end,
            next_attempt_at = coalesce(%(at)s, r.next_attempt_at),
            refused = case when %(at)s::timestamptz is null then r.refused else %(refused)s end
        from jsonb_to_recordset(%(rows)s::jsonb) as x (c bigint, r bigint, h boolean)
        where r.company_id = x.c and r.record_id = x.r
    """
    await conn.execute(sql, {"rows": rows, "at": next_attempt_at, "refused": refused})


async def companies_with_due(
    conn: Connection, ids: Collection[int], *, now: datetime, lease_now: datetime | None = None
) -> list[int]:
    """Return the companies among `ids` that have a due, unclaimed question."""
    sql = f"""
        select distinct r.company_id from refetches r
        where r.company_id = any(%(ids)s) and {_DUE} and {_FREE}
    """
    rows = await (await conn.execute(sql, {"ids": list(ids), "now": now, "lease_now": lease_now})).fetchall()
    return [row[0] for row in rows]


async def _claimed(conn: Connection, sql: LiteralString, values: Mapping[str, object]) -> list[Refetch]:
    async with conn.cursor(row_factory=class_row(Refetch)) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchall()
