"""What every `store.py` needs beside its statements: a JSON parameter, a single value, a count up to a bound.

A statement is a literal, so that the type checker sees that no value was pasted into it; parts of one are joined as
literals too, or, where a name varies, by `psycopg.sql`.
"""

from collections.abc import Mapping, Sequence
from typing import Any, LiteralString

import msgspec
from psycopg import sql

from zerkalo.db.pool import Connection

Statement = LiteralString | sql.SQL | sql.Composed
Values = Sequence[Any] | Mapping[str, Any]


def as_json(value: object) -> str:
    """The value as the text of one JSON parameter (`%(rows)s::jsonb`). Knows datetimes, decimals and Structs."""
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
