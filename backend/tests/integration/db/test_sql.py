"""The shelf that every store takes from."""

from datetime import UTC, datetime
from decimal import Decimal

import pytest

from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json, count_up_to, scalar

pytestmark = pytest.mark.integration


async def test_json_parameter_brings_times_and_exact_decimals(conn: Connection) -> None:
    row = {"at": datetime(2026, 3, 1, 9, 30, tzinfo=UTC), "price": Decimal("0.10"), "name": "О'\"Нил"}

    cursor = await conn.execute(
        "select * from jsonb_to_recordset(%s::jsonb) as r (at timestamptz, price numeric, name text)",
        [as_json([row])],
    )

    assert await cursor.fetchall() == [tuple(row.values())]


async def test_scalar_is_the_first_value_or_none(conn: Connection) -> None:
    assert await scalar(conn, "select %(n)s::int, 2", {"n": 1}) == 1
    assert await scalar(conn, "select 1 where false") is None


@pytest.mark.parametrize(("most", "counted"), [(0, 0), (3, 3), (9, 5)])
async def test_count_ends_at_its_bound(conn: Connection, most: int, counted: int) -> None:
    assert await count_up_to(conn, "select 1 from generate_series(1, %(n)s)", {"n": 5}, most) == counted
