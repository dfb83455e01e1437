"""`/`: the home page; `/privacy`: how personal data is used; `/docs`: the API's interactive documentation."""

import json

from starlette.responses import Response

from zerkalo.web.headers import CONTENT_SECURITY_POLICY
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

_DOCS_POLICY = CONTENT_SECURITY_POLICY.replace("img-src 'self'", "img-src 'self' data:")
"""Swagger UI's style sheet has icons as `data:` URLs."""

ICON_SIZES = (192, 512)
SHORT_NAME_CHARS_MAX = 24
GROUND_COLOUR = "#f6f6f3"
THEME_COLOUR = "#ffffff"
"""The colour at the top of the page, as in `base.html` and `app.css`."""


@pages.get("/", Who.ANYBODY)
async def home(page: Page) -> Response:
    """Show the home page."""
    settings = page.runtime.settings
    return page.render(
        "home.html",
        has_widget=settings.yclients_widget_url is not None,
        has_loyalty=settings.loyalty_enabled,
    )


@pages.get("/manifest.webmanifest", Who.ANYBODY)
async def manifest(page: Page) -> Response:
    """Send the web app manifest, which lets a phone add the site to its home screen."""
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
    """Show how personal data is used."""
    return page.render("privacy.html", inbox_days=page.runtime.settings.inbox_days)


@pages.get("/docs", Who.ANYBODY)
async def docs(page: Page) -> Response:
    """Show Swagger UI, served from our own files; the API's description is FastAPI's, at /openapi.json."""
    return page.render("docs.html", headers={"Content-Security-Policy": _DOCS_POLICY})
