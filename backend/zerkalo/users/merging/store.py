"""Merging in sets: what one account has becomes another's. Writes tables of other domains, in one place on purpose:
a merge that forgets one of them loses somebody's bookings, and here it can be read whole.
"""

from collections.abc import Collection
from datetime import datetime

from psycopg.rows import class_row

from zerkalo.bookings import store as bookings
from zerkalo.clients import store as clients
from zerkalo.db.pool import Connection
from zerkalo.users.model import User
from zerkalo.users.store import USER_COLUMNS, delete_owned


async def lock_bookings_of(conn: Connection, user_ids: Collection[int]) -> None:
    """Holds the bookings of these users, by id: the first of the locks (bookings, users, ledger)."""
    await conn.execute(
        "select id from bookings where user_id = any(%s) order by id for update", [list(user_ids)]
    )


async def lock_users(
    conn: Connection, user_ids: Collection[int], *, links_too: bool = True
) -> dict[int, User]:
    """Hold these users, by id, with `links_too` against a new booking's link as well; returns those that are no shells."""
    sql = f"select {USER_COLUMNS} from users u where u.id = any(%s) order by u.id"
    sql += " for update of u" if links_too else " for no key update of u"
    async with conn.cursor(row_factory=class_row(User)) as cursor:
        await cursor.execute(sql, [list(user_ids)])
        return {user.id: user for user in await cursor.fetchall() if user.erased_at is None}


async def move_belongings(conn: Connection, *, from_id: int, into_id: int, now: datetime) -> None:
    """Gives bookings, candidacies and form bookings of the one to the other; ends the one's sessions and tokens."""
    both = {"from": from_id, "into": into_id, "now": now}
    await bookings.hand_on(conn, from_id=from_id, into_id=into_id, now=now)
    await clients.hand_on(conn, from_id=from_id, into_id=into_id, now=now)
    await conn.execute(
        "insert into match_candidates (booking_id, user_id, step, reason, created_at)"
        " select booking_id, %(into)s, step, reason, created_at from match_candidates where user_id = %(from)s"
        " on conflict do nothing",
        both,
    )
    for table in ("form_bookings", "clients", "origins"):
        await conn.execute(f"update {table} set user_id = %(into)s where user_id = %(from)s", both)
    await delete_owned(conn, from_id)


async def write_merged(conn: Connection, user: User, *, password_of: str | None, now: datetime) -> None:
    """Writes the account that stays, as `user` has it. `password_of` None: its password stays as it is."""
    sql = """
        update users set email = %(email)s, phone = %(phone)s, name = %(name)s, unique_code = %(code)s,
            email_verified_at = %(email_at)s, phone_verified_at = %(phone_at)s,
            password_hash = coalesce(%(password)s, password_hash), updated_at = %(now)s, rematch_wanted_at = %(now)s
        where id = %(id)s
    """
    values = {
        "id": user.id,
        "email": user.email,
        "phone": user.phone,
        "name": user.name,
        "code": user.unique_code,
        "email_at": user.email_verified_at,
        "phone_at": user.phone_verified_at,
        "password": password_of,
        "now": now,
    }
    await conn.execute(sql, values)


async def keep_codes(
    conn: Connection, *, from_id: int, into_id: int, codes: Collection[str], now: datetime
) -> None:
    """Keeps codes that are no `unique_code` any more as names of the account that stays, the one's old ones too."""
    await conn.execute("update retired_codes set user_id = %s where user_id = %s", [into_id, from_id])
    for code in codes:
        await conn.execute(
            "insert into retired_codes (code, user_id, retired_at) values (%s, %s, %s)"
            " on conflict (code) do update set user_id = excluded.user_id",
            [code, into_id, now],
        )
