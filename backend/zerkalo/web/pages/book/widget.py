"""`/book/widget`: YCLIENTS's own booking form beside the client's code, which YCLIENTS offers no way to fill in for her."""

from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.users import store as users
from zerkalo.web.headers import CONTENT_SECURITY_POLICY
from zerkalo.web.pages.site import Site


def routes(site: Site) -> list[Route]:
    """The page, which alone may show a frame, and only from the address in the settings."""
    runtime = site.runtime
    url = runtime.settings.yclients_widget_url

    async def show(request: Request) -> Response:
        page = await site.page(request)
        code = None
        if page.user is not None:
            async with runtime.pool.connection() as conn:
                user = await users.read_user(conn, page.user.id)
            code = user.unique_code if user else None
        headers = (
            {"Content-Security-Policy": f"{CONTENT_SECURITY_POLICY}; frame-src {origin_of(url)}"}
            if url
            else {}
        )
        return page.render(
            "book/widget.html",
            headers=headers,
            url=url,
            code=code,
            company_id=next(iter(runtime.settings.yclients_company_ids), 12345),
        )

    return [Route("/book/widget", show)]


def origin_of(url: str) -> str:
    """Scheme, host and port of an address, for the policy."""
    parts = urlsplit(url)
    port = f":{parts.port}" if parts.port else ""
    return f"{parts.scheme}://{parts.hostname}{port}"
