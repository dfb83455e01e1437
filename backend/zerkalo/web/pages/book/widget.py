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
    """Show the page, the only one allowed to have a frame, and only from the address in the settings."""
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
    """Link to the user the record that YCLIENTS's form has just made, proved by its hash."""
    booking = await page.runtime.booking_form.claims.claim(
        page.asker,
        page.form.number("company_id"),
        page.form.number("record_id") or 0,
        hash_of(page.form.text("record_hash", HASH_CHARS_MAX)),
    )
    return page.redirect(f"/me/visits/{booking.id}", flash="claimed")


async def code_of(page: Page) -> str | None:
    """Return the code of the signed-in user; None for a guest, or a user without a code."""
    if page.user is None:
        return None
    async with page.runtime.pool.connection() as conn:
        user = await users.read_user(conn, page.user.id)
    return user.unique_code if user else None


def origin_of(url: str) -> str:
    """Return scheme, host and port of an address, for the content security policy."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"


def company_of(url: str) -> int | None:
    """Return the company in the address of YCLIENTS's form; None where there is none."""
    found = re.search(r"/company/(\d{1,18})(?:/|$)", urlsplit(url).path)
    return int(found[1]) if found else None


def hash_of(text: str) -> str:
    """Return a record's hash as posted. Raises a 404 `ProblemError` for anything else: it becomes part of a URL."""
    if not re.fullmatch(r"[0-9A-Za-z_-]+", text):
        raise ProblemError(404, "not_found", "There is no such booking.")
    return text
