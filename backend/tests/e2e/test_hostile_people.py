"""Names, comments, addresses and services that want to be more than text: on every page they stay text."""

from datetime import timedelta

import httpx2
import pytest
from playwright.async_api import Browser

from tests.support.application import COMPANY_ID
from tests.support.browser import WIDTHS, Site, visitor
from tests.support.rows import add_booking

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

SCRIPT = "<script>window.hacked=1</script>"
ATTRIBUTE = '" autofocus onfocus="window.hacked=1" x=\''
TEXTS = {
    "script": SCRIPT,
    "attribute": ATTRIBUTE,
    "image": "<img src=x onerror=window.hacked=1>",
    "textarea": "</textarea><script>window.hacked=1</script>",
    "template": "{{ 7 * 7 }}{% for x in y %}${7*7}",
    "emoji": "👩‍🦰💅🏽✨" * 20,
    "right-to-left": "\u202eمرحبا \u202d\u2067שלום\u2069",
    "long": "Щ" * 10_000,
    "long-words": ("unbreakable" * 500)[:5000],
    "control": "a\x00b\x07c\u2028d\ufeffe",
}


@pytest.mark.parametrize("kind", TEXTS)
@pytest.mark.parametrize("width", WIDTHS)
async def test_what_a_record_says_stays_text(browser: Browser, site: Site, width: int, kind: str) -> None:
    text = TEXTS[kind].replace("\x00", "\ufffd")  # as the parser stores it
    name = text[:200]
    user_id = await site.application.new_user(email=f"{kind}{width}@example.com", name=name)
    at = site.application.runtime.clock() + timedelta(days=1)
    async with site.application.runtime.pool.connection() as conn:
        booking_id = await add_booking(
            conn,
            user_id=user_id,
            company_id=COMPANY_ID,
            yclients_record_id=70_000 + user_id,
            service_name=text,
            staff_name=text,
            comment=text,
            phone="+79990001122",
            appointment_datetime=at,
            status="CONFIRMED",
        )
        await conn.execute(
            "insert into bonus_entries (user_id, amount, kind, reason, entry_key, effective_at, created_at)"
            " values (%s, 5, 'adjustment', %s, %s, %s, %s)",
            [user_id, text, f"hostile:{user_id}", at, at],
        )
    async with visitor(browser, site, width=width, user_id=user_id) as hers:
        for path in (
            "/me",
            f"/me/visits/{booking_id}",
            f"/me/visits/{booking_id}/cancel",
            "/me/points",
            "/me/profile",
        ):
            assert await hers.open(path) == 200
            assert await hers.page.evaluate("window.hacked") is None, path
            await hers.must_be_fit()
        assert (await hers.page.input_value("[name=name]")).strip() == " ".join(name.split()).strip() or name


@pytest.mark.parametrize("kind", TEXTS)
async def test_what_is_typed_comes_back_as_text(browser: Browser, site: Site, kind: str) -> None:
    """By a form that is refused: every field shows again what was typed into it."""
    async with visitor(browser, site) as guest:
        await guest.open("/me/sign-up")
        csrf = await guest.page.input_value("[name=csrf]")
        typed = {"email": TEXTS[kind], "name": TEXTS[kind], "phone": TEXTS[kind], "next": TEXTS[kind]}
        script = """([path, fields]) => {
            const form = document.createElement("form");
            form.method = "post"; form.action = path;
            for (const [name, value] of Object.entries(fields)) {
                const field = document.createElement("input");
                field.name = name; field.value = value; form.append(field);
            }
            document.body.append(form); form.submit();
        }"""
        async with guest.page.expect_navigation():
            await guest.page.evaluate(script, ["/me/sign-up", {"csrf": csrf, **typed}])
        assert await guest.page.locator(".error").count() >= 3
        assert await guest.page.evaluate("window.hacked") is None
        await guest.must_be_fit()


@pytest.mark.parametrize(
    "query",
    [
        f"?next={SCRIPT}",
        f"?lang={SCRIPT}",
        f"?company={SCRIPT}&service={ATTRIBUTE}&staff=-1&day=9999-99-99&time=nonsense",
        "?company=100200&service=3001&staff=0&time=0001-01-01T00:00:00%2B23:59",
        "?company=100200&service=3001&staff=0&time=9999-12-31T23:59:59-23:59",
        "?company=100200&service=999999999999999&staff=888888888888888",
        f"?company=100200&service=3001&change={SCRIPT}",
        "?cursor=nonsense",
        "?" + "&".join(f"service={number}" for number in range(400)),
    ],
)
async def test_no_address_breaks_a_page(browser: Browser, site: Site, query: str) -> None:
    async with visitor(browser, site) as guest:
        for path in ("/", "/book", "/me/sign-in", "/me/sign-up", "/book/widget"):
            assert await guest.open(path + query) < 500, path
            assert await guest.page.evaluate("window.hacked") is None
            assert SCRIPT not in await guest.page.content()
        assert await guest.open(f"/{SCRIPT}{query}") == 404


async def test_a_huge_or_odd_form_is_refused_in_order(site: Site) -> None:
    html = {"Accept": "text/html"}
    async with httpx2.AsyncClient(base_url=site.url, headers=html) as somebody:
        huge = await somebody.post("/me/sign-in", data={"email": "x" * 400_000})
        many = await somebody.post("/me/sign-in", data={f"f{n}": "1" for n in range(2000)})
        json = await somebody.post("/me/sign-in", json={"email": "x"})
    assert [one.status_code for one in (huge, many, json)] == [413, 400, 415]
    assert all("<h1>" in one.text for one in (huge, many, json))
