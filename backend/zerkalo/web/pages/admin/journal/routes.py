"""`/admin/bookings`: the salon's day or week by specialist; with a search or a span of days, a list of bookings."""

from starlette.responses import Response

from zerkalo.bookings.journal import store
from zerkalo.bookings.model import Status
from zerkalo.kit.cursor import ByMoment
from zerkalo.web.pages.admin.journal.asked import FILTERS, Asked, read_asked
from zerkalo.web.pages.admin.journal.rules import WEEK_DAYS, columns_of, shifted
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

SHOWN_MAX = 500
"""Bookings of a day or a week on one page; where there are more, the page suggests the filters."""
FOUND_PAGE = 50
_FOUND = ByMoment("journal page")


@pages.get("/admin/bookings", Who.STAFF)
async def journal(page: Page) -> Response:
    """Show a day or a week by specialist; with a search or a span of days, a list of bookings."""
    asked = read_asked(page)
    return await (_days(page, asked) if asked.days else _found(page, asked))


async def _days(page: Page, asked: Asked) -> Response:
    async with page.runtime.pool.connection() as conn:
        found = await store.read_journal(conn, asked.filters, after=None, limit=SHOWN_MAX + 1)
    step = WEEK_DAYS if asked.is_week else 1
    before, after = shifted(asked.day, -step), shifted(asked.day, step)
    return await _render(
        page,
        asked,
        columns=columns_of(found[:SHOWN_MAX], asked.days),
        is_cut=len(found) > SHOWN_MAX,
        before_url=asked.url(day=before.isoformat()) if before else None,
        after_url=asked.url(day=after.isoformat()) if after else None,
        today_url=asked.url(day=None) if page.today not in asked.days else None,
    )


async def _found(page: Page, asked: Asked) -> Response:
    after = _FOUND.position(page.cursor)
    async with page.runtime.pool.connection() as conn:
        found = await store.read_journal(conn, asked.filters, after=after, limit=FOUND_PAGE + 1)
    shown = _FOUND.page(found, FOUND_PAGE, lambda one: (one.appointment_datetime, one.id))
    next_url = asked.url(cursor=shown.next_cursor) if shown.next_cursor else None
    return await _render(page, asked, found=shown.items, next_url=next_url)


async def _render(page: Page, asked: Asked, **values: object) -> Response:
    return render(
        page,
        "admin/journal.html",
        asked=asked,
        is_filtered=any(asked.fields[name] for name in (*FILTERS, "from", "to")),
        staff=await page.site.desk.staff.get(),
        statuses=list(Status),
        people_max=store.PEOPLE_MAX,
        here=page.path,
        **{"columns": [], "found": [], "next_url": None, "is_cut": False, **values},
    )
