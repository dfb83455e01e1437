"""Who had herself erased does not come back through the inbox."""

import pytest

from tests.support.salon import salon
from tests.support.vendor import State, event
from zerkalo.db.pool import Pool
from zerkalo.users.erasing.store import erase_bookings

pytestmark = pytest.mark.integration


async def test_calls_about_an_erased_booking_leave_only_their_envelope(pool: Pool) -> None:
    async with salon(pool) as server:
        await server.post(event(State(5)))
        booking = await server.booking()
        async with pool.connection() as conn:
            await erase_bookings(conn, [booking["id"]], now=booking["created_at"])

        moved = await server.post(event(State(9, visit_hour=10)))
        unreadable = await server.post(
            event(State(11)) | {"data": {"id": 4711, "date": "soon", "phone": "79990000001"}}
        )
        before, *after = await server.deliveries()

    assert moved.json()["status"] == "applied"
    assert unreadable.json()["status"] == "quarantined"
    assert b"9990000001" in before["body"]
    for delivery in after:
        assert b"9990000001" not in delivery["body"]
        assert b'"erased"' in delivery["body"]
