"""The rows of `retired_codes`."""

from collections.abc import Collection
from datetime import datetime

from zerkalo.db.pool import Connection


async def keep(
    conn: Connection, *, from_id: int, into_id: int, codes: Collection[str], now: datetime
) -> None:
    """Keep codes that are no `unique_code` any more as names of the account that stays, the one's old ones too."""
    await conn.execute("update retired_codes set user_id = %s where user_id = %s", [into_id, from_id])
    for code in codes:
        await conn.execute(
            "insert into retired_codes (code, user_id, retired_at) values (%s, %s, %s)"
            " on conflict (code) do update set user_id = excluded.user_id",
            [code, into_id, now],
        )


async def retire(conn: Connection, user_id: int, *, now: datetime) -> None:
    """See that no code of a user who is about to be emptied is ever given again, nor names anybody."""
    await conn.execute(
        "insert into retired_codes (code, retired_at)"
        " select unique_code, %(now)s from users where id = %(id)s and unique_code is not null"
        " on conflict (code) do nothing",
        {"id": user_id, "now": now},
    )
    # As of now they name nobody, also those that a merge retired long ago.
    await conn.execute(
        "update retired_codes set user_id = null, retired_at = %s where user_id = %s", [now, user_id]
    )


async def restore(
    conn: Connection, *, in_use: Collection[str], moved: Collection[str], from_id: int, into_id: int
) -> None:
    """Undo what a merge did to codes: those `in_use` are somebody's `unique_code` again, those `moved` name `from_id`."""
    await conn.execute("delete from retired_codes where code = any(%s)", [list(in_use)])
    await conn.execute(
        "update retired_codes set user_id = %s where user_id = %s and code = any(%s)",
        [from_id, into_id, list(moved)],
    )
