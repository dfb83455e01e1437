"""A6: of a visit booked with a stranger's phone its user is told the visit, and nothing of the phone's owner."""

from collections.abc import AsyncIterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.application import COMPANY_ID, Application, running_application
from tests.support.database import TestServer
from yclients_emulator import desk
from zerkalo.web.pages.cookies import SESSION

pytestmark = pytest.mark.integration

PHONE, NEW_PHONE = "+79161234567", "+79167654321"
KEYED = {"Idempotency-Key": "a-key-of-the-test"}
SURNAME, NOTE, EMAIL = "Невидимова", "ей 5 мая сорок лет", "maria@mail.test"


@pytest.fixture
async def application(database_server: TestServer, tmp_path: Path) -> AsyncIterator[Application]:
    with database_server.database() as address:
        async with running_application(address, tmp_path) as running:
            yield running


async def booked_with_marias_phone(
    application: Application, user_id: int, email: str = "guest@mail.test"
) -> tuple[int, dict[str, Any]]:
    """Maria's card is known; a guest books in our form with her phone; the salon writes about her.

    The booking's id, and the body that booked it.
    """
    first = desk.create(
        application.emulator,
        company_id=COMPANY_ID,
        service_ids=(3001,),
        phone=PHONE.removeprefix("+"),
        name="Мария",
        email=EMAIL,
    )
    await application.mirror(first.id)
    async with await application.as_user(user_id) as guest:
        day = (application.runtime.clock() + timedelta(days=2)).date()
        asked = {"service_ids": 3001, "staff_id": 501}
        times: list[str] = []
        while not times:
            day += timedelta(days=1)
            answer = await guest.get("/api/v1/booking/times", params={**asked, "date": day.isoformat()})
            times = [one["datetime"] for one in answer.json()["items"]]
        wish = {"service_ids": [3001], "staff_id": 501, "datetime": times[0], "consent": True}
        wish |= {"name": "Гость", "phone": PHONE, "email": email}
        made = await guest.post("/api/v1/booking", json=wish, headers=KEYED)
    assert made.status_code == 201, made.text
    (row,) = await application.fetch("select * from bookings where user_id = %s", user_id)
    record_id = row["yclients_record_id"]
    comment = application.emulator.vendor.record(record_id).comment
    desk.change(application.emulator, record_id, comment=f"{comment}\n{NOTE}")
    client_id = application.emulator.vendor.record(record_id).client_id
    assert client_id is not None
    application.emulator.vendor.change_client(
        application.emulator.now(), client_id, surname=SURNAME, phone=NEW_PHONE.removeprefix("+")
    )
    await application.mirror(record_id)
    return row["id"], wish


async def told_everywhere(
    application: Application, user_id: int, booking_id: int, wish: dict[str, Any]
) -> dict[str, str]:
    """All that the user can read of their visits: API, repeated requests, pages, feed, export."""
    (row,) = await application.fetch("select * from bookings where id = %s", booking_id)
    record = application.emulator.vendor.record(row["yclients_record_id"])
    claim = {"company_id": COMPANY_ID, "record_id": record.id, "record_hash": record.record_hash}
    async with await application.as_user(user_id) as guest:
        feed = (await guest.post("/api/v1/booking/calendar")).json()
        addresses = ("/api/v1/booking", f"/api/v1/booking/{booking_id}", "/api/v1/auth/me/export")
        told = {address: (await guest.get(address)).text for address in addresses}
        for name, repeated in (
            ("booked again", guest.post("/api/v1/booking", json=wish, headers=KEYED)),
            ("claimed", guest.post("/api/v1/booking/claim", json=claim)),
            (
                "moved to where it is",
                guest.patch(f"/api/v1/booking/{booking_id}", json={"datetime": wish["datetime"]}),
            ),
        ):
            answer = await repeated
            assert answer.is_success, (name, answer.text)
            told[name] = answer.text
        told["feed"] = (await guest.get(feed["url"].removeprefix("https://salon.test"))).text
    session = await application.session_of(user_id)
    async with application.client() as browser:
        browser.headers["Accept"] = "text/html"
        browser.cookies.set(f"__Host-{SESSION}", session.refresh_token)
        for address in ("/me", f"/me/visits/{booking_id}"):
            answer = await browser.get(address)
            assert answer.status_code == 200, address
            told[address] = answer.text
    return told


async def test_a_guest_with_a_strangers_phone_is_told_nothing_of_the_stranger(
    application: Application,
) -> None:
    guest = await application.new_user(
        email="guest@mail.test",
        email_verified_at="2026-01-01T00:00:00Z",
        unique_code="GUEST123",
        name="Гость",
    )
    booking_id, wish = await booked_with_marias_phone(application, guest)

    told = await told_everywhere(application, guest, booking_id, wish)

    (row,) = await application.fetch("select * from bookings where id = %s", booking_id)
    assert (row["matched_by"], row["phone"], NOTE in row["comment"]) == ("form", NEW_PHONE, True)
    for address, text in told.items():
        for secret in (SURNAME, "Мария", NOTE, EMAIL, NEW_PHONE, NEW_PHONE[-7:]):
            assert secret not in text, address
    assert "Код клиента: GUEST123" in told["/api/v1/booking"], "the visit is theirs, with its code"


async def test_the_owner_of_the_phone_is_told_of_their_own_visits(application: Application) -> None:
    guest = await application.new_user(email="guest@mail.test", email_verified_at="2026-01-01T00:00:00Z")
    booking_id, wish = await booked_with_marias_phone(application, guest)
    await application.execute(
        "update users set phone = %s, phone_verified_at = now() where id = %s", NEW_PHONE, guest
    )

    told = await told_everywhere(application, guest, booking_id, wish)

    for name in (f"/api/v1/booking/{booking_id}", "/api/v1/auth/me/export", "booked again", "claimed"):
        assert NOTE in told[name], name


async def test_an_email_that_stood_on_the_card_first_tells_nothing_where_it_does_not_count_alone(
    database_server: TestServer, tmp_path: Path
) -> None:
    with database_server.database() as address:
        async with running_application(address, tmp_path, MATCH_EMAIL_ALONE="False") as application:
            guest = await application.new_user(email=EMAIL, email_verified_at="2026-01-01T00:00:00Z")
            booking_id, wish = await booked_with_marias_phone(application, guest, EMAIL)

            told = await told_everywhere(application, guest, booking_id, wish)

    assert [name for name, text in told.items() if NOTE in text or NEW_PHONE[-7:] in text] == []


async def test_points_of_a_visit_that_is_anothers_now_tell_nothing_of_it(application: Application) -> None:
    first, other = await application.new_user(), await application.new_user()
    await application.execute(
        "insert into bookings (company_id, yclients_record_id, user_id, appointment_datetime, service_name)"
        " values (%s, 1, %s, now(), 'Стрижка')",
        COMPANY_ID,
        first,
    )
    await application.execute(
        "insert into bonus_entries (user_id, booking_id, amount, kind, reason, entry_key, effective_at, created_at)"
        " select user_id, id, 90, 'accrual', 'completed', 'a visit', now(), now() from bookings"
    )
    session = await application.session_of(first)
    async with application.client() as browser:
        browser.headers |= {"Accept": "text/html", "Cookie": f"__Host-{SESSION}={session.refresh_token}"}
        before = await browser.get("/me/points")
        await application.execute(
            "update bookings set user_id = %s, service_name = 'Окрашивание', handed_over = true", other
        )
        after = await browser.get("/me/points")

    assert "Стрижка" in before.text
    assert "Окрашивание" not in after.text
    assert "90" in after.text
