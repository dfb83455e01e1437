"""Undo a recent redemption at the till."""

from datetime import datetime, timedelta

from zerkalo.auth.audit.service import note_nothing
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty import store
from zerkalo.loyalty.by_hand.service import note_movement
from zerkalo.loyalty.model import EntryDraft, HandEntry, Kind, LoyaltyPolicy, Reason
from zerkalo.loyalty.service import expire_points
from zerkalo.loyalty.till import store as till_store

UNDO_SPAN = timedelta(minutes=10)
"""How long a spending at the till can be undone."""


async def undo_redemption(
    pool: Pool, entry_id: int, *, admin_id: int, policy: LoyaltyPolicy, now: datetime
) -> HandEntry:
    """Undo a whole redemption within `UNDO_SPAN` of it; a repetition changes nothing.

    The points keep their original age. Raises `ProblemError`: 404 `not_found`, 409 `undo_over`.
    """

    async def write(conn: Connection) -> HandEntry:
        spent = await till_store.read_redemption(conn, entry_id)
        if spent is None:
            raise ProblemError(404, "not_found", "There is no such spending.")
        await store.lock_users(conn, [spent.user_id])
        key = f"undo:{entry_id}"
        repeated = await store.read_hand_entry(conn, key)
        if repeated is not None:
            note_nothing()
            return repeated
        spent = await till_store.read_redemption(conn, entry_id)
        assert spent is not None, "read above, and entries stay"
        if spent.is_undone or now - spent.created_at > UNDO_SPAN:
            raise ProblemError(409, "undo_over", "This spending can't be undone any more.")
        left = await store.read_balance(conn, spent.user_id) + spent.points
        draft = EntryDraft(
            spent.user_id,
            spent.points,
            Kind.REVERSAL,
            Reason.UNDONE,
            key,
            created_by=admin_id,
            balance_after=left,
            visit_id=spent.visit_id,
            undoes=entry_id,
        )
        await store.append(conn, [draft], now)
        await note_movement(conn, draft, now)
        # Points that were due to expire while they were spent expire now.
        await expire_points(conn, [spent.user_id], policy.expire_days, now)
        entry = await store.read_hand_entry(conn, key)
        assert entry is not None, "appended above"
        return entry

    return await in_transaction(pool, write)
