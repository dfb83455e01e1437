"""What YCLIENTS says of a branch is kept for people: where it is, and what its clients may do."""

import json

import pytest

from zerkalo.companies import store
from zerkalo.companies.model import Branch
from zerkalo.db.pool import Pool
from zerkalo.yclients.answers import parse_company

pytestmark = pytest.mark.integration

SAID = {
    "id": 7,
    "title": "Салон",
    "timezone_name": "Europe/Moscow",
    "address": " Тверская, 1 &quot;А&quot; ",
    "phone": "+7 495 000-00-00",
    "allow_delete_record": True,
    "allow_change_record": 0,
    "allow_delete_record_delay_step": 10800,
    "allow_change_record_delay_step": 0,
}


async def kept(pool: Pool, **said: object) -> Branch:
    told = parse_company(json.dumps({"success": True, "data": {**SAID, **said}}).encode())
    async with pool.connection() as conn:
        await store.put_company(conn, 7, told=told, zone=None)
        (branch,) = await store.branches(conn, [7])
    return branch


@pytest.fixture(autouse=True)
async def company(pool: Pool) -> None:
    async with pool.connection() as conn:
        await conn.execute("insert into companies (id) values (7)")


async def test_address_phone_and_rules_are_kept(pool: Pool):
    assert await kept(pool) == Branch(
        7, "Салон", None, 'Тверская, 1 "А"', "+7 495 000-00-00", False, True, 0, 10800
    )


async def test_they_follow_what_yclients_says_later(pool: Pool):
    await kept(pool)

    moved = await kept(pool, address="Арбат, 2", allow_change_record=None)

    assert (moved.address, moved.may_move) == ("Арбат, 2", None)


@pytest.mark.parametrize("address", [None, [], {"city": "Москва"}, True, "\x00\u2028"])
async def test_an_address_that_is_none_spoils_nothing_else(pool: Pool, address: object):
    branch = await kept(pool, address=address, phone={})

    assert (branch.title, branch.may_cancel) == ("Салон", True)
    assert "\x00" not in branch.address
