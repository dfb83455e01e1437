"""What YCLIENTS is still to be asked about, record by record, in PostgreSQL.

A row is a question. Asking claims it for a while; the answer's being applied removes it, unless somebody asked again
meanwhile (a higher generation): then it stays, due at once. Claims are measured like the leases of runs.

While a question is claimed, its `unsigned` tells only of who asked again since: or unsigned calls that come in during the
asking would be asked for as a signed call's, without their bound. What was claimed by a process that died is asked as
an unsigned call's, which is slower and no less sure.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta
from typing import LiteralString

import msgspec
from psycopg.rows import class_row

from zerkalo.db.pool import Connection
from zerkalo.refetches.model import CHANGES, Refetch

CLAIM_SECONDS = 45.0
"""How long a claimed question stays with its process. One batch of asking takes some 6 s; where YCLIENTS is so slow that
this runs out, another process asks the same once more, and where a process is killed, its questions wait so long."""

RETRY_SECONDS_MAX = 1800.0
"""How long a question waits after a failure, at most."""

_LEASE_CLOCK = "coalesce(%(lease_now)s::timestamptz, clock_timestamp())"
_FREE = (
    f"(r.claimed_until is null or r.claimed_until < {_LEASE_CLOCK}"
    f" or r.claimed_until > {_LEASE_CLOCK} + interval '90 seconds')"
)
_DUE = "(r.next_attempt_at <= %(now)s or r.next_attempt_at > %(now)s + interval '1 hour')"
"""A claim or a pause that lies farther ahead than one can was written by a clock that was wrong: it counts for nothing."""


UNSIGNED_MAX = 20
"""Where unsigned calls want more records of a company than this, what has changed is read in their place."""


async def ask(conn: Connection, wanted: Sequence[Refetch], *, now: datetime) -> None:
    """Note the records to ask for; one that waits already is not doubled, and loses no request made meanwhile.

    An unsigned call hastens no signed call's question that waits after a failure: it would be asked as often as anybody likes.
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

# Of a question that is claimed, `unsigned` does not tell whose it is: it stays. `skip locked`: a batch that is gathering the
# same ones is not waited for.
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
    """Claim the company's questions that are due, at most `limit`: those of signed calls first, then of bookings we know.

    What has changed (`CHANGES`) is not among them.
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
    """Put questions about these records and claim them at once; those that somebody is asking already are left out."""
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
    """Claim the wish that what has changed at the company be read; None: nobody wants that now."""
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
    conn: Connection,
    questions: Sequence[Refetch],
    *,
    next_attempt_at: datetime | None,
    refused: str | None = None,
) -> None:
    """Release questions that got no answer. `next_attempt_at` None: they were not asked; else that counts as an attempt.

    `refused`: what YCLIENTS answered where it shows everything but these records.
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
    """Companies among `ids` that have a question due and unclaimed."""
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
