"""The rows of `retired_codes`."""

from collections.abc import Collection
from datetime import datetime

from zerkalo.db.pool import Connection


async def keep(
    conn: Connection, *, from_id: int, into_id: int, codes: Collection[str], now: datetime
) -> None:
    """Keep codes that are no longer anybody's `unique_code` as names of the account that stays, with those it inherits."""
    await conn.execute("update retired_codes set user_id = %s where user_id = %s", [into_id, from_id])
    for code in codes:
        await conn.execute(
            "insert into retired_codes (code, user_id, retired_at) values (%s, %s, %s)"
            " on conflict (code) do update set user_id = excluded.user_id",
            [code, into_id, now],
        )


async def retire(conn: Connection, user_id: int, *, now: datetime) -> None:
    """Retire every code of a user who is about to be erased: it is never given again and names nobody."""
    await conn.execute(
        "insert into retired_codes (code, retired_at)"
        " select unique_code, %(now)s from users where id = %(id)s and unique_code is not null"
        " on conflict (code) do nothing",
        {"id": user_id, "now": now},
    )
    # From now on they name nobody; that includes codes which a merge retired long ago.
    await conn.execute(
        "update retired_codes set user_id = null, retired_at = %s where user_id = %s", [now, user_id]
    )


async def restore(
    conn: Connection, *, in_use: Collection[str], moved: Collection[str], from_id: int, into_id: int
) -> None:
    """Undo what a merge did to codes: `in_use` ones become a `unique_code` again, `moved` ones name `from_id` again."""
    await conn.execute("delete from retired_codes where code = any(%s)", [list(in_use)])
    await conn.execute(
        "update retired_codes set user_id = %s where user_id = %s and code = any(%s)",
        [from_id, into_id, list(moved)],
    )
