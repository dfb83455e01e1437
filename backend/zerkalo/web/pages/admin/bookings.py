"""`/admin/unmatched`: bookings without a client; `/admin/bookings/{id}`: one, its client, why, its history; linking it."""

from starlette.responses import Response

from zerkalo.bookings import reading
from zerkalo.bookings.journal import store as journal
from zerkalo.bookings.journal.routes import existing
from zerkalo.db.pool import Connection
from zerkalo.kit.cursor import ByMoment
from zerkalo.kit.problem import ProblemError
from zerkalo.mirror.by_hand.bookings import link_by_hand, unlink_by_hand
from zerkalo.users import store as users
from zerkalo.users.desk.routes import SEARCH_CHARS_MAX
from zerkalo.users.desk.store import search_users
from zerkalo.users.model import User
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.page import Page, local_path
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

UNMATCHED_PAGE = 20
FOUND_USERS_MAX = 10
HISTORY_SHOWN = 100
_UNMATCHED = ByMoment("unmatched page")
_ONE = "/admin/bookings/{booking_id}"


@pages.get("/admin/unmatched", Who.STAFF)
async def unmatched(page: Page) -> Response:
    """Bookings without a client, or those with several to choose from; one by its number at YCLIENTS."""
    record_id = page.query.number("record")
    if record_id is not None:
        return await _found_by_record(page, record_id)
    to_choose = page.query.text("choose") == "1"
    read = reading.read_ambiguous if to_choose else reading.read_unmatched
    after = _UNMATCHED.position(page.cursor)
    async with page.runtime.pool.connection() as conn:
        found = await read(conn, after=after, limit=UNMATCHED_PAGE + 1)
        shown = _UNMATCHED.page(found, UNMATCHED_PAGE, lambda one: (one.appointment_datetime, one.id))
        candidates = await reading.read_candidates(conn, [booking.id for booking in shown.items])
    cursor = shown.next_cursor
    return render(
        page,
        "admin/unmatched.html",
        bookings=shown.items,
        candidates=candidates,
        next_url=f"/admin/unmatched?choose={int(to_choose)}&cursor={cursor}" if cursor else None,
        to_choose=to_choose,
        missing_record=None,
        here=page.path,
    )


async def _found_by_record(page: Page, record_id: int) -> Response:
    """Straight to the one booking that has this number at YCLIENTS; several branches may have none in common."""
    async with page.runtime.pool.connection() as conn:
        for company_id in page.runtime.settings.yclients_company_ids:
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
        here="/admin/unmatched",
    )


async def _booking_page(page: Page, problem: ProblemError | None = None) -> Response:
    booking_id, search = page.id("booking_id"), page.query.text("search", SEARCH_CHARS_MAX)
    async with page.runtime.pool.connection() as conn:
        shown = existing(await journal.read_booking(conn, booking_id))
        lines = await journal.read_lines(conn, booking_id)
        points = await journal.read_points(conn, booking_id)
        evidence = await journal.read_evidence(conn, shown)
        history = await journal.read_history(conn, booking_id, after=None, limit=HISTORY_SHOWN)
        owner = await users.read_user(conn, shown.user_id) if shown.user_id is not None else None
        found = await _people_found(conn, search)
    return render(
        page,
        "admin/booking.html",
        booking=shown,
        owner=owner,
        lines=lines,
        points=points,
        evidence=evidence,
        candidates=evidence.candidates,
        history=history,
        search=search,
        found=found,
        problem=problem,
        here=f"/admin/bookings/{booking_id}",
    )


@pages.get(_ONE, Who.STAFF)
async def booking(page: Page) -> Response:
    """One booking and whose it is or may be."""
    return await _booking_page(page)


async def _people_found(conn: Connection, search: str) -> list[User]:
    if not search:
        return []
    return await search_users(conn, text=search, before_id=None, limit=FOUND_USERS_MAX)


@pages.post(f"{_ONE}/link", Who.RECEPTION, again=_booking_page)
async def link(page: Page) -> Response:
    """Give the booking to a client."""
    booking_id = page.id("booking_id")
    await link_by_hand(
        page.runtime.pool,
        booking_id=booking_id,
        user_id=page.form.number("user_id") or 0,
        admin_id=page.me.id,
        policy=page.runtime.policy,
        now=page.now,
    )
    return page.redirect(_back(page), flash="linked")


@pages.post(f"{_ONE}/unlink", Who.RECEPTION, again=_booking_page)
async def unlink(page: Page) -> Response:
    """Take the booking from its client; it stays without one until it is linked by hand."""
    booking_id = page.id("booking_id")
    await unlink_by_hand(
        page.runtime.pool,
        booking_id=booking_id,
        admin_id=page.me.id,
        policy=page.runtime.policy,
        now=page.now,
    )
    return page.redirect(_back(page), flash="unlinked")


def _back(page: Page) -> str:
    """Where the button stood: the list stays where it was."""
    return local_path(page.form.text("back"), f"/admin/bookings/{page.id('booking_id')}")
