"""What matching remembers: the candidates between whom an admin chooses."""

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
            [now, as_json(rows)],
        )


async def forget_bookings(conn: Connection, booking_ids: Collection[int]) -> None:
    """Delete whose these bookings might be."""
    await conn.execute("delete from match_candidates where booking_id = any(%s)", [list(booking_ids)])


async def forget_user(conn: Connection, user_id: int) -> None:
    """Delete what might be a user's who is erased or merged."""
    await conn.execute("delete from match_candidates where user_id = %s", [user_id])


async def hand_on(conn: Connection, *, from_id: int, into_id: int) -> None:
    """Let another account stand wherever this one may be whose a booking is."""
    await conn.execute(
        "insert into match_candidates (booking_id, user_id, step, reason, created_at)"
        " select booking_id, %(into)s, step, reason, created_at from match_candidates where user_id = %(from)s"
        " on conflict do nothing",
        {"from": from_id, "into": into_id},
    )


async def restore(conn: Connection, rows: Sequence[Mapping[str, Any]], *, but_of: int) -> None:
    """Let these rows stand in place of the candidacies of the user `but_of`, where their booking is still unmatched.

    What has changed since is found by matching anew.
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

    A user's new proof and a batch that read the users just before it would otherwise miss each other: the batch links
    nobody, and the rematch does not see its row yet. Call it in a transaction of its own, after the proof's commit.
    """
    await lock(conn, "matching")
