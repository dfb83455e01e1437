"""`/book`: the booking form. Every step is a form that carries what was chosen and typed before.

Until something is typed, the choice is in the address (GET), so that any step can be shared and reloaded; after that it
is in the form (POST), to keep phone numbers out of addresses.
"""

from dataclasses import replace
from datetime import datetime

from starlette.responses import Response

from zerkalo.booking_form.model import Wish
from zerkalo.booking_form.rules import COMMENT_CHARS_MAX
from zerkalo.bookings.calendar.rules import calendar_of
from zerkalo.bookings.reading import store as reading
from zerkalo.bookings.reading.store import ShownBooking
from zerkalo.kit.contact import canonical_email
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users import store as users
from zerkalo.web.pages.account import takeover
from zerkalo.web.pages.book import guest, receipt
from zerkalo.web.pages.book.choice import Choice, Typed, read_choice, read_typed
from zerkalo.web.pages.book.days import TIME_TAKEN
from zerkalo.web.pages.book.steps import Way, show_step
from zerkalo.web.pages.forms import Form, stale_form
from zerkalo.web.pages.me.terms import terms_in_words
from zerkalo.web.pages.me.worth import promise_in_words
from zerkalo.web.pages.page import NO_STORE, Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

_UNCLEAR = frozenset({"booking_unclear", "booking_in_progress"})
_ELSEWHERE = frozenset({"cross-site", "same-site"})
"""What a browser says in `Sec-Fetch-Site` of a form that is not from a page of ours."""
_FIELD_OF = {
    "phone_invalid": "phone",
    "phone_missing": "phone",
    "email_invalid": "email",
    "name_missing": "name",
    "consent_missing": "consent",
    "code_wrong": "code",
}
"""Problem code -> the field that it is about."""


@pages.get("/book", Who.ANYBODY)
async def show(page: Page) -> Response:
    """Show the step that follows from the address."""
    choice = read_choice(page.query)
    takeover.forget(page)
    way = Way(
        choice,
        await _typed_of_account(page),
        back=page.query.text("change"),
        problem=_nothing_chosen(page.query, choice),
    )
    return await show_step(page, way)


async def _way_again(page: Page, problem: ProblemError) -> Response:
    """Show the step of the posted form again, with everything chosen and typed, and why it was refused."""
    return await show_step(page, _posted(page, problem=problem))


def _posted(page: Page, problem: ProblemError | None = None) -> Way:
    typed = read_typed(page.form)
    if page.request.headers.get("sec-fetch-site") in _ELSEWHERE:
        # Whoever knows the key of a guest's form may be given the guest's link: another site must not choose it.
        typed = replace(typed, key="")
    return Way(read_choice(page.form), typed, problem=problem, is_carrying=True)


@pages.post("/book/choose", Who.ANYBODY, again=_way_again)
async def choose(page: Page) -> Response:
    """Show the next step, from a posted form that carries what was typed."""
    way = _posted(page)
    problem = _nothing_chosen(page.form, way.choice)
    return await show_step(page, replace(way, back=page.form.text("change"), problem=problem))


@pages.get("/book/choose", Who.ANYBODY)
@pages.get("/book/code", Who.ANYBODY)
async def from_the_start(page: Page) -> Response:
    """Begin anew where somebody opens by GET an address that only takes forms."""
    return page.redirect("/book")


@pages.post("/book/code", Who.ANYBODY, again=_way_again)
async def send_code(page: Page) -> Response:
    """Have YCLIENTS send a code to the phone again."""
    way = _posted(page)
    return await _ask_for_code(page, replace(way, typed=replace(way.typed, code="")))


async def _book_again(page: Page, problem: ProblemError) -> Response:
    """Show the step that a refused booking leads to."""
    way = _posted(page)
    if problem.code in _UNCLEAR:
        # Whether it was booked is learned by sending the same request again, so nothing may change before.
        carried = [*way.choice.pairs(), *way.typed.pairs()]
        return page.render("book/unclear.html", carried=carried, problem=problem)
    if problem.code != "stale_form":
        # The refusal is stored under the old key.
        way = replace(way, typed=replace(way.typed, key=""))
    if problem.code in TIME_TAKEN:
        return await show_step(
            page, replace(way, choice=way.choice.until("time"), problem=problem, is_fresh=True)
        )
    if problem.code == "service_gone":
        return await show_step(page, replace(way, choice=way.choice.until("services"), problem=problem))
    if problem.code == "code_wrong" and not way.typed.sms:
        return await _ask_for_code(page, way)
    field = _FIELD_OF.get(problem.code)
    if field is not None:
        return await show_step(page, replace(way, errors={field: page.problem(problem)}))
    return await show_step(page, replace(way, problem=problem))


@pages.post("/book", Who.ANYBODY, again=_book_again)
async def book(page: Page) -> Response:
    """Book in YCLIENTS, once everything is chosen and typed."""
    way = _posted(page)
    if way.choice.starts_at is None or not way.choice.service_ids or way.choice.staff_id is None:
        return await show_step(page, way)
    errors = _errors_of(page, way.typed)
    if errors:
        return await show_step(page, replace(way, errors=errors))
    if not way.typed.key:
        # Every form of ours has one. Without it whoever repeats a guest's wish would be given the guest's link.
        raise stale_form()
    booked = await page.runtime.booking_form.booker.book(
        _wish_of(way.choice, way.typed),
        user_id=page.user.id if page.user else None,
        address=page.address,
        # With a space, which no header's key has: one of the API's, which a stranger may guess, leads to no link.
        idempotency_key=f"page {way.typed.key}",
    )
    takeover.keep(page, {"name": way.typed.name, "email": way.typed.email, "phone": way.typed.phone})
    guest.keep(page, booked.form_id)
    await guest.confirm(page, booked, canonical_email(way.typed.email))
    token = receipt.sign(page.site.receipt_key, booked.company_id, booked.record_id, booked.starts_at)
    return page.redirect(f"/book/done/{token}")


async def _ask_for_code(page: Page, way: Way) -> Response:
    try:
        await page.runtime.booking_form.booker.send_code(
            way.choice.company_id, phone=way.typed.phone, name=way.typed.name, address=page.address
        )
    except ProblemError as problem:
        return await show_step(page, replace(way, problem=problem))
    return await show_step(page, replace(way, typed=replace(way.typed, sms="1")))


async def _typed_of_account(page: Page) -> Typed:
    if page.user is None:
        return Typed()
    async with page.runtime.pool.connection() as conn:
        user = await users.read_user(conn, page.user.id)
    return Typed() if user is None else Typed(user.name, user.phone or "", user.email or "")


@pages.get("/book/done/{token}", Who.ANYBODY)
async def done(page: Page) -> Response:
    """Show whoever has the address what was booked, when and with whom, without personal data."""
    booking, starts_at = await _of_receipt(page)
    return page.render(
        "book/done.html",
        # The form before it did not change the address in the browser.
        headers={"HX-Push-Url": page.request.url.path},
        booking=booking,
        public_url=page.runtime.settings.public_url.rstrip("/"),
        starts_at=starts_at,
        terms=terms_in_words(page.place(booking.company_id), page.language) if booking else (),
        promise=promise_in_words(page.runtime.policy, booking, page.language),
        guest_path=await guest.path_to(page, booking.id) if booking else "",
        is_own=booking is not None and page.user is not None and booking.user_id == page.user.id,
        can_prove_phone=Channel.PHONE in page.runtime.people.ports.open_channels,
    )


@pages.get("/book/done/{token}/visit.ics", Who.ANYBODY)
async def calendar_file(page: Page) -> Response:
    """Send the booking as a calendar file to whoever has the address, with no more than the page shows."""
    booking, _starts_at = await _of_receipt(page)
    if booking is None:
        raise ProblemError(404, "not_found", "The booking is not in the mirror yet.")
    page_url = f"{page.runtime.settings.public_url}{page.request.url.path.removesuffix('/visit.ics')}"
    async with page.runtime.pool.connection() as conn:
        places = await reading.read_places(conn, [booking.company_id])
    event = calendar_of([booking], url_of=lambda _booking: page_url, places=places)
    headers = {"Cache-Control": NO_STORE, "Content-Disposition": 'attachment; filename="visit.ics"'}
    return page.finish(Response(event, media_type="text/calendar", headers=headers))


async def _of_receipt(page: Page) -> tuple[ShownBooking | None, datetime]:
    """Read the booking of a signed address and when it starts; None: the mirror does not have it yet."""
    company_id, record_id, starts_at = receipt.read(page.site.receipt_key, page.request.path_params["token"])
    async with page.runtime.pool.connection() as conn:
        booking = await reading.read_of_receipt(conn, company_id, record_id)
    return booking, booking.starts_at if booking else starts_at


def _nothing_chosen(form: Form, choice: Choice) -> ProblemError | None:
    """Return the problem of a services form sent with no service ticked, else None."""
    if form.text("done") == "services" and not choice.service_ids:
        return ProblemError(422, "service_missing", "Choose at least one service.")
    return None


def _errors_of(page: Page, typed: Typed) -> dict[str, str]:
    """Return what is wrong with what was typed, by field, before YCLIENTS is asked."""
    fields = page.fields()
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
