"""What all pages share: `Site`, one for a process, and `Page`, one for a request.

A handler is `async def name(request: Request) -> Response`:

    page = await site.page(request)
    user = page.require_user()              # or page.require_admin(); who is nobody is sent to sign in
    form = await page.form()                # of a POST: bounded, and refused without our token
    return page.render("me/visits.html", visits=visits)
    return page.redirect("/me", flash="saved")
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta, tzinfo
from typing import Any, Protocol
from urllib.parse import urlencode
from zoneinfo import ZoneInfo

from jinja2 import Environment
from starlette.datastructures import URL
from starlette.requests import Request
from starlette.responses import HTMLResponse, RedirectResponse, Response

from zerkalo.auth.dependencies import client_address
from zerkalo.auth.model import AuthenticatedUser, Session
from zerkalo.auth.rules import REFRESH_TOKEN_SPAN, derive_key
from zerkalo.booking_form.form import BookingForm
from zerkalo.booking_form.store import branches
from zerkalo.checkup.model import Answer
from zerkalo.engine.bells import Bells
from zerkalo.kit.language import Language, language_of
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.mirror.context import SyncContext
from zerkalo.runs.service import Runs
from zerkalo.settings import Settings
from zerkalo.users.routes import PeopleRuntime
from zerkalo.web.pages import cookies, forms
from zerkalo.web.pages.assets import Assets, read_assets
from zerkalo.web.pages.cookies import Cookies
from zerkalo.web.pages.forms import Form
from zerkalo.web.pages.templating import new_environment
from zerkalo.web.pages.wording import FLASHES, NBSP, WARNINGS, problem_text

SIGN_IN_PATH = "/me/sign-in"
LANGUAGE_SECONDS = 365 * 24 * 3600
SALON_KEPT = timedelta(minutes=1)
WAITS_TOLD = {"too_many_requests": 0, "yclients_unavailable": 60}
"""Problems that pass by themselves -> the seconds above which it is told how long that takes."""
NO_STORE = "no-store"
MAY_GO_BACK = "private, no-cache"
"""For pages without personal data: the browser may keep what was typed for its Back button."""


class PagesRuntime(PeopleRuntime, Protocol):
    """What the pages need of the process's parts."""

    @property
    def settings(self) -> Settings: ...
    @property
    def booking_form(self) -> BookingForm: ...
    @property
    def policy(self) -> LoyaltyPolicy: ...
    @property
    def bells(self) -> Bells: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def sync(self) -> SyncContext: ...
    @property
    def started_at(self) -> datetime: ...

    async def ask_yclients(self, company_id: int) -> Answer:
        """Whether YCLIENTS answers for a company."""
        ...


@dataclass
class Salon:
    """What the frame of every page tells of the salon, as it was known last."""

    title: str = ""
    """Of its only branch; "" where there are several, or it is not known yet."""
    zone: tzinfo = UTC
    """Of its first branch: days of our own movements, points for example, are counted by it."""
    branches: Mapping[int, str] = field(default_factory=dict[int, str])
    """Title by company, "" where it is not known yet; empty where there is one branch only, and so nothing to tell apart."""
    read_at: datetime | None = None


@dataclass(frozen=True)
class Site:
    """The pages of one process."""

    runtime: PagesRuntime
    assets: Assets
    environment: Environment
    csrf_key: bytes
    salon: Salon = field(default_factory=Salon)

    async def page(self, request: Request) -> "Page":
        """Who asks, in which language: reads the session from the database."""
        page = self.page_of_nobody(request)
        await page.open_session()
        await self._refresh_salon()
        return page

    def page_of_nobody(self, request: Request) -> "Page":
        """The same without asking the database, for pages that tell of its failure."""
        return Page(self, request, Cookies(request, self.runtime.settings.public_url))

    async def _refresh_salon(self) -> None:
        now = self.runtime.clock()
        if self.salon.read_at is not None and now - self.salon.read_at < SALON_KEPT:
            return
        self.salon.read_at = now
        async with self.runtime.pool.connection() as conn:
            known = await branches(conn, self.runtime.settings.yclients_company_ids)
        self.salon.title = known[0].title if len(known) == 1 else ""
        self.salon.branches = {one.company_id: one.title for one in known} if len(known) > 1 else {}
        self.salon.zone = _zone(known[0].timezone_name) if known else UTC


def new_site(runtime: PagesRuntime) -> Site:
    """The pages on these parts. Reads templates and static files."""
    assets = read_assets()
    return Site(runtime, assets, new_environment(assets), derive_key(runtime.secret_key, "page forms"))


class Page:
    """One request for a page: who asks, in which language, and the answer with its cookies."""

    def __init__(self, site: Site, request: Request, jar: Cookies) -> None:
        self.site = site
        self.request = request
        self.cookies = jar
        self.language: Language = self._language()
        self.session: Session | None = None

    @property
    def user(self) -> AuthenticatedUser | None:
        """Who is signed in; None: nobody."""
        return self.session.user if self.session else None

    @property
    def address(self) -> str:
        """For whom this call counts where tries are limited."""
        return client_address(self.request)

    @property
    def csrf(self) -> str:
        """What every form must carry; in a template: `{{ csrf_field() }}`."""
        return forms.csrf_token(self.site.csrf_key, self.cookies)

    @property
    def now(self) -> datetime:
        """The time by which a visit is ahead or past."""
        return self.site.runtime.clock()

    @property
    def today(self) -> date:
        """The salon's day, so that a date of this year needs no year."""
        return self.now.astimezone(self.site.salon.zone).date()

    @property
    def path(self) -> str:
        """The address of this page with its query, without the host. Never one that a browser takes for a host."""
        url = self.request.url
        path = "/" + url.path.lstrip("/\\")
        return f"{path}?{url.query}" if url.query else path

    def branch(self, company_id: int | None) -> str:
        """Where a visit is; "" where the salon has one branch only."""
        branches = self.site.salon.branches
        if not branches or company_id is None:
            return ""
        return branches.get(company_id) or self.say(f"Филиал {company_id}", f"Branch {company_id}")

    def say(self, ru: str, en: str) -> str:
        """The text in the language of this page."""
        return ru if self.language == "ru" else en

    def problem(self, error: ProblemError) -> str:
        """What went wrong, for a person; and where it is worth waiting, how long."""
        text = problem_text(error.code, self.language)
        after = error.headers.get("Retry-After", "")
        untold_seconds = WAITS_TOLD.get(error.code)
        if untold_seconds is None or not after.isdigit() or int(after) <= untold_seconds:
            return text
        minutes = -(-int(after) // 60)
        return f"{text} " + self.say(
            f"Снова можно через {minutes}{NBSP}мин.", f"Try again in {minutes}{NBSP}min."
        )

    def refusal(self, error: ProblemError, at: Mapping[str, str]) -> dict[str, Any]:
        """What a refused form shows: `errors` with the sentence at the field that explains it (`at`: code -> field), else
        `problem` with the sentence above the form.
        """
        text = self.problem(error)
        field_name = at.get(error.code)
        if field_name is None:
            return {"problem": text, "errors": {}}
        return {"problem": None, "errors": {field_name: text}}

    def query(self) -> Form:
        """The fields of the address."""
        return forms.query_of(self.request)

    async def form(self) -> Form:
        """The fields of the posted form. Raises a `ProblemError` where it is too long or not from our page."""
        return await forms.read_form(self.request, self.csrf)

    def require_user(self) -> AuthenticatedUser:
        """Who is signed in. Raises a 401 `ProblemError`, which shows as the page to sign in."""
        return self.require_session().user

    def require_session(self) -> Session:
        """The same with the log-in it descends from."""
        if self.session is None:
            raise ProblemError(401, "not_signed_in", "Sign in first.")
        return self.session

    def require_admin(self) -> AuthenticatedUser:
        """Who is signed in, if an admin. Raises a `ProblemError`: 401 for nobody, 403 for any other user."""
        user = self.require_user()
        if not user.is_admin:
            raise ProblemError(403, "admins_only", "Only an admin may do this.")
        return user

    def render(
        self,
        template: str,
        *,
        status: int = 200,
        cache: str = NO_STORE,
        headers: Mapping[str, str] | None = None,
        **values: Any,
    ) -> Response:
        """The page from a template, which sees `values`, `page` and `_('по-русски', 'in English')`."""
        flash = self.cookies.get(cookies.FLASH)
        if flash is not None:
            self.cookies.delete(cookies.FLASH)
        words = FLASHES.get(flash or "")
        html = self.site.environment.get_template(template).render(
            page=self,
            _=self.say,
            flash=words[self.language] if words else None,
            flash_kind="warning" if flash in WARNINGS else "good",
            **values,
        )
        response = HTMLResponse(html, status, {"Cache-Control": cache, **(headers or {})})
        response.headers["Vary"] = "Accept-Language"
        return self.finish(response)

    def redirect(self, path: str, *, flash: str | None = None) -> Response:
        """Sends the browser on, by GET, after a form was done; `flash` names a text that the next page shows."""
        if flash is not None:
            assert flash in FLASHES, "a text is ours"
            self.cookies.set(cookies.FLASH, flash, seconds=60)
        return self.finish(RedirectResponse(path, 303, {"Cache-Control": NO_STORE}))

    def finish(self, response: Response) -> Response:
        """Puts this request's cookies on an answer made elsewhere."""
        self.cookies.write(response)
        return response

    def sign_in(self, refresh_token: str) -> None:
        """Opens the session in this browser."""
        self.cookies.set(cookies.SESSION, refresh_token, seconds=int(REFRESH_TOKEN_SPAN.total_seconds()))

    def sign_out(self) -> None:
        """Forgets the session in this browser; ending it in the database is the service's."""
        self.cookies.delete(cookies.SESSION)
        self.session = None

    async def open_session(self) -> None:
        """Looks whose session the cookie is; a long-lived one is kept alive while it is used."""
        token = self.cookies.get(cookies.SESSION)
        if token is None:
            return
        runtime = self.site.runtime
        found = await runtime.people.auth.browser_session(token, now=runtime.clock())
        if found is None:
            return
        self.session, prolonged = found
        if prolonged:
            self.sign_in(token)

    def sign_in_url(self, back_to: str | None = None) -> str:
        """Where to sign in, and to be sent back from there: to this page unless told otherwise."""
        return f"{SIGN_IN_PATH}?{urlencode({'next': back_to or self.path})}"

    def language_url(self, language: Language) -> str:
        """This page in another language."""
        return str(URL(self.path).include_query_params(lang=language))

    def _language(self) -> Language:
        asked = self.request.query_params.get("lang")
        if asked == "ru" or asked == "en":  # noqa: PLR1714 - narrows the type
            self.cookies.set(cookies.LANGUAGE, asked, seconds=LANGUAGE_SECONDS)
            return asked
        kept = self.cookies.get(cookies.LANGUAGE)
        if kept == "ru" or kept == "en":  # noqa: PLR1714 - as above
            return kept
        return language_of(self.request.headers.get("accept-language"))


def _zone(name: str | None) -> tzinfo:
    try:
        return ZoneInfo(name) if name else UTC
    except (KeyError, ValueError, OSError):
        return UTC


def local_path(text: str, default: str) -> str:
    """A path of ours to go on to, else `default`: never another host, whatever the address bar was given."""
    is_path = text.startswith("/") and not text.startswith(("//", "/\\")) and text.isprintable()
    return text if is_path and "\\" not in text else default
