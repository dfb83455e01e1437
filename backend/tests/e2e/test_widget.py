"""YCLIENTS's own form beside the client's code, where the salon names it in its settings."""

import json
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Browser, Route

from tests.support.browser import PAGE_BYTES_MAX, Site, running_site, visitor
from tests.support.database import TestServer, open_folder
from yclients_emulator import desk

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

FORM = "https://n300400.yclients.com/company/100200/personal/menu?o="


@pytest.fixture(scope="module")
async def site(database_server: TestServer) -> AsyncIterator[Site]:
    """A salon that keeps YCLIENTS's form."""
    with database_server.database() as dsn, open_folder() as folder:
        async with running_site(dsn, folder, YCLIENTS_WIDGET_URL=FORM) as running:
            yield running


async def _stand_in(route: Route) -> None:
    """In YCLIENTS's place; the tests reach nobody outside."""
    await route.fulfill(content_type="text/html; charset=utf-8", body="<title>x</title><h1>Форма салона</h1>")


async def test_the_form_stands_beside_the_code(browser: Browser, site: Site, width: int) -> None:
    user_id = await site.application.new_user(email=f"w{width}@example.com", unique_code=f"WDG{width:05}")
    async with visitor(browser, site, width=width, user_id=user_id) as anna:
        await anna.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await anna.page.context.route("https://n300400.yclients.com/**", _stand_in)
        assert await anna.open("/book/widget") == 200

        frame = anna.page.frame_locator("iframe")
        assert await frame.locator("h1").inner_text() == "Форма салона"
        await anna.click("[data-copy]")
        await anna.page.wait_for_selector("text=Скопировано")
        assert await anna.page.evaluate("navigator.clipboard.readText()") == f"Код клиента: WDG{width:05}"
        assert await anna.page_bytes() < PAGE_BYTES_MAX
        await anna.must_be_fit()


async def test_only_this_page_may_show_a_frame_and_only_from_there(browser: Browser, site: Site) -> None:
    async with visitor(browser, site) as guest:
        await guest.page.context.route("https://n300400.yclients.com/**", _stand_in)
        policies = {}
        for path in ("/book/widget", "/book", "/"):
            answer = await guest.page.goto(site.url + path)
            assert answer is not None
            policies[path] = answer.headers["content-security-policy"]
    assert "frame-src https://n300400.yclients.com" in policies["/book/widget"].split("; ")
    assert [path for path, policy in policies.items() if "frame-src" in policy] == ["/book/widget"]


@pytest.mark.parametrize("as_text", [False, True], ids=["an object", "a text"])
async def test_what_the_form_says_it_has_booked_becomes_ones_own(
    browser: Browser, site: Site, as_text: bool
) -> None:
    record = desk.create(site.application.emulator, company_id=100200, service_ids=(3001,), name="Чужое имя")
    booked = {"action": "booked", "params": {"appointments": [{"id": record.id, "hash": record.record_hash}]}}
    data = json.dumps(json.dumps(booked) if as_text else booked)
    body = f"<title>x</title><script>parent.postMessage({data}, '*')</script>"
    user_id = await site.application.new_user(unique_code=f"WDGCL{as_text:03}")

    async with visitor(browser, site, user_id=user_id) as anna:
        await anna.page.context.route(
            "https://n300400.yclients.com/**",
            lambda route: route.fulfill(content_type="text/html; charset=utf-8", body=body),
        )
        await anna.page.goto(f"{site.url}/book/widget")
        await anna.page.wait_for_url("**/me/visits/*")
        assert await anna.page.get_by_text("Запись теперь в «Моих визитах».").count() == 1

    (row,) = await site.application.fetch(
        "select user_id, matched_by from bookings where yclients_record_id = %s", record.id
    )
    assert (row["user_id"], row["matched_by"]) == (user_id, "form")
