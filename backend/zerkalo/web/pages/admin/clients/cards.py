"""`/admin/clients…`: a card of YCLIENTS with its visits and whose it is; and who has not come for long."""

from datetime import timedelta

from starlette.responses import Response

from zerkalo.bookings.journal import store as journal
from zerkalo.bookings.journal.model import Filters
from zerkalo.clients import store as clients
from zerkalo.kit.cursor import ByMoment
from zerkalo.kit.problem import ProblemError
from zerkalo.mirror.by_hand.cards import doubts_about
from zerkalo.users import store as users
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

VISITS_SHOWN = 30
UNSEEN_DAYS, UNSEEN_DAYS_MAX = 60, 3650
UNSEEN_PAGE = 50
_UNSEEN = ByMoment("unseen page")


@pages.get("/admin/clients/unseen", Who.STAFF)
async def unseen(page: Page) -> Response:
    """Whose last visit was long ago, with none to come: those with an account, and those known by a card only."""
    days = min(page.query.number("days") or UNSEEN_DAYS, UNSEEN_DAYS_MAX)
    async with page.runtime.pool.connection() as conn:
        found = await journal.read_unseen(
            conn,
            before=page.now - timedelta(days=days),
            now=page.now,
            after=_UNSEEN.position(page.cursor),
            limit=UNSEEN_PAGE + 1,
        )
    shown = _UNSEEN.page(found, UNSEEN_PAGE, lambda one: (one.last_at, one.booking_id))
    next_url = f"/admin/clients/unseen?days={days}&cursor={shown.next_cursor}" if shown.next_cursor else None
    return render(page, "admin/unseen.html", people=shown.items, days=days, next_url=next_url)


@pages.get("/admin/clients/{company_id}/{client_id}", Who.STAFF)
async def card(page: Page) -> Response:
    """One card of YCLIENTS."""
    key = (page.id("company_id"), page.id("client_id"))
    async with page.runtime.pool.connection() as conn:
        found = (await clients.cards(conn, [key])).get(key)
        if found is None:
            raise ProblemError(404, "not_found", "There is no such client.")
        total, linked = await clients.visits_of(conn, key)
        filters = Filters(company_id=key[0], client_id=key[1])
        visits = await journal.read_journal(conn, filters, after=None, limit=VISITS_SHOWN)
        owner = await users.read_user(conn, found.user_id) if found.user_id is not None else None
        holders = [
            holder
            for user_id in sorted(
                {one.user_id for one in visits if one.user_id is not None} - {found.user_id}
            )
            if (holder := await users.read_user(conn, user_id)) is not None
        ]
    return render(
        page,
        "admin/card.html",
        shown=found,
        visits=visits,
        total=total,
        linked=linked,
        owner=owner,
        doubts=doubts_about(found, owner) if owner else None,
        holders=holders,
    )
