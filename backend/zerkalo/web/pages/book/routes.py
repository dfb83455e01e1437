"""`/book`: from a service to a booking, step by step. Every step is a form that carries what was chosen and typed before.

As long as nothing was typed, the choice stands in the address (GET), so that any step can be shared and reloaded; from
then on it travels in the form (POST), since a phone number has no business in an address.
"""

from dataclasses import replace

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.booking_form.model import Wish
from zerkalo.booking_form.rules import COMMENT_CHARS_MAX
from zerkalo.booking_form.service import Booked
from zerkalo.bookings import reading
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users import store as users
from zerkalo.web.pages.book import receipt
from zerkalo.web.pages.book.choice import Choice, Typed, read_choice, read_typed
from zerkalo.web.pages.book.days import TIME_TAKEN
from zerkalo.web.pages.book.steps import Steps
from zerkalo.web.pages.fields import Fields
from zerkalo.web.pages.forms import Form
from zerkalo.web.pages.site import Page, Site

_UNCLEAR = frozenset({"booking_unclear", "booking_in_progress"})
_FIELD_OF = {
    "phone_invalid": "phone",
    "phone_missing": "phone",
    "email_invalid": "email",
    "name_missing": "name",
    "consent_missing": "consent",
    "code_wrong": "code",
}
"""Refusals that one field explains."""


def routes(site: Site) -> list[Route]:
    """`/book` and what belongs to it."""
    runtime = site.runtime
    booker = runtime.booking_form.booker
    steps = Steps(site)
    key = receipt.key_of(runtime.secret_key)

    async def show(request: Request) -> Response:
        page = await site.page(request)
        query = page.query()
        choice = read_choice(query)
        return await steps.page(
            page,
            choice,
            await _typed_of_account(page),
            back=query.text("change"),
            problem=_nothing_chosen(query, choice),
        )

    async def choose(request: Request) -> Response:
        """A step taken with something typed already."""
        page = await site.page(request)
        form = await page.form()
        choice = read_choice(form)
        return await steps.page(
            page,
            choice,
            read_typed(form),
            back=form.text("change"),
            problem=_nothing_chosen(form, choice),
            carry=True,
        )

    async def from_the_start(request: Request) -> Response:
        """Somebody opens the address of a form that was sent."""
        page = await site.page(request)
        return page.redirect("/book")

    async def send_code(request: Request) -> Response:
        page = await site.page(request)
        form = await page.form()
        return await _ask_for_code(page, read_choice(form), replace(read_typed(form), code=""))

    async def book(request: Request) -> Response:
        page = await site.page(request)
        form = await page.form()
        choice, typed = read_choice(form), read_typed(form)
        if choice.starts_at is None or not choice.service_ids or choice.staff_id is None:
            return await steps.page(page, choice, typed, carry=True)
        errors = _errors_of(page, form, typed)
        if errors:
            return await steps.page(page, choice, typed, errors=errors, carry=True)
        try:
            booked = await booker.book(
                _wish_of(choice, typed),
                user_id=page.user.id if page.user else None,
                address=page.address,
                idempotency_key=typed.key or None,
            )
        except ProblemError as error:
            return await _refused(page, choice, typed, error)
        return _done(page, choice, booked)

    async def _refused(page: Page, choice: Choice, typed: Typed, error: ProblemError) -> Response:
        if error.code in _UNCLEAR:
            # The same request again is how to learn what became of it: nothing may be changed before.
            return page.render(
                "book/unclear.html",
                status=error.status,
                carried=[*choice.pairs(), *typed.pairs()],
                problem=page.problem(error),
            )
        fresh = replace(typed, key="")  # the refusal is kept under the old one
        if error.code in TIME_TAKEN:
            return await steps.page(page, choice.until("time"), fresh, problem=error, fresh=True, carry=True)
        if error.code == "service_gone":
            return await steps.page(page, choice.until("services"), fresh, problem=error, carry=True)
        if error.code == "code_wrong" and not typed.sms:
            return await _ask_for_code(page, choice, fresh)
        field = _FIELD_OF.get(error.code)
        if field is not None:
            errors = {field: page.problem(error)}
            return await steps.page(page, choice, fresh, errors=errors, carry=True)
        return await steps.page(page, choice, fresh, problem=error, carry=True)

    async def _ask_for_code(page: Page, choice: Choice, typed: Typed) -> Response:
        try:
            await booker.send_code(
                choice.company_id, phone=typed.phone, name=typed.name, address=page.address
            )
        except ProblemError as error:
            return await steps.page(page, choice, typed, problem=error, carry=True)
        return await steps.page(page, choice, replace(typed, sms="1"), carry=True)

    async def _typed_of_account(page: Page) -> Typed:
        if page.user is None:
            return Typed()
        async with runtime.pool.connection() as conn:
            user = await users.read_user(conn, page.user.id)
        return Typed() if user is None else Typed(user.name, user.phone or "", user.email or "")

    def _done(page: Page, choice: Choice, booked: Booked) -> Response:
        token = receipt.sign(key, booked.company_id, booked.record_id, booked.starts_at)
        return page.redirect(f"/book/done/{token}")

    async def done(request: Request) -> Response:
        """Whoever has the address sees what, when and with whom, nothing of the person."""
        page = await site.page(request)
        company_id, record_id, starts_at = receipt.read(key, request.path_params["token"])
        async with runtime.pool.connection() as conn:
            booking = await reading.read_of_record(conn, company_id, record_id)
        return page.render(
            "book/done.html",
            headers={"HX-Push-Url": request.url.path},  # the form before it asked for no new address
            booking=booking,
            starts_at=booking.starts_at if booking else starts_at,
            is_own=booking is not None and page.user is not None and booking.user_id == page.user.id,
            can_prove_phone=Channel.PHONE in runtime.people.ports.open_channels,
        )

    return [
        Route("/book", show),
        Route("/book", book, methods=["POST"]),
        Route("/book/choose", choose, methods=["POST"]),
        Route("/book/code", send_code, methods=["POST"]),
        *(Route(path, from_the_start) for path in ("/book/choose", "/book/code")),
        Route("/book/done/{token}", done),
    ]


def _nothing_chosen(form: Form, choice: Choice) -> ProblemError | None:
    """Going on from the services with none of them ticked."""
    if form.text("done") == "services" and not choice.service_ids:
        return ProblemError(422, "service_missing", "Choose at least one service.")
    return None


def _errors_of(page: Page, form: Form, typed: Typed) -> dict[str, str]:
    """What is wrong with the typed, before anybody is asked."""
    fields = Fields(page, form)
    if not typed.name:
        fields.refuse("name", "Введите имя.", "Enter your name.")
    fields.phone(required=True)
    if typed.email:
        fields.email()
    if len(typed.comment) > COMMENT_CHARS_MAX:
        fields.refuse(
            "comment",
            f"Сократите до {COMMENT_CHARS_MAX} знаков, сейчас {len(typed.comment)}.",
            f"Shorten it to {COMMENT_CHARS_MAX} characters; it has {len(typed.comment)}.",
        )
    fields.consent()
    if typed.sms and not typed.code:
        fields.refuse("code", "Введите код из SMS.", "Enter the code from the SMS.")
    return fields.errors


def _wish_of(choice: Choice, typed: Typed) -> Wish:
    assert choice.starts_at is not None, "asked for before"
    return Wish(
        service_ids=choice.service_ids,
        staff_id=choice.staff_id or 0,
        starts_at=choice.starts_at,
        consent=bool(typed.consent),
        company_id=choice.company_id,
        comment=typed.comment,
        name=typed.name,
        phone=typed.phone,
        email=typed.email or None,
        code=typed.code,
    )
