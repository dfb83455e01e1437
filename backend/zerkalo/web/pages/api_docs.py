"""`/docs`: the API's description to read and to try, from files of our own: nothing is loaded from elsewhere."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.web.headers import CONTENT_SECURITY_POLICY
from zerkalo.web.pages.site import Site

_POLICY = CONTENT_SECURITY_POLICY.replace("img-src 'self'", "img-src 'self' data:")
"""Swagger UI draws its icons from data addresses in its style sheet."""


def routes(site: Site) -> list[Route]:
    """The page. The description itself is FastAPI's, at /openapi.json."""

    async def docs(request: Request) -> Response:
        page = site.page_of_nobody(request)
        return page.render("docs.html", headers={"Content-Security-Policy": _POLICY})

    return [Route("/docs", docs)]
