"""The address of a booking just made: what a guest may see by it, and until when."""

from collections.abc import AsyncIterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.support.application import COMPANY_ID, Application, running_application
from tests.support.rows import add_booking
from zerkalo.auth.rules import derive_key
from zerkalo.web.pages.book import receipt

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
