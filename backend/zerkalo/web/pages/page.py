"""`Page`: one request for a page. Handlers get it from `routing`, which has checked session, role and form."""

from collections.abc import Mapping
from datetime import date, datetime
from typing import Any
from urllib.parse import urlencode

from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response
from starlette.routing import Match

from zerkalo.auth.dependencies import client_address
from zerkalo.auth.model import AuthenticatedUser, Role, Session
from zerkalo.auth.rules import REFRESH_TOKEN_SPAN
from zerkalo.booking_form.model import Asker
from zerkalo.bookings.routes import path_id
from zerkalo.companies.model import Branch
from zerkalo.kit.cursor import CURSOR_CHARS_MAX
from zerkalo.kit.language import Language, language_of
from zerkalo.kit.problem import ProblemError
from zerkalo.users import store as users
from zerkalo.web.pages import cookies, forms
from zerkalo.web.pages.answers.flashes import cookie_of, flash_of
from zerkalo.web.pages.answers.problems import problem_text
from zerkalo.web.pages.cookies import Cookies
from zerkalo.web.pages.fields import Fields
from zerkalo.web.pages.forms import Form
from zerkalo.web.pages.site import PagesRuntime, Site
from zerkalo.web.pages.wording import NBSP

SIGN_IN_PATH = "/me/sign-in"
LANGUAGE_SECONDS = 365 * 24 * 3600
WAITS_TOLD = {"too_many_requests": 0, "yclients_unavailable": 60}
"""Temporary problems -> above how many seconds the page says how long to wait."""
NO_STORE = "no-store"
MAY_GO_BACK = "private, no-cache"
"""Cache-Control of pages without personal data: the browser may keep what was typed for its Back button."""


class Page:
    """One request for a page: its user, its language, and the answer with its cookies."""

    def __init__(self, site: Site, request: Request) -> None:
        self.site = site
        self.request = request
        self.cookies = Cookies(request, site.runtime.settings.public_url)
        self.language: Language = self._language()
        self.session: Session | None = None
        self.headers: dict[str, str] = {}
        """Headers of every answer to this request, besides those of all pages."""
        self.query: Form = forms.query_of(request)
        """The fields of the address."""
        self.form: Form = self.query
        """The fields of the posted form; for a GET, those of the address."""

    @property
    def runtime(self) -> PagesRuntime:
        """The process's parts."""
        return self.site.runtime

    @property
    def user(self) -> AuthenticatedUser | None:
        """The signed-in user; None where nobody is."""
        return self.session.user if self.session else None

    @property
    def me(self) -> AuthenticatedUser:
        """The signed-in user. Raises a 401 `ProblemError`, shown as the sign-in page, where nobody is signed in."""
        return self.signed_in.user

    @property
    def signed_in(self) -> Session:
        """The session, with user and token family. Raises a 401 `ProblemError` where nobody is signed in."""
        if self.session is None:
            raise ProblemError(401, "not_signed_in", "Sign in first.")
        return self.session

    def may(self, needed: str) -> bool:
        """Return whether the signed-in user has the role of this name, or one that includes it."""
        return self.user is not None and self.user.may(Role(needed))

    @property
    def address(self) -> str:
        """The client's address, by which attempts are limited."""
        return client_address(self.request)

    @property
    def asker(self) -> Asker:
        """Whose limits requests to YCLIENTS count against."""
        return Asker(self.address, self.user.id if self.user else None)

    @property
    def csrf(self) -> str:
        """The CSRF token that every form must carry; in a template: `{{ csrf_field() }}`."""
        return forms.csrf_token(self.site.csrf_key, self.cookies)

    @property
    def now(self) -> datetime:
        """The current time, which decides whether a visit is upcoming or past."""
        return self.runtime.clock()

    @property
    def today(self) -> date:
        """The current date in the salon's zone; dates of this year are shown without the year."""
        return self.now.astimezone(self.site.salon.zone).date()

    @property
    def path(self) -> str:
        """The path and query of this page, never one that a browser would take for another host (`//…`)."""
        url = self.request.url
        path = "/" + url.path.lstrip("/\\")
        return f"{path}?{url.query}" if url.query else path

    @property
    def cursor(self) -> str | None:
        """The list's cursor in this address; None: from the beginning."""
        return self.query.text("cursor", CURSOR_CHARS_MAX) or None

    def id(self, name: str) -> int:
        """Return an id from the path. Raises a 404 `ProblemError` for what can't be an id."""
        return path_id(self.request.path_params[name])

    def fields(self) -> Fields:
        """Return a reader of personal fields in the form."""
        return Fields(self.form, self.say)

    def branch(self, company_id: int | None) -> str:
        """Return the title of a visit's branch; "" where the salon has only one."""
        branches = self.site.salon.branches
        if not branches or company_id is None:
            return ""
        return branches.get(company_id) or self.say(f"Филиал {company_id}", f"Branch {company_id}")

    def place(self, company_id: int | None) -> Branch | None:
        """Return the branch of a visit; None where it is not known."""
        return self.site.salon.places.get(company_id or 0)

    def say(self, ru: str, en: str) -> str:
        """Return the text in the language of this page."""
        return ru if self.language == "ru" else en

    def problem(self, error: ProblemError) -> str:
        """Return what went wrong, in words; for a temporary problem also how long to wait."""
        text = problem_text(error.code, self.language)
        after = error.headers.get("Retry-After", "")
        untold_seconds = WAITS_TOLD.get(error.code)
        if untold_seconds is None or not after.isdigit() or int(after) <= untold_seconds:
            return text
        minutes = -(-int(after) // 60)
        return f"{text} " + self.say(
            f"Снова можно через {minutes}{NBSP}мин.", f"Try again in {minutes}{NBSP}min."
        )

    def render(
        self,
        template: str,
        *,
        status: int = 200,
        cache: str = NO_STORE,
        headers: Mapping[str, str] | None = None,
        problem: ProblemError | None = None,
        errors: Mapping[str, str] | None = None,
        at: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """Render a template, which sees `values`, `page`, `problem`, `errors` and `_('по-русски', 'in English')`.

        A refused form is shown with its status and with what is wrong: `errors` by field; `problem` above the form or,
        where `at` (code -> field) names a field for it, at that field.
        """
        text, errors = self._refusal(problem, errors or {}, at or {})
        flash = self.cookies.get(cookies.FLASH)
        if flash is not None:
            self.cookies.delete(cookies.FLASH)
        flash_text, flash_kind = flash_of(flash, self.language)
        html = self.site.environment.get_template(template).render(
            page=self,
            _=self.say,
            flash=flash_text,
            flash_kind=flash_kind,
            problem=text,
            errors=errors,
            **values,
        )
        status = problem.status if problem else 422 if errors else status
        response = HTMLResponse(html, status, {"Cache-Control": cache, **(headers or {})})
        response.headers["Vary"] = "Accept-Language"
        return self.finish(response)

    def _refusal(
        self, problem: ProblemError | None, errors: Mapping[str, str], at: Mapping[str, str]
    ) -> tuple[str | None, Mapping[str, str]]:
        if problem is None:
            return None, errors
        field_name = at.get(problem.code)
        text = self.problem(problem)
        return (text, errors) if field_name is None else (None, {field_name: text})

    def redirect(self, path: str, *, flash: str | None = None, count: int | None = None) -> Response:
        """Redirect the browser, by GET, after a form was accepted; `flash` names a text that the next page shows.

        `count`: the number that this text tells.
        """
        if flash is not None:
            self.cookies.set(cookies.FLASH, cookie_of(flash, count), seconds=60)
        return self.finish(RedirectResponse(path, 303, {"Cache-Control": NO_STORE}))

    def finish(self, response: Response) -> Response:
        """Add this request's headers and cookies to an answer made elsewhere."""
        response.headers.update(self.headers)
        self.cookies.write(response)
        return response

    def sign_in(self, refresh_token: str) -> None:
        """Open the session in this browser."""
        self.cookies.set(cookies.SESSION, refresh_token, seconds=int(REFRESH_TOKEN_SPAN.total_seconds()))

    def sign_out(self) -> None:
        """Delete the session cookie; the service ends the session in the database."""
        self.cookies.delete(cookies.SESSION)
        self.session = None

    async def open_session(self) -> None:
        """Read the session of the cookie; one in use is prolonged."""
        token = self.cookies.get(cookies.SESSION)
        if token is None:
            return
        found = await self.runtime.people.auth.browser_session(token, now=self.now)
        if found is None:
            return
        self.session, prolonged = found
        if prolonged:
            self.sign_in(token)
        if self.language_asked is not None:
            async with self.runtime.pool.connection() as conn:
                await users.write_language(conn, self.me.id, self.language_asked, now=self.now)

    async def read_form(self) -> None:
        """Read the posted form. Raises a `ProblemError` where it is too long or not from our page (`stale_form`); the latter
        is still in `form`.
        """
        self.form = await forms.read_form(self.request)
        forms.check_csrf(self.form, self.csrf)

    def sign_in_url(self, back_to: str | None = None) -> str:
        """Return the address of the sign-in page, which leads back to `back_to` or this page."""
        return f"{SIGN_IN_PATH}?{urlencode({'next': back_to or self.path})}"

    def language_url(self, language: Language) -> str:
        """Return this page's address in another language; after a form, that of the nearest parent path that has a GET."""
        path = self.path if self.request.method == "GET" else self._page_above()
        return str(URL(path).include_query_params(lang=language))

    def _page_above(self) -> str:
        routes = self.request.app.router.routes
        path = "/" + self.request.url.path.strip("/\\")
        while path and not any(
            route.matches({**self.request.scope, "method": "GET", "path": path})[0] is Match.FULL
            for route in routes
        ):
            path = path.rpartition("/")[0]
        return path or "/"

    @property
    def language_asked(self) -> Language | None:
        """The language chosen by this request's `lang`."""
        asked = self.request.query_params.get("lang")
        return asked if asked == "ru" or asked == "en" else None  # noqa: PLR1714 - narrows the type

    def _language(self) -> Language:
        asked = self.language_asked
        if asked is not None:
            self.cookies.set(cookies.LANGUAGE, asked, seconds=LANGUAGE_SECONDS)
            return asked
        kept = self.cookies.get(cookies.LANGUAGE)
        if kept == "ru" or kept == "en":  # noqa: PLR1714 - as above
            return kept
        return language_of(self.request.headers.get("accept-language"))


def local_path(text: str, default: str) -> str:
    """Return `text` if it is a path on this site, else `default`: never another host."""
    is_path = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_path and "\\" not in text else default
