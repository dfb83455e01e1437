"""Errors as pages, for a person in a browser; programs get problem+json from `web.errors`."""

from starlette.requests import Request
from starlette.responses import Response

from zerkalo.kit.problem import ProblemError
from zerkalo.web.errors import ShowPage
from zerkalo.web.pages.site import Site

_FOR_PROGRAMS = ("/api/", "/static/", "/healthz", "/readyz", "/metrics", "/openapi.json")


def error_page(site: Site) -> ShowPage:
    """Shows a problem as a page where a person asked for one: by path, and by what the browser accepts."""

    async def show(request: Request, problem: ProblemError) -> Response | None:
        if request.url.path.startswith(_FOR_PROGRAMS) or not _wants_html(request):
            return None
        page = site.page_of_nobody(request)
        if problem.status == 401:
            back_to = page.path if request.method in ("GET", "HEAD") else "/me"
            return page.redirect(page.sign_in_url(back_to))
        retry_after = problem.headers.get("Retry-After", "")
        return page.render(
            "error.html",
            status=problem.status,
            headers={name: value for name, value in problem.headers.items() if name == "Retry-After"},
            text=page.problem(problem),
            seconds=int(retry_after) if retry_after.isdigit() else None,
            can_retry=request.method == "GET",
        )

    return show


def _wants_html(request: Request) -> bool:
    return "text/html" in request.headers.get("accept", "")
