"""Operations on the ledger: settle bookings, expire points, merge accounts."""

from collections.abc import Awaitable, Callable, Iterable, Mapping, Sequence
from datetime import datetime, timedelta

import structlog
from psycopg.errors import LockNotAvailable

from zerkalo.db import facts
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.loyalty import store
from zerkalo.loyalty.model import (
    BookingLedger,
    EarningState,
    EntryDraft,
    Kind,
    LoyaltyPolicy,
    Movement,
    Reason,
)
from zerkalo.loyalty.programme.service import keep_history
from zerkalo.loyalty.rules import (
    expire,
    expiry_drafts,
    expiry_drafts_again,
    ledger_of,
    may_earn,
    needs_spending,
    policy_from,
    settle,
)

log = structlog.get_logger(__name__)

SETTLE_ATTEMPTS_MAX = 5
SWEEP_BOOKING_IDS = 5_000
"""Booking ids per transaction of a sweep."""
SWEEP_LOCK_SECONDS = 1.0
"""How long a sweep waits for a locked booking; shorter than the webhooks wait that may want those it has locked itself."""
SWEEP_USERS = 200
"""Accounts per transaction of an expiry sweep."""
SWEEP_AGAIN_AFTER = timedelta(days=1)
"""How often a sweep checks every booking although the settings are unchanged: during a restart with new settings, a
process with the old ones may have completed a booking that was already swept; other unsettled ledgers are settled too."""
SWEEP_FACT = "loyalty_sweep"
EXPIRY_FACT = "loyalty_expiry"


async def settle_bookings(
    conn: Connection, states: Sequence[EarningState], policy: LoyaltyPolicy, now: datetime
) -> int:
    """Make the ledger of these bookings sum to what their states earn; return the number of entries written.

    Call it in the transaction that wrote the bookings, which holds their rows locked. A booking that has just
    been inserted and earns nothing costs no query; the others share one.
    """
    # A revision of 1 that does not earn now never did: every write raises the revision.
    concerned = [state for state in states if state.revision > 1 or may_earn(state, policy)]
    return await _settle(conn, concerned, policy, now) if concerned else 0


async def settle_bookings_by_id(
    conn: Connection, booking_ids: Iterable[int], policy: LoyaltyPolicy, now: datetime
) -> int:
    """Run `settle_bookings` on the stored rows, after their user was changed: by unlinking or erasing.

    Call it in the transaction of the change, which holds the rows locked.
    """
    states = await store.read_states(conn, booking_ids)
    return await _settle(conn, states, policy, now) if states else 0


def settler_of(policy: LoyaltyPolicy) -> Callable[[Connection, Iterable[int], datetime], Awaitable[int]]:
    """Return `settle_bookings_by_id` bound to this policy, for callers that have no access to the programme."""

    async def settle_them(conn: Connection, booking_ids: Iterable[int], now: datetime) -> int:
        return await settle_bookings_by_id(conn, booking_ids, policy, now)

    return settle_them


async def _settle(
    conn: Connection, states: Sequence[EarningState], policy: LoyaltyPolicy, now: datetime
) -> int:
    written = 0
    for _ in range(SETTLE_ATTEMPTS_MAX):
        drafts = await _settle_once(conn, states, policy)
        losers = {draft.user_id for draft in drafts if draft.amount < 0}
        if losers:
            # Locked before any points are deducted: otherwise a concurrent expiry and this transaction would not see
            # each other's entries, and both would deduct the same points.
            await store.lock_users(conn, losers)
        appended = await store.append(conn, drafts, now)
        written += appended
        if appended == len(drafts):
            return written + await _give_back_expired(conn, losers, policy, now)
        # Another transaction settled one of them without its lock; its entries can be read now, so settle the rest.
    raise AssertionError("a ledger kept changing although its booking is locked")


async def _settle_once(
    conn: Connection, states: Sequence[EarningState], policy: LoyaltyPolicy
) -> list[EntryDraft]:
    ledgers = ledger_of(await store.read_ledger_lines(conn, [state.booking_id for state in states]))
    pairs = [(state, ledgers.get(state.booking_id, BookingLedger())) for state in states]
    in_tiers = [state for state, ledger in pairs if needs_spending(state, ledger, policy)]
    spent = await store.read_spent(conn, in_tiers) if in_tiers else {}
    first = {state.user_id for state, ledger in pairs if ledger.terms is None and may_earn(state, policy)}
    earns_from = await store.read_earns_from(conn, first - {None}) if first else {}
    return [
        draft
        for state, ledger in pairs
        for draft in settle(
            state,
            ledger,
            policy_from(policy, earns_from.get(state.user_id)) if ledger.terms is None else policy,
            spent.get(state.booking_id, 0),
        )
    ]


async def _give_back_expired(
    conn: Connection, user_ids: Iterable[int], policy: LoyaltyPolicy, now: datetime
) -> int:
    """Give back expired points that a reversal has deducted again from these users."""
    concerned = set(user_ids)
    expired = await store.read_users_with_expiries(conn, concerned) if concerned else []
    return await expire_points(conn, expired, policy.expire_days, now) if expired else 0


async def expire_points(
    conn: Connection, user_ids: Iterable[int], expire_days: int | None, now: datetime
) -> int:
    """Write the `expiry` entries that these users' accounts need now; return how many. Locks the accounts.

    `expire_days` None: no points expire, but expired ones that were not earned are still given back.
    """
    locked = await store.lock_users(conn, user_ids)
    span = _span(expire_days)
    before = now - span if span is not None else None
    movements = await store.read_movements(conn, locked) if locked else {}
    last_ids = await store.read_last_ids(conn, movements) if movements else {}
    drafts = [
        draft
        for user_id, own in movements.items()
        for draft in expiry_drafts(user_id, own, before, last_ids[user_id])
    ]
    return await store.append(conn, drafts, now)


def _span(expire_days: int | None) -> timedelta | None:
    return None if expire_days is None else timedelta(days=expire_days)


async def sweep(pool: Pool, policy: LoyaltyPolicy, now: datetime) -> int:
    """Settle bookings that the settings newly cover and expire old points; return the number of entries written.

    Cheap when there is nothing to do, and safe to kill or run twice at once: each transaction is bounded and
    the progress is stored in `facts`. Raises `LockNotAvailable` where somebody holds a booking for longer than
    `SWEEP_LOCK_SECONDS`; the next sweep goes on there.
    """
    return await _sweep_bookings(pool, policy, now) + await _sweep_expiry(pool, policy, now)


async def _sweep_bookings(pool: Pool, policy: LoyaltyPolicy, now: datetime) -> int:
    fingerprint = _fingerprint(policy)
    async with pool.connection() as conn:
        fact = await facts.read_fact(conn, SWEEP_FACT)
        has_work = policy.enabled or await store.has_entries(conn)
        until_id = await store.read_last_booking_id(conn) if has_work else 0
    after_id = _resume_at(fact, fingerprint, now)
    written = 0
    while after_id is not None and after_id < until_id:
        low, high = after_id, min(after_id + SWEEP_BOOKING_IDS, until_id)

        async def settle_range(conn: Connection, low: int = low, high: int = high) -> int:
            states = await store.lock_unsettled(
                conn, low, high, enabled=policy.enabled, start_date=policy.start_date
            )
            appended = await _settle(conn, states, policy, now) if states else 0
            await facts.write_fact(conn, SWEEP_FACT, {"settings": fingerprint, "after_id": high}, now)
            return appended

        try:
            written += await in_transaction(pool, settle_range, lock_timeout_seconds=SWEEP_LOCK_SECONDS)
        except LockNotAvailable:
            log.warning("bookings wait to be settled: somebody holds one", after_id=low)
            return written  # the next call goes on here
        after_id = high
    if after_id is not None:
        async with pool.connection() as conn:
            done = {"settings": fingerprint, "finished_at": now.isoformat()}
            await facts.write_fact(conn, SWEEP_FACT, done, now)
            if written:
                await keep_history(conn, policy, now)
    return written


def _fingerprint(policy: LoyaltyPolicy) -> str:
    """Return a fingerprint of the settings that decide first accruals."""
    tiers = ",".join(f"{tier.from_roubles}:{tier.percent.normalize()}" for tier in policy.tiers)
    return f"{policy.enabled} {policy.percent.normalize()} {policy.start_date} {tiers}"


def _resume_at(fact: Mapping[str, object], fingerprint: str, now: datetime) -> int | None:
    """Return the booking id after which a sweep continues; None: nothing to do."""
    if fact.get("settings") != fingerprint:
        return 0
    if "finished_at" in fact:
        finished_at = datetime.fromisoformat(str(fact["finished_at"]))
        return 0 if now - finished_at >= SWEEP_AGAIN_AFTER else None
    return int(str(fact.get("after_id", 0)))


async def _sweep_expiry(pool: Pool, policy: LoyaltyPolicy, now: datetime) -> int:
    if policy.expire_days is None:
        return 0
    before = now - timedelta(days=policy.expire_days)
    async with pool.connection() as conn:
        fact = await facts.read_fact(conn, EXPIRY_FACT)
    # All points from before this moment that could expire have expired; no new ones are dated before it.
    since = datetime.fromisoformat(str(fact["before"])) if "before" in fact else None
    if since is not None and since >= before:
        return 0
    written = 0
    after_user_id = 0
    while True:
        async with pool.connection() as conn:
            users = await store.read_expiring_users(conn, since, before, after_user_id, SWEEP_USERS)
        if not users:
            break

        async def expire_users(conn: Connection, users: Sequence[int] = tuple(users)) -> int:
            return await expire_points(conn, users, policy.expire_days, now)

        written += await in_transaction(pool, expire_users)
        after_user_id = users[-1]
    async with pool.connection() as conn:
        await facts.write_fact(conn, EXPIRY_FACT, {"before": before.isoformat()}, now)
    return written


async def burning(
    conn: Connection, expire_days: int | None, *, now: datetime, ahead: timedelta, after_user_id: int = 0
) -> tuple[dict[int, int], int]:
    """Return points that will expire within `ahead` from now unless spent, by user, and the user to go on after.

    Looks at `SWEEP_USERS` users at most, by id from behind `after_user_id`; 0 to go on after: there are no more.
    """
    if expire_days is None:
        return {}, 0
    before = now + ahead - timedelta(days=expire_days)
    users = await store.read_expiring_users(conn, before - ahead, before, after_user_id, SWEEP_USERS)
    movements = await store.read_movements(conn, users) if users else {}
    lost = {
        user: -sum(points for points, _ in expire(own, before) if points < 0)
        for user, own in movements.items()
    }
    theirs = {user: points for user, points in lost.items() if points > 0}
    return theirs, users[-1] if len(users) == SWEEP_USERS else 0


async def balance(conn: Connection, user_id: int) -> int:
    """A user's balance in points: the sum of the entries. Negative where points were spent that proved unearned."""
    return await store.read_balance(conn, user_id)


async def move_ledger(
    conn: Connection,
    from_user: int,
    into_user: int,
    now: datetime,
    reason: str = Reason.MERGED,
    *,
    expire_days: int | None = None,
) -> int:
    """Move all entries of one account to another, as if they had always been one; return how many entries.

    For a merge of two accounts, in its transaction, with the bookings locked before: each entry is reversed in
    the first and repeated in the second with its booking, kind, percent and age. The sums per booking and the sum
    of the balances stay. The entries of a booking are settled as before once the booking's user is `into_user`.
    """
    await store.lock_users(conn, [from_user, into_user])
    moved = await store.move_entries(conn, from_user, into_user, now, reason)
    await expire_points(conn, [into_user], expire_days, now)
    return moved


async def return_ledger(
    conn: Connection, from_user: int, into_user: int, now: datetime, *, expire_days: int | None = None
) -> int:
    """Move back to an account the entries that `move_ledger` moved from it; return how many.

    Entries made since in the other account stay there, but for those of bookings that are the account's (again): they are
    moved too. What has expired since is computed anew, of each account's own points. Settle the account's bookings
    afterwards.
    """
    await store.lock_users(conn, [from_user, into_user])
    repeated = await store.repeated_entries(conn, from_user, into_user)
    if not repeated:
        return 0
    since = await store.read_since(conn, into_user, repeated[0])
    expired = [movement.id for movement, _ in since if movement.kind is Kind.EXPIRY]
    earned = [movement.id for movement, whose in since if whose == from_user]
    await store.reverse_entries(conn, into_user, now, Reason.UNMERGED, expired)
    moved = await store.move_entries(conn, into_user, from_user, now, Reason.UNMERGED, [*repeated, *earned])
    both = [from_user, into_user]
    await _expire_again(conn, both, [movement for movement, _ in since], expire_days, now)
    await expire_points(conn, both, expire_days, now)
    return moved


async def _expire_again(
    conn: Connection,
    user_ids: Sequence[int],
    moments: Sequence[Movement],
    expire_days: int | None,
    now: datetime,
) -> None:
    """Write the expiries of accounts, which the caller holds, as of these moments: none of them counts yet."""
    movements = await store.read_movements(conn, user_ids)
    last_ids = await store.read_last_ids(conn, user_ids)
    for user_id, own in movements.items():
        drafts = expiry_drafts_again(user_id, own, moments, _span(expire_days), last_ids[user_id])
        await store.append(conn, drafts, now)
