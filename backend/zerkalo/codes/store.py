"""Who has no code, and giving codes in sets."""

from collections.abc import Collection, Mapping
from datetime import datetime

import msgspec
from psycopg.rows import scalar_row

from zerkalo.bookings import store as bookings
from zerkalo.db.pool import Connection


async def count_without_code(conn: Connection) -> int:
    """How many users have no code; shells need none."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute("select count(*) from users where unique_code is null and erased_at is null")
        return int(await cursor.fetchone() or 0)


async def users_without_code(conn: Connection, *, after_id: int, limit: int) -> list[int]:
    """Users who have no code, by id, behind `after_id`."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "select id from users where unique_code is null and erased_at is null and id > %s order by id limit %s",
            [after_id, limit],
        )
        return await cursor.fetchall()


async def taken_codes(conn: Connection, codes: Collection[str]) -> set[str]:
    """Those of the codes that are, or were, somebody's."""
    sql = """
        select code from jsonb_array_elements_text(%s::jsonb) as asked (code)
        where exists (select from users u where u.unique_code = asked.code)
            or exists (select from retired_codes r where r.code = asked.code)
    """
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, [msgspec.json.encode(list(codes)).decode()])
        return set(await cursor.fetchall())


async def give_codes(conn: Connection, codes: Mapping[int, str], *, now: datetime) -> int:
    """Gives each of these users her code unless she has got one meanwhile; returns how many were given.

    Their bookings name it in their notes, and are to be looked at again. Raises `UniqueViolation` where a code was taken
    meanwhile; then nothing is written.
    """
    sql = """
        update users u set unique_code = g.code, updated_at = %(now)s, rematch_wanted_at = %(now)s
        from jsonb_to_recordset(%(given)s::jsonb) as g (id bigint, code text)
        where u.id = g.id and u.unique_code is null and u.erased_at is null
    """
    given = [{"id": user_id, "code": code} for user_id, code in codes.items()]
    cursor = await conn.execute(sql, {"given": msgspec.json.encode(given).decode(), "now": now})
    await bookings.write_codes_of(conn, codes, now=now)
    return cursor.rowcount
