"""Every page is a function of a `Page` under a decorator that names its address and who may open it:

    pages = Pages()

    @pages.get("/me/visits", Who.USER)
    async def visits(page: Page) -> Response: ...

    @pages.post("/admin/sync", Who.OWNER)
    async def sync_now(page: Page) -> Response: ...

The decorator opens the session, checks the role, reads the form, refuses one that is not from our own pages, and logs
what staff did. A handler can't skip any of it: `who` has no default, and nothing else registers a page.
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
"""From this status on, nothing was done."""


class Who(Enum):
    """Who may open a page."""

    ANYBODY = "anybody"
    USER = "user"
    STAFF = "staff"
    """Everybody with a role, to read."""
    RECEPTION = "reception"
    """Receptionists and owners."""
    OWNER = "owner"

    @property
    def needed(self) -> Role | None:
        """The required role; None where none is."""
        return _NEEDED.get(self)


_NEEDED = {Who.STAFF: Role.READ_ONLY, Who.RECEPTION: Role.RECEPTIONIST, Who.OWNER: Role.OWNER}


@dataclass(frozen=True, slots=True)
class Declared:
    """A declared page."""

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
        """Check session, role and form, then call the handler."""
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
        """Call the handler of a posted form; on a page for staff, log the action unless the handler has."""
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
        """Declare the handler of a GET of this path, and of HEAD. `again` as in `post`."""
        return self._declare("GET", path, who, again)

    def post(self, path: str, who: Who, *, again: Again | None = None) -> Callable[[Handler], Handler]:
        """Declare the handler of a form posted to this path.

        `again` answers any `ProblemError`, that of an outdated form included, with the form, what was typed and why it
        was refused. It must change nothing: forms posted by other sites reach it.
        """
        return self._declare("POST", path, who, again)

    def routes(self, site: Site) -> list[Route]:
        """Return the routes of the declared pages on a site."""
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
    """Show the form again; where that fails too, raise the first problem."""
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
