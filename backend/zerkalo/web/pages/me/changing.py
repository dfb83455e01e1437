"""Moving and cancelling one visit: pages shared by users and by guests with a link."""

from dataclasses import dataclass
from datetime import date

from starlette.responses import Response

from zerkalo.booking_form.model import Asker
from zerkalo.bookings.model import ShownBooking
from zerkalo.kit.problem import ProblemError
from zerkalo.web.pages.book.choice import read_moment
from zerkalo.web.pages.book.days import TIME_TAKEN, TimeChoice, choice_of_times, read_day
from zerkalo.web.pages.page import Page


@dataclass(frozen=True, slots=True)
class Changeable:
    """A visit that may be moved or cancelled, and where its pages are."""

    visit: ShownBooking
    asker: Asker
    here: str
    """The address of the visit's page; `…/move` and `…/cancel` are below it."""


def cancel_page(page: Page, one: Changeable) -> Response:
    """Ask whether the visit is to be cancelled."""
    return page.render("me/cancel.html", visit=one.visit, here=one.here)


async def cancel_visit(page: Page, one: Changeable) -> Response:
    """Cancel the visit at YCLIENTS. One that is cancelled already counts as success."""
    try:
        await page.runtime.booking_form.changes.cancel(one.asker, one.visit.id)
    except ProblemError as problem:
        if problem.code != "already_cancelled":
            raise
    return page.redirect(one.here, flash="cancelled")


async def move_page(page: Page, one: Changeable) -> Response:
    """Show the free days and times."""
    return await _move_page(page, one, read_day(page.query.text("day")))


async def move_visit(page: Page, one: Changeable) -> Response:
    """Move the visit at YCLIENTS, after a confirmation; where the time has just been taken, offer others."""
    to = read_moment(page.form.text("time"))
    if to is None:
        return page.redirect(f"{one.here}/move")
    if not page.form.text("sure", 1):
        return page.render("me/move_sure.html", visit=one.visit, here=one.here, to=to)
    try:
        await page.runtime.booking_form.changes.move(one.asker, one.visit.id, to)
    except ProblemError as problem:
        if problem.code in TIME_TAKEN:
            return await _move_page(page, one, to.date(), problem)
        raise
    return page.redirect(one.here, flash="moved")


async def _move_page(
    page: Page, one: Changeable, day: date | None, problem: ProblemError | None = None
) -> Response:
    choice = await _free_times(page, one, day, fresh=problem is not None)
    return page.render("me/move.html", visit=one.visit, here=one.here, choice=choice, problem=problem)


async def _free_times(page: Page, one: Changeable, day: date | None, *, fresh: bool) -> TimeChoice:
    """Read the times to which this visit may be moved. Raises what YCLIENTS's refusal raises."""
    form = page.runtime.booking_form
    need = await form.changes.need_of(one.asker, one.visit.id)
    return await choice_of_times(
        form.offers,
        one.asker,
        need.company_id,
        service_ids=need.service_ids,
        staff_id=need.staff_id,
        day=day,
        near=one.visit.starts_at.date(),
        fresh=fresh,
    )
