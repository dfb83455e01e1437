"""A booking form that is refused before anybody reads it keeps what was typed, with and without JavaScript."""

import re
from collections.abc import AsyncIterator
from datetime import timedelta

import httpx2
import pytest

from tests.support.application import COMPANY_ID, Application, free_port, running_application
from tests.support.database import TestServer, open_folder
from yclients_emulator import desk

pytestmark = pytest.mark.integration

BROWSER, HTMX = {"Accept": "text/html"}, {"Accept": "*/*", "HX-Request": "true"}
TYPED = {"name": "Анна Петрова", "phone": "+7 999 555-66-77", "comment": "Без лака", "consent": "1"}


@pytest.fixture(scope="module")
async def salon(database_server: TestServer) -> AsyncIterator[Application]:
    with database_server.database() as dsn, open_folder() as folder:
        async with running_application(
            dsn, folder, PUBLIC_URL=f"http://localhost:{free_port()}"
        ) as application:
            yield application


def chosen(salon: Application) -> dict[str, str]:
    """A free time of somebody, as the form carries it."""
    staff_id, free = desk.earliest(
        salon.emulator, COMPANY_ID, (3001,), None, None, timedelta(hours=1).seconds
    )
    return {
        "company": str(COMPANY_ID),
        "service": "3001",
        "staff": str(staff_id),
        "time": f"{free.isoformat()}+03:00",
    }


def fields_of(page: str) -> dict[str, str]:
    """What the form on the page would send."""
    form = page[page.index('id="contacts"') :]
    values = dict(re.findall(r'<input[^>]*name="(\w+)"[^>]*value="([^"]*)"', form))
    comment = re.search(r"<textarea[^>]*>\s*(.*?)</textarea>", form, re.DOTALL)
    return values | {"comment": comment[1] if comment else ""}


@pytest.mark.parametrize("headers", [BROWSER, HTMX], ids=["without script", "with script"])
async def test_an_expired_form_comes_back_fresh_with_everything_typed(
    salon: Application, headers: dict[str, str]
) -> None:
    sent = chosen(salon) | TYPED | {"csrf": "of a session long gone", "key": f"key-{len(headers)}"}
    async with salon.client() as guest:
        refused = await guest.post("/book", data=sent, headers=headers)

        assert refused.status_code == 403
        assert "Форма устарела" in refused.text
        again = fields_of(refused.text)
        assert {name: again[name] for name in sent if name != "csrf"} == {
            name: value for name, value in sent.items() if name != "csrf"
        }
        booked = await guest.post("/book", data=again, headers=headers)
        assert (booked.status_code, booked.headers["location"][:11]) == (303, "/book/done/")


@pytest.mark.parametrize(
    ("site", "is_kept"), [("same-origin", True), ("cross-site", False), ("same-site", False)]
)
@pytest.mark.parametrize("path", ["/book", "/book/choose"])
async def test_a_form_of_another_site_does_not_choose_the_key(
    salon: Application, path: str, site: str, *, is_kept: bool
) -> None:
    """Before: a guest booked by the key that the other site had chosen, and by it was given away the guest's link."""
    sent = chosen(salon) | TYPED | {"csrf": "", "key": "chosen-elsewhere"}
    async with salon.client() as guest:
        refused = await guest.post(path, data=sent, headers=BROWSER | {"Sec-Fetch-Site": site})

    assert refused.status_code == 403
    again = fields_of(refused.text)
    assert again["key"]
    assert (again["key"] == sent["key"]) == is_kept


@pytest.mark.parametrize("headers", [BROWSER, HTMX], ids=["without script", "with script"])
@pytest.mark.parametrize(
    ("path", "sent", "status"),
    [
        ("/book", {"comment": "я" * 50_000}, 413),
        ("/book/nowhere", TYPED, 404),
        ("/book/done/unsigned", {}, 405),
    ],
)
async def test_whoever_sends_a_form_is_answered_with_a_page(
    salon: Application, headers: dict[str, str], path: str, sent: dict[str, str], status: int
) -> None:
    async with salon.client() as guest:
        answer: httpx2.Response = await guest.post(path, data=sent, headers=headers)
    assert answer.status_code == status
    assert 'id="error-text"' in answer.text


async def test_a_failure_of_ours_gives_the_typed_back(salon: Application) -> None:
    """A 5xx that no page expects, here the database's, is a page that can send the same form again."""
    async with salon.client() as guest:
        page = await guest.get("/book", params=chosen(salon), headers=BROWSER)
        sent = fields_of(page.text) | TYPED
        await salon.execute("alter table form_bookings rename to form_bookings_away")
        try:
            failed = await guest.post("/book", data=sent, headers=BROWSER)
        finally:
            await salon.execute("alter table form_bookings_away rename to form_bookings")
        assert failed.status_code == 500
        assert 'value="Анна Петрова"' in failed.text
        assert 'action="/book"' in failed.text

        token = re.search(r'name="csrf" value="([^"]+)"', failed.text)
        assert token is not None
        booked = await guest.post("/book", data=sent | {"csrf": token[1]}, headers=BROWSER)
        assert booked.status_code == 303
