"""A real Chromium on the running application: people with a window of some width, and what must hold on every page."""

import shutil
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path

from axe_playwright_python.async_playwright import Axe
from playwright.async_api import Browser, Locator, Page, Response, async_playwright

from tests.support.application import PASSWORD, Application, free_port, running_application, serving
from zerkalo.main import server_of
from zerkalo.web.pages.cookies import SESSION

WIDTHS = (390, 1280)
"""A phone and a desk, in CSS pixels."""
PAGE_BYTES_MAX = 100_000
WAIT_MS = 15_000
_CHROMIUM = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
_ARGUMENTS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-background-networking",
    "--disable-component-update",
    "--no-first-run",
)
_SERIOUS = ("serious", "critical")
TAP_PIXELS_MIN = 43.5
"""44 CSS pixels, as far as sizes in rem come out even."""
_FAULTS = """tapMin => {
    // A paragraph that the parser closed early, for a form or a list inside it, leaves its end behind: <p></p>.
    const faults = [...document.querySelectorAll("p:empty")].map(one => `a torn paragraph in ${one.parentElement.outerHTML.slice(0, 120)}`);
    // A link in running text is as high as its line; whatever stands alone must be found by a finger.
    const inText = one => [...one.parentElement.childNodes].some(node => node.nodeType === 3 && node.data.trim().length > 1);
    const height = one => {
        const labels = [...(one.labels || [])].map(label => label.getBoundingClientRect().height);
        return Math.max(one.getBoundingClientRect().height, ...labels);
    };
    for (const one of document.querySelectorAll("a, button, summary, select, textarea, input:not([type=hidden])")) {
        const isSeen = one.checkVisibility() && !one.matches(".skip, .hidden");
        if (isSeen && !(one.tagName === "A" && inText(one)) && height(one) < tapMin)
            faults.push(`only ${height(one)} px high: ${one.outerHTML.slice(0, 120)}`);
    }
    return faults;
}"""


PASSWORD_BUTTON = "form[action='/me/sign-in'] button"
"""Signs in by the password."""
ZOOMED = 640
"""CSS pixels of a window of 1,280 at 200 %."""
_TORN = """() => {
    // A word whose letters stand on two lines, though nothing in it says where it may be parted.
    const torn = [];
    const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
    for (let text = texts.nextNode(); text; text = texts.nextNode()) {
        const holder = text.parentElement;
        if (!holder.checkVisibility() || holder.closest(".hidden, .skip, pre, code, script, style, option")) continue;
        for (const word of text.data.matchAll(/[\\p{L}\\p{N}]+/gu)) {
            const range = document.createRange();
            range.setStart(text, word.index);
            range.setEnd(text, word.index + word[0].length);
            const lines = new Set([...range.getClientRects()].map(line => Math.round(line.bottom)));
            if (lines.size > 1) torn.push(word[0]);
        }
    }
    return torn;
}"""


@asynccontextmanager
async def chromium(*more: str) -> AsyncIterator[Browser]:
    """Yields the browser that `make setup` installs for the tests; `more`: arguments of it."""
    path = next((found for name in _CHROMIUM if (found := shutil.which(name))), None)
    assert path is not None, "the browser tests need Chromium: apt-get install chromium"
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=path, args=[*_ARGUMENTS, *more])
        try:
            yield browser
        finally:
            await browser.close()


@dataclass
class Site:
    """The application on a port of its own."""

    application: Application
    url: str

    async def code_for(self, contact: str) -> str:
        """The code in the newest message to a contact; no worker runs here, so it still lies in the outbox."""
        rows = await self.application.fetch(
            "select substring(body from '\\d{6}') as code from outbox where recipient = %s order by id desc limit 1",
            contact,
        )
        return rows[0]["code"]


@asynccontextmanager
async def running_site(dsn: str, folder: Path, **environ: str | None) -> AsyncIterator[Site]:
    """Yields the application as `zerkalo serve` runs it, the emulator beside it, codes lying in the outbox."""
    port = free_port()
    given = {"PUBLIC_URL": f"http://localhost:{port}", **environ}
    async with running_application(dsn, folder, with_worker=False, is_demo=True, **given) as application:
        await application.execute(
            "update companies set title = 'Салон «Отражение»', address = 'Тверская, 1', phone = '+7 495 000-00-00',"
            " may_move = true, may_cancel = true, move_seconds_before = 10800, cancel_seconds_before = 10800"
        )
        async with serving(server_of(application.app, "127.0.0.1", port)):
            yield Site(application, f"http://localhost:{port}")


@dataclass
class Visitor:
    """Somebody at a window. `problems`: what a page must never do, collected while she goes about."""

    page: Page
    url: str
    problems: list[str] = field(default_factory=list)
    _bodies: list[Response] = field(default_factory=list)

    def __post_init__(self) -> None:
        self.page.set_default_timeout(WAIT_MS)
        self.page.on("console", lambda message: self._note(message.type, message.text))
        self.page.on("pageerror", lambda error: self.problems.append(f"error: {error}"))
        self.page.on("response", lambda answer: self._bodies.append(answer))  # noqa: PLW0108 - it hangs on to what it is given

    def _note(self, kind: str, text: str) -> None:
        # A page that says 404 or 422 is no fault of a page; a refused script, style or frame is.
        if kind in ("error", "warning") and not text.startswith("Failed to load resource"):
            self.problems.append(f"{kind}: {text}")

    async def open(self, path: str) -> int:
        """Goes to a page; its status."""
        self._bodies.clear()
        answer = await self.page.goto(self.url + path)
        assert answer is not None
        return answer.status

    async def sign_in(self, email: str, password: str = PASSWORD) -> None:
        """Signs in by the page."""
        await self.open("/me/sign-in")
        await self.page.fill("[name=email]", email)
        await self.page.fill("[name=password]", password)
        await self.click(PASSWORD_BUTTON)

    async def click(self, target: str | Locator) -> None:
        """Clicks, and stands on the page that the click leads to, whole: Playwright returns as soon as it begins to come."""
        await (self.page.locator(target).first if isinstance(target, str) else target).click()
        await self.page.wait_for_load_state()

    async def heading(self) -> str:
        """The page's own title."""
        return (await self.page.locator("h1").inner_text()).strip()

    async def text(self) -> str:
        """All that she can read in the page's middle."""
        return await self.page.locator("main").inner_text()

    async def must_be_fit(self) -> None:
        """Holds the page as it stands to what holds for all: readable by everybody, no sideways scrolling, no fault."""
        where = self.page.url
        wide = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{where} scrolls sideways by {wide} px"
        faults = await self.page.evaluate(_FAULTS, TAP_PIXELS_MIN)
        assert not faults, f"{where}: {faults}"
        found = await Axe().run(self.page)
        serious = [
            f"{one['id']}: {one['nodes'][0]['html'][:200]}"
            for one in found.response["violations"]
            if one["impact"] in _SERIOUS
        ]
        assert not serious, f"{where}: {serious}"
        assert not self.problems, f"{where}: {self.problems}"

    async def must_tear_no_word(self) -> None:
        """Holds the page to what an enlarged one often breaks: no word is parted in the middle, nothing scrolls sideways."""
        torn = await self.page.evaluate(_TORN)
        assert not torn, f"{self.page.url} tears {torn}"
        wide = await self.page.evaluate("document.documentElement.scrollWidth - window.innerWidth")
        assert wide <= 0, f"{self.page.url} scrolls sideways by {wide} px"

    async def page_bytes(self) -> int:
        """What the page and all it loads weigh, images left out."""
        await self.page.wait_for_load_state("networkidle")
        return sum([len(await one.body()) for one in self._bodies if _counts(one)])


def _counts(response: Response) -> bool:
    return response.request.resource_type != "image" and response.status not in (301, 302, 303, 304)


@asynccontextmanager
async def visitor(
    browser: Browser,
    site: Site,
    *,
    width: int = WIDTHS[0],
    javascript: bool = True,
    locale: str = "ru-RU",
    user_id: int | None = None,
    is_dark: bool = False,
) -> AsyncIterator[Visitor]:
    """Yields somebody with a fresh browser profile, signed in if named; at the end no page may have done what none must."""
    context = await browser.new_context(
        viewport={"width": width, "height": 800},
        locale=locale,
        java_script_enabled=javascript,
        color_scheme="dark" if is_dark else "light",
    )
    try:
        if user_id is not None:
            session = await site.application.session_of(user_id)
            await context.add_cookies(
                [{"name": SESSION, "value": session.refresh_token, "url": site.url, "httpOnly": True}]
            )
        somebody = Visitor(await context.new_page(), site.url)
        yield somebody
        assert not somebody.problems, somebody.problems
    finally:
        await context.close()
