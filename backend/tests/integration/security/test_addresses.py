"""Addresses as people and programs write them: HEAD for every GET, a slash at the end, never another host."""

import pytest

from tests.integration.security.test_matrix import endpoints
from tests.support.application import Application

pytestmark = pytest.mark.integration

BROWSER = {"Accept": "text/html"}
ONE_OF_EACH = (
    "/healthz",
    "/readyz",
    "/metrics",
    "/openapi.json",
    "/docs",
    "/",
    "/book/widget",
    "/me",
    "/api/v1/booking",
    "/api/v1/booking/calendar.ics",
    "/api/v1/booking/calendar.ics?token=unknown",
    "/static/x/app.css",
    "/static/x/none.css",
    "/nothing",
)


@pytest.mark.parametrize("path", ONE_OF_EACH)
async def test_head_is_answered_as_get_without_the_body(application: Application, path: str) -> None:
    async with application.client() as client:
        get, head = await client.get(path), await client.head(path)
    assert (head.status_code, head.content) == (get.status_code, b"")
    for name in ("content-type", "content-length", "cache-control", "location"):
        if path != "/metrics":  # its length changes with every call
            assert head.headers.get(name) == get.headers.get(name)


async def test_no_get_refuses_head(application: Application) -> None:
    """405 is an answer about the method alone; every other one shows that HEAD came through."""
    found = {
        one.removeprefix("GET ") for one in endpoints(application.app.router.routes) if one[:4] == "GET "
    }
    assert len(found) > 50
    async with application.client() as client:
        for path in found:
            answer = await client.head(path.replace("{", "").replace(":path}", "").replace("}", ""))
            assert answer.status_code != 405, path


@pytest.mark.parametrize(
    ("method", "path", "allowed"),
    [
        ("DELETE", "/healthz", "GET, HEAD"),
        ("PUT", "/api/v1/booking/calendar.ics", "GET, HEAD, PATCH, DELETE"),
        ("PUT", "/api/v1/booking", "GET, HEAD, POST"),
        ("DELETE", "/me", "GET, HEAD"),
        ("GET", "/me/sign-out", "POST"),
        ("HEAD", "/me/sign-out", "POST"),
    ],
)
async def test_a_wrong_method_is_told_the_right_ones(
    application: Application, method: str, path: str, allowed: str
) -> None:
    async with application.client() as client:
        answer = await client.request(method, path)
    assert (answer.status_code, answer.headers["allow"]) == (405, allowed)


@pytest.mark.parametrize(
    ("path", "to"),
    [
        ("/book/", "/book"),
        ("/me/", "/me"),
        ("/book/?company=1&service=2", "/book?company=1&service=2"),
        ("/me/visits//", "/me/visits"),
        ("//evil.example/", "/evil.example"),
        ("/\\evil.example/", "/%5Cevil.example"),
    ],
)
async def test_a_slash_at_the_end_leads_to_the_page(application: Application, path: str, to: str) -> None:
    headers = BROWSER | {"Host": "evil.example"}
    async with application.client() as client:
        answer = await client.get(f"https://salon.test{path}", headers=headers)
    assert (answer.status_code, answer.headers.get("location")) == (307, to)


@pytest.mark.parametrize(
    ("path", "leads_to"),
    [
        ("/me/sign-in", "/me/sign-in?lang=en"),
        ("/me/reset/confirm", "/me/reset?lang=en"),
        ("/book", "/book?lang=en"),
    ],
)
async def test_the_other_language_of_an_answered_form_can_be_opened(
    application: Application, path: str, leads_to: str
) -> None:
    async with application.client() as client:
        answer = await client.post(path, data={"contact": "anna@example.com"}, headers=BROWSER)
        assert f'href="{leads_to}"' in answer.text
        opened = await client.get(leads_to, headers=BROWSER, follow_redirects=True)
        assert (opened.status_code, '<html lang="en">' in opened.text) == (200, True)
