"""`/book/visit/{token}`: a guest moves or cancels the booking just made, without an account, until the visit begins.

Whoever has the address may change the booking. It is signed and bound to one booking of our form, given only to the browser
that booked and to the e-mail typed there, and kept out of logs, other sites' logs and search engines. Opening it changes
nothing.
"""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import timedelta

from starlette.responses import Response

from zerkalo.auth.model import Limit
from zerkalo.booking_form.model import Asker
from zerkalo.booking_form.service import Booked
from zerkalo.bookings.reading import store as reading
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.language import Language
from zerkalo.kit.problem import ProblemError
from zerkalo.notices.model import Kind
from zerkalo.notices.service import MESSAGE_SPAN
from zerkalo.outbox import store as outbox
from zerkalo.outbox.model import Channel, Message
from zerkalo.web.pages import cookies
from zerkalo.web.pages.me import changing
from zerkalo.web.pages.me.changing import Changeable
from zerkalo.web.pages.me.terms import terms_in_words
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who
from zerkalo.web.pages.wording import long_date

pages = Pages()

KEPT_SECONDS = 30 * 60
"""How long the browser that booked shows the address beside the booking."""
_SIGNATURE_BYTES = 16
_TOKEN_CHARS_MAX = 200
_ONE = "/book/visit/{token}"
_ONE_MAIL = Limit("guest mail", 1, timedelta(days=1))
"""One mail for each booking, however often its form is sent."""
_SECRET = {"Referrer-Policy": "no-referrer", "X-Robots-Tag": "noindex, nofollow"}


def sign(key: bytes, form_id: str) -> str:
    """Return the last part of the address: only 43 characters, since people copy it. `form_id`: 32 hexadecimal digits."""
    return urlsafe_b64encode(_signature(key, form_id) + bytes.fromhex(form_id)).decode().rstrip("=")


def read(key: bytes, token: str) -> str:
    """Return the `api_id` of the form booking. Raises a 404 `ProblemError` for an address that we have not signed."""
    try:
        whole = urlsafe_b64decode(token + "=" * (-len(token) % 4)) if len(token) <= _TOKEN_CHARS_MAX else b""
    except ValueError:
        whole = b""
    form_id = whole[_SIGNATURE_BYTES:].hex()
    if not hmac.compare_digest(whole[:_SIGNATURE_BYTES], _signature(key, form_id)):
        raise ProblemError(404, "not_found", "There is no such booking.")
    return form_id


def _signature(key: bytes, form_id: str) -> bytes:
    return hmac.digest(key, f"guest|{form_id}".encode(), "sha256")[:_SIGNATURE_BYTES]


def keep(page: Page, form_id: str) -> None:
    """Let the browser of a guest who has just booked show the address. Does nothing for a user who is signed in."""
    if page.user is None:
        page.cookies.set(cookies.GUEST, sign(page.site.receipt_key, form_id), seconds=KEPT_SECONDS)


async def confirm(page: Page, booked: Booked, email: str | None) -> None:
    """Mail the address to a guest who gave an e-mail, once, where the salon sends confirmations.

    Sends nothing where the booking was matched to a user: they are notified at the contacts they proved.
    """
    people, visit = page.runtime.people, booked.booking
    is_wanted = (
        Kind.CONFIRMATION in page.runtime.settings.notices and Channel.EMAIL in people.ports.open_channels
    )
    if page.user is not None or email is None or not is_wanted or (visit and visit.user_id is not None):
        return
    public_url = page.runtime.settings.public_url.rstrip("/")
    url = public_url + _ONE.format(token=sign(page.site.receipt_key, booked.form_id))
    subject, text = confirmation(booked, url, page.language)
    message = Message(Channel.EMAIL, email, subject, text, page.now + MESSAGE_SPAN)

    async def write(conn: Connection) -> None:
        if await people.auth.may_try(conn, [(_ONE_MAIL, booked.form_id)], now=page.now):
            await outbox.put(conn, message, now=page.now)

    await in_transaction(page.runtime.pool, write)
    await people.ports.on_outbox()


def confirmation(booked: Booked, url: str, language: Language) -> tuple[str, str]:
    """Return (subject, text) of the mail to a guest: what was booked and when, without personal data."""
    starts_at = booked.booking.starts_at if booked.booking else booked.starts_at
    when = f"{long_date(starts_at, language)}, {starts_at:%H:%M}"
    what = booked.booking.service_name if booked.booking else ""
    if language == "en":
        return "You are booked", (
            f"{when}{': ' if what else ''}{what}.\n\nTo move or cancel the booking, until the visit begins:\n{url}\n\n"
            "Whoever has this link can do that, so pass it on to nobody else.\n"
        )
    return "Вы записаны", (
        f"{when}{': ' if what else ''}{what}.\n\nПеренести или отменить запись, пока визит не начался:\n{url}\n\n"
        "Это сможет каждый, у кого есть ссылка, поэтому не передавайте её другим.\n"
    )


async def path_to(page: Page, booking_id: int) -> str:
    """Return the address where this guest may change this booking; "" where this browser did not just make it."""
    token = page.cookies.get(cookies.GUEST)
    if token is None or page.user is not None:
        return ""
    try:
        form_id = read(page.site.receipt_key, token)
    except ProblemError:
        return ""
    async with page.runtime.pool.connection() as conn:
        visit = await reading.read_of_guest(conn, form_id)
    is_this = visit is not None and visit.id == booking_id and visit.user_id is None
    return _ONE.format(token=token) if is_this else ""


async def _visit_page(page: Page, problem: ProblemError | None = None) -> Response:
    """Show the booking as it is now, or why this address can't be used any more."""
    page.headers.update(_SECRET)
    form_id = read(page.site.receipt_key, page.request.path_params["token"])
    async with page.runtime.pool.connection() as conn:
        visit = await reading.read_of_guest(conn, form_id)
        is_lost = visit is None and await reading.is_lost_to_guest(conn, form_id)
    if is_lost or (
        visit is not None and (visit.user_id is not None or visit.appointment_datetime <= page.now)
    ):
        why = "lost" if visit is None else "account" if visit.user_id is not None else "past"
        return page.render("book/visit_over.html", status=410, why=why)
    return page.render(
        "book/visit.html",
        visit=visit,
        here=page.request.url.path,
        terms=terms_in_words(page.place(visit.company_id), page.language) if visit else (),
        problem=problem,
    )


@pages.get(_ONE, Who.ANYBODY)
async def guest_visit(page: Page) -> Response:
    """Show whoever has the address what was booked, without personal data."""
    return await _visit_page(page)


@pages.get(f"{_ONE}/cancel", Who.ANYBODY, again=_visit_page)
async def show_guest_cancel(page: Page) -> Response:
    """Ask whether the visit is to be cancelled."""
    return changing.cancel_page(page, await _changeable(page))


@pages.post(f"{_ONE}/cancel", Who.ANYBODY, again=_visit_page)
async def cancel_as_guest(page: Page) -> Response:
    """Cancel the visit."""
    return await changing.cancel_visit(page, await _changeable(page))


@pages.get(f"{_ONE}/move", Who.ANYBODY, again=_visit_page)
async def show_guest_move(page: Page) -> Response:
    """Show the free days and times."""
    return await changing.move_page(page, await _changeable(page))


@pages.post(f"{_ONE}/move", Who.ANYBODY, again=_visit_page)
async def move_as_guest(page: Page) -> Response:
    """Move the visit, after a confirmation."""
    return await changing.move_visit(page, await _changeable(page))


async def _changeable(page: Page) -> Changeable:
    """Read the booking. Raises a 404 `ProblemError` where it is not the guest's any more; the page says why."""
    page.headers.update(_SECRET)
    token = page.request.path_params["token"]
    form_id = read(page.site.receipt_key, token)
    async with page.runtime.pool.connection() as conn:
        visit = await reading.read_of_guest(conn, form_id)
    if visit is None or visit.user_id is not None:
        raise ProblemError(404, "not_found", "This booking can't be changed here any more.")
    return Changeable(visit, Asker(page.address, form_id=form_id), _ONE.format(token=token))
