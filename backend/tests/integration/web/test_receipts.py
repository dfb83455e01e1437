"""The address of a booking just made: what a guest may see by it, and until when."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.application import COMPANY_ID, Application, running_application
from tests.support.rows import add_booking
from zerkalo.auth.rules import derive_key
from zerkalo.kit.language import NBSP
from zerkalo.web.pages.book import receipt
from zerkalo.web.pages.cookies import SESSION

pytestmark = pytest.mark.integration

STARTS = datetime(2027, 3, 5, 12, tzinfo=UTC)


@pytest.fixture
async def application(dsn: str, tmp_path: Path) -> AsyncIterator[Application]:
    async with running_application(dsn, tmp_path) as opened:
        yield opened


def address_of(application: Application, record_id: int = 501) -> str:
    key = derive_key(application.runtime.secret_key, "booking receipt")
    return f"/book/done/{receipt.sign(key, COMPANY_ID, record_id, STARTS)}"


async def booked(application: Application, **columns: object) -> None:
    async with application.runtime.pool.connection() as conn:
        await add_booking(
            conn,
            company_id=COMPANY_ID,
            yclients_record_id=501,
            appointment_datetime=STARTS,
            phone="+79161234567",
            comment="аллергия",
            client_name="Анна",
            **columns,
        )


async def test_the_calendar_file_tells_what_the_page_tells_and_nothing_of_the_person(
    application: Application,
):
    await booked(application)
    async with application.client() as guest:
        answer = await guest.get(f"{address_of(application)}/visit.ics")

    assert answer.status_code == 200
    assert answer.headers["content-type"].startswith("text/calendar")
    assert answer.headers["cache-control"] == "no-store"
    assert "DTSTART:20270305T120000Z" in answer.text
    assert "/book/done/" in answer.text.replace("\r\n ", "")
    assert not [word for word in ("9161234567", "аллергия", "Анна", "/me/visits") if word in answer.text]


async def test_a_record_given_to_another_client_is_shown_to_the_first_guest_no_more(application: Application):
    """They keep what they knew: the time at which they booked."""
    await booked(application, handed_over=True)
    async with application.client() as guest:
        page = await guest.get(address_of(application))
        event = await guest.get(f"{address_of(application)}/visit.ics")

    assert page.status_code == 200
    assert "Стрижка" not in page.text
    assert event.status_code == 404


@pytest.mark.parametrize("token", ["A" * 40, "", "%00", "x" * 300])
async def test_an_address_that_was_not_signed_leads_nowhere(application: Application, token: str):
    await booked(application)
    async with application.client() as guest:
        answer = await guest.get(f"/book/done/{token}/visit.ics")

    assert answer.status_code == 404


async def test_a_guest_is_told_what_the_visit_earns_and_what_that_takes(dsn: str, tmp_path: Path):
    async with running_application(dsn, tmp_path, LOYALTY_EXPIRE_DAYS="365") as application:
        await booked(application)
        async with application.client() as guest:
            page = (await guest.get(address_of(application))).text.replace(NBSP, " ")
            english = (await guest.get(address_of(application), params={"lang": "en"})).text.replace(
                NBSP, " "
            )

    assert "За этот визит: 125 баллов. Баллы сгорают, если не потратить их: срок 365 дней" in page
    assert "Для баллов нужен аккаунт." in page
    assert "This visit earns 125 points. Points expire unless they are spent" in english


async def test_a_cancelled_visit_promises_no_points(application: Application):
    await booked(application, status="CANCELLED")
    async with application.client() as guest:
        page = await guest.get(address_of(application))

    assert "Для баллов нужен аккаунт" not in page.text


async def test_users_see_when_their_first_points_burn(dsn: str, tmp_path: Path):
    async with running_application(dsn, tmp_path, LOYALTY_EXPIRE_DAYS="365") as application:
        user_id = await application.new_user(email="points@example.com")
        await application.execute(
            "insert into bonus_entries (user_id, amount, kind, reason, entry_key, effective_at, created_at)"
            " values (%s, 40, 'adjustment', 'подарок', 'a gift', '2027-03-04 22:30+00', now())",
            user_id,
        )
        session = await application.session_of(user_id)
        async with application.client() as user:
            user.headers["Cookie"] = f"__Host-{SESSION}={session.refresh_token}"
            pages = [(await user.get(path)).text.replace(NBSP, " ") for path in ("/me", "/me/points")]

    for page in pages:
        assert "Если не потратить: 04.03.2028 сгорит 40 баллов." in page
        assert "За состоявшийся визит начисляется 5 % от его цены." in page
