"""What tests of merged and parted accounts share."""

from datetime import UTC, datetime
from typing import Any, LiteralString

import httpx2

from tests.support.people import PeopleApi
from tests.support.rows import add_booking

PROVED = datetime(2025, 1, 1, tzinfo=UTC)


async def an_admin(people: PeopleApi) -> httpx2.AsyncClient:
    _, client = await people.api.new_user(email="boss@example.com", email_verified_at=PROVED, is_admin=True)
    return client


async def rows(people: PeopleApi, sql: LiteralString) -> list[Any]:
    async with people.pool.connection() as conn:
        return await (await conn.execute(sql)).fetchall()


async def two_accounts(people: PeopleApi) -> tuple[int, int]:
    """Two accounts of one person, each with what an account can have."""
    old, _ = await people.api.new_user(
        email="old@example.com",
        email_verified_at=PROVED,
        phone="+79991234567",
        phone_verified_at=PROVED,
        unique_code="AAAA1111",
        name="Анна",
        note="Любит тишину",
    )
    kept, _ = await people.api.new_user(email="new@example.com", unique_code="BBBB1111", note="Аллергия")
    async with people.pool.connection() as conn:
        for user, code, record in ((old, "AAAA1111", 1), (kept, "BBBB1111", 2)):
            booking = await add_booking(
                conn,
                user_id=user,
                matched_by="code",
                yclients_record_id=record,
                user_code=code,
                status="COMPLETED" if user == old else "PENDING",
                service_price=200_000,
            )
            await conn.execute(
                "insert into bonus_entries (user_id, booking_id, amount, kind, percent, entry_key, effective_at, created_at)"
                " values (%s, %s, 100, %s, 5, %s, %s, %s)",
                [
                    user,
                    booking if user == old else None,
                    "accrual" if user == old else "adjustment",
                    f"k{record}",
                    PROVED,
                    PROVED,
                ],
            )
        open_ = await add_booking(conn, yclients_record_id=3)
        await conn.execute("insert into match_candidates values (%s, %s, 'phone', %s)", [open_, old, PROVED])
        await conn.execute("insert into clients (company_id, client_id, user_id) values (1, 9, %s)", [old])
        await conn.execute("insert into retired_codes (code, user_id) values ('CCCC1111', %s)", [old])
        await conn.execute(
            "insert into origins (source, kind, ref, user_id, imported_at) values ('app', 'person', '7', %s, now())",
            [old],
        )
    return old, kept


async def merge_id_of(people: PeopleApi) -> int:
    ((merge_id,),) = await rows(people, "select id from merges")
    return merge_id
