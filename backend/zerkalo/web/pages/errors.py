"""Errors as pages, for a person in a browser; programs get problem+json from `web.errors`."""

import structlog
from starlette.requests import Request
from starlette.responses import Response

from zerkalo.kit.problem import ProblemError
from zerkalo.web.errors import ShowPage
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.site import Site

_log = structlog.get_logger("zerkalo.web")

_FOR_PROGRAMS = ("/api/", "/static/", "/healthz", "/readyz", "/metrics", "/openapi.json")


def error_page(site: Site) -> ShowPage:
    """Shows a problem as a page where a person asked for one: by path, and by what the browser accepts."""

    async def show(request: Request, problem: ProblemError) -> Response | None:
        if request.url.path.startswith(_FOR_PROGRAMS) or not _wants_html(request):
            return None
        page = await _page_of(request, problem)
        if problem.status == 401:
            back_to = page.path if request.method in ("GET", "HEAD") else "/me"
            return page.redirect(page.sign_in_url(back_to))
        return page.render(
            "error.html",
            status=problem.status,
            headers={name: value for name, value in problem.headers.items() if name == "Retry-After"},
            text=page.problem(problem),
            # What is not there or not allowed will not be so at the next try either.
            can_retry=request.method == "GET" and (problem.status >= 500 or problem.status == 429),
        )

    async def _page_of(request: Request, problem: ProblemError) -> Page:
        """Whose page it is stands in its head; unless it is the database that may be what failed."""
        page = Page(site, request)
        if problem.status < 500:
            try:
                await page.open_session()
            except Exception:  # noqa: BLE001 - telling of one error must not fail of another
                _log.warning("an error page does not know whose it is", status=problem.status)
        return page

    return show


def _wants_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
