"""What docs/reports.md shows is run as it stands there; and every column that a salon reads says what it is."""

import re
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from psycopg.rows import dict_row

from tests.support.project import ROOT
from tests.support.rows import add_booking, add_user
from zerkalo.db.pool import Pool

pytestmark = pytest.mark.integration

PAGE = (ROOT / "docs" / "reports.md").read_text(encoding="utf-8")
REPORTS = dict(re.findall(r"^## (.+?)$.*?```sql\n(.*?)```", PAGE, re.DOTALL | re.MULTILINE))
READ_BY_SALONS = (
    "bonus_entries",
    "booking_events",
    "booking_lines",
    "booking_report",
    "bookings",
    "clients",
    "companies",
    "users",
)


async def _rows(pool: Pool, statement: str, *values: object) -> list[dict[str, object]]:
    async with pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(statement.encode(), values or None)
        return await cursor.fetchall()


async def _add_visits(pool: Pool) -> None:
    """Anna came yesterday and two months and a half ago; somebody known by a card only came long ago and missed a visit."""
    now = datetime.now(UTC).replace(hour=9, minute=0, second=0, microsecond=0)
    async with pool.connection() as conn:
        await conn.execute("insert into companies (id, title) values (1, 'Салон') on conflict do nothing")
        anna = await add_user(conn, name="Анна", unique_code="ABC12345")

        async def visit(days_ago: int, **columns: object) -> int:
            at = now - timedelta(days=days_ago)
            local = at.replace(tzinfo=None) + timedelta(hours=3)
            given = {"status": "COMPLETED", "staff_name": "Алиса", "staff_id": 5, **columns}
            return await add_booking(conn, appointment_datetime=at, appointment_local=local, **given)

        lines = '[{"service_id": 3, "title": "Стрижка", "amount": 2, "cost": 250050}]'
        paid = await visit(1, user_id=anna, matched_by="code", service_price=250_050, lines=lines)
        await visit(75, user_id=anna, matched_by="code")
        await visit(90, client_id=7, client_name="Мария", phone="+79990000007")
        await visit(2, client_id=7, client_name="Мария", status="CANCELLED", cancel_reason="no_show")
        await conn.execute(
            "insert into bonus_entries (user_id, booking_id, amount, kind, entry_key, effective_at, created_at) values"
            " (%(u)s, %(b)s, 125, 'accrual', 'one', now(), now()), (%(u)s, null, -100, 'redemption', 'two', now(), now())",
            {"u": anna, "b": paid},
        )


async def test_every_report_of_the_page_runs_and_counts_right(pool: Pool):
    await _add_visits(pool)
    found = {title: await _rows(pool, statement) for title, statement in REPORTS.items()}

    assert len(REPORTS) == 7
    assert [(row["visits"], row["roubles"]) for row in found["What each day brought"]] == [
        (1, Decimal("2500.50"))
    ]
    assert found["How the specialists did"] == [
        {"staff": "Алиса", "visits": 1, "roubles": Decimal("2500.50"), "no_shows": 1}
    ]
    assert found["What sells"] == [{"title": "Стрижка", "times": 2, "roubles": 2501}]
    assert [row["client"] for row in found["Who has not been here for 60 days"]] == ["Мария"]
    months = found["New and returning"]
    assert [sum(int(str(row[name])) for row in months) for name in ("new", "returning")] == [2, 1]
    assert found["Points: given, spent, owed"] == [{"given": 125, "spent": 100, "owed": 25}]
    assert {row["found_by"]: row["visits"] for row in found["How visits find their clients"]} == {
        "code": 1,
        "nobody": 1,
    }


async def test_a_report_has_roubles_names_points_and_the_salons_clock(pool: Pool):
    await _add_visits(pool)

    (row,) = await _rows(pool, "select * from booking_report where points > 0")

    assert (row["company"], row["client"], row["code"], row["price"], row["points"]) == (
        "Салон",
        "Анна",
        "ABC12345",
        Decimal("2500.50"),
        125,
    )
    assert (row["starts_at"].hour, row["visit_on"]) == (12, row["starts_at"].date())  # pyright: ignore[reportAttributeAccessIssue]  a timestamp


async def test_a_report_says_who_paid_and_through_what_it_was_booked(pool: Pool):
    told = {
        "form": {"online": True},
        "claimed": {"online": True},
        "journal": {"online": False, "created_by": 7001},
        "unsaid": {},
    }
    async with pool.connection() as conn:
        for record_id, (name, columns) in enumerate(told.items(), 1):
            await add_booking(
                conn, yclients_record_id=record_id, client_name=name, paid=name == "form", **columns
            )
        await conn.execute(
            "insert into form_bookings (api_id, company_id, record_id, status, comment_digest, created_at) values"
            " ('ours', 1, 1, 'booked', 'x', now()), ('claimed', 1, 2, 'booked', null, now())"
        )

    rows = await _rows(pool, "select client, booked, created_by, paid from booking_report order by record_id")

    assert [tuple(row.values()) for row in rows] == [
        ("form", "form", None, True),
        ("claimed", "online", None, False),
        ("journal", "journal", 7001, False),
        ("unsaid", None, None, False),
    ]


async def test_every_table_and_column_that_a_salon_reads_says_what_it_is(pool: Pool):
    silent = await _rows(
        pool,
        """
        select c.relname || coalesce('.' || a.attname, '') as name
        from pg_class c left join pg_attribute a on a.attrelid = c.oid and a.attnum > 0 and not a.attisdropped
        where c.relnamespace = to_regnamespace('zerkalo') and c.relname = any(%s)
            and (col_description(c.oid, a.attnum) is null or obj_description(c.oid) is null)
        """,
        list(READ_BY_SALONS),
    )
    known = await _rows(
        pool, "select count(*) as n from pg_class where relname = any(%s)", list(READ_BY_SALONS)
    )

    assert [row["name"] for row in silent] == []
    assert known == [{"n": len(READ_BY_SALONS)}]
