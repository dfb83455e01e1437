"""`/admin/bookings…`: bookings that are nobody's yet or several people's, one booking, linking it to a client and unlinking it."""

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.bookings import reading
from zerkalo.bookings.reading import ShownBooking
from zerkalo.bookings.routes import next_cursor_of, path_id, position_of
from zerkalo.kit.cursor import CURSOR_CHARS_MAX
from zerkalo.kit.problem import ProblemError
from zerkalo.mirror.hand_links import link_by_hand, unlink_by_hand
from zerkalo.users import store as users
from zerkalo.users.desk.routes import SEARCH_CHARS_MAX
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.site import Page, Site, local_path

UNMATCHED_PAGE = 20
FOUND_USERS_MAX = 10
_MODE = "unmatched page"


def routes(site: Site) -> list[Route]:
    """`/admin/bookings`, `/admin/bookings/{id}`, `/link` and `/unlink` below it."""
    runtime = site.runtime

    async def unmatched(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        query = page.query()
        record_id = query.number("record")
        if record_id is not None:
            return await _found_by_record(page, record_id)
        to_choose = query.text("choose") == "1"
        read = reading.read_ambiguous if to_choose else reading.read_unmatched
        after = position_of(query.text("cursor", CURSOR_CHARS_MAX) or None, _MODE)
        async with runtime.pool.connection() as conn:
            found = await read(conn, after=after, limit=UNMATCHED_PAGE + 1)
            shown, cursor = next_cursor_of(found, UNMATCHED_PAGE, _MODE)
            candidates = await reading.read_candidates(conn, [booking.id for booking in shown])
        return render(
            page,
            "admin/unmatched.html",
            bookings=shown,
            candidates=candidates,
            next_url=f"/admin/bookings?choose={int(to_choose)}&cursor={cursor}" if cursor else None,
            to_choose=to_choose,
            missing_record=None,
            here=page.path,
        )

    async def _found_by_record(page: Page, record_id: int) -> Response:
        """Straight to the one booking that has this number at YCLIENTS; several branches may have none in common."""
        async with runtime.pool.connection() as conn:
            for company_id in runtime.settings.yclients_company_ids:
                booking = await reading.read_of_record(conn, company_id, record_id)
                if booking is not None:
                    return page.redirect(f"/admin/bookings/{booking.id}")
        return render(
            page,
            "admin/unmatched.html",
            status=404,
            bookings=[],
            candidates={},
            next_url=None,
            to_choose=False,
            missing_record=record_id,
            here="/admin/bookings",
        )

    async def booking(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        return await _booking_page(page, path_id(request.path_params["booking_id"]))

    async def _booking_page(page: Page, booking_id: int, problem: ProblemError | None = None) -> Response:
        search = page.query().text("search", SEARCH_CHARS_MAX)
        async with runtime.pool.connection() as conn:
            shown = _existing(await reading.read_one(conn, booking_id))
            candidates = await reading.read_candidates(conn, [booking_id])
            owner = await users.read_user(conn, shown.user_id) if shown.user_id is not None else None
            found = (
                await users.search_users(conn, text=search, before_id=None, limit=FOUND_USERS_MAX)
                if search
                else []
            )
        return render(
            page,
            "admin/booking.html",
            status=problem.status if problem else 200,
            booking=shown,
            owner=owner,
            candidates=candidates.get(booking_id, []),
            search=search,
            found=found,
            problem=page.problem(problem) if problem else None,
            here=f"/admin/bookings/{booking_id}",
        )

    async def link(request: Request) -> Response:
        page = await site.page(request)
        admin = page.require_admin()
        form = await page.form()
        booking_id = path_id(request.path_params["booking_id"])
        try:
            await link_by_hand(
                runtime.pool,
                booking_id=booking_id,
                user_id=form.number("user_id") or 0,
                admin_id=admin.id,
                policy=runtime.policy,
                now=runtime.clock(),
            )
        except ProblemError as problem:
            return await _booking_page(page, booking_id, problem)
        return page.redirect(_back(form.text("back"), booking_id), flash="linked")

    async def unlink(request: Request) -> Response:
        page = await site.page(request)
        admin = page.require_admin()
        form = await page.form()
        booking_id = path_id(request.path_params["booking_id"])
        try:
            await unlink_by_hand(
                runtime.pool,
                booking_id=booking_id,
                admin_id=admin.id,
                policy=runtime.policy,
                now=runtime.clock(),
            )
        except ProblemError as problem:
            return await _booking_page(page, booking_id, problem)
        return page.redirect(_back(form.text("back"), booking_id), flash="unlinked")

    one = "/admin/bookings/{booking_id}"
    return [
        Route("/admin/bookings", unmatched),
        Route(one, booking),
        Route(f"{one}/link", link, methods=["POST"]),
        Route(f"{one}/unlink", unlink, methods=["POST"]),
    ]


def _existing(booking: ShownBooking | None) -> ShownBooking:
    if booking is None:
        raise ProblemError(404, "not_found", "There is no such booking.")
    return booking


def _back(path: str, booking_id: int) -> str:
    """Where the button stood: the list stays where it was."""
    return local_path(path, f"/admin/bookings/{booking_id}")
