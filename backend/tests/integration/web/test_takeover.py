"""Signing up after a guest's booking: what was typed is taken over, in no address, and proves nothing."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.integration.web.test_kept_forms import BROWSER, TYPED, chosen, fields_of
from tests.support.application import Application, free_port, running_application
from tests.support.database import TestServer, open_folder
from zerkalo.web.pages.cookies import TYPED as COOKIE

pytestmark = pytest.mark.integration

GUEST = TYPED | {"email": "anna.guest@example.com"}


@pytest.fixture(scope="module")
async def salon(database_server: TestServer) -> AsyncIterator[Application]:
    with database_server.database() as dsn, open_folder() as folder:
        async with running_application(
            dsn, folder, PUBLIC_URL=f"http://localhost:{free_port()}"
        ) as application:
            yield application


async def book(salon: Application, guest: httpx2.AsyncClient) -> str:
    """Book as a guest does; returns the address of the booking."""
    page = await guest.get("/book", params=chosen(salon), headers=BROWSER)
    booked = await guest.post("/book", data=fields_of(page.text) | GUEST, headers=BROWSER)
    assert booked.status_code == 303, booked.text
    return booked.headers["location"]


def value_of(page: str, name: str) -> str:
    found = re.search(rf'<input[^>]*name="{name}"[^>]*>', page)
    assert found is not None
    value = re.search(r'value="([^"]*)"', found[0])
    return value[1] if value else ""


async def test_what_a_guest_typed_is_taken_over_and_stands_in_no_address(salon: Application) -> None:
    async with salon.client() as guest:
        done = await book(salon, guest)
        page = await guest.get(done, headers=BROWSER)
        form = await guest.get("/me/sign-up", headers=BROWSER)

    for text in ("Анна Петрова", "999", "anna.guest"):
        assert text not in done
        assert text not in page.text, "the address may be passed on"
    assert 'href="/me/sign-up"' in page.text
    assert "взяты из вашей записи" in form.text
    assert form.headers["cache-control"] == "no-store"
    assert {name: value_of(form.text, name) for name in ("name", "email", "phone")} == {
        name: GUEST[name] for name in ("name", "email", "phone")
    }
    assert "checked" not in form.text, "consent to an account is a consent of its own"


async def test_signing_up_by_what_was_typed_proves_nothing(salon: Application) -> None:
    async with salon.client() as guest:
        await book(salon, guest)
        form = (await guest.get("/me/sign-up", headers=BROWSER)).text
        sent = {name: value_of(form, name) for name in ("csrf", "next", "name", "email", "phone")}
        signed_up = await guest.post(
            "/me/sign-up", data=sent | {"password": "long enough", "consent": "1"}, headers=BROWSER
        )
        assert signed_up.status_code == 303, signed_up.text
        kept = guest.cookies.get(COOKIE)

    (user,) = await salon.fetch("select * from users where email = %s", GUEST["email"])
    assert (user["name"], user["phone"]) == ("Анна Петрова", "+79995556677")
    assert (user["email_verified_at"], user["phone_verified_at"]) == (None, None)
    assert await salon.fetch("select from bookings where user_id = %s", user["id"]) == []
    assert not kept


async def test_whoever_begins_another_booking_is_not_told_who_booked_before(salon: Application) -> None:
    """A tablet in the salon is passed on."""
    async with salon.client() as guest:
        await book(salon, guest)
        await guest.get("/book", headers=BROWSER)
        form = await guest.get("/me/sign-up", headers=BROWSER)

    assert value_of(form.text, "phone") == ""


async def test_the_booking_of_somebody_signed_in_leaves_nothing_behind(salon: Application) -> None:
    user_id = await salon.new_user(email="signed.in@example.com", name="Вера")
    session = await salon.session_of(user_id)
    async with salon.client() as user:
        user.cookies.set("zerkalo_session", session.refresh_token)
        await book(salon, user)
        assert user.cookies.get(COOKIE) is None


@pytest.mark.parametrize("forged", ["x", "!!!!", "eyJhIjoxfQ==", "WyJhIl0="])
async def test_what_is_not_ours_fills_in_nothing(salon: Application, forged: str) -> None:
    async with salon.client() as guest:
        guest.cookies.set(COOKIE, forged)
        form = await guest.get("/me/sign-up", headers=BROWSER)

    assert form.status_code == 200
    assert value_of(form.text, "name") == ""
