"""The stored candidates among whom an admin chooses."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from zerkalo.db.locks import lock
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json
from zerkalo.matching.model import Candidate


async def replace_candidates(
    conn: Connection, candidates: Mapping[int, frozenset[Candidate]], *, now: datetime
) -> None:
    """Replace the candidates of these bookings, by booking id.

    Candidates left by a handed-over booking are kept, because later matching can't find them again.
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
            [now, as_json(rows)],
        )


async def forget_bookings(conn: Connection, booking_ids: Collection[int]) -> None:
    """Delete the candidates of these bookings."""
    await conn.execute("delete from match_candidates where booking_id = any(%s)", [list(booking_ids)])


async def forget_user(conn: Connection, user_id: int) -> None:
    """Delete the candidacies of a user who is erased or merged."""
    await conn.execute("delete from match_candidates where user_id = %s", [user_id])


async def hand_on(conn: Connection, *, from_id: int, into_id: int) -> None:
    """Copy a user's candidacies to another account."""
    await conn.execute(
        "insert into match_candidates (booking_id, user_id, step, reason, created_at)"
        " select booking_id, %(into)s, step, reason, created_at from match_candidates where user_id = %(from)s"
        " on conflict do nothing",
        {"from": from_id, "into": into_id},
    )


async def restore(conn: Connection, rows: Sequence[Mapping[str, Any]], *, but_of: int) -> None:
    """Replace the candidacies of the user `but_of` by these rows, where their booking is still unmatched.

    A rematch finds what has changed since.
    """
    await conn.execute("delete from match_candidates where user_id = %s", [but_of])
    await conn.execute(
        "insert into match_candidates (booking_id, user_id, step, reason, created_at)"
        " select m.booking_id, m.user_id, m.step, m.reason, m.created_at"
        " from jsonb_populate_recordset(null::match_candidates, %s::jsonb) m"
        " join bookings b on b.id = m.booking_id and b.user_id is null on conflict do nothing",
        [as_json(rows)],
    )


async def barrier(conn: Connection) -> None:
    """Wait until every batch that read the users before now has committed.

    Without it, a batch that read the users just before a new proof would link nobody, and the rematch after the proof
    would not see the batch's rows yet. Call it in a transaction of its own, after the proof's commit.
    """
    await lock(conn, "matching")
