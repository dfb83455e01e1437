"""`/me/visits…`: all visits; one visit, cancelling and moving it through the services of the booking form."""

from urllib.parse import urlencode

from starlette.responses import Response

from zerkalo.booking_form.rules import SERVICES_MAX
from zerkalo.bookings.model import ShownBooking
from zerkalo.bookings.reading import store as reading
from zerkalo.kit.cursor import ByMoment
from zerkalo.kit.problem import ProblemError
from zerkalo.web.pages.book.choice import Choice
from zerkalo.web.pages.me import changing
from zerkalo.web.pages.me.changing import Changeable
from zerkalo.web.pages.me.terms import terms_in_words
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

VISITS_PAGE = 20
_VISITS = ByMoment("visits page")
_ONE = "/me/visits/{booking_id}"


@pages.get("/me/visits", Who.USER)
async def visits(page: Page) -> Response:
    """Show all of the user's visits, the latest first."""
    after = _VISITS.position(page.cursor)
    async with page.runtime.pool.connection() as conn:
        found = await reading.read_newest_first(
            conn, page.me.id, status=None, after=after, limit=VISITS_PAGE + 1
        )
    shown = _VISITS.page(found, VISITS_PAGE, lambda visit: (visit.appointment_datetime, visit.id))
    next_url = f"/me/visits?cursor={shown.next_cursor}" if shown.next_cursor else None
    return page.render("me/visits.html", visits=shown.items, next_url=next_url)


async def _visit_page(page: Page, problem: ProblemError | None = None) -> Response:
    """Show the visit as it is now."""
    visit = await _own(page)
    is_ahead = visit.appointment_datetime > page.now and visit.status != "CANCELLED"
    return page.render(
        "me/visit.html",
        visit=visit,
        comment=comment_of(visit.notes),
        is_ahead=is_ahead,
        terms=terms_in_words(page.place(visit.company_id), page.language) if is_ahead else (),
        again_url=None if is_ahead else await _again_url(page, visit),
        problem=problem,
    )


async def _again_url(page: Page, visit: ShownBooking) -> str:
    """Return the form's address with the same services and specialist; the form asks for what is no longer offered."""
    async with page.runtime.pool.connection() as conn:
        service_ids, staff_id = await reading.read_form_choice(conn, visit.id)
    choice = Choice(visit.company_id, service_ids[:SERVICES_MAX], staff_id)
    return f"/book?{urlencode(choice.pairs())}"


@pages.get(_ONE, Who.USER)
async def visit(page: Page) -> Response:
    """Show one of the user's visits."""
    return await _visit_page(page)


@pages.get(f"{_ONE}/cancel", Who.USER)
async def show_cancel(page: Page) -> Response:
    """Ask whether the visit is to be cancelled."""
    return changing.cancel_page(page, await _changeable(page))


@pages.post(f"{_ONE}/cancel", Who.USER, again=_visit_page)
async def cancel(page: Page) -> Response:
    """Cancel the visit."""
    return await changing.cancel_visit(page, await _changeable(page))


@pages.get(f"{_ONE}/move", Who.USER, again=_visit_page)
async def show_move(page: Page) -> Response:
    """Show the free days and times."""
    return await changing.move_page(page, await _changeable(page))


@pages.post(f"{_ONE}/move", Who.USER, again=_visit_page)
async def move(page: Page) -> Response:
    """Move the visit, after a confirmation."""
    return await changing.move_visit(page, await _changeable(page))


async def _changeable(page: Page) -> Changeable:
    own = await _own(page)
    return Changeable(own, page.asker, f"/me/visits/{own.id}")


async def _own(page: Page) -> ShownBooking:
    async with page.runtime.pool.connection() as conn:
        shown = await reading.read_own(
            conn,
            page.me.id,
            page.id("booking_id"),
            email_counts_alone=page.runtime.settings.match_email_alone,
        )
    if shown is None:
        raise ProblemError(404, "not_found", "You have no such booking.")
    return shown


def comment_of(notes: str) -> str:
    """Return the notes without the lines meant for programs: the record's id and the client's code."""
    lines = notes.splitlines()
    kept = [line for line in lines if not line.startswith(("YClients. ID:", "Код клиента:"))]
    return "\n".join(kept).strip()
