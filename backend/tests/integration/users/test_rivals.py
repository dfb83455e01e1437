"""Of two people who fit a booking, one ceases to: the other one gets it, although nothing happens to the booking."""

import pytest

from tests.support.rows import add_user
from tests.support.salon import salon
from tests.support.vendor import State, event
from zerkalo.db.pool import Pool
from zerkalo.users import store
from zerkalo.users.erase_service import erase_user

pytestmark = pytest.mark.integration


async def test_who_is_left_of_two_named_in_a_comment_gets_the_booking(pool: Pool) -> None:
    async with salon(pool) as server, pool.connection() as conn:
        left = await add_user(conn, unique_code="CODE0001")
        gone = await add_user(conn, unique_code="CODE0002")
        await server.post(event(State(5, comment="Код клиента: CODE0001, код клиента: CODE0002")))
        assert (await server.booking())["user_id"] is None
        now = (await server.booking())["created_at"]

        async def settle(*_: object) -> None: ...

        await erase_user(pool, gone, settle_bookings=settle, now=now)
        wanted = await store.users_to_rematch(conn, limit=5)
        assert [user_id for user_id, _ in wanted] == [left]
        await server.applier.rematch(left)

        booking = await server.booking()
    assert (booking["user_id"], booking["matched_by"]) == (left, "code")
