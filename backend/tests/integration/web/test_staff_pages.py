"""Somebody is invited by the owner's page, signs up, works within their role, and the owner reads what they did."""

import re
from collections.abc import AsyncIterator, Iterator
from urllib.parse import urlsplit

import httpx2
import pytest

from tests.support.application import PASSWORD, Application, running_application
from tests.support.database import TestServer, open_folder
from tests.support.telegram import Telegram, running_telegram
from zerkalo.web.pages.cookies import SESSION

pytestmark = [pytest.mark.integration]


@pytest.fixture(scope="module")
def telegram() -> Iterator[Telegram]:
    with running_telegram() as running:
        yield running


@pytest.fixture(scope="module")
async def salon(database_server: TestServer, telegram: Telegram) -> AsyncIterator[Application]:
    with database_server.database() as dsn, open_folder() as folder:
        async with running_application(
            dsn,
            folder,
            PUBLIC_URL="http://localhost:8000",
            TELEGRAM_BOT_TOKEN="1:token-of-the-bot",
            TELEGRAM_API_URL=telegram.url,
        ) as application:
            yield application


def browser(salon: Application, session: str | None = None) -> httpx2.AsyncClient:
    client = salon.client(follow_redirects=True)
    client.headers["Accept"] = "text/html"
    if session:
        client.cookies.set(SESSION, session)
    return client


async def send(client: httpx2.AsyncClient, page: str, action: str, **fields: str) -> httpx2.Response:
    """Opens a page and sends a form of it as a browser without JavaScript does."""
    text = (await client.get(page)).text
    form = re.search(rf'<form[^>]*action="{re.escape(action)}".*?</form>', text, re.DOTALL)
    assert form is not None, f"{action} is not on {page}"
    hidden = dict(re.findall(r'type="hidden" name="(\w+)" value="([^"]*)"', form[0]))
    return await client.post(action, data={**hidden, **fields})


async def test_an_invited_receptionist_comes_in_and_the_owner_reads_what_they_did(salon: Application) -> None:
    owner_id = await salon.new_user(email="owner@example.com", name="Мария", role="owner")
    await salon.new_user(email="second@example.com", role="owner")
    client_id = await salon.new_user(name="Анна", unique_code="ANNA2345", password_hash=None)
    async with browser(salon, (await salon.session_of(owner_id)).refresh_token) as owner:
        wrong = await send(
            owner, "/admin/staff", "/admin/staff/invite", role="receptionist", password="wrong"
        )
        assert wrong.status_code == 403
        made = await send(
            owner, "/admin/staff", "/admin/staff/invite", role="receptionist", password=PASSWORD
        )
        link = re.search(r"/join\?code=[\w-]{43}", made.text)
        assert link is not None
        assert link[0] not in (await owner.get("/admin/staff")).text, "it is shown once"

        async with browser(salon) as vera:
            asked = await vera.get(link[0])
            assert "администратор" in asked.text
            sign_up = re.search(r'href="(/me/sign-up[^"]+)"', asked.text)
            assert sign_up is not None
            back = await send(
                vera,
                sign_up[1].replace("&amp;", "&"),
                "/me/sign-up",
                email="vera@example.com",
                password=PASSWORD,
                consent="1",
            )
            assert urlsplit(str(back.url)).path == "/join"
            await send(vera, link[0], "/join/staff")
            assert (await vera.get("/admin")).url.path == "/admin/bookings"
            assert (await vera.get("/admin/setup")).status_code == 403
            invited = await send(vera, f"/admin/users/{client_id}", f"/admin/users/{client_id}/invite")
            assert "/join?code=" in invited.text
        async with browser(salon) as eve:
            assert "уже воспользовались" in (await eve.get(link[0])).text

        (vera_row,) = await salon.fetch("select id, role from users where email = 'vera@example.com'")
        assert vera_row["role"] == "receptionist"
        log = (await owner.get("/admin/log")).text
        for words in (
            "Приглашён сотрудник",
            "Роль изменена",
            "стало: администратор",
            "Клиент приглашён в кабинет",
            ">Анна ANNA2345</a>",
        ):
            assert words in log
        only = (await owner.get("/admin/log", params={"who": vera_row["id"], "what": "user.invite"})).text
        assert "Роль изменена:" not in only
        assert (
            "There was nothing"
            in (
                await owner.get("/admin/log", params={"from": "2001-01-01", "to": "2001-01-02", "lang": "en"})
            ).text
        )

        await send(
            owner,
            "/admin/staff?lang=ru",
            "/admin/staff/role",
            user_id=str(vera_row["id"]),
            role="none",
            password=PASSWORD,
        )
        (vera_row,) = await salon.fetch("select role from users where email = 'vera@example.com'")
        assert vera_row["role"] is None


async def test_a_client_connects_telegram_and_chooses(salon: Application, telegram: Telegram) -> None:
    user_id = await salon.new_user(email="chat@example.com")
    async with browser(salon, (await salon.session_of(user_id)).refresh_token) as anna:
        shown = await send(anna, "/me/notices", "/me/notices/telegram")
        assert re.search(r'href="https://t\.me/salon_bot\?start=[\w-]{32}"', shown.text)
        assert telegram.calls == ["getMe"]
        await send(anna, "/me/notices", "/me/notices", by_telegram="1")
    (row,) = await salon.fetch(
        "select by_email, by_phone, by_telegram from notice_choices where user_id = %s", user_id
    )
    assert row == {"by_email": False, "by_phone": False, "by_telegram": True}


async def test_a_client_is_written_to_in_the_language_chosen_last(salon: Application) -> None:
    user_id = await salon.new_user(email="speaks@example.com")

    async def chosen() -> str | None:
        (row,) = await salon.fetch("select language from users where id = %s", user_id)
        return row["language"]

    async with browser(salon, (await salon.session_of(user_id)).refresh_token) as anna:
        await anna.get("/me", headers={"Accept-Language": "en"})
        assert await chosen() is None, "a browser's setting is no choice"
        await anna.get("/me?lang=en")
        assert await chosen() == "en"
        await send(anna, "/me/notices", "/me/notices", by_email="1", language="ru")
        assert await chosen() == "ru"
        await send(anna, "/me/notices", "/me/notices", by_email="1", language="xx")
        assert await chosen() == "ru"
