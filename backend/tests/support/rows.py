"""Rows for tests that start from a database with something in it."""

from datetime import UTC, datetime
from itertools import count
from typing import Any

from psycopg import sql

from zerkalo.db.pool import Connection

NOON = datetime(2025, 6, 1, 9, 0, tzinfo=UTC)
"""The visit of a booking that says nothing else: noon in Moscow."""


async def add_user(conn: Connection, **columns: Any) -> int:
    """Adds a user and returns the id; `columns` as in the table, and `is_admin` for an owner."""
    if columns.pop("is_admin", False):
        columns["role"] = "owner"
    return await _add(conn, "users", columns)


_record_ids = count(10**15)


async def add_booking(conn: Connection, **columns: Any) -> int:
    """Adds a booking and returns its id: on `NOON`, of some record, unless `columns` say otherwise."""
    defaults = {
        "company_id": 1,
        "yclients_record_id": next(_record_ids),
        "service_name": "Стрижка",
        "service_price": 250_000,
        "service_duration": 60,
        "appointment_datetime": NOON,
    }
    return await _add(conn, "bookings", defaults | columns)


async def _add(conn: Connection, table: str, columns: dict[str, Any]) -> int:
    names = sql.SQL(", ").join(map(sql.Identifier, columns))
    marks = sql.SQL(", ").join(map(sql.Placeholder, columns))
    if not columns:
        statement = sql.SQL("insert into {} default values returning id").format(sql.Identifier(table))
    else:
        statement = sql.SQL("insert into {} ({}) values ({}) returning id").format(
            sql.Identifier(table), names, marks
        )
    row = await (await conn.execute(statement, columns)).fetchone()
    assert row is not None
    return row[0]
