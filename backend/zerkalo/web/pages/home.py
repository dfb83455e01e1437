"""`/`: what this is, and the ways on; `/privacy`: what is done with people's data; `/docs`: the API to read and to try."""

from starlette.responses import Response

from zerkalo.web.headers import CONTENT_SECURITY_POLICY
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

_DOCS_POLICY = CONTENT_SECURITY_POLICY.replace("img-src 'self'", "img-src 'self' data:")
"""Swagger UI draws its icons from data addresses in its style sheet."""


@pages.get("/", Who.ANYBODY)
async def home(page: Page) -> Response:
    """What this is."""
    settings = page.runtime.settings
    return page.render(
        "home.html",
        has_widget=settings.yclients_widget_url is not None,
        has_loyalty=settings.loyalty_enabled,
    )


@pages.get("/privacy", Who.ANYBODY)
async def privacy(page: Page) -> Response:
    """What is done with people's data."""
    return page.render("privacy.html", inbox_days=page.runtime.settings.inbox_days)


@pages.get("/docs", Who.ANYBODY)
async def docs(page: Page) -> Response:
    """The API, from files of our own; its description is FastAPI's, at /openapi.json."""
    return page.render("docs.html", headers={"Content-Security-Policy": _DOCS_POLICY})
