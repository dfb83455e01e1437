"""`GET /booking` and its like: what is mine, in which order, page by page, and nobody else's."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar

from tests.support.api import NOW, Api, ApiRuntime
from tests.support.rows import add_booking
from zerkalo.bookings import routes
from zerkalo.db.pool import Pool

FIELDS = (
    "id user_id matched_by company_id yclients_record_id client_id service_name service_price service_duration"
    " appointment_datetime status cancel_reason cancelled_at phone staff_name notes created_at updated_at"
)


@pytest.fixture
def api(pool: Pool) -> Api:
    return Api(ApiRuntime(pool), routes.router, routes.booking_router)


@pytest.fixture
async def anna(api) -> AsyncIterator[tuple[int, object]]:
    user_id, client = await api.new_user()
    async with client:
        yield user_id, client


async def book(pool, user_id, *hours, **columns):
    """Bookings so many hours from now."""
    async with pool.connection() as conn:
        return [
            await add_booking(conn, user_id=user_id, appointment_datetime=NOW + timedelta(hours=h), **columns)
            for h in hours
        ]


async def pages(client, path, **params):
    """Every page of a list, as ids."""
    found, cursor = [], {}
    while True:
        answer = await client.get(path, params=params | cursor)
        assert answer.status_code == 200, answer.text
        body = answer.json()
        found.append([item["id"] for item in body["items"]])
        if body["next_cursor"] is None:
            return found
        cursor = {"cursor": body["next_cursor"]}


async def test_a_booking_has_exactly_the_promised_fields(api, anna, pool):
    user_id, client = anna
    async with pool.connection() as conn:
        booking = await add_booking(
            conn,
            user_id=user_id,
            yclients_record_id=12345,
            client_id=67890,
            matched_by="manual",
            appointment_datetime=datetime(2025, 6, 1, 9, 0, tzinfo=UTC),
            appointment_local=datetime(2025, 6, 1, 12, 0),  # noqa: DTZ001  a wall clock
            status="CANCELLED",
            cancel_reason="no_show",
            cancelled_at=NOW,
            phone="+79991234567",
            staff_name="Ольга",
            created_at=NOW,
            updated_at=NOW,
        )

    shown = (await client.get(f"/booking/{booking}")).json()

    assert shown == {
        "id": booking,
        "user_id": user_id,
        "matched_by": "manual",
        "company_id": 1,
        "yclients_record_id": 12345,
        "client_id": 67890,
        "service_name": "Стрижка",
        "service_price": 250_000,
        "service_duration": 60,
        "appointment_datetime": "2025-06-01T12:00:00+03:00",
        "status": "CANCELLED",
        "cancel_reason": "no_show",
        "cancelled_at": "2025-06-02T12:00:00Z",
        "phone": "+79991234567",
        "staff_name": "Ольга",
        "notes": "YClients. ID: 12345",
        "created_at": "2025-06-02T12:00:00Z",
        "updated_at": "2025-06-02T12:00:00Z",
    }
    assert list(shown) == FIELDS.split()
    assert (await client.get("/booking")).json() == {"items": [shown], "next_cursor": None}


async def test_upcoming_start_now_or_later_and_are_not_cancelled_soonest_first(api, anna, pool):
    user_id, client = anna
    _, later, sooner, now = await book(pool, user_id, -1, 5, 2, 0)
    await book(pool, user_id, 3, status="CANCELLED")

    assert await pages(client, "/booking", upcoming_only=True) == [[now, sooner, later]]


async def test_otherwise_all_come_the_latest_first(api, anna, pool):
    user_id, client = anna
    past, later, sooner = await book(pool, user_id, -1, 5, 2)
    (cancelled,) = await book(pool, user_id, 3, status="CANCELLED")

    assert await pages(client, "/booking") == [[later, cancelled, sooner, past]]


@pytest.mark.parametrize("upcoming_only", [True, False])
async def test_pages_show_every_booking_once_though_many_start_at_the_same_time(
    api, anna, pool, upcoming_only
):
    user_id, client = anna
    ids = await book(pool, user_id, *[1] * 5, *[2] * 5)

    found = await pages(client, "/booking", upcoming_only=upcoming_only, limit=3)

    assert [len(page) for page in found] == [3, 3, 3, 1]
    assert [booking for page in found for booking in page] == (ids if upcoming_only else ids[::-1])


async def test_a_booking_made_between_two_pages_shifts_nothing(api, anna, pool):
    user_id, client = anna
    first, second, third = await book(pool, user_id, 1, 2, 3)
    page = (await client.get("/booking", params={"upcoming_only": True, "limit": 2})).json()
    await book(pool, user_id, 1)

    rest = await client.get(
        "/booking", params={"upcoming_only": True, "limit": 2, "cursor": page["next_cursor"]}
    )

    assert [item["id"] for item in page["items"]] == [first, second]
    assert [item["id"] for item in rest.json()["items"]] == [third]


async def test_a_status_filters_either_list(api, anna, pool):
    user_id, client = anna
    (confirmed,) = await book(pool, user_id, 1, status="CONFIRMED")
    (cancelled,) = await book(pool, user_id, 2, status="CANCELLED")

    assert await pages(client, "/booking", status="CANCELLED") == [[cancelled]]
    assert await pages(client, "/booking", status="CONFIRMED", upcoming_only=True) == [[confirmed]]
    assert await pages(client, "/booking", status="CANCELLED", upcoming_only=True) == [[]]


async def test_a_cursor_of_another_list_or_garbage_is_refused(api, anna, pool):
    user_id, client = anna
    await book(pool, user_id, 1, 2)
    cursor = (await client.get("/booking", params={"limit": 1})).json()["next_cursor"]

    for params in (
        {"cursor": cursor, "upcoming_only": True},
        {"cursor": cursor, "status": "PENDING"},
        {"cursor": "garbage"},
        {"cursor": ""},
    ):
        answer = await client.get("/booking", params=params)
        assert (answer.status_code, answer.json()["code"]) == (422, "invalid_cursor"), params
        assert answer.headers["content-type"] == "application/problem+json"


@pytest.mark.parametrize("params", [{"limit": 0}, {"limit": 201}, {"limit": "x"}, {"status": "DONE"}])
async def test_other_wrong_parameters_are_refused_too(api, anna, params):
    answer = await anna[1].get("/booking", params=params)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")


async def test_another_users_booking_is_as_if_it_were_not_there(api, anna, pool):
    _, client = anna
    other, other_client = await api.new_user()
    (theirs,) = await book(pool, other, 1)
    (nobodys,) = await book(pool, None, 1)

    answers = [await client.get(f"/booking/{booking}") for booking in (theirs, nobodys, 999_999)]

    assert {answer.status_code for answer in answers} == {404}
    assert len({answer.text for answer in answers}) == 1, "nothing tells one from the other"
    assert await pages(client, "/booking") == [[]]
    async with other_client:
        assert (await other_client.get(f"/booking/{theirs}")).status_code == 200


@pytest.mark.parametrize(
    "booking_id",
    ["0", "-1", "x", "1.5", "9223372036854775807", "9223372036854775808", "9" * 5000, "%00", "١"],
)
async def test_what_can_be_no_id_is_not_found(api, anna, booking_id):
    answer = await anna[1].get(f"/booking/{booking_id}")

    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


@pytest.mark.parametrize("path", ["/booking", "/booking/1"])
async def test_nobody_reads_no_bookings(api, path):
    async with api.client() as client:
        answer = await client.get(path)

    assert (answer.status_code, answer.json()["code"]) == (401, "not_signed_in")


async def test_a_calendar_address_opens_ones_own_bookings_until_it_is_replaced_or_revoked(api, anna, pool):
    user_id, client = anna
    await book(pool, user_id, 1, service_name="Стрижка Анны")
    await book(pool, user_id, 2, status="CANCELLED")
    await book(pool, user_id, -24 * 91)
    other, _ = await api.new_user()
    await book(pool, other, 1, service_name="Чужая")

    async def open_calendar(url):
        async with api.client() as nobody:
            return await nobody.get(url.replace("http://localhost:8000/api/v1", ""))

    first = (await client.post("/booking/calendar")).json()["url"]
    answer = await open_calendar(first)
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/calendar; charset=utf-8"
    assert answer.headers["cache-control"] == "private, no-store"
    events = Calendar.from_ical(answer.content).walk("VEVENT")
    assert [(str(event["summary"]), str(event["status"])) for event in events] == [
        ("Стрижка Анны", "CONFIRMED"),
        ("Стрижка", "CANCELLED"),
    ]

    second = (await client.post("/booking/calendar")).json()["url"]
    assert (await open_calendar(first)).status_code == 404
    assert (await open_calendar(second)).status_code == 200
    assert (await client.delete("/booking/calendar")).status_code == 204
    answer = await open_calendar(second)
    assert (answer.status_code, answer.json()["code"]) == (404, "not_found")


async def test_the_calendar_of_an_erased_account_is_closed(api, anna, pool):
    user_id, client = anna
    url = (await client.post("/booking/calendar")).json()["url"].replace("http://localhost:8000/api/v1", "")
    async with pool.connection() as conn:
        await conn.execute("update users set erased_at = %s where id = %s", [NOW, user_id])

    async with api.client() as nobody:
        assert (await nobody.get(url)).status_code == 404


async def test_only_a_hash_of_the_calendars_token_is_kept(api, anna, pool):
    url = (await anna[1].post("/booking/calendar")).json()["url"]
    token = url.partition("token=")[2]
    async with pool.connection() as conn:
        row = await (await conn.execute("select token_hash from calendar_tokens")).fetchone()

    assert len(token) >= 40
    assert token.encode() not in row[0]


@pytest.mark.parametrize("token", [None, "", "x", "%00", "'", "й"])
async def test_a_wrong_token_opens_nothing(api, token):
    async with api.client() as nobody:
        answer = await nobody.get("/booking/calendar.ics" + ("" if token is None else f"?token={token}"))

    assert answer.status_code == 404
