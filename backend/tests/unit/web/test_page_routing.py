"""No page can forget who may ask for it, nor that a form must be from our own pages: the decorator sees to both."""

from collections.abc import AsyncIterator, Hashable
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from types import SimpleNamespace
from typing import Any
from urllib.parse import urlencode
from uuid import UUID

import pytest
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response

from zerkalo.auth.audit.service import audit
from zerkalo.auth.model import AuthenticatedUser, Role, Session
from zerkalo.kit.problem import ProblemError
from zerkalo.kit.single_flight import SingleFlight
from zerkalo.web.pages import MODULES
from zerkalo.web.pages.forms import csrf_token
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Declared, Endpoint, Pages, Who
from zerkalo.web.pages.site import Salon, Site

NOW = datetime(2026, 12, 3, 12, 0, tzinfo=UTC)
COOKIES = "zerkalo_form=seed; zerkalo_session=%s"


def session(role: Role | None) -> Session:
    user = AuthenticatedUser(id=1, email="anna@example.com", role=role)
    return Session(user, UUID(int=1))


@dataclass
class FakeAuth:
    """Knows the sessions "anna", a client's, and one of each role."""

    async def browser_session(self, token: str, *, now: datetime) -> tuple[Session, bool] | None:
        known = {"anna": session(None), **{str(role): session(role) for role in Role}}
        return (known[token], False) if token in known else None


@dataclass
class Handler:
    """A page that counts who came through to it."""

    calls: int = 0
    problem: ProblemError | None = None
    refused: list[str] = field(default_factory=list)

    async def answer(self, page: Page) -> Response:
        self.calls += 1
        if self.problem is not None:
            raise self.problem
        return PlainTextResponse(page.form.text("name"))

    async def again(self, page: Page, problem: ProblemError) -> Response:
        self.refused.append(problem.code)
        return PlainTextResponse(page.form.text("name"), problem.status)


class KnownSalon(SingleFlight):
    """What was read of a salon already."""

    def last(self, key: Hashable) -> Salon:
        return Salon()

    async def get(self, *_: Any, **__: Any) -> Any:
        return Salon()


@dataclass
class FakePool:
    """Keeps what was written by it, for the log of what staff did."""

    written: list[list[Any]] = field(default_factory=list)

    @asynccontextmanager
    async def connection(self) -> AsyncIterator["FakePool"]:
        yield self

    transaction = connection

    async def execute(self, sql: str, values: list[Any]) -> None:
        if "audit_entries" in sql:
            self.written.append(values[1:4])


def site(pool: FakePool | None = None) -> Any:
    runtime = SimpleNamespace(
        pool=pool or FakePool(),
        clock=lambda: NOW,
        settings=SimpleNamespace(public_url="http://localhost:8000"),
        people=SimpleNamespace(auth=FakeAuth()),
    )
    return Site(runtime, None, None, b"key", b"key", None, KnownSalon())  # pyright: ignore[reportArgumentType]  # a page that renders nothing needs no more


def request(method: str, who: str = "", form: dict[str, str] | None = None) -> Request:
    body = urlencode(form or {}).encode()

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": body, "more_body": False}

    headers = [
        (b"content-type", b"application/x-www-form-urlencoded"),
        (b"cookie", (COOKIES % who).encode()),
    ]
    scope = {
        "type": "http",
        "method": method,
        "path": "/page",
        "query_string": b"",
        "headers": headers,
        "scheme": "http",
        "server": ("localhost", 8000),
        "state": {},
    }
    return Request(scope, receive)


def token_of(who: str) -> str:
    return csrf_token(b"key", Page(site(), request("GET", who)).cookies)


def endpoint(
    handler: Handler, method: str, who: Who, *, can_show_again: bool = False, pool: FakePool | None = None
) -> Endpoint:
    again = handler.again if can_show_again else None
    return Endpoint(site(pool), Declared(method, "/page", who, handler.answer, again))


@pytest.mark.parametrize("method", ["GET", "POST"])
@pytest.mark.parametrize(
    ("who", "caller", "status"),
    [
        (Who.ANYBODY, "", 200),
        (Who.ANYBODY, "unknown", 200),
        (Who.USER, "", 401),
        (Who.USER, "unknown", 401),
        (Who.USER, "anna", 200),
        (Who.STAFF, "", 401),
        (Who.STAFF, "anna", 403),
        (Who.STAFF, "read_only", 200),
        (Who.STAFF, "receptionist", 200),
        (Who.STAFF, "owner", 200),
        (Who.RECEPTION, "read_only", 403),
        (Who.RECEPTION, "receptionist", 200),
        (Who.RECEPTION, "owner", 200),
        (Who.OWNER, "", 401),
        (Who.OWNER, "anna", 403),
        (Who.OWNER, "read_only", 403),
        (Who.OWNER, "receptionist", 403),
        (Who.OWNER, "owner", 200),
    ],
)
async def test_a_page_answers_only_who_may_ask(method: str, who: Who, caller: str, status: int) -> None:
    handler = Handler()
    asked = request(method, caller, {"csrf": token_of(caller)})
    if status == 200:
        assert (await endpoint(handler, method, who).answer(asked)).status_code == 200
    else:
        with pytest.raises(ProblemError) as refused:
            await endpoint(handler, method, who, can_show_again=True).answer(asked)
        assert refused.value.status == status
    assert handler.calls == (status == 200)
    assert not handler.refused, "who may not ask sees no form again"


@pytest.mark.parametrize("form", [{}, {"csrf": ""}, {"csrf": "0" * 64}])
async def test_a_form_without_our_token_reaches_no_handler(form: dict[str, str]) -> None:
    handler = Handler()
    with pytest.raises(ProblemError) as refused:
        await endpoint(handler, "POST", Who.OWNER).answer(request("POST", "owner", form))
    assert (refused.value.code, handler.calls) == ("stale_form", 0)


async def test_the_token_of_another_session_is_none() -> None:
    handler = Handler()
    with pytest.raises(ProblemError):
        await endpoint(handler, "POST", Who.USER).answer(request("POST", "anna", {"csrf": token_of("owner")}))
    assert handler.calls == 0


async def test_a_form_that_is_out_of_date_is_shown_again_with_what_was_typed() -> None:
    handler = Handler()
    asked = request("POST", form={"csrf": "old", "name": "Анна"})
    answer = await endpoint(handler, "POST", Who.ANYBODY, can_show_again=True).answer(asked)
    assert (answer.status_code, bytes(answer.body).decode(), handler.calls) == (403, "Анна", 0)


async def test_a_refused_form_is_shown_again_with_what_was_typed() -> None:
    handler = Handler(problem=ProblemError(429, "too_many_requests", "Wait."))
    asked = request("POST", form={"csrf": token_of(""), "name": "Анна"})
    answer = await endpoint(handler, "POST", Who.ANYBODY, can_show_again=True).answer(asked)
    assert (answer.status_code, bytes(answer.body).decode()) == (429, "Анна")
    assert handler.refused == ["too_many_requests"]


@pytest.mark.parametrize(
    ("method", "who", "problem", "noted"),
    [
        ("POST", Who.RECEPTION, None, [[1, "answer", "/page"]]),
        ("POST", Who.OWNER, None, [[1, "answer", "/page"]]),
        ("POST", Who.OWNER, ProblemError(409, "busy", "Wait."), []),
        ("POST", Who.USER, None, []),
        ("GET", Who.OWNER, None, []),
    ],
)
async def test_what_staff_did_is_noted_whatever_the_handler_forgets(
    method: str, who: Who, problem: ProblemError | None, noted: list[list[Any]]
) -> None:
    pool = FakePool()
    asked = request(method, "owner", {"csrf": token_of("owner")})
    await endpoint(Handler(problem=problem), method, who, can_show_again=True, pool=pool).answer(asked)
    assert pool.written == noted


async def test_what_the_use_case_noted_is_not_noted_twice() -> None:
    pool = FakePool()

    async def merge(page: Page) -> Response:
        await audit(pool, page.me.id, "user.merge", "user 5", {}, NOW)  # pyright: ignore[reportArgumentType]  # a fake
        return PlainTextResponse("done")

    asked = request("POST", "owner", {"csrf": token_of("owner")})
    await Endpoint(site(pool), Declared("POST", "/page", Who.OWNER, merge, None)).answer(asked)
    assert pool.written == [[1, "user.merge", "user 5"]]


def test_every_module_declares_its_pages_by_the_decorators_and_each_names_who_may_ask() -> None:
    for module in MODULES:
        assert isinstance(module.pages, Pages)
        for route in module.pages.routes(site()):
            declared = vars(route)["endpoint"].__self__.page
            assert isinstance(declared.who, Who)
            is_of_staff = declared.path == "/admin" or declared.path.startswith("/admin/")
            assert (declared.who.needed is not None) == is_of_staff, declared.path
            assert declared.method == "GET" or declared.who is not Who.STAFF, "who only reads changes nothing"
            assert declared.method in ("GET", "POST")


def test_a_page_without_who_may_ask_can_not_be_declared() -> None:
    with pytest.raises(TypeError):
        Pages().get("/page")  # pyright: ignore[reportCallIssue]  # which is what is tried
