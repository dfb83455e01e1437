"""The journal's page: what its forms offer, and where they lead."""

import re
from collections.abc import AsyncIterator
from datetime import UTC, datetime

import httpx2
import pytest

from tests.support.application import COMPANY_ID, Application, running_application
from tests.support.database import TestServer, open_folder
from tests.support.rows import add_booking
from zerkalo.bookings.model import Status
from zerkalo.web.pages.cookies import SESSION

pytestmark = pytest.mark.integration

DAY = datetime(2031, 3, 3, 12, 0, tzinfo=UTC)


@pytest.fixture(scope="module")
async def salon(database_server: TestServer) -> AsyncIterator[Application]:
    with database_server.database() as dsn, open_folder() as folder:
        async with running_application(dsn, folder, PUBLIC_URL="http://localhost:8000") as application:
            async with application.runtime.pool.connection() as conn:
                for status in Status:
                    await add_booking(
                        conn,
                        company_id=COMPANY_ID,
                        appointment_datetime=DAY,
                        appointment_local=DAY.replace(tzinfo=None),
                        status=status,
                        client_name=f"Клиент {status}",
                    )
            yield application


@pytest.fixture
async def desk(salon: Application) -> AsyncIterator[httpx2.AsyncClient]:
    session = await salon.session_of(await salon.new_user(role="receptionist"))
    async with salon.client() as client:
        client.headers["Accept"] = "text/html"
        client.cookies.set(SESSION, session.refresh_token)
        yield client


async def test_the_day_can_be_narrowed_to_each_state(desk: httpx2.AsyncClient) -> None:
    page = (await desk.get("/admin/bookings", params={"day": "2031-03-03"})).text
    select = re.search(r'<select id="f-status".*?</select>', page, re.DOTALL)
    assert select is not None
    offered = re.findall(r'<option value="(\w+)"', select[0])

    assert offered == list(Status)
    for status in offered:
        shown = (await desk.get("/admin/bookings", params={"day": "2031-03-03", "status": status})).text
        assert re.findall(r"Клиент ([A-Z]+)", shown) == [status]
        assert f'<option value="{status}" selected>' in shown


async def test_an_emptied_search_leads_back_to_the_days_it_began_at(desk: httpx2.AsyncClient) -> None:
    here = {"view": "week", "day": "2031-03-03"}
    page = (await desk.get("/admin/bookings", params={**here, "q": "Клиент"})).text
    form = re.search(r'<form [^>]*class="search">.*?</form>', page, re.DOTALL)
    assert form is not None

    assert dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]+)"', form[0])) == here
