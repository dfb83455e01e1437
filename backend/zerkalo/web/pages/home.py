"""`/`: what this is, and the ways on; `/privacy`: what is done with people's data; `/docs`: the API to read and to try."""

import json

from starlette.responses import Response

from zerkalo.web.headers import CONTENT_SECURITY_POLICY
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

_DOCS_POLICY = CONTENT_SECURITY_POLICY.replace("img-src 'self'", "img-src 'self' data:")
"""Swagger UI draws its icons from data addresses in its style sheet."""

ICON_SIZES = (192, 512)
SHORT_NAME_CHARS_MAX = 24
GROUND_COLOUR = "#f6f6f3"
THEME_COLOUR = "#ffffff"
"""The top of the page, as in `base.html` and `app.css`."""


@pages.get("/", Who.ANYBODY)
async def home(page: Page) -> Response:
    """What this is."""
    settings = page.runtime.settings
    return page.render(
        "home.html",
        has_widget=settings.yclients_widget_url is not None,
        has_loyalty=settings.loyalty_enabled,
    )


@pages.get("/manifest.webmanifest", Who.ANYBODY)
async def manifest(page: Page) -> Response:
    """What a phone needs to keep the site on its screen."""
    title = page.site.salon.title or page.say("Зеркало", "Zerkalo")
    told = {
        "name": title,
        "short_name": title[:SHORT_NAME_CHARS_MAX],
        "lang": page.language,
        "id": "/me",
        "start_url": "/me",
        "scope": "/",
        "display": "standalone",
        "background_color": GROUND_COLOUR,
        "theme_color": THEME_COLOUR,
        "icons": [
            {"src": page.site.assets.url(f"icon-{size}.png"), "sizes": f"{size}x{size}", "type": "image/png"}
            for size in ICON_SIZES
        ],
    }
    return page.finish(Response(json.dumps(told, ensure_ascii=False), media_type="application/manifest+json"))


@pages.get("/privacy", Who.ANYBODY)
async def privacy(page: Page) -> Response:
    """What is done with people's data."""
    return page.render("privacy.html", inbox_days=page.runtime.settings.inbox_days)


@pages.get("/docs", Who.ANYBODY)
async def docs(page: Page) -> Response:
    """The API, from files of our own; its description is FastAPI's, at /openapi.json."""
    return page.render("docs.html", headers={"Content-Security-Policy": _DOCS_POLICY})
