"""Pages of other origins call the API from a real browser: those that `CORS_ORIGINS` names, and no other."""

from typing import Any

import pytest
from playwright.async_api import Browser
from uvicorn import Config, Server

from tests.support.application import PASSWORD, free_port, serving
from tests.support.browser import Site, running_site
from tests.support.database import TestServer, open_folder

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CALLS = """async ({url, password, credentials}) => {
    const call = async (path, options = {}) => {
        try {
            const answer = await fetch(url + path, {credentials, ...options});
            return {status: answer.status, said: await answer.json(), retry: answer.headers.get("Retry-After")};
        } catch (error) { return {refused: error.name}; }
    };
    const json = {"Content-Type": "application/json"};
    const login = await call("/api/v1/auth/login",
        {method: "POST", headers: json, body: JSON.stringify({email: "anna@salon.test", password})});
    const token = {Authorization: `Bearer ${(login.said || {}).access_token}`};
    return {
        login: login.status || login.refused,
        me: await call("/api/v1/auth/me", {headers: token}),
        changed: await call("/api/v1/auth/me", {method: "PATCH", headers: {...token, ...json}, body: '{"name": "Анна"}'}),
        gone: await call("/api/v1/booking/1", {method: "DELETE", headers: token}),
    };
}"""


async def _empty_page(scope: Any, receive: Any, send: Any) -> None:
    """The other site: one page without anything."""
    if scope["type"] == "http":
        await send(
            {"type": "http.response.start", "status": 200, "headers": [(b"content-type", b"text/html")]}
        )
        await send({"type": "http.response.body", "body": b"<!doctype html><title>x</title>"})


async def call_from(browser: Browser, site: Site, origin: str, credentials: str = "omit") -> dict[str, Any]:
    """What a page of that origin reads of the API."""
    context = await browser.new_context()
    try:
        page = await context.new_page()
        await page.goto(origin)
        given = {"url": site.url, "password": PASSWORD, "credentials": credentials}
        return await page.evaluate(CALLS, given)
    finally:
        await context.close()


async def test_a_page_of_a_named_origin_uses_the_api_and_of_another_reads_nothing(
    database_server: TestServer, browser: Browser
) -> None:
    port = free_port()
    other_site = Server(Config(_empty_page, "127.0.0.1", port, lifespan="off", log_config=None))
    ours_at, foreign_at = f"http://localhost:{port}", f"http://127.0.0.1:{port}"
    with database_server.database() as dsn, open_folder() as folder:
        async with running_site(dsn, folder, CORS_ORIGINS=ours_at) as site, serving(other_site):
            await site.application.new_user(email="anna@salon.test", email_verified_at="2025-01-01")

            ours = await call_from(browser, site, ours_at)
            foreign = await call_from(browser, site, foreign_at)
            with_cookies = await call_from(browser, site, ours_at, credentials="include")

    assert ours["login"] == 200
    assert ours["me"]["said"]["email"] == "anna@salon.test"
    assert ours["changed"]["said"]["name"] == "Анна"
    assert (ours["gone"]["status"], ours["gone"]["said"]["code"]) == (404, "not_found")
    refused = {"refused": "TypeError"}
    assert foreign == {"login": "TypeError", "me": refused, "changed": refused, "gone": refused}
    assert with_cookies == {"login": "TypeError", "me": refused, "changed": refused, "gone": refused}
