"""`/admin/bookings`: the salon's day by specialist, any day, with filters and search; one booking with its why and history."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date, timedelta
from typing import get_args
from urllib.parse import urlencode

from starlette.responses import Response

from zerkalo.bookings.journal import store
from zerkalo.bookings.journal.model import Filters, JournalBooking
from zerkalo.bookings.journal.routes import SEARCH_CHARS_MAX
from zerkalo.bookings.journal.rules import read_search
from zerkalo.bookings.model import Status
from zerkalo.kit.cursor import ByMoment
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.book.days import read_day
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

DAY_MAX = 500
"""Bookings of one day on one page; more are told to use the filters."""
FOUND_PAGE = 50
STAFF_SINCE = timedelta(days=90)
_FOUND = ByMoment("journal page")
_KEPT = ("status", "staff", "company", "matched")


@dataclass(frozen=True, slots=True)
class Column:
    """A specialist's bookings of a day."""

    name: str
    bookings: Sequence[JournalBooking]


@pages.get("/admin/bookings", Who.STAFF)
async def journal(page: Page) -> Response:
    """A day by specialist; with a search, whatever it finds on any day."""
    text = page.query.text("q", SEARCH_CHARS_MAX)
    return await (_found(page, text) if text else _day(page))


async def _day(page: Page) -> Response:
    day = read_day(page.query.text("day")) or page.today
    filters = _filters(page, day)
    async with page.runtime.pool.connection() as conn:
        found = await store.read_journal(conn, filters, after=None, limit=DAY_MAX + 1)
    kept = {name: page.query.text(name) for name in _KEPT if page.query.text(name)}
    return await _render(
        page,
        day=day,
        columns=columns_of(found[:DAY_MAX]),
        is_cut=len(found) > DAY_MAX,
        before_url=_url(kept, day - timedelta(days=1)) if day > date.min else None,
        after_url=_url(kept, day + timedelta(days=1)) if day < date.max else None,
        today_url=_url(kept, page.today) if day != page.today else None,
    )


async def _found(page: Page, text: str) -> Response:
    after = _FOUND.position(page.cursor)
    async with page.runtime.pool.connection() as conn:
        found = await store.read_journal(conn, _filters(page, None, text), after=after, limit=FOUND_PAGE + 1)
    shown = _FOUND.page(found, FOUND_PAGE, lambda one: (one.appointment_datetime, one.id))
    kept = {name: page.query.text(name) for name in _KEPT if page.query.text(name)}
    more = {"q": text, **kept, "cursor": shown.next_cursor or ""}
    next_url = f"/admin/bookings?{urlencode(more)}" if shown.next_cursor else None
    return await _render(page, q=text, found=shown.items, next_url=next_url)


async def _render(page: Page, **values: object) -> Response:
    async with page.runtime.pool.connection() as conn:
        staff = await store.read_staff(conn, since=page.now - STAFF_SINCE)
    shown = {"q": "", "day": None, "columns": [], "found": None, "next_url": None, "is_cut": False, **values}
    return render(
        page,
        "admin/journal.html",
        staff=staff,
        statuses=get_args(Status),
        chosen={name: page.query.text(name) for name in _KEPT},
        here=page.path,
        **shown,
    )


def _filters(page: Page, day: date | None, text: str = "") -> Filters:
    status, matched = page.query.text("status", 20), page.query.text("matched", 1)
    return Filters(
        first_day=day,
        last_day=day,
        status=status if status in get_args(Status) else None,
        staff_id=page.query.number("staff"),
        company_id=page.query.number("company"),
        matched={"1": True, "0": False}.get(matched),
        search=read_search(text),
    )


def columns_of(bookings: Sequence[JournalBooking]) -> list[Column]:
    """The bookings by specialist, in the order of names; those without one last."""
    names = sorted({one.staff_name or "" for one in bookings}, key=lambda name: (not name, name))
    return [Column(name, [one for one in bookings if (one.staff_name or "") == name]) for name in names]


def _url(kept: dict[str, str], day: date) -> str:
    return f"/admin/bookings?{urlencode({**kept, 'day': day.isoformat()})}"
