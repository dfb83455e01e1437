"""Points that the staff give and take by hand."""

from dataclasses import replace
from datetime import datetime

from zerkalo.auth.audit.service import audit, note_nothing
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty import store
from zerkalo.loyalty.model import EntryDraft, HandEntry, Kind, LoyaltyPolicy
from zerkalo.loyalty.service import expire_points


async def redeem(
    pool: Pool,
    *,
    user_id: int,
    points: int,
    reason: str,
    idempotency_key: str,
    admin_id: int,
    policy: LoyaltyPolicy,
    now: datetime,
    visit_id: int | None = None,
) -> HandEntry:
    """Redeem `points` (1 or more), at the visit `visit_id` if given. Never more than the balance, also under concurrency.

    The same key with the same body returns the same answer and moves nothing again. Raises `ProblemError`: 404
    `user_not_found`, 409 `balance_too_low`, 422 `idempotency_key_reused` (other body). Writes an audit entry.
    """
    assert points > 0
    draft = _hand_draft(user_id, -points, Kind.REDEMPTION, reason, idempotency_key, admin_id)
    draft = replace(draft, visit_id=visit_id)
    entry = await in_transaction(pool, lambda conn: _move_by_hand(conn, draft, policy, now))
    if entry is None:
        raise ProblemError(409, "balance_too_low", "The balance does not have so many points.")
    return entry


async def note_movement(conn: Connection, draft: EntryDraft, now: datetime) -> None:
    """Audit who of the staff moved whose points. Without the reason: text about a person is stored only once."""
    details = {"points": draft.amount, "after": draft.balance_after, "booking_id": draft.visit_id}
    told = {name: value for name, value in details.items() if value is not None}
    await audit(conn, draft.created_by, f"loyalty.{draft.kind}", f"user {draft.user_id}", told, now)


async def adjust(
    pool: Pool,
    *,
    user_id: int,
    points: int,
    reason: str,
    idempotency_key: str,
    admin_id: int,
    policy: LoyaltyPolicy,
    now: datetime,
) -> HandEntry:
    """Add (positive) or deduct (negative) points by hand, below zero too: an admin's correction.

    Key, errors and audit as `redeem`, without `balance_too_low`.
    """
    assert points != 0
    draft = _hand_draft(user_id, points, Kind.ADJUSTMENT, reason, idempotency_key, admin_id)
    entry = await in_transaction(pool, lambda conn: _move_by_hand(conn, draft, policy, now))
    assert entry is not None, "an adjustment may go below zero"
    return entry


def _hand_draft(
    user_id: int, amount: int, kind: Kind, reason: str, idempotency_key: str, admin_id: int
) -> EntryDraft:
    # The key is scoped to the admin: two admins may choose the same key.
    return EntryDraft(
        user_id, amount, kind, reason, f"hand:{admin_id}:{idempotency_key}", created_by=admin_id
    )


async def _move_by_hand(
    conn: Connection, draft: EntryDraft, policy: LoyaltyPolicy, now: datetime
) -> HandEntry | None:
    """Return the draft's entry, new or already there. None: the balance is too low.

    Points that expired on the way stay expired even then, so that the balance shown next is the one that was too low.
    """
    known = await store.lock_users(conn, [draft.user_id])
    repeated = await store.read_hand_entry(conn, draft.entry_key)
    if repeated is not None:
        note_nothing()
        return _same(repeated, draft)
    if not known:
        raise ProblemError(404, "user_not_found", "There is no such user.")
    # Points that are due to expire can't be spent, whether or not a sweep has been there already.
    await expire_points(conn, [draft.user_id], policy.expire_days, now)
    left = await store.read_balance(conn, draft.user_id) + draft.amount
    if draft.kind is Kind.REDEMPTION and left < 0:
        return None
    draft = replace(draft, balance_after=left)
    appended = await store.append(conn, [draft], now)
    entry = await store.read_hand_entry(conn, draft.entry_key)
    assert entry is not None, "appended above, or a moment earlier by a request for another user"
    if appended:
        await note_movement(conn, draft, now)
    else:
        note_nothing()
    return _same(entry, draft)


def _same(entry: HandEntry, draft: EntryDraft) -> HandEntry:
    """Return the key's entry, if it equals the request's."""
    asked = (draft.user_id, draft.amount, draft.kind, draft.reason)
    if (entry.user_id, entry.amount, entry.kind, entry.reason) != asked:
        raise ProblemError(422, "idempotency_key_reused", "This Idempotency-Key stands for another request.")
    return entry
