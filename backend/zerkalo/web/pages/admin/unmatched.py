"""`/admin/unmatched`: unmatched visits by YCLIENTS's card, each with its candidates; linking and unlinking a card.

`choose=1` lists bookings with several candidates, `choose=0` all unmatched ones; `record=` goes straight to one.
"""

from starlette.responses import Response

from zerkalo.bookings.reading import store as reading
from zerkalo.clients import store as clients
from zerkalo.clients.model import Key
from zerkalo.kit.cursor import ID_MAX, ByMoment
from zerkalo.kit.problem import ProblemError
from zerkalo.mirror.by_hand.service import give_card, take_card_back
from zerkalo.users import store as users
from zerkalo.users.desk.routes import SEARCH_CHARS_MAX
from zerkalo.users.desk.store import search_users
from zerkalo.web.clients_api import UnmatchedClient, cursor_of, position_of, with_candidates
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

UNMATCHED_PAGE = 20
FOUND_USERS_MAX = 10
_UNMATCHED = ByMoment("unmatched page")
_CARD = "/admin/clients/{company_id}/{client_id}"


@pages.get("/admin/unmatched", Who.STAFF)
async def unmatched(page: Page) -> Response:
    """Show cards with unmatched visits, or the unmatched bookings themselves."""
    record_id = page.query.number("record")
    if record_id is not None:
        return await _found_by_record(page, record_id)
    if page.query.text("choose"):
        return await _bookings_page(page)
    return await _cards_page(page)


async def _cards_page(page: Page, problem: ProblemError | None = None) -> Response:
    """Show the cards; for a link that the evidence contradicts, ask for confirmation."""
    about = _key(page.query.text("card")) if problem is None else _of_path(page)
    search = page.query.text("search", SEARCH_CHARS_MAX)
    given = _key(page.query.text("given"))
    async with page.runtime.pool.connection() as conn:
        if about is not None:
            one = await clients.unmatched_card(conn, about)
            found = [one] if one else []
        else:
            found = await clients.unmatched_cards(
                conn, after=position_of(page.cursor), limit=UNMATCHED_PAGE + 1
            )
        shown = await with_candidates(conn, found[:UNMATCHED_PAGE])
        people = (
            await search_users(conn, text=search, before_id=None, limit=FOUND_USERS_MAX) if search else []
        )
        card_given = (await clients.cards(conn, [given])).get(given) if given else None
        owner = await users.read_user(conn, card_given.user_id) if card_given and card_given.user_id else None
        asked = await users.read_user(conn, page.form.number("user_id") or 0) if problem else None
    return render(
        page,
        "admin/unmatched_cards.html",
        cards=shown,
        next_url=_next_url(shown) if len(found) > UNMATCHED_PAGE else None,
        only_one=about is not None,
        search=search,
        found=people,
        given=card_given if owner else None,
        owner=owner,
        problem=problem,
        is_doubtful=problem is not None and problem.code == "doubtful",
        asked=asked,
    )


def _next_url(shown: list[UnmatchedClient]) -> str:
    last = shown[-1]
    return f"/admin/unmatched?cursor={cursor_of(last)}"


@pages.post(f"{_CARD}/link", Who.RECEPTION, again=_cards_page)
async def link_card(page: Page) -> Response:
    """Link the card with all its visits to a user; where the evidence contradicts it, only after a confirmation."""
    key = _of_path(page)
    await give_card(
        page.runtime.pool,
        page.runtime.applier.rematcher.rematch_card,
        key,
        page.form.number("user_id") or 0,
        admin_id=page.me.id,
        is_sure=page.form.text("sure") == "1",
        now=page.now,
    )
    return page.redirect(f"/admin/unmatched?given={key[0]}-{key[1]}", flash="card_linked")


@pages.post(f"{_CARD}/unlink", Who.RECEPTION, again=_cards_page)
async def unlink_card(page: Page) -> Response:
    """Unlink the card: its visits are matched anew."""
    key = _of_path(page)
    await take_card_back(
        page.runtime.pool, page.runtime.applier.rematcher.rematch_card, key, admin_id=page.me.id, now=page.now
    )
    return page.redirect(f"/admin/unmatched?card={key[0]}-{key[1]}", flash="card_unlinked")


def _of_path(page: Page) -> Key:
    return page.id("company_id"), page.id("client_id")


def _key(text: str) -> Key | None:
    """Parse a card in an address, "company-client"; None for anything else."""
    company_id, _, client_id = text.partition("-")
    if not (company_id.isascii() and company_id.isdigit() and client_id.isascii() and client_id.isdigit()):
        return None
    key = int(company_id), int(client_id)
    return key if max(key) <= ID_MAX else None


async def _bookings_page(page: Page) -> Response:
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
    """Redirect to the booking with this record id, in any branch; say so where there is none."""
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
