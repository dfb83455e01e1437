"""`/me/visits…`: the visits that were, one visit, cancelling and moving it, through the services of the booking form."""

from datetime import date

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.bookings import reading
from zerkalo.bookings.reading import ShownBooking
from zerkalo.bookings.routes import next_cursor_of, path_id, position_of
from zerkalo.kit.cursor import CURSOR_CHARS_MAX
from zerkalo.kit.problem import ProblemError
from zerkalo.web.pages.book.choice import read_moment
from zerkalo.web.pages.book.days import TIME_TAKEN, choice_of_times, read_day
from zerkalo.web.pages.site import Page, Site

VISITS_PAGE = 20
_MODE = "visits page"


def routes(site: Site) -> list[Route]:
    """`/me/visits`, `/me/visits/{id}`, `/cancel` and `/move` below it."""
    runtime = site.runtime
    changes = runtime.booking_form.changes

    async def visits(request: Request) -> Response:
        page = await site.page(request)
        user_id = page.require_user().id
        after = position_of(page.query().text("cursor", CURSOR_CHARS_MAX) or None, _MODE)
        async with runtime.pool.connection() as conn:
            found = await reading.read_newest_first(
                conn, user_id, status=None, after=after, limit=VISITS_PAGE + 1
            )
        shown, cursor = next_cursor_of(found, VISITS_PAGE, _MODE)
        next_url = f"/me/visits?cursor={cursor}" if cursor else None
        return page.render("me/visits.html", visits=shown, next_url=next_url)

    async def visit(request: Request) -> Response:
        page = await site.page(request)
        return _visit_page(page, await _own(page, request))

    async def show_cancel(request: Request) -> Response:
        page = await site.page(request)
        return page.render("me/cancel.html", visit=await _own(page, request))

    async def cancel(request: Request) -> Response:
        page = await site.page(request)
        user = page.require_user()
        await page.form()
        booking = await _own(page, request)
        try:
            await changes.cancel(user.id, booking.id)
        except ProblemError as error:
            if error.code != "already_cancelled":
                return _visit_page(page, await _own(page, request), error)
        return page.redirect(f"/me/visits/{booking.id}", flash="cancelled")

    async def show_move(request: Request) -> Response:
        page = await site.page(request)
        return await _move_page(page, await _own(page, request), read_day(page.query().text("day")))

    async def move(request: Request) -> Response:
        page = await site.page(request)
        user = page.require_user()
        form = await page.form()
        booking = await _own(page, request)
        to = read_moment(form.text("time"))
        if to is None:
            return page.redirect(f"/me/visits/{booking.id}/move")
        try:
            await changes.move(user.id, booking.id, to)
        except ProblemError as error:
            if error.code in TIME_TAKEN:
                return await _move_page(page, booking, to.date(), error)
            return _visit_page(page, await _own(page, request), error)
        return page.redirect(f"/me/visits/{booking.id}", flash="moved")

    async def _move_page(
        page: Page, booking: ShownBooking, day: date | None, problem: ProblemError | None = None
    ) -> Response:
        try:
            need = await changes.need_of(page.require_user().id, booking.id)
            choice = await choice_of_times(
                runtime.booking_form.offers,
                need.company_id,
                service_ids=need.service_ids,
                staff_id=need.staff_id,
                day=day,
                fresh=problem is not None,
            )
        except ProblemError as error:
            return _visit_page(page, booking, error)
        return page.render(
            "me/move.html",
            status=problem.status if problem else 200,
            visit=booking,
            choice=choice,
            problem=page.problem(problem) if problem else None,
        )

    async def _own(page: Page, request: Request) -> ShownBooking:
        user = page.require_user()
        booking_id = path_id(request.path_params["booking_id"])
        async with runtime.pool.connection() as conn:
            shown = await reading.read_own(conn, user.id, booking_id)
        if shown is None:
            raise ProblemError(404, "not_found", "You have no such booking.")
        return shown

    def _visit_page(page: Page, booking: ShownBooking, problem: ProblemError | None = None) -> Response:
        return page.render(
            "me/visit.html",
            status=problem.status if problem else 200,
            visit=booking,
            comment=comment_of(booking.notes),
            is_ahead=booking.appointment_datetime > runtime.clock() and booking.status != "CANCELLED",
            problem=page.problem(problem) if problem else None,
        )

    one = "/me/visits/{booking_id}"
    return [
        Route("/me/visits", visits),
        Route(one, visit),
        Route(f"{one}/cancel", show_cancel),
        Route(f"{one}/cancel", cancel, methods=["POST"]),
        Route(f"{one}/move", show_move),
        Route(f"{one}/move", move, methods=["POST"]),
    ]


def comment_of(notes: str) -> str:
    """The notes without the lines that are there for programs: the record's id, and the client's code."""
    lines = notes.splitlines()
    kept = [line for line in lines if not line.startswith(("YClients. ID:", "Код клиента:"))]
    return "\n".join(kept).strip()
