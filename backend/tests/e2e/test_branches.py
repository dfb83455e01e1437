"""A chain of branches: which one is chosen first, and said wherever a visit is shown."""

from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser

from tests.support.application import COMPANY_ID
from tests.support.browser import Site, running_site, visitor
from tests.support.database import TestServer, open_folder
from yclients_emulator import desk

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

URAL_ID = 100201
URAL = "Салон «Отражение» на Урале"
PHONE = "+79995550077"


@pytest.fixture(scope="module")
async def site(database_server: TestServer) -> AsyncIterator[Site]:
    """A salon of two branches."""
    with database_server.database() as dsn, open_folder() as folder:
        async with running_site(dsn, folder, YCLIENTS_COMPANY_ID=f"{COMPANY_ID},{URAL_ID}") as running:
            await running.application.execute(
                "insert into companies (id, title, timezone_name) values (%s, %s, 'Asia/Yekaterinburg')",
                URAL_ID,
                URAL,
            )
            yield running


async def test_a_branch_is_chosen_and_said_wherever_the_visit_is(
    browser: Browser, site: Site, width: int
) -> None:
    user_id = await site.application.new_user(
        name="Анна Примерова", phone=PHONE, email=f"branch{width}@example.com", unique_code=f"BRNC{width:04}"
    )
    async with visitor(browser, site, width=width, user_id=user_id) as anna:
        await anna.open("/book")
        assert await anna.heading() == "Куда записать?"
        assert "Шаг 1 из 5" in await anna.text()
        await anna.must_be_fit()
        await anna.click(f"button:has-text('{URAL}')")
        await anna.page.check("label:has-text('Женская стрижка')")
        await anna.click("text=Дальше")
        await anna.click("button:has-text('Любой мастер')")
        await anna.click(anna.page.locator("button[name=time]").first)
        await anna.page.check("[name=consent]")
        assert URAL in await anna.text()
        await anna.must_be_fit()
        await anna.click("#contacts p.actions button.primary")
        await anna.page.wait_for_selector("h1:has-text('Вы записаны')")
        assert URAL in await anna.text()
        await anna.must_be_fit()

        await anna.open("/me")
        assert URAL in await anna.page.locator(".visit-link").inner_text()
        await anna.click(".visit-link")
        assert URAL in await anna.text()
        await anna.click("main a.button:text-is('Отменить')")
        assert URAL in await anna.text()
        await anna.click("text=Да, отменить")
        assert "Запись отменена" in await anna.text()
    found = desk.truths(site.application.emulator, URAL_ID)
    mine = [one for one in found if one["phone"] and PHONE.lstrip("+") in str(one["phone"])]
    assert [one["deleted"] for one in mine] == [True] * len(mine)
    assert mine
