"""Signing in, up and out, and a new password by a proved contact: the services of `/api/v1/auth`."""

from starlette.responses import Response

from zerkalo.kit.contact import canonical_email
from zerkalo.kit.problem import ProblemError
from zerkalo.users import service
from zerkalo.users.passwords import service as passwords
from zerkalo.web.pages.account import takeover
from zerkalo.web.pages.account.session import contact_of, end_session, next_of, open_session, sign_in_page
from zerkalo.web.pages.page import SIGN_IN_PATH, Page, local_path
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

CODE_CHARS_MAX = 64
"""Longer than a code: a mailed link carries a token instead."""


@pages.get(SIGN_IN_PATH, Who.ANYBODY)
async def show_sign_in(page: Page) -> Response:
    """Show the form; redirect whoever is signed in already."""
    return page.redirect(next_of(page)) if page.user else await sign_in_page(page)


@pages.post(SIGN_IN_PATH, Who.ANYBODY, again=sign_in_page)
async def sign_in(page: Page) -> Response:
    """Sign in and redirect to the page that was asked for."""
    email, password = canonical_email(page.form.text("email")), page.fields().password()
    await _open_session(page, email, password)
    return page.redirect(next_of(page))


async def _sign_up_page(
    page: Page, problem: ProblemError | None = None, *, errors: dict[str, str] | None = None
) -> Response:
    taken_over = takeover.kept(page) if page.request.method == "GET" else {}
    return page.render(
        "account/sign_up.html",
        typed={name: page.form.text(name) for name in ("email", "phone", "name", "consent")} | taken_over,
        is_taken_over=bool(taken_over),
        next=next_of(page),
        errors=errors,
        problem=problem,
    )


@pages.get("/me/sign-up", Who.ANYBODY)
async def show_sign_up(page: Page) -> Response:
    """Show the form; redirect whoever is signed in already."""
    return page.redirect(next_of(page)) if page.user else await _sign_up_page(page)


@pages.post("/me/sign-up", Who.ANYBODY, again=_sign_up_page)
async def sign_up(page: Page) -> Response:
    """Make an account and sign in."""
    fields = page.fields()
    email, phone, password = fields.email(), fields.phone(), fields.new_password()
    fields.consent()
    if fields.errors or email is None:
        return await _sign_up_page(page, errors=fields.errors)
    await service.register(
        page.runtime.people,
        email=email,
        password=password,
        phone=phone,
        name=fields.name(),
        address=page.address,
        now=page.now,
    )
    await _open_session(page, email, password)
    return page.redirect(next_of(page), flash="registered")


@pages.post("/me/sign-out", Who.ANYBODY)
async def sign_out(page: Page) -> Response:
    """End the session, here and in the database."""
    await end_session(page)
    page.sign_out()
    return page.redirect(local_path(page.form.text("next"), "/"), flash="signed_out")


async def _reset_page(page: Page, problem: ProblemError | None = None) -> Response:
    return page.render(
        "account/reset.html",
        contact=page.form.text("contact"),
        problem=problem,
        at={"no_such_contact": "contact"},
    )


@pages.get("/me/reset", Who.ANYBODY)
async def show_reset(page: Page) -> Response:
    """Show the form that asks for a contact; for a mailed link, the second step."""
    return await (_reset_code_page(page) if page.form.text("code") else _reset_page(page))


@pages.post("/me/reset", Who.ANYBODY, again=_reset_page)
async def request_reset(page: Page) -> Response:
    """Send a code and answer with the second step, without a redirect: a contact must not be in an address."""
    contact = contact_of(page.form.text("contact"))
    if contact is None:
        raise ProblemError(422, "no_such_contact", "Neither an e-mail nor a phone.")
    await passwords.request_reset(
        page.runtime.people, contact, language=page.language, address=page.address, now=page.now
    )
    return await _reset_code_page(page)


async def _reset_code_page(
    page: Page, problem: ProblemError | None = None, *, errors: dict[str, str] | None = None
) -> Response:
    return page.render(
        "account/reset_code.html",
        contact=page.form.text("contact"),
        code=page.form.text("code", CODE_CHARS_MAX),
        errors=errors,
        problem=problem,
        at={"wrong_code": "code"},
    )


@pages.post("/me/reset/confirm", Who.ANYBODY, again=_reset_code_page)
async def confirm_reset(page: Page) -> Response:
    """Set a new password for whoever has the code."""
    fields, code = page.fields(), page.form.text("code", CODE_CHARS_MAX)
    contact, password = contact_of(page.form.text("contact")), fields.new_password()
    if not code:
        fields.refuse("code", "Введите код.", "Enter the code.")
    if contact is None:
        fields.refuse(
            "contact", "Введите e-mail, на который пришло письмо.", "Enter the e-mail that got the mail."
        )
    if contact is None or fields.errors:
        return await _reset_code_page(page, errors=fields.errors)
    await passwords.confirm_reset(
        page.runtime.people, contact, code, password, address=page.address, now=page.now
    )
    page.sign_out()
    return page.redirect(SIGN_IN_PATH, flash="password_reset")


async def _open_session(page: Page, email: str | None, password: str) -> None:
    """Sign in by password. Raises what logging in raises."""
    await open_session(
        page, await page.runtime.people.auth.log_in(email, password, address=page.address, now=page.now)
    )
