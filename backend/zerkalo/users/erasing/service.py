"""Erasing everything that is held about a person."""

from collections.abc import Callable, Sequence
from datetime import datetime
from functools import partial

from zerkalo.auth.model import Role
from zerkalo.bookings import store as bookings
from zerkalo.clients import store as clients
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.form_bookings import store as form_bookings
from zerkalo.inbox import store as inbox
from zerkalo.loyalty import store as loyalty
from zerkalo.users import belongings, store
from zerkalo.users.codes import store as codes
from zerkalo.users.erasing import store as erasing
from zerkalo.users.erasing.model import Erasure, Key, Limits
from zerkalo.users.erasing.rules import digests_of
from zerkalo.users.matching.store import rivals_of
from zerkalo.users.merging import store as merging
from zerkalo.users.ports import Settle
from zerkalo.users.service import People
from zerkalo.users.staff.service import check_is_not_last, check_may_leave
from zerkalo.users.staff.store import lock_owners


def _write_nowhere(_erasures: Sequence[Erasure]) -> None:
    """The default: the periodic task writes what is missing."""


Write = Callable[[Sequence[Erasure]], None]
"""Writes erasures where a restored backup finds them; see `journal.append`."""


class _ChangedMeanwhile(Exception):
    """An admin has given the person a card since theirs were searched for, which would keep their name, or the role of
    an owner.
    """


async def erase_oneself(people: People, user_id: int, *, now: datetime) -> None:
    """Erase a user who asks for it. Raises 409 `last_owner` where nobody could run the salon's desk any more."""
    await check_may_leave(people.pool, user_id)
    await erase_user(
        people.pool,
        user_id,
        settle_bookings=people.ports.settle_bookings,
        write=people.ports.write_erasures,
        contact_key=people.proof_key,
        email_counts_alone=people.email_counts_alone,
        keep_last_owner=True,
        now=now,
    )


async def erase_user(
    pool: Pool,
    user_id: int,
    *,
    settle_bookings: Settle,
    now: datetime,
    write: Write = _write_nowhere,
    contact_key: bytes | None = None,
    email_counts_alone: bool = True,
    keep_last_owner: bool = False,
    limits: Limits = Limits(),
) -> None:
    """Erase a person: the account becomes an empty row, its bookings lose their link and everything personal.

    Times, services, prices and ledger entries stay, so that the salon's figures do not change; what the bookings earned is
    reversed. Bookings and cards are marked, and later syncs respect the mark. The codes are never given again. Erasing
    twice changes nothing more. YCLIENTS is not touched: its data belong to the salon.

    What to erase is searched for before anything is locked. One short transaction erases it and writes the ids into
    `erasures`; the bodies of deliveries are emptied afterwards, in steps, here or by the periodic task. `write` gets the
    ids. With `contact_key` proved contacts are kept as digests, so that a later import of the person is refused.
    `email_counts_alone`: the setting `MATCH_EMAIL_ALONE`. With `keep_last_owner` raises 409 `last_owner`.
    """

    async def erase(conn: Connection, cards: list[Key], found: list[int]) -> Erasure | None:
        ids = await erasing.hold_bookings(conn, user_id, found)
        asker = await store.read_user(conn, user_id) if keep_last_owner else None
        # Two owners may ask at once: all owners are held by id before either holds what the other waits for.
        owners = await lock_owners(conn) if asker is not None and asker.role == Role.OWNER else []
        users = await store.lock_users(conn, [user_id])
        if keep_last_owner and user_id in users and users[user_id].role == Role.OWNER:
            if user_id not in owners:
                raise _ChangedMeanwhile
            check_is_not_last(owners, user_id)
        if not await erasing.cards_given_to(conn, user_id) <= set(cards):
            raise _ChangedMeanwhile
        # A batch that was linking a booking to the user held the user until it committed; its booking is visible now.
        ids = sorted({*ids, *await erasing.hold_bookings(conn, user_id, ())})
        keys = await erasing.erase_bookings(conn, ids, now=now)
        # While the account still exists: points of an erased account do not expire, and expired ones are not returned to it.
        await settle_bookings(conn, ids, now)
        if user_id in users:
            if contact_key is not None:
                await erasing.remember_contacts(conn, digests_of(contact_key, users[user_id]), now=now)
            await codes.retire(conn, user_id, now=now)
            await store.empty(conn, user_id, merged_into=None, now=now)
        await clients.erase(conn, cards, now=now)
        await store.want_rematch(conn, await rivals_of(conn, user_id), now=now)
        await belongings.forget(conn, user_id)
        await merging.forget_merges(conn, of_user=user_id)
        await loyalty.strip_reasons(conn, user_id)
        if user_id not in users and not keys:
            return None
        await erasing.insert_erasure(conn, user_id, keys, cards, now=now)
        return Erasure(now, user_id, tuple(keys), tuple(cards))

    while (theirs := await _what_is_theirs(pool, user_id, email_counts_alone)) is not None:
        try:
            erasure = await in_transaction(pool, partial(erase, cards=theirs[0], found=theirs[1]))
        except _ChangedMeanwhile:
            continue
        if erasure is not None:
            write([erasure])
        await finish_erasures(pool, limits=limits, now=now)
        return


async def _what_is_theirs(
    pool: Pool, user_id: int, email_counts_alone: bool
) -> tuple[list[Key], list[int]] | None:
    """A person's cards, and ids of their bookings; None where there is no such user."""
    async with pool.connection() as conn:
        user = await store.read_user(conn, user_id)
        if user is None:
            return None
        cards = await erasing.cards_of(conn, user, email_counts_alone=email_counts_alone)
        ids = await erasing.booking_ids_of(conn, user, cards, email_counts_alone=email_counts_alone)
        return cards, ids


async def sweep_erased(
    pool: Pool,
    *,
    settle_bookings: Settle,
    now: datetime,
    write: Write = _write_nowhere,
    limits: Limits = Limits(),
) -> int:
    """Erase bookings that were linked to a person after their erasure, and empty remaining bodies; count the persons.

    A batch reads users before it writes bookings, without holding them: in between the person may be erased, or merged;
    a merged person's bookings go to the other account. Points follow. Bookings made in our form that YCLIENTS showed
    only after the erasure, or that were asked for while it ran, are erased too. `write` gets every erasure that is kept.
    """

    async def forget_late_forms(conn: Connection) -> None:
        for user_id in await erasing.erased_users_with_forms(conn, limit=limits.persons):
            await form_bookings.forget_user(conn, user_id)

    await in_transaction(pool, forget_late_forms)
    async with pool.connection() as conn:
        shells = await erasing.erased_users_with_bookings(conn, limit=limits.persons)
        late = await erasing.bookings_of_erased_forms(conn, limit=limits.persons)
    if late:

        async def strip_late(conn: Connection) -> None:
            keys = await erasing.erase_bookings(conn, await erasing.hold_unmatched(conn, late), now=now)
            await erasing.insert_erasure(conn, None, keys, (), now=now)

        await in_transaction(pool, strip_late)
    for user_id in shells:

        async def strip(conn: Connection, user_id: int = user_id) -> None:
            ids = await erasing.hold_bookings(conn, user_id, ())
            # After its bookings are held: whoever parts merged accounts holds them until the account is restored.
            user = await store.read_user(conn, user_id, lock=True)
            if user is None or user.erased_at is None:
                return
            if user.merged_into is not None:
                # Merged, not erased: the bookings belong to the other account.
                await belongings.hand_on(conn, from_id=user_id, into_id=user.merged_into, now=now)
                await bookings.write_codes_of(conn, [user.merged_into], now=now)
                await store.want_rematch(conn, [user.merged_into], now=now)
            else:
                keys = await erasing.erase_bookings(conn, ids, now=now)
                await erasing.insert_erasure(conn, user_id, keys, (), now=now)
            await settle_bookings(conn, ids, now)

        await in_transaction(pool, strip)
    await finish_erasures(pool, limits=limits, now=now)
    async with pool.connection() as conn:
        write(await erasing.read_erasures(conn))
    return len(shells)


async def finish_erasures(pool: Pool, *, limits: Limits, now: datetime) -> None:
    """Empty the bodies of erased persons' deliveries, a few at a time, each step a transaction of its own.

    After a crash it continues: each step searches for what is left. It blocks nobody: a locked delivery is skipped
    until the next time.
    """
    async with pool.connection() as conn:
        unfinished = await erasing.unfinished_erasures(conn)
    for erasure in unfinished:
        async with pool.connection() as conn:
            to_empty = await inbox.about(
                conn, records=erasure.bookings, clients=erasure.cards, until=erasure.at, now=now
            )
        left = 0
        for start in range(0, len(to_empty), limits.bodies):
            step = to_empty[start : start + limits.bodies]
            left += len(step) - await in_transaction(
                pool, lambda conn, ids=step: inbox.empty_bodies(conn, ids)
            )

        async def close(conn: Connection, erasure: Erasure = erasure) -> None:
            await erasing.erase_bookings(conn, await erasing.hold_returned(conn, erasure), now=now)
            await erasing.finish_erasure(conn, erasure, now=now)

        if not left:
            await in_transaction(pool, close)


async def erase_again(
    pool: Pool,
    erasures: Sequence[Erasure],
    *,
    settle_bookings: Settle,
    now: datetime,
    contact_key: bytes | None = None,
    email_counts_alone: bool = True,
) -> int:
    """Apply erasures that a restored backup lacks; return how many erased persons the backup had brought back.

    `contact_key`, `email_counts_alone`: as in `erase_user`.

    Bookings missing from the backup are erased by the periodic task once the mirror has them; until then the erasure
    counts as unfinished.
    """
    back = 0
    for erasure in erasures:
        async with pool.connection() as conn:
            user = None if erasure.user_id is None else await store.read_user(conn, erasure.user_id)
        if user is not None and user.erased_at is None and user.created_at <= erasure.at:
            await erase_user(
                pool,
                user.id,
                settle_bookings=settle_bookings,
                contact_key=contact_key,
                email_counts_alone=email_counts_alone,
                now=now,
            )
            back += 1

        async def write(conn: Connection, erasure: Erasure = erasure) -> None:
            await erasing.keep_erasure(conn, erasure)
            await erasing.erase_bookings(conn, await erasing.hold_returned(conn, erasure), now=now)
            await clients.erase(conn, erasure.cards, now=now)

        await in_transaction(pool, write)
    await finish_erasures(pool, limits=Limits(), now=now)
    return back
