"""Read redemptions by hand from the ledger."""

from collections.abc import Sequence
from typing import LiteralString

from psycopg.rows import class_row

from zerkalo.db.pool import Connection
from zerkalo.loyalty.till.model import Redemption

_REDEMPTION = """
    select e.id, e.user_id, -e.amount as points, e.visit_id, e.created_at,
        exists (select from bonus_entries u where u.undoes = e.id) as is_undone
    from bonus_entries e where e.kind = 'redemption' and e.undoes is null
"""


async def read_redemption(conn: Connection, entry_id: int) -> Redemption | None:
    """Return a redemption by hand; None where this id is none."""
    found = await _redemptions(conn, _REDEMPTION + " and e.id = %s", [entry_id])
    return found[0] if found else None


async def read_redemptions_of_visit(conn: Connection, visit_id: int) -> list[Redemption]:
    """Return a visit's redemptions at the till, the latest first, without undone ones."""
    found = await _redemptions(conn, _REDEMPTION + " and e.visit_id = %s order by e.id desc", [visit_id])
    return [one for one in found if not one.is_undone]


async def _redemptions(conn: Connection, sql: LiteralString, values: Sequence[int]) -> list[Redemption]:
    async with conn.cursor(row_factory=class_row(Redemption)) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchall()
