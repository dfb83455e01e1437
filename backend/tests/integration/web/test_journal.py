"""The journal over HTTP: every booking by day and filters, found by what people know of it, with its why and history."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.api import NOW, Api, ApiRuntime
from tests.support.rows import add_booking, add_user
from zerkalo.bookings.journal import routes as journal
from zerkalo.bookings.journal.store import PEOPLE_MAX
from zerkalo.db.pool import Pool
from zerkalo.settings import Settings

DAY = datetime(2026, 12, 3, 9, 0, tzinfo=UTC)


@pytest.fixture
def api(pool: Pool) -> Api:
    return Api(ApiRuntime(pool, Settings(yclients_company_ids=(1, 2))), journal.router)


@pytest.fixture
async def admin(api: Api, pool: Pool):
    async with pool.connection() as conn:
        await conn.execute(
            "insert into companies (id, title) values (1, 'Первый'), (2, 'Второй') on conflict do nothing"
        )
    _, client = await api.new_user(is_admin=True)
    async with client:
        yield client


async def put(pool: Pool, **columns: Any) -> int:
    at = columns.pop("at", DAY)
    local = at.replace(tzinfo=None) + timedelta(hours=3)
    async with pool.connection() as conn:
        return await add_booking(conn, appointment_datetime=at, appointment_local=local, **columns)


async def ids(client, **params: Any) -> list[int]:
    answer = await client.get("/admin/bookings", params=params)
    assert answer.status_code == 200, answer.text
    return [item["id"] for item in answer.json()["items"]]


@pytest.mark.parametrize("name", ["day", "from", "to"])
@pytest.mark.parametrize("value", ["0", "86400", "2026-12-03T00:00", "tomorrow"])
async def test_a_day_is_a_date_and_no_number(admin, name: str, value: str) -> None:
    """A number would be taken for seconds since 1970."""
    assert (await admin.get("/admin/bookings", params={name: value})).status_code == 422


async def test_only_admins_read_it(api: Api) -> None:
    _, anna = await api.new_user()
    for path in ("/admin/bookings", "/admin/bookings/1", "/admin/bookings/1/history"):
        async with api.client() as nobody:
            assert (await nobody.get(path)).status_code == 401
        assert (await anna.get(path)).status_code == 403


async def test_a_day_is_the_salons_and_begins_with_the_soonest(admin, pool: Pool) -> None:
    before = await put(pool, at=datetime(2026, 12, 2, 20, 59, tzinfo=UTC))
    early = await put(pool, at=datetime(2026, 12, 2, 21, 0, tzinfo=UTC))
    late = await put(pool, at=datetime(2026, 12, 3, 20, 59, tzinfo=UTC), company_id=2)
    after = await put(pool, at=datetime(2026, 12, 3, 21, 0, tzinfo=UTC))

    assert await ids(admin, day="2026-12-03") == [early, late]
    assert await ids(admin, **{"from": "2026-12-03", "to": "2026-12-04"}) == [early, late, after]
    assert await ids(admin, to="2026-12-02") == [before]
    assert await ids(admin) == [after, late, early, before], "without a day the latest first"
    assert await ids(admin, day="0001-01-01") == await ids(admin, day="9999-12-31") == []


async def test_filters_are_joined(admin, pool: Pool) -> None:
    async with pool.connection() as conn:
        anna = await add_user(conn, name="Анна", unique_code="ANNA2345")
    hers = await put(pool, user_id=anna, matched_by="code", staff_id=5, status="CONFIRMED")
    other = await put(pool, staff_id=6, company_id=2, status="CANCELLED", cancel_reason="deleted")

    assert await ids(admin, status="CONFIRMED") == [hers]
    assert await ids(admin, staff_id=6) == await ids(admin, company_id=2) == [other]
    assert (await ids(admin, matched=True), await ids(admin, matched=False)) == ([hers], [other])
    assert await ids(admin, matched=True, staff_id=6) == []
    assert (await admin.get("/admin/bookings", params={"status": "SOME"})).status_code == 422


async def test_it_is_found_by_code_record_phone_and_name(admin, pool: Pool) -> None:
    async with pool.connection() as conn:
        anna = await add_user(conn, name="Анна Ёлкина", unique_code="ABC12345")
        await conn.execute("insert into retired_codes (code, user_id) values ('MERGED77', %s)", [anna])
    hers = await put(pool, user_id=anna, user_code="ABC12345", matched_by="code", yclients_record_id=501)
    phone = await put(pool, phone="+79990012345", client_name="Борис Щукин", yclients_record_id=777001)

    for text in (
        "ABC12345",
        "\u0410\u0412\u042112345",
        "код клиента: abc 12345",
        "merged77",
        "ёЛКИНА",
        "501",
    ):
        assert await ids(admin, q=text) == [hers], text
    for text in ("0012345", "8 999 001-23-45", "щукин", "777001"):
        assert await ids(admin, q=text) == [phone], text
    assert await ids(admin, q="никто") == []


async def test_a_name_and_a_piece_of_a_phone_are_looked_for_in_cards_and_accounts(admin, pool: Pool) -> None:
    async with pool.connection() as conn:
        await conn.execute(
            "insert into clients (company_id, client_id, name, phone) values (2, 9, 'Ольга (Ё.)', '+79995550123')"
        )
        boris = await add_user(conn, name="Борис", phone="+79994440123")
    of_card = await put(pool, company_id=2, client_id=9)
    of_user = await put(pool, user_id=boris, matched_by="manual")
    of_phone = await put(pool, client_id=10, match_phone10="9993330123")
    await put(pool)

    for text in ("ольга", "(ё.)", "555-01", "9995550123", "+7 999 555-01-23", "8 (999) 555-01-23"):
        assert await ids(admin, q=text) == [of_card], text
    for text in ("БОРИС", "4440", "89994440123"):
        assert await ids(admin, q=text) == [of_user], text
    assert await ids(admin, q="9993330123") == [of_phone]
    assert await ids(admin, q="0123") == [of_user, of_card], "the latest first"
    assert await ids(admin, q="0123", day="2026-12-03") == [of_card, of_user]
    assert await ids(admin, q="0123", company_id=2) == await ids(admin, q="0123", matched=False) == [of_card]
    for text in (".", "ольг.", "[", "79994440123999"):
        assert await ids(admin, q=text) == ([of_card] if text == "." else []), text


async def test_a_search_finds_the_bookings_of_the_newest_people_only(admin, pool: Pool) -> None:
    async with pool.connection() as conn:
        await conn.execute(
            "insert into clients (company_id, client_id, name) select 1, n, 'Анна' from generate_series(1, %s) n",
            [PEOPLE_MAX + 1],
        )
    await put(pool, client_id=1)
    newest = await put(pool, client_id=PEOPLE_MAX + 1)

    assert await ids(admin, q="анна") == [newest]


async def test_pages_follow_each_other_in_both_orders(admin, pool: Pool) -> None:
    made = [await put(pool, company_id=1 + n % 2, at=DAY + timedelta(minutes=n // 2)) for n in range(7)]
    for params, order in (({"day": "2026-12-03"}, made), ({}, made[::-1])):
        found, cursor = [], {}
        while True:
            answer = await admin.get("/admin/bookings", params={**params, "limit": 2, **cursor})
            found += [item["id"] for item in answer.json()["items"]]
            if answer.json()["next_cursor"] is None:
                break
            cursor = {"cursor": answer.json()["next_cursor"]}
        assert found == order


async def test_one_has_its_lines_and_its_evidence(admin, pool: Pool) -> None:
    async with pool.connection() as conn:
        anna = await add_user(conn, name="Анна", unique_code="ANNA2345")
        await conn.execute(
            "insert into clients (company_id, client_id, name, phone, email, first_email)"
            " values (1, 9, 'Мария', '+79991112233', 'm@example.com', '')"
        )
    booking = await put(
        pool,
        client_id=9,
        match_codes=["ANNA2345"],
        lines='[{"service_id": 3, "title": "Стрижка", "amount": 2, "cost": 250000, "discount": 10}]',
    )
    async with pool.connection() as conn:
        await conn.execute(
            "insert into match_candidates (booking_id, user_id, step) values (%s, %s, 'email')",
            [booking, anna],
        )

    body = (await admin.get(f"/admin/bookings/{booking}")).json()

    assert body["appointment_datetime"] == "2026-12-03T12:00:00+03:00"
    assert body["lines"] == [
        {
            "service_id": 3,
            "title": "Стрижка",
            "amount": 2,
            "cost": 250000,
            "cost_per_unit": None,
            "discount": 10.0,
        }
    ]
    assert body["evidence"]["codes_seen"] == ["ANNA2345"]
    assert body["evidence"]["card"]["email_came_late"] is True
    assert [one["user_id"] for one in body["evidence"]["candidates"]] == [anna]
    assert (await admin.get("/admin/bookings/999999")).status_code == 404


async def test_its_points_stand_on_it_and_in_its_history(admin, pool: Pool) -> None:
    async with pool.connection() as conn:
        anna = await add_user(conn, name="Анна")
        booking = await put(pool, user_id=anna, matched_by="manual")
        for number, (amount, kind, by) in enumerate(((125, "accrual", None), (-25, "adjustment", anna))):
            await conn.execute(
                "insert into bonus_entries (user_id, booking_id, amount, kind, entry_key, created_by, effective_at, created_at)"
                " values (%s, %s, %s, %s, %s, %s, %s, %s)",
                [anna, booking, amount, kind, str(number), by, NOW, NOW + timedelta(minutes=number)],
            )

        await conn.execute(
            "insert into bonus_entries (user_id, visit_id, amount, kind, entry_key, created_by, effective_at, created_at)"
            " values (%s, %s, -60, 'redemption', 'till', %s, %s, %s)",
            [anna, booking, anna, NOW, NOW + timedelta(minutes=5)],
        )

    whole = (await admin.get(f"/admin/bookings/{booking}")).json()
    history = (await admin.get(f"/admin/bookings/{booking}/history")).json()["items"]

    assert whole["points"] == 100, "what it earned, whatever was spent for it"
    assert [(one["kind"], one["cause"], one["by_name"], one["after"]) for one in history] == [
        ("points", "person", "Анна", {"points": -60}),
        ("points", "person", "Анна", {"points": -25}),
        ("points", "programme", None, {"points": 125}),
    ]


async def test_payments_and_messages_stand_in_its_history_over_the_api(admin, pool: Pool) -> None:
    async with pool.connection() as conn:
        anna = await add_user(conn, name="Анна")
        booking = await put(
            pool, user_id=anna, matched_by="manual", paid=True, prepaid=False, online=False, created_by=7001
        )
        await conn.execute(
            "insert into booking_events (booking_id, at, kind, cause, before, after) values (%s, %s, 'paid', 'call',"
            """ '{"paid": false, "prepaid": false}', '{"paid": true, "prepaid": false}')""",
            [booking, NOW],
        )
        for minutes, channel, finished, error in (
            (1, "email", True, None),
            (2, None, True, "no_way"),
            (3, "phone", False, None),
        ):
            await conn.execute(
                "insert into outbox (user_id, channel, body, created_at, expires_at, next_attempt_at, finished_at, error, kind, booking_id)"
                " values (%(u)s, %(c)s, '', %(t)s, %(t)s, %(t)s, %(f)s, %(e)s, 'moved', %(b)s)",
                {
                    "u": anna,
                    "c": channel,
                    "t": NOW + timedelta(minutes=minutes),
                    "f": NOW + timedelta(minutes=minutes) if finished else None,
                    "e": error,
                    "b": booking,
                },
            )

    whole = (await admin.get(f"/admin/bookings/{booking}")).json()
    history = (await admin.get(f"/admin/bookings/{booking}/history")).json()["items"]

    assert [whole[name] for name in ("paid", "prepaid", "booked", "created_by")] == [
        True,
        False,
        "journal",
        7001,
    ]
    told = {"message": "moved", "to": "Анна", "to_user_id": anna}
    assert [(one["kind"], one["cause"], one["after"]) for one in history] == [
        ("message", "notices", told | {"channel": "phone", "outcome": "waiting"}),
        ("message", "notices", told | {"channel": None, "outcome": "no_way"}),
        ("message", "notices", told | {"channel": "email", "outcome": "sent"}),
        ("paid", "call", {"paid": True, "prepaid": False}),
    ]
    assert history[3]["after"]["paid"] is True, "and not 1"


async def test_its_history_is_read_newest_first(admin, pool: Pool) -> None:
    booking = await put(pool)
    async with pool.connection() as conn:
        maria = await add_user(conn, name="Мария")
        for kind, cause, by in (
            ("created", "call", None),
            ("price", "sync", None),
            ("link", "person", maria),
        ):
            await conn.execute(
                "insert into booking_events (booking_id, at, kind, cause, by_user_id, before, after)"
                """ values (%s, %s, %s, %s, %s, '{"service_price": 1}', '{"service_price": 2}')""",
                [booking, NOW, kind, cause, by],
            )

    first = (await admin.get(f"/admin/bookings/{booking}/history", params={"limit": 2})).json()
    rest = (
        await admin.get(f"/admin/bookings/{booking}/history", params={"cursor": first["next_cursor"]})
    ).json()

    assert [one["kind"] for one in first["items"] + rest["items"]] == ["link", "price", "created"]
    assert (first["items"][0]["by_name"], first["items"][0]["after"]) == ("Мария", {"service_price": 2})
    assert rest["next_cursor"] is None
    assert (await admin.get("/admin/bookings/999999/history")).status_code == 404
