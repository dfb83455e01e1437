"""Of two people who fit a booking, one ceases to: the other one gets it, although nothing happens to the booking."""

import pytest

from tests.support.people import people_api
from tests.support.rows import add_user
from tests.support.salon import salon
from tests.support.vendor import State, event
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.users import store
from zerkalo.users.erasing.service import erase_user
from zerkalo.users.merging.service import merge_accounts

pytestmark = pytest.mark.integration


async def settle(*_: object) -> None:
    """Nobody has points here."""


async def test_who_is_left_of_two_named_in_a_comment_gets_the_booking(pool: Pool) -> None:
    async with salon(pool) as server, pool.connection() as conn:
        left = await add_user(conn, unique_code="CODE0001")
        gone = await add_user(conn, unique_code="CODE0002")
        await server.post(event(State(5, comment="Код клиента: CODE0001, код клиента: CODE0002")))
        assert (await server.booking())["user_id"] is None
        now = (await server.booking())["created_at"]

        await erase_user(pool, gone, settle_bookings=settle, now=now)
        wanted = await store.users_to_rematch(conn, limit=5)
        assert [user_id for user_id, _ in wanted] == [left]
        await server.applier.rematcher.rematch(left)

        booking = await server.booking()
    assert (booking["user_id"], booking["matched_by"]) == (left, "code")


async def test_when_both_who_were_named_are_gone_the_proved_phone_decides(pool: Pool) -> None:
    """The second one goes before anybody has looked at the booking again."""
    async with salon(pool) as server, pool.connection() as conn:
        first = await add_user(conn, unique_code="CODE0001")
        second = await add_user(conn, unique_code="CODE0002")
        comment = "Код клиента: CODE0001, код клиента: CODE0002"
        await server.post(event(State(5, comment=comment, phone="+79990000001")))
        booking = await server.booking()
        now = booking["created_at"]
        hers = await add_user(conn, phone="+79990000001", phone_verified_at=now)

        await erase_user(pool, first, settle_bookings=settle, now=now)
        await erase_user(pool, second, settle_bookings=settle, now=now)
        wanted = await store.users_to_rematch(conn, limit=5)
        assert [user_id for user_id, _ in wanted] == [hers]
        await server.applier.rematcher.rematch(hers)

        booking = await server.booking()
    assert (booking["user_id"], booking["matched_by"]) == (hers, "phone")


async def test_who_is_left_of_two_with_one_phone_when_a_merge_drops_it_gets_the_booking(pool: Pool) -> None:
    """The account that stays has a proved phone of its own."""
    people = people_api(pool)
    async with salon(pool) as server, pool.connection() as conn:
        await server.post(event(State(5, phone="+79990000001")))
        now = (await server.booking())["created_at"]
        merged, left = [await add_user(conn, phone="+79990000001", phone_verified_at=now) for _ in range(2)]
        kept = await add_user(conn, phone="+79990000002", phone_verified_at=now)
        await server.applier.rematcher.rematch(left)
        assert (await server.booking())["user_id"] is None

        async with transaction(pool) as merging:
            await merge_accounts(
                merging,
                people.people.ports,
                from_id=merged,
                into_id=kept,
                admin_id=None,
                keep_code_of_from=False,
                now=now,
            )
        assert left in [user_id for user_id, _ in await store.users_to_rematch(conn, limit=5)]
        await server.applier.rematcher.rematch(left)

        booking = await server.booking()
    assert (booking["user_id"], booking["matched_by"]) == (left, "phone")
