"""Users without a code, and codes in use."""

from collections.abc import Collection

from psycopg.rows import scalar_row

from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json, scalar


async def count_without_code(conn: Connection) -> int:
    """Count the users without a code; erased users need none."""
    return await scalar(conn, "select count(*) from users where unique_code is null and erased_at is null")


async def users_without_code(conn: Connection, *, after_id: int, limit: int) -> list[int]:
    """Return users without a code by id, those above `after_id`."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "select id from users where unique_code is null and erased_at is null and id > %s order by id limit %s",
            [after_id, limit],
        )
        return await cursor.fetchall()


async def taken_codes(conn: Connection, codes: Collection[str]) -> set[str]:
    """Return the codes among these that belong, or once belonged, to a user."""
    sql = """
        select code from jsonb_array_elements_text(%s::jsonb) as asked (code)
        where exists (select from users u where u.unique_code = asked.code)
            or exists (select from retired_codes r where r.code = asked.code)
    """
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, [as_json(list(codes))])
        return set(await cursor.fetchall())
