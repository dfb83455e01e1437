"""Every page for people, at both widths: readable by everybody, light, nothing that the policy forbids."""

from datetime import timedelta

import pytest
from playwright.async_api import Browser

from tests.support.application import COMPANY_ID, Application
from tests.support.browser import PAGE_BYTES_MAX, ZOOMED, Site, visitor
from tests.support.rows import add_booking

pytestmark = [pytest.mark.e2e, pytest.mark.slow]

CHOSEN = f"/book?company={COMPANY_ID}&service=3001"
FOR_GUESTS = (
    "/",
    "/privacy",
    "/book",
    CHOSEN,
    f"{CHOSEN}&staff=0",
    f"{CHOSEN}&staff=0&time=2030-01-15T12:00:00%2B03:00",
    "/book/widget",
    "/me/sign-in",
    "/me/code?code=of-a-mailed-link-24-chars",
    "/me/sign-up",
    "/me/reset",
)
FOR_USERS = ("/", "/book/widget", "/me", "/me/visits", "/me/points", "/me/profile", "/me/erase")
OF_THE_DESK = (
    "/admin",
    "/admin/bookings",
    "/admin/bookings?view=week",
    "/admin/bookings?from=2020-01-01",
    "/admin/unmatched",
    "/admin/users",
    "/admin/users/1",
    "/admin/users/1/edit",
    "/admin/users/1/merge?search=a",
    "/admin/clients/unseen?days=1",
    "/admin/till",
    "/admin/staff",
    "/admin/log",
    "/admin/events",
    "/admin/setup",
)
EMAIL = "every@example.com"


@pytest.fixture(scope="module")
async def user_id(site: Site) -> int:
    """A user with visits and points."""
    made = await site.application.new_user(
        email=EMAIL, phone="+79990000777", name="Вера Образцова", unique_code="VERA2345"
    )
    await _add_visits(site.application, made)
    return made


async def _add_visits(application: Application, user_id: int) -> None:
    now = application.runtime.clock()
    async with application.runtime.pool.connection() as conn:
        for number in range(30):
            at = now + timedelta(days=number - 25)
            await add_booking(
                conn,
                user_id=user_id,
                company_id=COMPANY_ID,
                yclients_record_id=9000 + number,
                service_name="Женская стрижка, Укладка",
                service_price=430_000,
                service_duration=120,
                appointment_datetime=at,
                appointment_local=at.replace(tzinfo=None) + timedelta(hours=3),
                status="COMPLETED" if number < 25 else "CONFIRMED",
                staff_name="Алиса Рощина",
                user_code="VERA2345",
                comment="Позвонить за час",
            )
        await conn.execute(
            "insert into bonus_entries (user_id, amount, kind, reason, entry_key, effective_at, created_at)"
            " select %(user)s, n, 'accrual', 'completed', 'test:' || n, %(now)s, %(now)s"
            " from generate_series(1, 40) n",
            {"user": user_id, "now": now},
        )


@pytest.mark.parametrize("path", FOR_GUESTS)
async def test_a_guest_finds_every_page_fit(browser: Browser, site: Site, width: int, path: str) -> None:
    async with visitor(browser, site, width=width) as guest:
        assert await guest.open(path) == 200

        weight = await guest.page_bytes()
        print(f"{path} {weight} bytes")
        assert 0 < weight < PAGE_BYTES_MAX
        await guest.must_be_fit()


@pytest.mark.parametrize("path", FOR_USERS)
async def test_a_user_finds_every_page_fit(
    browser: Browser, site: Site, width: int, user_id: int, path: str
) -> None:
    async with visitor(browser, site, width=width, user_id=user_id) as vera:
        assert await vera.open(path) == 200

        weight = await vera.page_bytes()
        print(f"{path} {weight} bytes")
        assert 0 < weight < PAGE_BYTES_MAX
        await vera.must_be_fit()


async def test_a_visit_and_its_ways_on_are_fit(
    browser: Browser, site: Site, width: int, user_id: int
) -> None:
    async with visitor(browser, site, width=width, user_id=user_id) as vera:
        await vera.open("/me")
        await vera.click(".visit-link >> nth=0")
        await vera.must_be_fit()
        await vera.click("main .button:has-text('Отменить')")
        assert await vera.heading() == "Отменить запись?"
        await vera.must_be_fit()


async def test_who_prefers_dark_reads_every_page_as_well(browser: Browser, site: Site, user_id: int) -> None:
    admin_id = await site.application.new_user(email="dark@example.com", is_admin=True)
    async with visitor(browser, site, user_id=user_id, is_dark=True) as vera:
        for path in (*FOR_GUESTS, *FOR_USERS, "/nothing-here"):
            await vera.open(path)
            ground = await vera.page.evaluate("getComputedStyle(document.body).backgroundColor")
            assert ground == "rgb(19, 25, 24)"
            await vera.must_be_fit()
        await vera.open("/me")
        await vera.click(".visit-link >> nth=0")
        await vera.must_be_fit()
    async with visitor(browser, site, width=1280, user_id=admin_id, is_dark=True) as owner:
        for path in ("/admin", "/admin/bookings", "/admin/users", "/admin/events", "/admin/unmatched"):
            assert await owner.open(path) == 200
            await owner.must_be_fit()


async def test_a_phone_can_keep_the_site_on_its_screen(browser: Browser, site: Site) -> None:
    async with visitor(browser, site) as guest:
        await guest.open("/")
        told = await guest.page.evaluate(
            """async () => {
                const answer = await fetch(document.querySelector("link[rel=manifest]").href);
                const found = await answer.json();
                const sizes = await Promise.all(found.icons.map(icon => new Promise(done => {
                    const image = new Image();
                    image.onload = () => done(`${image.naturalWidth}x${image.naturalHeight}`);
                    image.onerror = () => done("missing");
                    image.src = icon.src;
                })));
                return {type: answer.headers.get("content-type"), found, sizes};
            }"""
        )

    assert told["type"] == "application/manifest+json"
    assert told["found"]["name"] == "Салон «Отражение»"
    assert (told["found"]["start_url"], told["found"]["display"]) == ("/me", "standalone")
    assert told["sizes"] == [icon["sizes"] for icon in told["found"]["icons"]] == ["192x192", "512x512"]


async def test_older_visits_are_one_click_away(browser: Browser, site: Site, user_id: int) -> None:
    async with visitor(browser, site, user_id=user_id) as vera:
        await vera.open("/me/visits")
        first = await vera.page.locator(".visit-link").count()
        await vera.click("a[rel=next]")

        assert first + await vera.page.locator(".visit-link").count() == 30
        assert await vera.page.locator("a[rel=next]").count() == 0


async def test_the_points_add_up_on_the_page(browser: Browser, site: Site, user_id: int) -> None:
    async with visitor(browser, site, user_id=user_id) as vera:
        await vera.open("/me/points")

        assert "820\N{NO-BREAK SPACE}баллов" in await vera.text()
        assert await vera.page.locator("tbody tr").count() == 30
        await vera.click("a[rel=next]")
        assert await vera.page.locator("tbody tr").count() == 10


@pytest.mark.parametrize(
    "path", ["/nothing-here", "/me/visits/999999", "/book/done/nonsense", "/static/x/none.css"]
)
async def test_a_missing_page_is_a_page(
    browser: Browser, site: Site, width: int, user_id: int, path: str
) -> None:
    async with visitor(browser, site, width=width, user_id=user_id) as vera:
        assert await vera.open(path) == 404
        if not path.startswith("/static"):
            assert await vera.heading() == "Не получилось"
            assert "Попробовать снова" not in await vera.text(), "it will not be there next time either"
            assert await vera.page.locator("header >> text=Мои визиты").count() == 1, "she is still signed in"
            await vera.must_be_fit()


async def test_a_page_of_the_salon_is_refused_to_who_is_no_admin(
    browser: Browser, site: Site, user_id: int
) -> None:
    async with visitor(browser, site, user_id=user_id) as vera:
        assert await vera.open("/admin") == 403
        assert "только для сотрудников" in await vera.text()
        assert await vera.page.locator("header >> text=Мои визиты").count() == 1
        await vera.must_be_fit()


async def test_english_is_spoken_to_who_asks_and_sticks(browser: Browser, site: Site) -> None:
    async with visitor(browser, site, locale="en-GB") as guest:
        await guest.open("/me/sign-in")
        assert await guest.heading() == "Sign in"
        await guest.click("text=Русский")
        assert await guest.heading() == "Вход"
        await guest.open("/book")
        assert await guest.heading() == "Что сделать?"
        await guest.open("/book?lang=en")
        await guest.open("/")
        assert await guest.page.locator("html").get_attribute("lang") == "en"


async def test_the_code_is_copied_with_one_tap(browser: Browser, site: Site, user_id: int) -> None:
    async with visitor(browser, site, user_id=user_id) as vera:
        await vera.page.context.grant_permissions(["clipboard-read", "clipboard-write"])
        await vera.open("/me")
        await vera.click("#code [data-copy]")
        await vera.page.wait_for_selector("text=Скопировано")

        assert await vera.page.evaluate("navigator.clipboard.readText()") == "Код клиента: VERA2345"
        loaded = await vera.page.evaluate("document.querySelector('.qr').naturalWidth")
        assert loaded > 0


async def test_the_code_is_copied_where_there_is_no_clipboard(
    browser: Browser, site: Site, user_id: int
) -> None:
    """As over plain http in the salon's own network; and however often it is tapped, the button says what it does."""
    async with visitor(browser, site, user_id=user_id) as vera:
        await vera.page.add_init_script(
            "Object.defineProperty(navigator, 'clipboard', {value: undefined});"
            "document.addEventListener('copy', () => { window.copied = getSelection().toString(); });"
        )
        await vera.open("/me")
        await vera.page.dblclick("#code [data-copy]")
        await vera.page.wait_for_selector("text=Скопировано")
        assert await vera.page.evaluate("window.copied") == "Код клиента: VERA2345"
        await vera.page.wait_for_selector("#code [data-copy]:has-text('Скопировать')")


NARROWEST = 320
"""CSS pixels: an old small phone, or a page enlarged four times on a desk."""


async def test_nothing_scrolls_sideways_on_the_narrowest_window(
    browser: Browser, site: Site, user_id: int
) -> None:
    async with visitor(browser, site, width=NARROWEST) as guest:
        for path in FOR_GUESTS:
            await guest.open(path)
            await guest.must_be_fit()
    async with visitor(browser, site, width=NARROWEST, user_id=user_id) as vera:
        for path in FOR_USERS:
            await vera.open(path)
            await vera.must_be_fit()


async def test_no_word_is_torn_at_twice_the_size(browser: Browser, site: Site, user_id: int) -> None:
    admin_id = await site.application.new_user(
        email="zoom@example.com", is_admin=True, name="Мария", unique_code="ZCCM2345"
    )
    faults = []
    for who, paths in ((None, FOR_GUESTS), (user_id, FOR_USERS), (admin_id, OF_THE_DESK)):
        async with visitor(browser, site, width=ZOOMED, user_id=who) as somebody:
            for path in paths:
                await somebody.open(path)
                try:
                    await somebody.must_tear_no_word()
                except AssertionError as fault:
                    faults.append(str(fault))
    assert faults == []
    async with visitor(browser, site, width=ZOOMED) as guest:
        await guest.open("/")
        await guest.page.locator("h1").evaluate("head => { head.style.width = '2ch'; }")
        with pytest.raises(AssertionError, match="tears"):
            await guest.must_tear_no_word()
