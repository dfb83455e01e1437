"""What admins read: complete, page by page, and closed to everybody else."""

from datetime import timedelta

import pytest

from tests.support.api import NOW, Api, ApiRuntime
from tests.support.rows import add_booking, add_user
from zerkalo.db.pool import Pool
from zerkalo.inbox import store as inbox
from zerkalo.inbox.model import Delivery, Finished
from zerkalo.loyalty import service
from zerkalo.loyalty.programme import service as programme
from zerkalo.settings import Settings
from zerkalo.web import admin_api
from zerkalo.web import stats as charts

PATHS = ["/admin/bookings/unmatched", "/admin/events", "/admin/events/1", "/admin/quarantine", "/admin/stats"]


@pytest.fixture
def api(pool: Pool) -> Api:
    settings = Settings(yclients_company_ids=(1, 2), loyalty_enabled=True)
    return Api(ApiRuntime(pool, settings), admin_api.router)


@pytest.fixture
async def admin(api):
    _, client = await api.new_user(is_admin=True)
    async with client:
        yield client


async def pages(client, path, **params):
    """Every page of a list, as ids."""
    found, cursor = [], {}
    while True:
        body = (await client.get(path, params=params | cursor)).json()
        found.append([item["id"] for item in body["items"]])
        if body["next_cursor"] is None:
            return found
        cursor = {"cursor": body["next_cursor"]}


async def deliver(pool, *outcomes, company_id=1, record_id=5, body=b'{"a":1}', days=0):
    async with pool.connection() as conn:
        finished = [
            Finished(
                Delivery(body, NOW - timedelta(days=days), company_id, "record", record_id, "update"),
                outcome,
            )
            for outcome in outcomes
        ]
        await inbox.put(conn, finished, now=NOW)


@pytest.mark.parametrize("path", PATHS)
async def test_nobody_and_no_user_reads_them(api, path):
    _, anna = await api.new_user()
    async with api.client() as nobody:
        assert (await nobody.get(path)).status_code == 401
    answer = await anna.get(path)
    assert (answer.status_code, answer.json()["code"]) == (403, "admins_only")


async def test_bookings_that_are_nobodys_come_with_their_candidates(admin, pool):
    async with pool.connection() as conn:
        anna = await add_user(conn, name="Анна", email="anna@example.com", phone="+79991234567")
        vera = await add_user(conn, name="Вера", email="vera@example.com")
        gone = await add_user(conn, erased_at=NOW)
        booking = await add_booking(conn, yclients_record_id=12345)
        for user in (anna, vera, gone):
            await conn.execute(
                "insert into match_candidates (booking_id, user_id, step, reason) values (%s, %s, 'phone', 'rivals')",
                [booking, user],
            )
        later = await add_booking(conn, appointment_datetime=NOW + timedelta(days=9))
        for columns in (
            {"user_id": anna},
            {"status": "CANCELLED"},
            {"matched_by": "manual"},
            {"erased_at": NOW},
        ):
            await add_booking(conn, **columns)

    body = (await admin.get("/admin/bookings/unmatched")).json()

    assert [item["id"] for item in body["items"]] == [later, booking]
    assert body["items"][0]["candidates"] == []
    assert body["items"][1]["yclients_record_id"] == 12345
    assert body["items"][1]["candidates"] == [
        {
            "user_id": anna,
            "name": "Анна",
            "email": "anna@example.com",
            "phone": "+79991234567",
            "step": "phone",
        },
        {"user_id": vera, "name": "Вера", "email": "vera@example.com", "phone": None, "step": "phone"},
    ]
    assert await pages(admin, "/admin/bookings/unmatched", limit=1) == [[later], [booking]]


async def test_events_come_newest_first_filtered_and_without_bodies(admin, pool):
    async with pool.connection() as conn:
        await conn.execute("insert into companies (id) values (1), (2)")
    await deliver(pool, "applied", "stale", "applied")
    await deliver(pool, "applied", company_id=2)
    await deliver(pool, "ignored", record_id=6)

    assert await pages(admin, "/admin/events", limit=2) == [[5, 4], [3, 2], [1]]
    assert await pages(admin, "/admin/events", company_id=2) == [[4]]
    assert await pages(admin, "/admin/events", record_id=5) == [[4, 3, 2, 1]]
    assert await pages(admin, "/admin/events", record_id=5, company_id=1, limit=2) == [[3, 2], [1]]
    assert await pages(admin, "/admin/events", outcome="stale") == [[2]]
    assert await pages(admin, "/admin/events", record_id=5, outcome="applied", company_id=1) == [[3, 1]]
    (event, *_) = (await admin.get("/admin/events")).json()["items"]
    assert event == {
        "id": 5,
        "received_at": "2025-06-02T12:00:00Z",
        "company_id": 1,
        "resource": "record",
        "resource_id": 6,
        "event": "update",
        "outcome": "ignored",
        "reason": None,
        "booking_id": None,
        "finished_at": "2025-06-02T12:00:00Z",
        "handled_at": None,
        "body_bytes": 70,  # of an ignored event its envelope alone is kept
    }


async def test_an_event_is_shown_with_its_body_whatever_bytes_it_has(admin, pool):
    await deliver(pool, "quarantined", body=b'{"\xff": "\x00"}')

    event = (await admin.get("/admin/events/1")).json()

    assert event["body"] == '{"\ufffd": "\x00"}'
    assert event["body_bytes"] == 10
    for missing in ("2", "0", "x", "9" * 40):
        assert (await admin.get(f"/admin/events/{missing}")).status_code == 404


async def test_quarantine_lists_what_nobody_has_handled(admin, pool):
    await deliver(pool, "quarantined", "applied", "quarantined", "quarantined")
    async with pool.connection() as conn:
        await conn.execute("update deliveries set handled_at = %s where id = 3", [NOW])

    assert await pages(admin, "/admin/quarantine", limit=1) == [[4], [1]]


@pytest.mark.parametrize("path", PATHS[:2] + PATHS[3:4])
async def test_cursors_of_other_lists_are_refused(admin, path):
    answer = await admin.get(path, params={"cursor": "garbage"})

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor")


async def test_points_that_a_merge_moves_and_its_undoing_moves_back_are_counted_once(api, admin, pool):
    """And on the day on which they came: a merge gives nobody anything."""
    async with pool.connection() as conn:
        anna, vera = await add_user(conn), await add_user(conn)
        visit = await add_booking(conn, user_id=anna, status="COMPLETED")
        policy = programme.policy_of(api.runtime.settings)
        await service.settle_bookings_by_id(conn, [visit], policy, NOW - timedelta(days=3))
        by_day, totals = await charts.points_by_day(conn, now=NOW), await charts.ledger_totals(conn)
        assert totals.by_kind == {"accrual": 125}

        for move, at in (
            (service.move_ledger, NOW - timedelta(days=2)),
            (service.return_ledger, NOW - timedelta(days=1)),
        ):
            await move(conn, anna, vera, at)
            assert await charts.points_by_day(conn, now=NOW) == by_day
            assert await charts.ledger_totals(conn) == totals


async def test_stats_count_what_there_is(api, admin, pool):
    async with pool.connection() as conn:
        await conn.execute(
            "insert into companies (id, timezone_name) values (1, 'Asia/Vladivostok'), (2, 'Nowhere')"
        )
        anna = await add_user(conn, unique_code="ABC12345")
        await add_booking(conn, user_id=anna, status="COMPLETED")
        await add_booking(conn, appointment_datetime=NOW + timedelta(days=1))
        await add_booking(conn, appointment_datetime=NOW + timedelta(days=100))
    await deliver(pool, "applied", "quarantined")
    await deliver(pool, "applied", days=2)
    await deliver(pool, "applied", days=60)
    policy = programme.policy_of(api.runtime.settings)
    await service.sweep(pool, policy, NOW)

    stats = (await admin.get("/admin/stats")).json()

    assert stats["bookings"] == {
        "total": 3,
        "by_status": {"PENDING": 2, "CONFIRMED": 0, "COMPLETED": 1, "CANCELLED": 0},
        "matched": 1,
        "unmatched": 2,
    }
    assert stats["users"] == {"with_code": 1, "without_code": 1}
    assert stats["bookings_by_day"] == [
        {"day": "2025-06-01", "counts": {"COMPLETED": 1}},
        {"day": "2025-06-03", "counts": {"PENDING": 1}},
    ]
    assert stats["deliveries_by_day"] == [
        {"day": "2025-05-31", "counts": {"applied": 1}},
        {"day": "2025-06-02", "counts": {"applied": 1, "quarantined": 1}},
    ]
    assert stats["bonuses"] == {"balance": 125, "by_kind": {"accrual": 125}, "negative_balances": 0}
    assert stats["quarantine"] == 1
    assert stats["last_webhook_at"] == "2025-06-02T12:00:00Z"
    assert stats["lag_seconds"] is None
