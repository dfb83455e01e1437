"""Errors as pages, for a person in a browser; programs get problem+json from `web.errors`."""

import structlog
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from zerkalo.kit.problem import ProblemError
from zerkalo.web.errors import ShowPage
from zerkalo.web.pages.forms import CSRF_FIELD
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Declared
from zerkalo.web.pages.site import Site

_log = structlog.get_logger("zerkalo.web")

_FOR_PROGRAMS = ("/api/", "/static/", "/healthz", "/readyz", "/metrics", "/openapi.json")


def error_page(site: Site) -> ShowPage:
    """Return a function that shows a problem as a page to a browser, recognised by the path and by what it accepts."""

    async def show(request: Request, problem: ProblemError) -> Response | None:
        if request.url.path.startswith(_FOR_PROGRAMS) or not _wants_html(request):
            return None
        without_slash = _without_slash(request)
        if problem.status == 404 and request.method == "GET" and without_slash is not None:
            return RedirectResponse(without_slash, 307)
        page = await _page_of(request, problem)
        typed = _typed(request)
        if problem.status == 401:
            back_to = page.path if request.method in ("GET", "HEAD") else "/me"
            return page.redirect(page.sign_in_url(back_to))
        return page.render(
            "error.html",
            status=problem.status,
            headers={name: value for name, value in problem.headers.items() if name == "Retry-After"},
            text=page.problem(problem),
            typed=typed,
            # Trying again does not help where something is missing or not allowed.
            can_retry=(bool(typed) or request.method == "GET") and _may_pass(problem),
        )

    async def _page_of(request: Request, problem: ProblemError) -> Page:
        """Open the session for the page's head, except for a 5xx: the database may be what failed."""
        page = Page(site, request)
        if problem.status < 500:
            try:
                await page.open_session()
            except Exception:  # noqa: BLE001 - the page of one error must not fail by another
                _log.warning("an error page does not know whose it is", status=problem.status)
        return page

    return show


def _without_slash(request: Request) -> str | None:
    """Return the path without its final slash; None where it has none. Without the host, which the caller could forge."""
    url = request.url
    if not url.path.endswith("/"):
        return None
    path = "/" + url.path.strip("/\\")
    return f"{path}?{url.query}" if url.query else path


def _typed(request: Request) -> list[tuple[str, str]]:
    """Return what was typed into a form that can be sent again unchanged; nothing for any other form."""
    declared: Declared | None = getattr(request.state, "declared", None)
    if declared is None or declared.method != "POST" or declared.again is None:
        return []
    pairs = request.state.page.form.pairs()
    return [(name, value) for name, value in pairs if name != CSRF_FIELD and "password" not in name]


def _may_pass(problem: ProblemError) -> bool:
    return problem.status >= 500 or problem.status == 429


def _wants_html(request: Request) -> bool:
    """Return whether a browser asks: it accepts HTML, and the script that loads parts of pages sends its own header."""
    return "text/html" in request.headers.get("accept", "") or "hx-request" in request.headers
