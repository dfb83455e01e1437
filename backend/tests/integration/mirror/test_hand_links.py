"""Matching by hand: what an admin says stands, and everything that hangs on a link follows it."""

from typing import Any

import pytest

from tests.support.api import NOW, Api, ApiRuntime
from tests.support.rows import add_booking, add_user
from tests.support.salon import BONUSES, Salon, salon
from tests.support.vendor import COMPANY_ID, RECORD_ID, State, event
from zerkalo.db.pool import Pool
from zerkalo.loyalty.service import settler_of
from zerkalo.settings import Settings
from zerkalo.users.erasing.service import erase_user, sweep_erased
from zerkalo.web import admin_api

pytestmark = pytest.mark.integration


@pytest.fixture
def api(pool: Pool) -> Api:
    settings = Settings(yclients_company_ids=(COMPANY_ID,), loyalty_enabled=True)
    return Api(ApiRuntime(pool, settings), admin_api.router)


@pytest.fixture
async def admin(api: Api):
    _, client = await api.new_user(is_admin=True)
    async with client:
        yield client


async def user(pool: Pool, **columns: Any) -> int:
    async with pool.connection() as conn:
        return await add_user(conn, **columns)


async def balances(server: Salon) -> dict[int, int]:
    found = await server.rows(
        "select user_id, sum(amount)::int as points from bonus_entries group by user_id"
    )
    return {row["user_id"]: row["points"] for row in found}


async def path(server: Salon, what: str) -> str:
    return f"/admin/bookings/{(await server.booking())['id']}/{what}"


async def test_a_link_by_hand_stands_against_every_later_snapshot(pool: Pool, admin) -> None:
    anna = await user(pool, unique_code="ANNA2345")
    boris = await user(pool, unique_code="BRSS2345")
    async with salon(pool, policy=BONUSES) as server:
        await server.status(event(State(1, attendance=1)))
        await server.rows(
            "insert into match_candidates select id, %s, 'phone', now() from bookings returning 1",
            anna,
        )

        answer = await admin.post(await path(server, "link"), json={"user_id": anna})

        assert answer.status_code == 200
        shown = answer.json()
        assert (shown["user_id"], shown["matched_by"]) == (anna, "manual")
        assert shown["notes"] == f"YClients. ID: {RECORD_ID}\nКод клиента: ANNA2345"
        assert await balances(server) == {anna: 90}
        assert await server.rows("select * from match_candidates") == []

        await server.status(event(State(2, attendance=1, comment="Код клиента: BRSS2345")))
        row = await server.booking()
        assert (row["user_id"], row["matched_by"]) == (anna, "manual")
        assert await balances(server) == {anna: 90}

        # Only another admin's word changes it; the points move along.
        await admin.post(await path(server, "link"), json={"user_id": boris})
        assert (await server.booking())["user_id"] == boris
        assert await balances(server) == {anna: 0, boris: 90}


async def test_what_was_unlinked_stays_unlinked(pool: Pool, admin) -> None:
    anna = await user(pool, unique_code="ANNA2345")
    async with salon(pool, policy=BONUSES) as server:
        comment = "Код клиента: ANNA2345"
        await server.status(event(State(1, attendance=1, comment=comment)))
        assert await balances(server) == {anna: 90}

        answer = await admin.post(await path(server, "unlink"))

        assert answer.status_code == 200
        assert (answer.json()["user_id"], answer.json()["matched_by"]) == (None, "manual")
        assert await balances(server) == {anna: 0}

        await server.status(event(State(2, attendance=1, comment=comment, roubles=2000)))
        await server.applier.rematcher.rematch(anna)
        row = await server.booking()
        assert (row["user_id"], row["matched_by"]) == (None, "manual")
        assert await balances(server) == {anna: 0}
        unmatched = (await admin.get("/admin/bookings/unmatched")).json()["items"]
        assert unmatched == [], "she was asked once"


async def test_a_sync_finds_the_notes_as_a_hand_left_them(pool: Pool, admin) -> None:
    anna = await user(pool, unique_code="ANNA2345")
    async with salon(pool) as server:
        await server.status(event(State(1, comment="Код клиента: ANNA2345")))
        for what, body in (("unlink", None), ("link", {"user_id": anna})):
            await admin.post(await path(server, what), json=body)
            before = await server.booking()
            await server.applier.rematcher.rematch(anna)
            assert await server.booking() == before


async def test_repeating_it_changes_nothing_and_each_change_is_audited(pool: Pool, admin) -> None:
    anna = await user(pool)
    async with salon(pool, policy=BONUSES) as server:
        await server.status(event(State(1, attendance=1)))
        for _ in range(2):
            await admin.post(await path(server, "link"), json={"user_id": anna})
        once = await server.booking()
        await admin.post(await path(server, "link"), json={"user_id": anna})
        assert await server.booking() == once
        for _ in range(2):
            await admin.post(await path(server, "unlink"))

        audit = await server.rows(
            "select action, subject, details, admin_id is not null as by from audit_entries"
        )

    subject = f"booking {once['id']}"
    assert audit == [
        {
            "action": "booking.link",
            "subject": subject,
            "details": {"user_id": anna, "before": None, "before_by": None},
            "by": True,
        },
        {
            "action": "booking.unlink",
            "subject": subject,
            "details": {"user_id": None, "before": anna, "before_by": "manual"},
            "by": True,
        },
    ]


async def test_who_is_not_there_gets_nothing(pool: Pool, admin) -> None:
    anna = await user(pool)
    shell = await user(pool)
    async with pool.connection() as conn:
        booking = await add_booking(conn, yclients_record_id=1)
        erased = await add_booking(conn, yclients_record_id=2, user_id=shell)
    await erase_user(pool, shell, settle_bookings=settler_of(BONUSES), now=NOW)

    async def code(booking_id: object, user_id: object) -> tuple[int, str]:
        answer = await admin.post(f"/admin/bookings/{booking_id}/link", json={"user_id": user_id})
        return answer.status_code, answer.json()["code"]

    assert await code(10**9, anna) == (404, "not_found")
    assert await code("x", anna) == (404, "not_found")
    assert await code(booking, 10**9) == (404, "user_not_found")
    assert await code(booking, shell) == (404, "user_not_found")
    assert await code(erased, anna) == (409, "booking_erased")
    assert await code(booking, 0) == (422, "invalid_request")
    assert (await admin.post(f"/admin/bookings/{erased}/unlink")).status_code == 409


async def test_only_admins_link(pool: Pool, api: Api) -> None:
    _, anna = await api.new_user()
    async with pool.connection() as conn:
        booking = await add_booking(conn, yclients_record_id=1)
    for what in ("link", "unlink"):
        address = f"/admin/bookings/{booking}/{what}"
        assert (await api.client().post(address, json={"user_id": 1})).status_code == 401
        assert (await anna.post(address, json={"user_id": 1})).status_code == 403


@pytest.mark.parametrize("is_named", [True, False])
async def test_a_user_who_is_a_shell_by_now_stops_nothing(pool: Pool, is_named: bool) -> None:
    """A booking made through the form, or read by a batch, just as its user was erased in another tab."""
    shell, anna = await user(pool), await user(pool, unique_code="ANNA2345")
    async with salon(pool) as server:
        await server.post(event(State(1)))
        async with pool.connection() as conn:
            await conn.execute("update users set erased_at = now() where id = %s", [shell])
            await conn.execute("update bookings set user_id = %s, matched_by = 'code'", [shell])
            await conn.execute(
                "insert into form_bookings (api_id, user_id, company_id, record_id, status, created_at)"
                " values ('own', %s, %s, %s, 'booked', now())",
                [shell, COMPANY_ID, RECORD_ID],
            )

        answer = await server.post(event(State(2, comment="Код клиента: ANNA2345" if is_named else "")))

        assert answer.json()["status"] == "applied"
        assert (await server.booking())["user_id"] == (anna if is_named else shell)
        await sweep_erased(pool, settle_bookings=settler_of(BONUSES), now=NOW)
        row = await server.booking()
        assert (row["user_id"], row["erased_at"] is None) == ((anna, True) if is_named else (None, False))
