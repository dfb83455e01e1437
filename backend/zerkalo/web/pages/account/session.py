"""Shared by all ways to sign in: the sign-in page, the session in the browser, the page to go to afterwards."""

from starlette.responses import Response

from zerkalo.auth.model import Tokens
from zerkalo.kit.contact import canonical_email
from zerkalo.kit.phone import normalise_phone
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users.proving.model import Contact
from zerkalo.web.pages.account import takeover
from zerkalo.web.pages.page import Page, local_path

ME = "/me"


async def sign_in_page(page: Page, problem: ProblemError | None = None) -> Response:
    """Show the page to sign in by a code, where one can be sent, or by a password."""
    typed = takeover.kept(page) if page.request.method == "GET" else {}
    contact = page.form.text("contact") or typed.get("phone") or typed.get("email", "")
    is_about_code = problem is not None and "contact" in dict(page.form.pairs())
    return page.render(
        "account/sign_in.html",
        email=page.form.text("email"),
        contact=contact,
        channels=page.runtime.people.ports.open_channels,
        is_about_code=is_about_code,
        next=next_of(page),
        problem=problem,
        at={"no_such_contact": "contact"},
    )


async def open_session(page: Page, pair: Tokens) -> None:
    """Sign in, ending the session of whoever was signed in before."""
    await end_session(page)
    page.sign_in(pair.refresh_token)
    takeover.forget(page)


async def end_session(page: Page) -> None:
    """End the session in the database."""
    if page.session is not None:
        await page.runtime.people.auth.log_out(family=page.session.family, refresh_token=None, now=page.now)


def next_of(page: Page) -> str:
    """Return the path that was asked for before signing in."""
    return local_path(page.form.text("next"), ME)


def contact_of(text: str) -> Contact | None:
    """Parse the typed contact; None for what is neither an e-mail nor a phone."""
    email = canonical_email(text)
    if email is not None:
        return Contact(Channel.EMAIL, email)
    phone, tail = normalise_phone(text)
    return Contact(Channel.PHONE, phone) if phone is not None and tail is not None else None
