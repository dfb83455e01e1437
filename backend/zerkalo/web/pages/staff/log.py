"""`/admin/log`: what staff did, for owners."""

from urllib.parse import urlencode

from starlette.responses import Response

from zerkalo.kit.cursor import ById
from zerkalo.users.staff import store
from zerkalo.users.staff.model import LogFilters
from zerkalo.web.pages.admin.rendering import called, render
from zerkalo.web.pages.book.days import read_day
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who
from zerkalo.web.pages.staff import words

pages = Pages()

LINES = 50
_LOG = ById("log page")
_KEPT = ("who", "what", "from", "to")


@pages.get("/admin/log", Who.OWNER)
async def log(page: Page) -> Response:
    """Show the log, newest first, filtered by person, kind of action and days."""
    async with page.runtime.pool.connection() as conn:
        found = await store.read_actions(
            conn, _filters(page), before_id=_LOG.position(page.cursor), limit=LINES + 1
        )
        names, staff = await store.action_names(conn), await store.read_staff(conn)
        shown = _LOG.page(found, LINES, lambda one: one.id)
        spoken_of = (words.users_in(one.action, one.subject, one.details) for one in shown.items)
        people = await called(conn, {number for numbers in spoken_of for number in numbers})
    chosen = {name: page.query.text(name) for name in _KEPT}
    more = {**chosen, "cursor": shown.next_cursor or ""}
    return render(
        page,
        "staff/log.html",
        actions=shown.items,
        log_words=words,
        people=people,
        names=names,
        staff=staff,
        chosen=chosen,
        next_url=f"/admin/log?{urlencode(more)}" if shown.next_cursor else None,
    )


def _filters(page: Page) -> LogFilters:
    return LogFilters(
        zone=str(page.site.salon.zone),
        admin_id=page.query.number("who"),
        action=page.query.text("what") or None,
        first_day=read_day(page.query.text("from")),
        last_day=read_day(page.query.text("to")),
    )
