"""The one row of `comparisons`. Each write is one statement, so that two admins at once don't lose each other's pages."""

from collections.abc import Sequence

import msgspec

from zerkalo.db.pool import Connection
from zerkalo.runs.drift.model import Comparison, Difference

_BEGIN = """
    insert into comparisons (at, differences, next_cursor) values (%(at)s, %(differences)s::jsonb, %(next)s)
    on conflict (only_one) do update
        set at = excluded.at, differences = excluded.differences, next_cursor = excluded.next_cursor
"""
# The second of two finds another cursor, even after waiting for the first: the row is read again after the wait.
_GO_ON = """
    update comparisons set next_cursor = %(next)s, differences = (
        select coalesce(jsonb_agg(one order by n), '[]')
        from jsonb_array_elements(differences || %(differences)s::jsonb) with ordinality as listed (one, n)
        where n <= %(most)s)
    where next_cursor = %(cursor)s
"""


async def last_comparison(conn: Connection) -> Comparison | None:
    """The last comparison, of any process."""
    cursor = await conn.execute("select at, differences::text, next_cursor from comparisons")
    row = await cursor.fetchone()
    return None if row is None else Comparison(row[0], msgspec.json.decode(row[1], type=_DIFFERENCES), row[2])


async def begin_comparison(conn: Connection, begun: Comparison) -> None:
    """Write the first page of a comparison, replacing the one before."""
    values = {"at": begun.at, "differences": _json(begun.differences), "next": begun.next_cursor}
    await conn.execute(_BEGIN, values)


async def go_on_comparison(
    conn: Connection, cursor: str, found: Sequence[Difference], *, next_cursor: str | None, most: int
) -> bool:
    """Add a page, read from `cursor` on; keeps `most` differences in all.

    False: somebody else has continued the comparison or begun a new one.
    """
    values = {"cursor": cursor, "differences": _json(found), "next": next_cursor, "most": most}
    return (await conn.execute(_GO_ON, values)).rowcount == 1


_DIFFERENCES = tuple[Difference, ...]


def _json(differences: Sequence[Difference]) -> str:
    return msgspec.json.encode(list(differences)).decode()
