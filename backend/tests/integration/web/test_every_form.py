"""Every form of every page, found by following the links: sent wrong, then sent again from the answer.

A form that was refused must come back with an address that still leads somewhere, and must do its work the second time.
"""

import re
from collections.abc import AsyncIterator
from dataclasses import dataclass, field
from html.parser import HTMLParser
from urllib.parse import urljoin, urlsplit

import httpx2
import pytest

from tests.integration.security.test_matrix import new_booking
from tests.support.application import COMPANY_ID, PASSWORD, Application, free_port, running_application
from tests.support.database import TestServer, open_folder
from tests.support.rows import add_booking
from zerkalo.web.pages.cookies import SESSION

pytestmark = [pytest.mark.integration, pytest.mark.slow]

START = ("/", "/book", "/me", "/admin", "/me/sign-in", "/me/sign-up", "/me/reset")
PAGES_MAX = 200
GOOD = {
    "name": "Анна",
    "phone": "+7 999 123-{turn}-00",
    "email": "good{turn}@example.com",
    "contact": "nobody{turn}@example.com",
    "password": PASSWORD,
    "old_password": PASSWORD,
    "new_password": PASSWORD,
    "points": "10",
    "reason": "подарок",
    "into": "{kept_id}",
    "role": "owner",
    "comment": "Позвонить",
    "consent": "1",
    "sure": "1",
    "code": "000000",
}
BAD = {"points": "9999", "reason": "подарок", "into": "999999", "name": "Анна"}
"""What is refused; other fields are left empty, boxes unticked."""
STILL_REFUSED = {
    "/me/verify/email": 400,
    "/me/reset/confirm": 400,
    "/me/code/confirm": 400,
    "/me/sign-in": 401,
}
"""Forms that ask for what no test can guess: the answer to good fields."""
LAST = ("/merge", "/me/sign-out", "/me/profile/password", "/me/erase")
"""Forms that end something, tried after all others."""


@dataclass
class Form:
    """A form that posts, with its fields as a browser would send them."""

    action: str
    hidden: dict[str, str] = field(default_factory=dict[str, str])
    typed: list[str] = field(default_factory=list[str])
    buttons: list[tuple[str, str]] = field(default_factory=list[tuple[str, str]])
    actions: list[str] = field(default_factory=list[str])
    """Other addresses that buttons of it post to."""

    @property
    def kind(self) -> str:
        """Its address with numbers and words of the demo's data left out."""
        return re.sub(r"\d+", "N", urlsplit(self.action).path)


class Reader(HTMLParser):
    """Reads links and posting forms of a page."""

    def __init__(self, url: str) -> None:
        super().__init__()
        self.url = url
        self.links: list[str] = []
        self.forms: list[Form] = []
        self._form: Form | None = None

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "a":
            self.links.append(urljoin(self.url, given.get("href", "")))
        if tag == "form":
            posts = given.get("method", "get") == "post"
            self._form = Form(urljoin(self.url, given.get("action", ""))) if posts else None
            if self._form:
                self.forms.append(self._form)
        if self._form is not None:
            self._read_field(self._form, tag, given)

    def handle_endtag(self, tag: str) -> None:
        if tag == "form":
            self._form = None

    def _read_field(self, form: Form, tag: str, given: dict[str, str]) -> None:
        name = given.get("name", "")
        if tag == "input" and given.get("type") == "hidden":
            form.hidden[name] = given.get("value", "")
        elif tag in ("input", "textarea", "select"):
            form.typed.append(name)
        elif tag == "button":
            if name:
                form.buttons.append((name, given.get("value", "")))
            if "formaction" in given:
                form.actions.append(urljoin(self.url, given["formaction"]))


@dataclass
class Browser:
    """Somebody's browser without JavaScript."""

    client: httpx2.AsyncClient

    async def read(self, path: str) -> Reader:
        answer = await self.client.get(path, follow_redirects=True)
        return self.reader(answer)

    def reader(self, answer: httpx2.Response) -> Reader:
        reader = Reader(str(answer.url))
        if answer.headers.get("content-type", "").startswith("text/html"):
            reader.feed(answer.text)
        return reader

    async def send(self, form: Form, values: dict[str, str]) -> httpx2.Response:
        """Sends the form: hidden fields as they are, its first named button, and these values where it has the fields."""
        typed = {name: values[name] for name in form.typed if name in values}
        return await self.client.post(form.action, data=form.hidden | dict(form.buttons[:1]) | typed)


@pytest.fixture(scope="module")
async def salon(database_server: TestServer) -> AsyncIterator[Application]:
    with database_server.database() as dsn, open_folder() as folder:
        async with running_application(
            dsn, folder, is_demo=True, PUBLIC_URL=f"http://localhost:{free_port()}"
        ) as application:
            yield application


async def new_browser(salon: Application, user_id: int) -> Browser:
    session = await salon.session_of(user_id)
    client = salon.client()
    client.headers["Accept"] = "text/html"
    client.cookies.set(SESSION, session.refresh_token)
    return Browser(client)


async def furnish(salon: Application) -> tuple[int, int]:
    """An admin who is a client too, with something behind every kind of page; and an account to merge others into."""
    phone = "+79995550002"  # the same of all three: each page warns of doubles, and leads to where two are compared
    kept = await salon.new_user(
        email="kept.form@example.com", name="Пётр", unique_code="KEPT2345", role="owner", phone=phone
    )
    admin = await salon.new_user(
        email="every.form@example.com", name="Мария", is_admin=True, unique_code="EVERY234", phone=phone
    )
    other = await salon.new_user(
        email="other.form@example.com", name="Борис", unique_code="OTHER234", phone=phone
    )
    await new_booking(salon, admin, "+79995550001")
    async with salon.runtime.pool.connection() as conn:
        booking = await add_booking(conn, company_id=COMPANY_ID, yclients_record_id=77001)
        await conn.execute("insert into match_candidates values (%s, %s, 'phone', now())", [booking, other])
        await conn.execute(
            "insert into deliveries (received_at, body, outcome, finished_at)"
            " values (now(), 'not JSON', 'quarantined', now())"
        )
    await salon.execute(
        "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
        " select id, 100, 'adjustment', 'form ' || id, now(), now() from users"
    )
    return admin, kept


async def found_forms(browser: Browser) -> dict[str, tuple[str, Form]]:
    """Every kind of form -> a page that has it, and the form; by following links, one page of a kind."""
    waiting: list[str] = [*START]
    seen: set[str] = set()
    forms: dict[str, tuple[str, Form]] = {}
    while waiting and len(seen) < PAGES_MAX:
        path = waiting.pop(0)
        kind = re.sub(r"\d+", "N", path)
        if kind in seen:
            continue
        seen.add(kind)
        reader = await browser.read(path)
        for form in reader.forms:
            forms.setdefault(form.kind, (path, form))
        for link in reader.links:
            parts = urlsplit(link)
            if parts.netloc == urlsplit(reader.url).netloc and not parts.path.startswith(
                ("/static", "/docs")
            ):
                waiting.append(f"{parts.path}?{parts.query}" if parts.query else parts.path)
    return forms


async def refused_then_sent(
    salon: Application, browser: Browser, path: str, kind: str, kept: int, turn: int
) -> str:
    """Sends a form wrong and from the answer again; what is amiss, "" for nothing."""
    form = next((one for one in (await browser.read(path)).forms if one.kind == kind), None)
    if form is None:
        return f"{kind} is gone from {path}"
    answer = None
    if form.typed:
        answer = await browser.send(form, {name: BAD.get(name, "") for name in form.typed if name in BAD})
        if answer.status_code not in (303, 200):
            form = next((one for one in browser.reader(answer).forms if one.kind == kind), None)
            if form is None:
                return f"{kind} refused with {answer.status_code} comes back without itself"
    good = {name: value.format(kept_id=kept, turn=turn) for name, value in GOOD.items()}
    answer = await browser.send(form, good)
    if answer.status_code >= 400 and answer.status_code != STILL_REFUSED.get(kind):
        said = re.findall(r'class="(?:error|notice bad)[^>]*>([^<]*)', answer.text)
        return f"{kind} sent rightly from {path}: {answer.status_code} {said}"
    return ""


def _turn(kind: str) -> int:
    return next((index for index, ending in enumerate(LAST, 1) if kind.endswith(ending)), 0)


async def test_every_form_is_refused_and_then_does_its_work(salon: Application) -> None:
    admin, kept = await furnish(salon)
    browser = await new_browser(salon, admin)
    forms = await found_forms(browser)
    kinds = sorted(forms, key=_turn)
    assert len(kinds) >= 20, kinds

    faults = []
    for turn, kind in enumerate(kinds, 10):
        path, _ = forms[kind]
        if kind.endswith(LAST):  # each of these ends the one before
            browser = await new_browser(salon, admin)
        faults.append(await refused_then_sent(salon, browser, path, kind, kept, turn))

    assert not [fault for fault in faults if fault]
