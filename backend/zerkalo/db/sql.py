"""Helpers of every `store.py`: a JSON parameter, a single value, a count up to a limit.

A statement is a literal, so that the type checker proves that no value was formatted into it; its parts are literals
too, or joined by `psycopg.sql` where a name varies.
"""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import msgspec
from psycopg import sql

from zerkalo.db.pool import Connection

Statement = LiteralString | sql.SQL | sql.Composed
Values = Sequence[Any] | Mapping[str, Any]


def as_json(value: object) -> str:
    """Return the value as text for a JSON parameter (`%(rows)s::jsonb`). Supports datetimes, decimals and Structs."""
    return msgspec.json.encode(value).decode()


async def scalar(conn: Connection, statement: Statement, values: Values | None = None) -> Any:
    """The first column of the first row; None where there is no row."""
    cursor = await conn.execute(statement, values)
    row = await cursor.fetchone()
    return row[0] if row else None


async def count_up_to(conn: Connection, rows: LiteralString, values: Mapping[str, Any], most: int) -> int:
    """How many rows the query `rows` has, `most` at most: it reads no further."""
    counted = sql.SQL("select count(*) from (select from ({}) as wanted limit %(most)s) as counted")
    return await scalar(conn, counted.format(sql.SQL(rows)), {**values, "most": most})
