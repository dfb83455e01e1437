"""Merging two accounts of one person: by an admin, or by proving the other account's contact."""

from dataclasses import replace
from datetime import datetime, timedelta

from zerkalo.auth import store as auth_store
from zerkalo.auth.audit.service import audit, note_nothing
from zerkalo.bookings import store as bookings
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.problem import ProblemError
from zerkalo.notices import store as notices_store
from zerkalo.users import belongings, store
from zerkalo.users.codes import store as codes
from zerkalo.users.matching.store import rivals_of
from zerkalo.users.merging import store as merge_store
from zerkalo.users.merging.model import Merge
from zerkalo.users.model import User
from zerkalo.users.ports import Ports
from zerkalo.users.service import People

UNDO_SPAN = timedelta(days=1)
"""How long a merge can be undone."""


async def merge_users(people: People, *, from_id: int, into_id: int, admin_id: int, now: datetime) -> User:
    """Merge one account into another at an admin's request; return the account that stays.

    Raises `ProblemError`: 404 `user_not_found` (also for an erased one), 409 `same_user`, 409 `cannot_merge_admin`.
    """
    if from_id == into_id:
        raise ProblemError(409, "same_user", "An account can't be merged into itself.")

    async def write(conn: Connection) -> None:
        both = [from_id, into_id]
        await bookings.hold_of(conn, both)  # first: the same request may be under way
        await store.lock_users(conn, both)
        taken = await store.read_user(conn, from_id)
        if taken is not None and taken.merged_into == into_id:
            note_nothing()
            return  # asked again: the first answer was lost
        await merge_accounts(
            conn,
            people.ports,
            from_id=from_id,
            into_id=into_id,
            admin_id=admin_id,
            keep_code_of_from=False,
            now=now,
        )
        await audit(conn, admin_id, "user.merge", f"user {from_id}", {"into": into_id}, now)

    await in_transaction(people.pool, write)
    await people.look_for_bookings(into_id)
    async with people.pool.connection() as conn:
        user = await store.read_user(conn, into_id)
    assert user is not None, "merged into"
    return user


async def undo_merge(people: People, merge_id: int, *, admin_id: int, now: datetime) -> User:
    """Undo a merge within a day; return the account that had ended.

    Bookings, points, cards and contacts go back to the account they came from, whatever has linked them to the other one
    since, and with a card or a form booking the visits that it has linked since. What the other one got, proved and spent
    since stays with it otherwise, a role too; of each account's points expire its own. The other one's log-ins made since,
    its calendar's address and its chat end: whoever came with the other account may have made them. The restored account
    has no sessions. Doing it again changes nothing. Raises `ProblemError`: 404 `not_found`, and 409 `merge_changed` where
    the account's contacts or code have changed since, or the account is gone.
    """

    async def write(conn: Connection) -> Merge:
        merge = await merge_store.merge_for_update(conn, merge_id)
        if merge is None or now - merge.at > UNDO_SPAN:
            raise ProblemError(404, "not_found", "There is no such merge, or it is over a day old.")
        if merge.undone_at is not None:
            note_nothing()
            return merge  # asked again: the first answer was lost
        both = [merge.from_id, merge.into_id]
        await bookings.hold_of(conn, both)
        kept = (await store.lock_users(conn, both)).get(merge.into_id)
        if kept is None or any(getattr(kept, name) != merge.after[name] for name in _TOLD_APART_BY):
            raise ProblemError(
                409, "merge_changed", "The account has changed since: a person has to part the two."
            )
        # First the account that gives up a proved contact.
        accounts = (merge.before["into"], merge.before["from"])
        in_use = [code for one in accounts if (code := one["unique_code"])]
        await store.drop_codes(conn, both)
        await codes.restore(
            conn, in_use=in_use, moved=merge.before["codes"], from_id=merge.from_id, into_id=merge.into_id
        )
        await auth_store.end_sessions(conn, merge.into_id, now=now, since=merge.at)
        await people.ports.end_calendar(conn, merge.into_id)
        await notices_store.end_chat(conn, merge.into_id)
        for before in accounts:
            await store.restore(
                conn, before, after=merge.after, from_id=merge.from_id, into_id=merge.into_id, now=now
            )
        moved = await belongings.give_back(conn, merge, now=now)
        await people.ports.return_ledger(conn, merge.from_id, merge.into_id, now)
        await bookings.write_codes_of(conn, both, now=now)
        await people.ports.settle_bookings(conn, moved, now)
        await merge_store.write_undone(conn, merge_id, now=now)
        await merge_store.forget_merges(conn, of_user=merge.from_id)
        await audit(conn, admin_id, "user.unmerge", f"user {merge.from_id}", {"from": merge.into_id}, now)
        return merge

    merge = await in_transaction(people.pool, write)
    for user_id in (merge.from_id, merge.into_id):
        await people.look_for_bookings(user_id)
    async with people.pool.connection() as conn:
        user = await store.read_user(conn, merge.from_id)
    assert user is not None, "parted from the other"
    return user


_TOLD_APART_BY = ("email", "phone", "unique_code")


async def merge_accounts(
    conn: Connection,
    ports: Ports,
    *,
    from_id: int,
    into_id: int,
    admin_id: int | None,
    keep_code_of_from: bool,
    now: datetime,
) -> None:
    """Move everything of one account to another, in the caller's transaction; the first becomes an empty row.

    Bookings, points, candidacies and form bookings move. Contacts, name and password move where the other has none;
    what it has stays, but a proved phone replaces one that is only claimed. Both codes name the user from now on: one as
    the `unique_code` (the imported one with `keep_code_of_from`, for it is printed on a card), the other in
    `retired_codes`. What stood before is kept for `UNDO_SPAN`. `admin_id` None: the owner of both asked. Locks bookings,
    users, ledger. Raises 404 `user_not_found`, 409 `cannot_merge_admin`.
    """
    await bookings.hold_of(conn, [from_id, into_id])
    users = await store.lock_users(conn, [from_id, into_id])
    if len(users) != 2:
        raise ProblemError(404, "user_not_found", "There is no such user.")
    if users[from_id].role is not None:
        # Otherwise one member of the staff could take over the log-in of another.
        raise ProblemError(409, "cannot_merge_admin", "An account of the staff can't be merged into another.")
    before = await merge_store.what_stands(conn, from_id=from_id, into_id=into_id)
    old, kept = users[from_id], users[into_id]
    credentials = None if kept.has_password else await auth_store.credentials_of_user(conn, from_id)
    # A contact of this account may be dropped: others may match its bookings now.
    await store.want_rematch(conn, await rivals_of(conn, from_id), now=now)
    await ports.move_ledger(conn, from_id, into_id, now)
    await belongings.hand_on(conn, from_id=from_id, into_id=into_id, now=now)
    await store.empty(conn, from_id, merged_into=into_id, now=now)
    merged = merged_account(old, kept, keep_code_of_from=keep_code_of_from)
    password_of = credentials.password_hash if credentials else None
    await store.write_merged(conn, merged, from_id=from_id, password_of=password_of, now=now)
    also = {code for code in (old.unique_code, kept.unique_code) if code} - {merged.unique_code}
    await codes.keep(conn, from_id=from_id, into_id=into_id, codes=sorted(also), now=now)
    await bookings.write_codes_of(conn, [into_id], now=now)
    await merge_store.insert_merge(conn, before, from_id=from_id, into_id=into_id, admin_id=admin_id, now=now)


def merged_account(old: User, kept: User, *, keep_code_of_from: bool = False) -> User:
    """The account that the two become."""
    first, second = (old, kept) if keep_code_of_from else (kept, old)
    notes = [note for note in (kept.note, old.note) if note]
    merged = replace(
        kept,
        name=kept.name or old.name,
        note="\n".join(notes),
        unique_code=first.unique_code or second.unique_code,
        signed_in_by_code_at=kept.signed_in_by_code_at or old.signed_in_by_code_at,
    )
    if kept.email is None or (kept.email == old.email and kept.email_verified_at is None):
        merged = replace(merged, email=old.email, email_verified_at=old.email_verified_at)
    # A proved phone replaces a claimed one; a claimed e-mail stays, because the user signs in with it.
    if kept.phone is None or (kept.phone_verified_at is None and old.phone_verified_at is not None):
        merged = replace(
            merged, phone=old.phone, phone10=old.phone10, phone_verified_at=old.phone_verified_at
        )
    return merged
