"""Every error as `application/problem+json` (RFC 9457) with a stable `code`, without stack traces or submitted values.

`ProblemError` itself lives in `kit.problem`, so that the domains below may raise it.
"""

from collections.abc import Awaitable, Callable, Mapping, Sequence
from http import HTTPStatus
from typing import Any

import psycopg
import structlog
from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from psycopg.errors import LockNotAvailable, QueryCanceled
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse, Response
from starlette.routing import Match

from zerkalo.db.failing import reason_of
from zerkalo.kit.problem import ProblemError
from zerkalo.kit.text import storable_text
from zerkalo.web.headers import add_security_headers

__all__ = ["MEDIA_TYPE", "ProblemError", "ShowPage", "install_error_handlers", "problem_response"]

MEDIA_TYPE = "application/problem+json"
DATABASE_RETRY_SECONDS = 5
FIELDS_NAMED_MAX = 20
"""Invalid fields named in one answer."""

ShowPage = Callable[[Request, ProblemError], Awaitable[Response | None]]
"""Shows a problem to a person; None where the caller is a program and wants it as JSON."""

_log = structlog.get_logger("zerkalo.web")

_HTTP_CODES = {
    400: "bad_request",
    401: "not_signed_in",
    403: "forbidden",
    404: "not_found",
    405: "method_not_allowed",
    408: "too_slow",
    413: "too_large",
    415: "unsupported_media_type",
    422: "invalid_request",
    429: "too_many_requests",
    503: "unavailable",
}


def problem_response(
    status: int,
    code: str,
    detail: str,
    headers: Mapping[str, str] | None = None,
    **more: Any,
) -> Response:
    """Return an RFC 9457 answer: `type`, `title`, `status`, `detail`, our `code`, and the members of `more`."""
    try:
        title = HTTPStatus(status).phrase
    except ValueError:
        title = "Error"
    body = {"type": "about:blank", "title": title, "status": status, "detail": detail, "code": code, **more}
    return JSONResponse(body, status_code=status, headers=dict(headers or {}), media_type=MEDIA_TYPE)


def install_error_handlers(app: FastAPI, show_page: ShowPage | None = None) -> None:
    """Turn every error of the app into a problem: ours, and those of validation, the router, the database, unknown ones.

    `show_page` is asked first, so that a browser gets a page.
    """
    app.state.show_page = show_page
    app.add_exception_handler(ProblemError, _on_problem)
    app.add_exception_handler(RequestValidationError, _on_invalid_request)
    app.add_exception_handler(HTTPException, _on_http_exception)
    # OperationalError covers the pool's own PoolTimeout and TooManyRequests.
    for kind in (psycopg.OperationalError, psycopg.InterfaceError):
        app.add_exception_handler(kind, _on_database_unavailable)
    app.add_exception_handler(Exception, _on_unknown_error)


async def _answer(request: Request, problem: ProblemError) -> Response:
    """Answer with a page for a person, else with JSON."""
    show_page: ShowPage | None = request.app.state.show_page
    page = await show_page(request, problem) if show_page is not None else None
    return page or problem_response(problem.status, problem.code, problem.detail, problem.headers)


async def _on_problem(request: Request, error: Exception) -> Response:
    assert isinstance(error, ProblemError)
    return await _answer(request, error)


async def _on_invalid_request(_request: Request, error: Exception) -> Response:
    """Answer 422 with the fields and what is wrong with them, never what was sent: it may be a password."""
    assert isinstance(error, RequestValidationError)
    errors: Sequence[Any] = error.errors()
    fields = [
        {
            "field": storable_text(".".join(str(part) for part in found["loc"])),
            "problem": storable_text(str(found["msg"])),
        }
        for found in errors[:FIELDS_NAMED_MAX]
    ]
    return problem_response(
        422, "invalid_request", "The request does not have the expected form.", errors=fields
    )


async def _on_http_exception(request: Request, error: Exception) -> Response:
    """Answer what the framework itself refuses: an unknown path or method, invalid JSON."""
    assert isinstance(error, HTTPException)
    code = _HTTP_CODES.get(error.status_code, f"http_{error.status_code}")
    if error.status_code in (204, 304):
        return Response(status_code=error.status_code, headers=error.headers)
    headers = dict(error.headers or {})
    if error.status_code == 405:
        headers["Allow"] = ", ".join(_allowed_methods(request))
    return await _answer(request, ProblemError(error.status_code, code, str(error.detail), headers))


def _allowed_methods(request: Request) -> list[str]:
    """Return all methods of this address; the router itself names only those of the first matching route."""
    routes = request.app.router.routes
    found = [
        method
        for method in ("GET", "POST", "PUT", "PATCH", "DELETE")
        if any(route.matches({**request.scope, "method": method})[0] is Match.FULL for route in routes)
    ]
    return ["GET", "HEAD", *found[1:]] if "GET" in found else found


def _route(request: Request) -> str:
    """Return the route's pattern for the log: the address itself may hold a token."""
    declared = getattr(request.state, "declared", None) or request.scope.get("route")
    return getattr(declared, "path", "unknown")


async def _on_database_unavailable(request: Request, error: Exception) -> Response:
    """Answer 503 with Retry-After: the request did nothing, or we could not learn whether it did."""
    if isinstance(error, QueryCanceled | LockNotAvailable):
        _log.warning("the database was too slow", route=_route(request), kind=type(error).__name__)
    else:
        _log.error(reason_of(error), route=_route(request), kind=type(error).__name__)
    problem = ProblemError(
        503,
        "database_unavailable",
        "The database does not answer. Try again in a few seconds.",
        {"Retry-After": str(DATABASE_RETRY_SECONDS)},
    )
    return await _answer(request, problem)


async def _on_unknown_error(request: Request, error: Exception) -> Response:
    """Answer 500 without details: Starlette raises the error again, and it is logged with its trace."""
    _log.error("a request failed", route=_route(request), kind=type(error).__name__)
    problem = ProblemError(500, "internal_error", "Something went wrong on our side. It has been logged.")
    answer = await _answer(request, problem)
    # This handler runs outside every middleware, so the security headers are added here.
    add_security_headers(answer.headers, request.scope)
    return answer
