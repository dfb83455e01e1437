"""What matching reads of users."""

from datetime import UTC, datetime
from typing import Any

import msgspec
import pytest

from tests.support.rows import add_user
from zerkalo.db.pool import Connection
from zerkalo.users.matching.store import _MATCHING, users_for_matching
from zerkalo.users.model import MatchUser
from zerkalo.users.store import finish_rematches, users_to_rematch, want_rematch

PROVED = datetime(2025, 1, 1, tzinfo=UTC)
NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)


async def test_each_is_found_once_by_whatever_names_her(conn: Connection) -> None:
    anna = await add_user(
        conn,
        email="Anna@Example.com",
        email_verified_at=PROVED,
        phone="+79991234567",
        phone_verified_at=PROVED,
        unique_code="AAAA1111",
    )
    hers = MatchUser(anna, "AAAA1111", "anna@example.com", "+79991234567")

    ways: list[dict[str, Any]] = [
        {"codes": ["AAAA1111"]},
        {"emails": ["anna@example.com"]},
        {"phone10s": ["9991234567"]},
        {"ids": [anna]},
        {
            "codes": ["AAAA1111", "X"],
            "emails": ["anna@example.com"],
            "phone10s": ["9991234567"],
            "ids": [anna],
        },
    ]
    for asked in ways:
        assert await users_for_matching(conn, **asked) == [hers]
    assert await users_for_matching(conn) == []
    assert await users_for_matching(conn, codes=["'; --"], emails=['"'], phone10s=["\\"], ids=[0]) == []


async def test_claims_and_the_erased_are_not_there(conn: Connection) -> None:
    claimant = await add_user(conn, email="a@example.com", phone="+79991234567", unique_code="BBBB1111")
    erased = await add_user(conn, unique_code="CCCC1111", erased_at=PROVED)

    assert await users_for_matching(conn, emails=["a@example.com"], phone10s=["9991234567"]) == []
    assert await users_for_matching(conn, codes=["CCCC1111"], ids=[erased]) == []
    assert await users_for_matching(conn, codes=["BBBB1111"]) == [MatchUser(claimant, "BBBB1111", None, None)]


async def test_several_share_a_phone_and_a_merged_code_names_who_stayed(conn: Connection) -> None:
    one = await add_user(conn, phone="+79991234567", phone_verified_at=PROVED)
    two = await add_user(conn, phone="+49991234567", phone_verified_at=PROVED, unique_code="DDDD1111")
    await conn.execute("insert into retired_codes (code, user_id) values ('EEEE1111', %s)", [two])
    await conn.execute("insert into retired_codes (code) values ('FFFF1111')")

    both = await users_for_matching(conn, phone10s=["9991234567"])
    merged = await users_for_matching(conn, codes=["EEEE1111", "FFFF1111"])

    assert [user.id for user in both] == [one, two]
    assert merged == [MatchUser(two, "DDDD1111", None, "+49991234567", ("EEEE1111",))]


async def test_the_read_is_served_by_indexes(conn: Connection) -> None:
    await conn.execute(
        "insert into users (email, email_verified_at, phone, phone_verified_at, unique_code)"
        " select 'user' || n || '@example.com', now(), '+7' || (9000000000 + n), now(),"
        " lpad(n::text, 8, '0') from generate_series(1, 30000) n"
    )
    await conn.execute("analyze users")
    asked = {
        "codes": ["00000007"],
        "emails": ["user8@example.com"],
        "phone10s": ["9000000009"],
        "ids": [10],
    }

    cursor = await conn.execute("explain " + _MATCHING, [msgspec.json.encode(asked).decode()])
    plan = "\n".join(row[0] for row in await cursor.fetchall())

    for index in ("users_unique_code_key", "users_email_proved", "users_by_phone10", "users_pkey"):
        assert index in plan, plan
    assert "Seq Scan on users" not in plan, plan


async def test_a_want_that_came_while_another_was_fulfilled_stays(conn: Connection) -> None:
    user = await add_user(conn)
    await want_rematch(conn, [user], now=NOW)
    ((found, wanted_at),) = await users_to_rematch(conn, limit=10)
    await want_rematch(conn, [user], now=NOW.replace(hour=13))

    await finish_rematches(conn, [(user, wanted_at)])
    assert [id_ for id_, _ in await users_to_rematch(conn, limit=10)] == [found] == [user]

    await finish_rematches(conn, [(user, NOW.replace(hour=13))])
    assert await users_to_rematch(conn, limit=10) == []


@pytest.mark.parametrize("count", [3000])
async def test_a_batch_of_thousands_is_one_query(conn: Connection, count: int) -> None:
    codes = [f"{number:08}" for number in range(count)]

    assert await users_for_matching(conn, codes=codes, emails=codes, phone10s=codes, ids=range(count)) == []
