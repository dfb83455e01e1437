"""`/`: what this is, and the ways on; `/privacy`: what is done with people's data."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.web.pages.site import Site


def routes(site: Site) -> list[Route]:
    """The pages that are the same for everybody."""

    async def home(request: Request) -> Response:
        page = await site.page(request)
        settings = site.runtime.settings
        return page.render(
            "home.html",
            has_widget=settings.yclients_widget_url is not None,
            has_loyalty=settings.loyalty_enabled,
        )

    async def privacy(request: Request) -> Response:
        page = await site.page(request)
        return page.render("privacy.html", inbox_days=site.runtime.settings.inbox_days)

    return [Route("/", home), Route("/privacy", privacy)]
