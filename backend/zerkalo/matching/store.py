"""What matching remembers: which record a form booking became, and the candidates between whom an admin chooses."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from zerkalo.db.locks import lock
from zerkalo.db.pool import Connection
from zerkalo.matching.model import Candidate

Key = tuple[int, int]
"""(company, record)."""


async def learn_records(conn: Connection, api_ids: Mapping[str, Key]) -> None:
    """Let form bookings whose answer was lost learn their record, by the `api_id` that it carries.

    One that is known to be another record's teaches nothing: a copied record carries its original's `api_id`.
    """
    if not api_ids:
        return
    wanted = [
        {"a": api_id, "c": company_id, "r": record_id} for api_id, (company_id, record_id) in api_ids.items()
    ]
    await conn.execute(
        """
        update form_bookings f set record_id = x.r, status = 'booked'
        from jsonb_to_recordset(%s::jsonb) as x (a text, c bigint, r bigint)
        where f.api_id = x.a and f.company_id = x.c and f.record_id is null
        """,
        [msgspec.json.encode(wanted).decode()],
    )


async def replace_candidates(
    conn: Connection, candidates: Mapping[int, frozenset[Candidate]], *, now: datetime
) -> None:
    """Write who might be whose, by booking id; what stood there goes.

    Who was left behind when the salon handed a booking over stays, for no later look at it finds them again.
    """
    if not candidates:
        return
    await conn.execute(
        "delete from match_candidates where booking_id = any(%s) and reason <> 'handed_over'",
        [list(candidates)],
    )
    rows = [
        {"b": booking_id, "u": one.user_id, "s": one.step, "r": one.reason}
        for booking_id, found in candidates.items()
        for one in sorted(found, key=lambda one: (one.user_id, one.step))
    ]
    if rows:
        await conn.execute(
            """
            insert into match_candidates (booking_id, user_id, step, reason, created_at)
            select b, u, s, r, %s from jsonb_to_recordset(%s::jsonb) as x (b bigint, u bigint, s text, r text)
            on conflict do nothing
            """,
            [now, msgspec.json.encode(rows).decode()],
        )


async def barrier(conn: Connection) -> None:
    """Wait until every batch that read the users before now has committed.

    A user's new proof and a batch that read the users just before it would otherwise miss each other: the batch links
    nobody, and the rematch does not see its row yet. Call it in a transaction of its own, after the proof's commit.
    """
    await lock(conn, "matching")
