"""The log of what staff did: it only grows, and survives the account of whoever did it."""

from datetime import UTC, datetime

import psycopg
import pytest

from tests.support.rows import add_user
from zerkalo.auth.audit.service import audit
from zerkalo.db.pool import Pool

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)


@pytest.mark.parametrize(
    "change",
    ["update audit_entries set action = 'nothing'", "delete from audit_entries", "truncate audit_entries"],
)
async def test_nothing_in_the_log_can_be_changed_or_taken_out(pool: Pool, change: str) -> None:
    async with pool.connection() as conn:
        admin_id = await add_user(conn, is_admin=True)
        await audit(conn, admin_id, "user.merge", "user 5", {"into": 6}, NOW)
    async with pool.connection() as conn:
        with pytest.raises(psycopg.errors.RaiseException, match="only grows"):
            await conn.execute(change.encode())


async def test_who_did_something_can_not_vanish_from_the_log(pool: Pool) -> None:
    async with pool.connection() as conn:
        admin_id = await add_user(conn, is_admin=True)
        await audit(conn, admin_id, "user.merge", "user 5", {"into": 6}, NOW)
    async with pool.connection() as conn:
        with pytest.raises(psycopg.errors.ForeignKeyViolation):
            await conn.execute("delete from users where id = %s", [admin_id])


async def test_is_admin_is_the_owners_column_and_nobody_else_can_set_it(pool: Pool) -> None:
    """Other programs read `users.is_admin`; only the role gives it."""
    async with pool.connection() as conn:
        ids = [await add_user(conn, role=role) for role in ("owner", "receptionist", "read_only", None)]
        found = await (await conn.execute("select id, is_admin from users order by id")).fetchall()
        assert found == list(zip(ids, (True, False, False, False), strict=True))
        with pytest.raises(psycopg.errors.GeneratedAlways):
            await conn.execute("update users set is_admin = true where id = %s", [ids[3]])
