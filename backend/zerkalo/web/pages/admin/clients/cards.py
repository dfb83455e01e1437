"""`/admin/clients…`: a YCLIENTS card with its visits and its user; and clients who have not come for long."""

from datetime import timedelta

from starlette.responses import Response

from zerkalo.auth.audit.service import audit
from zerkalo.bookings.journal import store as journal
from zerkalo.bookings.journal.model import Filters
from zerkalo.clients import store as clients
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction
from zerkalo.kit.cursor import ByMoment
from zerkalo.kit.problem import ProblemError
from zerkalo.mirror.by_hand.rules import doubts_about
from zerkalo.users import store as users
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.forms import TEXT_CHARS_MAX
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

VISITS_SHOWN = 30
UNSEEN_DAYS, UNSEEN_DAYS_MAX = 60, 3650
UNSEEN_PAGE = 50
_ONE = "/admin/clients/{company_id}/{client_id}"
_UNSEEN = ByMoment("unseen page")


@pages.get("/admin/clients/unseen", Who.STAFF)
async def unseen(page: Page) -> Response:
    """Show clients whose last visit was long ago, with none ahead: those with an account, and those with only a card."""
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


async def _card_page(page: Page, problem: ProblemError | None = None) -> Response:
    key = (page.id("company_id"), page.id("client_id"))
    async with page.runtime.pool.connection() as conn:
        found = (await clients.cards(conn, [key])).get(key)
        if found is None:
            raise ProblemError(404, "not_found", "There is no such client.")
        total, linked = await clients.visits_of(conn, key)
        filters = Filters(company_id=key[0], client_id=key[1])
        visits = await journal.read_journal(conn, filters, after=None, limit=VISITS_SHOWN)
        note = await clients.read_note(conn, key)
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
        note=page.form.text("note") if problem else note,
        note_chars_max=TEXT_CHARS_MAX,
        problem=problem,
        here=f"/admin/clients/{key[0]}/{key[1]}",
    )


@pages.get(_ONE, Who.STAFF)
async def card(page: Page) -> Response:
    """Show one YCLIENTS card."""
    return await _card_page(page)


@pages.post(f"{_ONE}/note", Who.RECEPTION, again=_card_page)
async def write_note(page: Page) -> Response:
    """Save the staff's note on the card's client."""
    key, note, admin_id, now = (
        (page.id("company_id"), page.id("client_id")),
        page.form.text("note"),
        page.me.id,
        page.now,
    )

    async def write(conn: Connection) -> None:
        if not await clients.write_note(conn, key, note, now=now):
            raise ProblemError(409, "card_erased", "The card's person had their data erased.")
        await audit(conn, admin_id, "client.note", f"client {key[1]} of company {key[0]}", {}, now)

    await in_transaction(page.runtime.pool, write)
    return page.redirect(f"/admin/clients/{key[0]}/{key[1]}", flash="profile_saved")
