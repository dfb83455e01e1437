"""What docs/beside-your-app.md shows is run as it stands there."""

import re

import psycopg
import pytest
from psycopg import sql
from psycopg.conninfo import conninfo_to_dict

from tests.support.project import ROOT
from tests.support.rows import add_booking, add_user
from zerkalo.db.address import in_schema
from zerkalo.db.pool import Pool

pytestmark = pytest.mark.integration

PAGE = (ROOT / "docs" / "beside-your-app.md").read_text(encoding="utf-8")


def _statements(first_words: str) -> bytes:
    """The SQL block of the page that begins so."""
    (block,) = [
        found for found in re.findall(r"```sql\n(.*?)```", PAGE, re.DOTALL) if found.startswith(first_words)
    ]
    return block.encode()


async def test_an_app_reads_the_mirror_by_the_view_and_its_grants(pool: Pool, dsn: str):
    role = f"reader_{conninfo_to_dict(dsn)['dbname']}"
    async with pool.connection() as conn:
        anna = await add_user(conn, email="anna@salon.test", unique_code="ABC12345")
        await add_booking(
            conn, yclients_record_id=501, user_id=anna, user_code="ABC12345", client_name="Анна"
        )
    grants = (
        _statements("create role app_reader")
        .replace(b"app_reader", role.encode())
        .split(b"grant " + role.encode())[0]
    )

    with psycopg.connect(in_schema(dsn, "app"), autocommit=True) as app:
        app.execute("create schema app")
        app.execute(_statements("create view app_bookings"))
        app.execute(grants)
        try:
            app.execute(sql.SQL("set role {}").format(sql.Identifier(role)))
            read = app.execute("select yclients_record_id, notes from zerkalo.bookings").fetchall()
            with pytest.raises(psycopg.errors.InsufficientPrivilege):
                app.execute("update zerkalo.bookings set phone = null")
            app.execute("reset role")
            shown = app.execute(_statements("select * from app_bookings")).fetchall()
            price = app.execute("select price_roubles, code, client_name from app_bookings").fetchall()
        finally:
            app.execute("reset role")
            app.execute(sql.SQL("drop owned by {}; drop role {}").format(*[sql.Identifier(role)] * 2))

    assert read == [(501, "YClients. ID: 501\nКод клиента: ABC12345")]
    assert len(shown) == 1
    assert [(float(roubles), code, name) for roubles, code, name in price] == [(2500.0, "ABC12345", "Анна")]
