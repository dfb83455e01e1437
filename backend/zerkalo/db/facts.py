"""The rows of `facts`: this installation's own state, by name."""

from collections.abc import Mapping
from datetime import datetime

import msgspec

from zerkalo.db.pool import Connection


async def read_fact(conn: Connection, name: str) -> Mapping[str, object]:
    """Return a fact of this installation; empty where it is not stored yet."""
    cursor = await conn.execute("select value from facts where name = %s", [name])
    row = await cursor.fetchone()
    return row[0] if row else {}


async def write_fact(conn: Connection, name: str, value: Mapping[str, object], now: datetime) -> None:
    """Store a fact of this installation."""
    await conn.execute(
        "insert into facts (name, value, updated_at) values (%(name)s, %(value)s::jsonb, %(now)s)"
        " on conflict (name) do update set value = excluded.value, updated_at = excluded.updated_at",
        {"name": name, "value": msgspec.json.encode(value).decode(), "now": now},
    )


async def write_first_fact(conn: Connection, name: str, value: Mapping[str, object], now: datetime) -> None:
    """Store a fact of this installation unless it is stored already."""
    await conn.execute(
        "insert into facts (name, value, updated_at) values (%(name)s, %(value)s::jsonb, %(now)s)"
        " on conflict (name) do nothing",
        {"name": name, "value": msgspec.json.encode(value).decode(), "now": now},
    )
