"""Signing in, up and out, and a new password by a proved contact: the services of `/api/v1/auth`."""

from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.kit.contact import canonical_email
from zerkalo.kit.phone import normalise_phone
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users import service
from zerkalo.users.proving import service as proof_service
from zerkalo.users.proving.service import Contact
from zerkalo.web.pages.fields import Fields
from zerkalo.web.pages.forms import Form
from zerkalo.web.pages.site import SIGN_IN_PATH, Page, Site, local_path

ME = "/me"


def routes(site: Site) -> list[Route]:
    """`/me/sign-in`, `/me/sign-up`, `/me/sign-out`, `/me/reset`."""
    people = site.runtime.people
    now = site.runtime.clock

    async def show_sign_in(request: Request) -> Response:
        page = await site.page(request)
        return page.redirect(_next_of(page.query())) if page.user else _sign_in_page(page, page.query())

    async def sign_in(request: Request) -> Response:
        page = await site.page(request)
        form = await page.form()
        fields = Fields(page, form)
        try:
            pair = await people.auth.log_in(
                canonical_email(form.text("email")), fields.password(), address=page.address, now=now()
            )
        except ProblemError as error:
            return _sign_in_page(page, form, error)
        await _end_old_session(page)
        page.sign_in(pair.refresh_token)
        return page.redirect(_next_of(form))

    async def show_sign_up(request: Request) -> Response:
        page = await site.page(request)
        return page.redirect(_next_of(page.query())) if page.user else _sign_up_page(page, page.query())

    async def sign_up(request: Request) -> Response:
        page = await site.page(request)
        form = await page.form()
        fields = Fields(page, form)
        email, phone, password = fields.email(), fields.phone(), fields.new_password()
        fields.consent()
        if fields.errors or email is None:
            return _sign_up_page(page, form, errors=fields.errors)
        try:
            await service.register(
                people,
                email=email,
                password=password,
                phone=phone,
                name=fields.name(),
                address=page.address,
                now=now(),
            )
            pair = await people.auth.log_in(email, password, address=page.address, now=now())
        except ProblemError as error:
            return _sign_up_page(page, form, problem=error)
        await _end_old_session(page)
        page.sign_in(pair.refresh_token)
        return page.redirect(_next_of(form), flash="registered")

    async def sign_out(request: Request) -> Response:
        page = await site.page(request)
        await page.form()
        await _end_old_session(page)
        page.sign_out()
        return page.redirect("/", flash="signed_out")

    async def _end_old_session(page: Page) -> None:
        if page.session is not None:
            await people.auth.log_out(family=page.session.family, refresh_token=None, now=now())

    async def show_reset(request: Request) -> Response:
        page = await site.page(request)
        return page.render("account/reset.html", contact="", problem=None, errors={})

    async def request_reset(request: Request) -> Response:
        """The second step is this answer, not an address of its own: a contact has no business in an address."""
        page = await site.page(request)
        form = await page.form()
        typed = form.text("contact")
        contact = _contact_of(typed)
        try:
            if contact is None:
                raise ProblemError(422, "no_such_contact", "Neither an e-mail nor a phone.")
            await proof_service.request_reset(
                people, contact, language=page.language, address=page.address, now=now()
            )
        except ProblemError as error:
            refusal = page.refusal(error, {"no_such_contact": "contact"})
            return page.render("account/reset.html", status=error.status, contact=typed, **refusal)
        return page.render("account/reset_code.html", contact=typed, code="", problem=None, errors={})

    async def confirm_reset(request: Request) -> Response:
        page = await site.page(request)
        form = await page.form()
        fields = Fields(page, form)
        typed, code = form.text("contact"), form.text("code", 20)
        contact, password = _contact_of(typed), fields.new_password()
        if not code:
            fields.refuse("code", "Введите код.", "Enter the code.")
        shown: dict[str, Any] = {"contact": typed, "code": code}
        if contact is None or fields.errors:
            return page.render(
                "account/reset_code.html", status=422, problem=None, errors=fields.errors, **shown
            )
        try:
            await proof_service.confirm_reset(
                people, contact, code, password, address=page.address, now=now()
            )
        except ProblemError as error:
            refusal = page.refusal(error, {"wrong_code": "code"})
            return page.render("account/reset_code.html", status=error.status, **shown, **refusal)
        page.sign_out()
        return page.redirect(SIGN_IN_PATH, flash="password_reset")

    return [
        Route(SIGN_IN_PATH, show_sign_in),
        Route(SIGN_IN_PATH, sign_in, methods=["POST"]),
        Route("/me/sign-up", show_sign_up),
        Route("/me/sign-up", sign_up, methods=["POST"]),
        Route("/me/sign-out", sign_out, methods=["POST"]),
        Route("/me/reset", show_reset),
        Route("/me/reset", request_reset, methods=["POST"]),
        Route("/me/reset/confirm", confirm_reset, methods=["POST"]),
    ]


def _next_of(form: Form) -> str:
    return local_path(form.text("next"), ME)


def _sign_in_page(page: Page, form: Form, problem: ProblemError | None = None) -> Response:
    return page.render(
        "account/sign_in.html",
        status=problem.status if problem else 200,
        email=form.text("email"),
        next=_next_of(form),
        problem=page.problem(problem) if problem else None,
    )


def _sign_up_page(
    page: Page, form: Form, *, errors: dict[str, str] | None = None, problem: ProblemError | None = None
) -> Response:
    return page.render(
        "account/sign_up.html",
        status=problem.status if problem else 422 if errors else 200,
        typed={name: form.text(name) for name in ("email", "phone", "name", "consent")},
        next=_next_of(form),
        errors=errors or {},
        problem=page.problem(problem) if problem else None,
    )


def _contact_of(text: str) -> Contact | None:
    email = canonical_email(text)
    if email is not None:
        return Contact(Channel.EMAIL, email)
    phone, tail = normalise_phone(text)
    return Contact(Channel.PHONE, phone) if phone is not None and tail is not None else None
