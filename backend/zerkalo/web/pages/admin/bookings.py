"""`/admin/bookings/{id}`: one booking, its client and why they were matched, its history; linking it."""

from collections.abc import Sequence

from starlette.responses import Response

from zerkalo.bookings.journal import store as journal
from zerkalo.bookings.journal.model import BookingEvent
from zerkalo.bookings.journal.routes import existing
from zerkalo.db.pool import Connection
from zerkalo.kit.problem import ProblemError
from zerkalo.mirror.by_hand.service import link_by_hand, unlink_by_hand
from zerkalo.users import store as users
from zerkalo.users.desk.routes import SEARCH_CHARS_MAX
from zerkalo.users.desk.store import search_users
from zerkalo.users.model import User
from zerkalo.web.pages.admin.rendering import called, render
from zerkalo.web.pages.page import Page, local_path
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

FOUND_USERS_MAX = 10
HISTORY_SHOWN = 100
_ONE = "/admin/bookings/{booking_id}"


async def _booking_page(page: Page, problem: ProblemError | None = None) -> Response:
    booking_id, search = page.id("booking_id"), page.query.text("search", SEARCH_CHARS_MAX)
    async with page.runtime.pool.connection() as conn:
        shown = existing(await journal.read_booking(conn, booking_id))
        lines = await journal.read_lines(conn, booking_id)
        points = await journal.read_points(conn, booking_id)
        evidence = await journal.read_evidence(conn, shown)
        history = await journal.read_history(conn, booking_id, after=None, limit=HISTORY_SHOWN)
        owner = await users.read_user(conn, shown.user_id) if shown.user_id is not None else None
        people = await called(conn, _linked_in(history))
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
        people=people,
        search=search,
        found=found,
        problem=problem,
        here=f"/admin/bookings/{booking_id}",
    )


@pages.get(_ONE, Who.STAFF)
async def booking(page: Page) -> Response:
    """Show one booking with its user or its candidates."""
    return await _booking_page(page)


def _linked_in(history: Sequence[BookingEvent]) -> set[int]:
    """Return the ids of all users the booking was linked to, from its history."""
    states = (state for event in history for state in (event.before, event.after) if state)
    return {user_id for state in states if isinstance(user_id := state.get("user_id"), int)}


async def _people_found(conn: Connection, search: str) -> list[User]:
    if not search:
        return []
    return await search_users(conn, text=search, before_id=None, limit=FOUND_USERS_MAX)


@pages.post(f"{_ONE}/link", Who.RECEPTION, again=_booking_page)
async def link(page: Page) -> Response:
    """Link the booking to a client."""
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
    """Unlink the booking; it stays unmatched until it is linked by hand."""
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
    """Return the page with the button that was pressed, so that a list stays where it was."""
    return local_path(page.form.text("back"), f"/admin/bookings/{page.id('booking_id')}")
