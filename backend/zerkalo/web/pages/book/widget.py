"""`/book/widget`: YCLIENTS's own booking form beside the client's code, which YCLIENTS offers no way to fill in."""

from urllib.parse import urlsplit

from starlette.responses import Response

from zerkalo.users import store as users
from zerkalo.web.headers import CONTENT_SECURITY_POLICY
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()


@pages.get("/book/widget", Who.ANYBODY)
async def widget(page: Page) -> Response:
    """The page, which alone may show a frame, and only from the address in the settings."""
    settings = page.runtime.settings
    url = settings.yclients_widget_url
    frame = f"{CONTENT_SECURITY_POLICY}; frame-src {origin_of(url)}" if url else ""
    return page.render(
        "book/widget.html",
        headers={"Content-Security-Policy": frame} if frame else {},
        url=url,
        code=await code_of(page),
        company_id=next(iter(settings.yclients_company_ids), 12345),
    )


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
