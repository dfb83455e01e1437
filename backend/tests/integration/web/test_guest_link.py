"""The link by which a guest moves or cancels a booking without an account: who gets it, what it shows, when it ends."""

import re
from collections.abc import AsyncIterator

import httpx2
import pytest

from tests.integration.web.test_kept_forms import BROWSER, TYPED, chosen, fields_of
from tests.support.application import Application, free_port, running_application
from tests.support.database import TestServer, open_folder
from zerkalo.users.erasing.service import erase_oneself
from zerkalo.web.pages.book import guest as link

pytestmark = pytest.mark.integration

GUEST = TYPED | {"email": "anna.guest@example.com"}
OTHER = TYPED | {"phone": "+7 999 555-77-88"}
"""A phone may book so many times an hour."""


@pytest.fixture(scope="module")
async def salon(database_server: TestServer) -> AsyncIterator[Application]:
    with database_server.database() as dsn, open_folder() as folder:
        async with running_application(
            dsn, folder, PUBLIC_URL=f"http://localhost:{free_port()}"
        ) as application:
            yield application


async def book(salon: Application, guest: httpx2.AsyncClient) -> tuple[str, str]:
    """Books as a guest does: (address of the booking made, path of the link on it)."""
    form = await guest.get("/book", params=chosen(salon), headers=BROWSER)
    booked = await guest.post("/book", data=fields_of(form.text) | GUEST, headers=BROWSER)
    assert booked.status_code == 303, booked.text
    done = booked.headers["location"]
    page = await guest.get(done, headers=BROWSER)
    found = re.search(r'href="(/book/visit/[^"]+)"', page.text)
    assert found is not None, page.text
    return done, found[1]


async def post(guest: httpx2.AsyncClient, path: str, page: str, **fields: str) -> httpx2.Response:
    """Sends the form of a page as a browser does."""
    shown = await guest.get(page, headers=BROWSER)
    token = re.search(r'name="csrf" value="([^"]+)"', shown.text)
    csrf = token[1] if token else ""
    return await guest.post(path, data={"csrf": csrf, **fields}, headers=BROWSER)


async def row(salon: Application, path: str) -> dict[str, object]:
    """The booking behind a link."""
    form_id = link.read(key_of(salon), path.rpartition("/")[2])
    (found,) = await salon.fetch(
        "select b.* from bookings b join form_bookings f on f.company_id = b.company_id"
        " and f.record_id = b.yclients_record_id where f.api_id = %s",
        form_id,
    )
    return found


def key_of(salon: Application) -> bytes:
    from zerkalo.auth.rules import derive_key

    return derive_key(salon.runtime.secret_key, "booking receipt")


async def test_only_the_browser_that_booked_is_given_the_link(salon: Application) -> None:
    async with salon.client() as guest, salon.client() as friend:
        done, path = await book(salon, guest)
        passed_on = await friend.get(done, headers=BROWSER)

    assert path not in passed_on.text
    assert "/book/visit/" not in passed_on.text, (
        "the address of the booking is passed on, its calendar file holds it"
    )


@pytest.mark.parametrize("headers", [{}, {"Idempotency-Key": "1"}], ids=["no key", "a key one can guess"])
async def test_who_only_knows_the_wish_of_a_guest_of_the_api_is_given_no_link(
    salon: Application, headers: dict[str, str]
) -> None:
    """Before: the form, sent with the same name, phone and time, led to the guest's booking, and there it was cancelled."""
    choice = chosen(salon)
    wish = {
        "company_id": int(choice["company"]),
        "service_ids": [int(choice["service"])],
        "staff_id": int(choice["staff"]),
        "datetime": choice["time"],
        **{name: OTHER[name] for name in ("name", "phone", "comment")},
        "consent": True,
    }
    async with salon.client() as guest, salon.client() as stranger:
        made = await guest.post("/api/v1/booking", json=wish, headers=headers)
        assert made.status_code == 201, made.text
        form = await stranger.get("/book", params=choice, headers=BROWSER)
        sent = fields_of(form.text) | OTHER | {"key": headers.get("Idempotency-Key", "")}
        answer = await stranger.post("/book", data=sent, headers=BROWSER)

        assert answer.status_code in {403, 409}, answer.text
        assert not any("guest" in name for name in stranger.cookies)
        assert "/book/visit/" not in answer.text
        assert "/book/done/" not in answer.text


async def test_a_form_without_its_key_books_nothing_and_comes_back_with_one(salon: Application) -> None:
    async with salon.client() as guest:
        form = await guest.get("/book", params=chosen(salon), headers=BROWSER)
        sent = fields_of(form.text) | OTHER | {"key": ""}
        answer = await guest.post("/book", data=sent, headers=BROWSER)
        again = fields_of(answer.text)
        booked = [await guest.post("/book", data=again | {"consent": "1"}, headers=BROWSER) for _ in range(2)]

    assert answer.status_code == 403
    assert (again["name"], again["phone"]) == (OTHER["name"], OTHER["phone"])
    assert [one.status_code for one in booked] == [303, 303]
    assert booked[0].headers["location"] == booked[1].headers["location"], "sent twice it books once"


async def test_the_link_shows_what_was_booked_and_nothing_of_the_person_or_the_salon_s_notes(
    salon: Application,
) -> None:
    async with salon.client() as guest, salon.client() as elsewhere:
        _, path = await book(salon, guest)
        await salon.execute(
            "update bookings set comment = 'аллергия', phone = '+79990001122' where id = %s",
            (await row(salon, path))["id"],
        )
        page = await elsewhere.get(path, headers=BROWSER)

    assert page.status_code == 200
    assert str((await row(salon, path))["service_name"]) in page.text
    for text in ("Анна", "555-66", "anna.guest", "аллергия", "0001122", "9995556677"):
        assert text not in page.text


@pytest.mark.parametrize("below", ["", "/cancel", "/move"])
async def test_the_link_is_kept_out_of_search_engines_and_other_sites_logs(
    salon: Application, below: str
) -> None:
    async with salon.client() as guest:
        _, path = await book(salon, guest)
        page = await guest.get(path + below, headers=BROWSER)
        gone = await guest.get(f"{path[:-3]}AAA{below}", headers=BROWSER)

    assert page.status_code == 200, page.text
    assert page.headers["referrer-policy"] == "no-referrer"
    assert "noindex" in page.headers["x-robots-tag"]
    assert page.headers["cache-control"] == "no-store"
    assert gone.status_code == 404


async def test_looking_changes_nothing(salon: Application) -> None:
    """A messenger's preview, a mail scanner, HEAD."""
    async with salon.client() as guest:
        _, path = await book(salon, guest)
        before = await row(salon, path)
        for below in ("", "/cancel", "/move"):
            for method in ("GET", "HEAD"):
                assert (await guest.request(method, path + below, headers=BROWSER)).status_code == 200
        without_form = await guest.post(f"{path}/cancel", headers=BROWSER, data={"sure": "1"})

    assert without_form.status_code == 403
    after = await row(salon, path)
    assert [after[name] for name in ("status", "appointment_datetime")] == [
        before[name] for name in ("status", "appointment_datetime")
    ]


async def test_a_guest_cancels_once_however_often_the_link_is_opened(salon: Application) -> None:
    async with salon.client() as guest, salon.client() as elsewhere:
        _, path = await book(salon, guest)
        done = await post(elsewhere, f"{path}/cancel", f"{path}/cancel")
        again = await post(elsewhere, f"{path}/cancel", path)
        page = await elsewhere.get(path, headers=BROWSER)
        move = await elsewhere.get(f"{path}/move", headers=BROWSER)

    assert (done.status_code, done.headers["location"]) == (303, path)
    assert again.status_code in {303, 403}
    assert (await row(salon, path))["status"] == "CANCELLED"
    assert "Отменена" in page.text or "отменена" in page.text.lower()
    assert "Записаться снова" in page.text
    assert move.status_code == 409


async def test_a_guest_moves_and_is_asked_first(salon: Application) -> None:
    async with salon.client() as guest:
        _, path = await book(salon, guest)
        before = (await row(salon, path))["appointment_datetime"]
        days = await guest.get(f"{path}/move", headers=BROWSER)
        times = re.findall(r'name="time" value="([^"]+)"', days.text)
        sure = await post(guest, f"{path}/move", f"{path}/move", time=times[-1])
        assert "Перенести запись?" in sure.text
        assert (await row(salon, path))["appointment_datetime"] == before
        moved = await post(guest, f"{path}/move", f"{path}/move", time=times[-1], sure="1")
        again = await guest.get(path, headers=BROWSER)

    assert (moved.status_code, moved.headers["location"]) == (303, path)
    assert (await row(salon, path))["appointment_datetime"] != before
    assert "перенесена" in again.text.lower()


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ("handed_over = true", "Салон изменил эту запись"),
        ("erased_at = now()", "Салон изменил эту запись"),
        ("appointment_datetime = now() - interval '1 hour'", "Визит уже начался"),
    ],
)
async def test_the_link_ends_with_what_it_is_bound_to(salon: Application, change: str, words: str) -> None:
    async with salon.client() as guest:
        done, path = await book(salon, guest)
        booking = await row(salon, path)
        await salon.execute(f"update bookings set {change} where id = %s", booking["id"])
        page = await guest.get(path, headers=BROWSER)
        cancel = await post(guest, f"{path}/cancel", done)
        receipt = await guest.get(done, headers=BROWSER)

    assert page.status_code == 410
    assert words in page.text
    assert str(booking["service_name"]) not in page.text
    assert cancel.status_code in {403, 404, 410}
    assert (await row(salon, path))["status"] != "CANCELLED"
    assert ("Салон изменил" in words and path not in receipt.text) or "Визит" in words


async def test_a_visit_that_came_to_an_account_is_changed_there(salon: Application) -> None:
    async with salon.client() as guest:
        _, path = await book(salon, guest)
        user_id = await salon.new_user(email="claims@example.com")
        await salon.execute(
            "update bookings set user_id = %s, matched_by = 'manual' where id = %s",
            user_id,
            (await row(salon, path))["id"],
        )
        page = await guest.get(path, headers=BROWSER)
        refused = await guest.get(f"{path}/cancel", headers=BROWSER)

        assert (page.status_code, refused.status_code) == (410, 410)
        assert "в аккаунте" in page.text
        await erase_oneself(salon.runtime.people, user_id, now=salon.runtime.clock())
        erased = await guest.get(path, headers=BROWSER)
    assert erased.status_code == 410
    assert "Салон изменил" in erased.text


async def test_the_confirmation_by_mail_carries_the_link_once(database_server: TestServer) -> None:
    """Where the salon sends confirmations; however often the form is sent, and to nobody who gave no e-mail."""
    with database_server.database() as dsn, open_folder() as folder:
        async with (
            running_application(
                dsn,
                folder,
                with_worker=False,
                is_demo=True,
                NOTICES="confirmation",
                PUBLIC_URL=f"http://localhost:{free_port()}",
            ) as wordy,
            wordy.client() as guest,
        ):
            form = await guest.get("/book", params=chosen(wordy), headers=BROWSER)
            sent = fields_of(form.text) | GUEST
            for _ in range(2):
                assert (await guest.post("/book", data=sent, headers=BROWSER)).status_code == 303
            form = await guest.get("/book", params=chosen(wordy), headers=BROWSER)
            await guest.post("/book", data=fields_of(form.text) | TYPED | {"email": ""}, headers=BROWSER)
            mails = await wordy.fetch("select recipient, subject, body, user_id from outbox")

            assert [(one["recipient"], one["user_id"]) for one in mails] == [("anna.guest@example.com", None)]
            found = re.search(r"http://localhost:\d+(/book/visit/\S+)", mails[0]["body"])
            assert found is not None
            assert (await guest.get(found[1], headers=BROWSER)).status_code == 200
            for text in ("Анна", "555-66", "9995556677"):
                assert text not in mails[0]["body"]


async def test_a_user_s_own_booking_has_no_such_link(salon: Application) -> None:
    user_id = await salon.new_user(email="own@example.com", name="Анна", phone="+79995550011")
    session = await salon.session_of(user_id)
    from zerkalo.web.pages.cookies import SESSION

    async with salon.client() as user:
        user.cookies.set(SESSION, session.refresh_token)
        form = await user.get("/book", params=chosen(salon), headers=BROWSER)
        booked = await user.post("/book", data=fields_of(form.text) | GUEST, headers=BROWSER)
        page = await user.get(booked.headers["location"], headers=BROWSER)

    assert "/book/visit/" not in page.text


@pytest.mark.parametrize("token", ["A" * 43, "%00", "x" * 300, "%D1%8F", "=" * 10])
async def test_an_address_that_was_not_signed_leads_nowhere(salon: Application, token: str) -> None:
    async with salon.client() as guest:
        assert (await guest.get(f"/book/visit/{token}", headers=BROWSER)).status_code == 404


def test_a_token_is_bound_to_its_booking_and_key() -> None:
    token = link.sign(b"key", "a" * 32)

    assert link.read(b"key", token) == "a" * 32
    assert link.sign(b"key", "b" * 32) != token
    for key, text in ((b"other", token), (b"key", token[:-1]), (b"key", "B" + token[1:])):
        with pytest.raises(Exception, match="not_found"):
            link.read(key, text)
