"""Her right to see what we hold about her, and to have it gone."""

from collections.abc import Collection
from datetime import datetime
from typing import Any

from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.users import store
from zerkalo.users.erasing import store as erase_store
from zerkalo.users.merging import store as merge_store
from zerkalo.users.model import User
from zerkalo.users.ports import Settle

SWEPT_AT_ONCE = 100
ERASE_SECONDS_MAX = 120.0
"""Looking through a month of bodies takes longer than other statements may."""


async def export_user(conn: Connection, user: User) -> dict[str, Any]:
    """Everything we hold about a person as plain values: her account, bookings, points, deliveries, sessions."""
    account = {
        "id": user.id,
        "email": user.email,
        "email_verified_at": user.email_verified_at,
        "phone": user.phone,
        "phone_verified_at": user.phone_verified_at,
        "name": user.name,
        "unique_code": user.unique_code,
        "is_admin": user.is_admin,
        "created_at": user.created_at,
        "updated_at": user.updated_at,
    }
    return {"account": account, **await erase_store.export_rows(conn, user.id)}


async def erase_user(pool: Pool, user_id: int, *, settle_bookings: Settle, now: datetime) -> None:
    """Takes her out of everything: the account becomes a shell without a name, her bookings nobody's and nameless.

    Times, services, prices and the movements of points stay, so that the salon can count; what her bookings earned is
    reversed, as for every booking that is nobody's. Bookings are marked, and later syncs leave them so. Her codes are
    never given again. Erasing twice is erasing once. YCLIENTS is not touched: the salon's own journal is the salon's.
    """

    async def erase(conn: Connection) -> None:
        ids = set(await erase_store.booking_ids_of(conn, user_id, lock=True))
        user = await store.read_user(conn, user_id)
        if user is not None:
            ids |= await _nobodys(conn, user)
        users = await merge_store.lock_users(conn, [user_id])
        if user_id in users:
            # A batch that was linking a booking to her held her until it was committed; now it shows.
            ids |= {*await erase_store.booking_ids_of(conn, user_id, lock=True)}
        await strip_bookings(conn, ids, now)
        # While she still has an account: a shell's points do not expire, nor are expired ones given back to it.
        await settle_bookings(conn, sorted(ids), now)
        if user_id in users:
            contacts = [text for text in _proved_contacts(users[user_id]) if text]
            codes = await erase_store.codes_of(conn, user_id)
            await erase_store.make_shell(conn, user_id, now=now)
            await erase_store.strip_deliveries_naming(conn, contacts, codes, now=now)
        await store.want_rematch_of_rivals(conn, user_id, now=now)
        await erase_store.strip_people_tables(conn, user_id)
        await erase_store.strip_ledger_reasons(conn, user_id)

    await in_transaction(pool, erase, statement_timeout_seconds=ERASE_SECONDS_MAX)
    await sweep_erased(pool, settle_bookings=settle_bookings, now=now)


async def sweep_erased(pool: Pool, *, settle_bookings: Settle, now: datetime) -> int:
    """Strips bookings that were linked to a person at the moment of her erasure; returns how many persons had any.

    A batch reads users before it writes bookings, without holding them: in between she may be erased, or merged; then
    the bookings are the other account's. Points follow. Strips too what she had booked in our form and YCLIENTS showed
    us only afterwards. To be called by a periodic job too.
    """
    async with pool.connection() as conn:
        shells = await erase_store.erased_users_with_bookings(conn, limit=SWEPT_AT_ONCE)
        late = await erase_store.bookings_of_erased_forms(conn, limit=SWEPT_AT_ONCE)
    if late:

        async def strip_late(conn: Connection) -> None:
            await strip_bookings(conn, await erase_store.hold_nobodys(conn, late), now)

        await in_transaction(pool, strip_late)
    for user_id in shells:

        async def strip(conn: Connection, user_id: int = user_id) -> None:
            user = await store.read_user(conn, user_id)
            ids = await erase_store.booking_ids_of(conn, user_id, lock=True)
            if user is not None and user.merged_into is not None:
                # Merged, not erased: the bookings are the other account's.
                await merge_store.move_belongings(conn, from_id=user_id, into_id=user.merged_into, now=now)
                await store.want_rematch(conn, user.merged_into, now=now)
            else:
                await strip_bookings(conn, ids, now)
            await settle_bookings(conn, ids, now)

        await in_transaction(pool, strip)
    return len(shells)


async def strip_bookings(conn: Connection, ids: Collection[int], now: datetime) -> None:
    """Takes what names her out of these bookings, which the caller holds, and of the deliveries about them."""
    clients = await erase_store.clients_of_bookings(conn, ids)
    await erase_store.strip_deliveries_of_bookings(conn, ids, now=now)
    await erase_store.strip_deliveries_of_clients(conn, clients, now=now)
    await erase_store.strip_bookings(conn, ids, now=now)


async def _nobodys(conn: Connection, user: User) -> set[int]:
    email, phone10 = _proved_contacts(user)
    return {*await erase_store.nobodys_booking_ids(conn, email=email, phone10=phone10, but=user.id)}


def _proved_contacts(user: User) -> tuple[str | None, str | None]:
    """(e-mail, last ten digits): only what she has proved, for a claim may be somebody else's contact."""
    email = user.email if user.email_verified_at is not None else None
    is_phone = user.phone_verified_at is not None and user.phone10 is not None and len(user.phone10) == 10
    return email, user.phone10 if is_phone else None
