"""Every page is a function of a `Page` under a decorator that names its address and who may ask:

    pages = Pages()

    @pages.get("/me/visits", Who.USER)
    async def visits(page: Page) -> Response: ...

    @pages.post("/admin/sync", Who.OWNER)
    async def sync_now(page: Page) -> Response: ...

The decorator opens the session, asks for the role, reads the form and refuses one that is not from our own pages, and
notes what staff did. A handler can forget none of that: who may ask has no default, and nothing else registers a page.
"""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from enum import Enum

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.auth.audit.service import noting
from zerkalo.auth.dependencies import check_role, subject_of
from zerkalo.auth.model import Role
from zerkalo.kit.problem import ProblemError
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.site import Site

Handler = Callable[[Page], Awaitable[Response]]
Again = Callable[[Page, ProblemError], Awaitable[Response]]
"""Shows a form again, with what was typed and why it was refused."""


REFUSED_FROM = 400
"""Statuses from here on say that nothing was done."""


class Who(Enum):
    """Who may ask for a page."""

    ANYBODY = "anybody"
    USER = "user"
    STAFF = "staff"
    """Everybody with a role: to look."""
    RECEPTION = "reception"
    """Receptionists and owners."""
    OWNER = "owner"

    @property
    def needed(self) -> Role | None:
        """The role that is asked for; None: none."""
        return _NEEDED.get(self)


_NEEDED = {Who.STAFF: Role.READ_ONLY, Who.RECEPTION: Role.RECEPTIONIST, Who.OWNER: Role.OWNER}


@dataclass(frozen=True, slots=True)
class Declared:
    """A page as it was declared."""

    method: str
    path: str
    who: Who
    handler: Handler
    again: Again | None


@dataclass(frozen=True)
class Endpoint:
    """A declared page on a site."""

    site: Site
    page: Declared

    async def answer(self, request: Request) -> Response:
        """Check session, role and form, then let the handler answer."""
        page = Page(self.site, request)
        request.state.page, request.state.declared = page, self.page
        await page.open_session()
        await self.site.refresh_salon()
        _check_role(page, self.page.who)
        try:
            if self.page.method != "POST":
                return await self.page.handler(page)
            await page.read_form()
            return await self._noted(page)
        except ProblemError as problem:
            is_unread = self.page.method == "POST" and page.form is page.query
            if self.page.again is None or is_unread:
                raise
            return await _shown_again(page, problem, self.page.again)

    async def _noted(self, page: Page) -> Response:
        """What the handler answers to a form; of the staff's, that it was done is noted, whatever the handler forgets."""
        if self.page.who.needed is None:
            return await self.page.handler(page)
        action, subject = self.page.handler.__name__, subject_of(page.request)
        async with noting(page.runtime.pool, page.me.id, action, subject, now=page.now) as request:
            response = await self.page.handler(page)
            request.is_noted |= response.status_code >= REFUSED_FROM
        return response


class Pages:
    """The pages of one module."""

    def __init__(self) -> None:
        self._declared: list[Declared] = []

    def get(self, path: str, who: Who, *, again: Again | None = None) -> Callable[[Handler], Handler]:
        """Declare what a GET of this path answers; HEAD is answered alike. `again` as below."""
        return self._declare("GET", path, who, again)

    def post(self, path: str, who: Who, *, again: Again | None = None) -> Callable[[Handler], Handler]:
        """Declare what a form posted to this path does.

        `again` answers any `ProblemError` of the handler, a form that is out of date too: with the form, what was typed
        and why it was refused. It must change nothing: a form of another site comes that far.
        """
        return self._declare("POST", path, who, again)

    def routes(self, site: Site) -> list[Route]:
        """The declared pages on a site."""
        return [
            Route(one.path, Endpoint(site, one).answer, methods=[one.method], name=one.handler.__name__)
            for one in self._declared
        ]

    def _declare(self, method: str, path: str, who: Who, again: Again | None) -> Callable[[Handler], Handler]:
        def declare(handler: Handler) -> Handler:
            self._declared.append(Declared(method, path, who, handler, again))
            return handler

        return declare


async def _shown_again(page: Page, problem: ProblemError, again: Again) -> Response:
    """The form once more; where that can't be shown either, the first problem is the one to speak of."""
    try:
        return await again(page, problem)
    except ProblemError:
        raise problem from None


def _check_role(page: Page, who: Who) -> None:
    """Raise a `ProblemError`: 401 where nobody is signed in, 403 for a user without the role."""
    if who is Who.ANYBODY:
        return
    user = page.me
    if who.needed is not None:
        check_role(user, who.needed)
