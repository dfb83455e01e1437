"""`/book/widget`: YCLIENTS's own booking form beside the client's code, which YCLIENTS offers no way to fill in."""

import re
from urllib.parse import urlsplit

from starlette.responses import Response

from zerkalo.booking_form.routes import HASH_CHARS_MAX
from zerkalo.kit.problem import ProblemError
from zerkalo.users import store as users
from zerkalo.web.headers import CONTENT_SECURITY_POLICY
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()


@pages.get("/book/widget", Who.ANYBODY)
async def widget(page: Page) -> Response:
    """The page, which alone may show a frame, and only from the address in the settings."""
    return await _widget_page(page)


async def _widget_page(page: Page, problem: ProblemError | None = None) -> Response:
    settings = page.runtime.settings
    url = settings.yclients_widget_url
    frame = f"{CONTENT_SECURITY_POLICY}; frame-src {origin_of(url)}" if url else ""
    return page.render(
        "book/widget.html",
        headers={"Content-Security-Policy": frame} if frame else {},
        url=url,
        code=await code_of(page),
        company_id=next(iter(settings.yclients_company_ids), 12345),
        claim_company_id=company_of(url) if url else None,
        problem=problem,
    )


@pages.post("/book/widget/claim", Who.USER, again=_widget_page)
async def claim(page: Page) -> Response:
    """What YCLIENTS's form has just booked becomes the user's, proved by its hash."""
    booking = await page.runtime.booking_form.claims.claim(
        page.asker,
        page.form.number("company_id"),
        page.form.number("record_id") or 0,
        hash_of(page.form.text("record_hash", HASH_CHARS_MAX)),
    )
    return page.redirect(f"/me/visits/{booking.id}", flash="claimed")


async def code_of(page: Page) -> str | None:
    """The code of who is signed in; None for nobody, or while there is none."""
    if page.user is None:
        return None
    async with page.runtime.pool.connection() as conn:
        user = await users.read_user(conn, page.user.id)
    return user.unique_code if user else None


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, for the policy."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def company_of(url: str) -> int | None:
    """The branch that an address of YCLIENTS's form names; None where it names none."""
    found = re.search(r"/company/(\d{1,18})(?:/|$)", urlsplit(url).path)
    return int(found[1]) if found else None


def hash_of(text: str) -> str:
    """A record's hash as the page was told it. Raises a 404 `ProblemError` for what is none, and may lead elsewhere."""
    if not re.fullmatch(r"[0-9A-Za-z_-]+", text):
        raise ProblemError(404, "not_found", "There is no such booking.")
    return text
