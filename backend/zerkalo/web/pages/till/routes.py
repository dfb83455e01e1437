"""One field for a code, a QR or a phone; then the client, today's visit and the points; spending them, and undoing it."""

import secrets
from datetime import UTC, datetime, time, timedelta

from starlette.responses import Response

from zerkalo.auth.model import Role
from zerkalo.bookings.model import ShownBooking
from zerkalo.bookings.reading import store as reading
from zerkalo.db.pool import Connection
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty import service as loyalty
from zerkalo.loyalty.by_hand import service as by_hand
from zerkalo.loyalty.model import Reason
from zerkalo.loyalty.routes import KEY_CHARS_MAX, POINTS_MAX
from zerkalo.loyalty.till import service as till_service
from zerkalo.loyalty.till import store as till_store
from zerkalo.users import store as users
from zerkalo.users.desk.routes import SEARCH_CHARS_MAX
from zerkalo.users.desk.store import search_users
from zerkalo.users.model import User
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

_HERE = "/admin/till"
FOUND_MAX = 8
VISITS_MAX = 20
"""Visits of one client on one day."""
CAMERA = {"Permissions-Policy": "camera=(self), geolocation=(), microphone=(), payment=(), usb=()"}


@pages.get(_HERE, Who.RECEPTION)
async def till(page: Page) -> Response:
    """Show the field; once something was typed, the client found or several to choose from."""
    typed = page.query.text("who", SEARCH_CHARS_MAX)
    user_id = page.query.number("user")
    entry_id = page.query.number("spent")
    if entry_id is not None:
        return await _spent_page(page, entry_id)
    if user_id is not None:
        return await _client_page(page, user_id)
    found = await _found(page, typed) if typed else []
    if len(found) == 1:
        return await _client_page(page, found[0].id)
    return _render(page, "till/till.html", typed=typed, found=found)


async def _found(page: Page, typed: str) -> list[User]:
    async with page.runtime.pool.connection() as conn:
        return await search_users(conn, text=typed, before_id=None, limit=FOUND_MAX)


async def _client_page(page: Page, user_id: int, problem: ProblemError | None = None) -> Response:
    async with page.runtime.pool.connection() as conn:
        client = await _existing(conn, user_id)
        visit = await _visit_of_today(page, conn, user_id)
        spent = await till_store.read_redemptions_of_visit(conn, visit.id) if visit else []
        balance = await loyalty.balance(conn, user_id)
    is_used = problem is not None and problem.code == "idempotency_key_reused"
    return _render(
        page,
        "till/client.html",
        client=client,
        visit=visit,
        may_spend=balance > 0 and (visit is not None or page.me.may(Role.OWNER)),
        spent=sum(one.points for one in spent),
        balance=balance,
        points_max=min(balance, POINTS_MAX),
        points=page.form.text("points", 12),
        key=("" if is_used else page.form.text("key", KEY_CHARS_MAX)) or secrets.token_urlsafe(16),
        problem=problem,
        errors={},
        at={"balance_too_low": "points", "invalid_request": "points"},
    )


async def _spend_again(page: Page, problem: ProblemError) -> Response:
    return await _client_page(page, page.form.number("user_id") or 0, problem)


@pages.post(f"{_HERE}/redeem", Who.RECEPTION, again=_spend_again)
async def redeem(page: Page) -> Response:
    """Spend points for today's visit; only owners may do so without a visit."""
    user_id, points = page.form.number("user_id") or 0, page.form.number("points") or 0
    key = page.form.text("key", KEY_CHARS_MAX)
    async with page.runtime.pool.connection() as conn:
        await _existing(conn, user_id)
        visit = await _visit_of_today(page, conn, user_id)
    if visit is None and not page.me.may(Role.OWNER):
        raise ProblemError(409, "no_visit", "The client has no visit today.")
    if not 0 < points <= POINTS_MAX or not key:
        raise ProblemError(422, "invalid_request", "A number of points is needed.")
    entry = await by_hand.redeem(
        page.runtime.pool,
        user_id=user_id,
        points=points,
        reason=Reason.TILL,
        idempotency_key=key,
        admin_id=page.me.id,
        policy=page.runtime.policy,
        now=page.now,
        visit_id=visit.id if visit else None,
    )
    return page.redirect(f"{_HERE}?spent={entry.id}")


async def _spent_page(page: Page, entry_id: int, problem: ProblemError | None = None) -> Response:
    async with page.runtime.pool.connection() as conn:
        spent = await till_store.read_redemption(conn, entry_id)
        if spent is None:
            raise ProblemError(404, "not_found", "There is no such spending.")
        client = await _existing(conn, spent.user_id)
        balance = await loyalty.balance(conn, spent.user_id)
    until = spent.created_at + till_service.UNDO_SPAN
    return _render(
        page,
        "till/spent.html",
        client=client,
        spent=spent,
        balance=balance,
        until=until.astimezone(page.site.salon.zone) if not spent.is_undone and page.now <= until else None,
        problem=problem,
    )


async def _undo_again(page: Page, problem: ProblemError) -> Response:
    return await _spent_page(page, page.form.number("entry") or 0, problem)


@pages.post(f"{_HERE}/undo", Who.RECEPTION, again=_undo_again)
async def undo(page: Page) -> Response:
    """Reverse a spending, within ten minutes."""
    entry_id = page.form.number("entry") or 0
    back = await till_service.undo_redemption(
        page.runtime.pool, entry_id, admin_id=page.me.id, policy=page.runtime.policy, now=page.now
    )
    return page.redirect(f"{_HERE}?user={back.user_id}", flash="points_back")


async def _existing(conn: Connection, user_id: int) -> User:
    found = await users.read_user(conn, user_id)
    if found is None or found.erased_at is not None:
        raise ProblemError(404, "user_not_found", "There is no such user.")
    return found


async def _visit_of_today(page: Page, conn: Connection, user_id: int) -> ShownBooking | None:
    """Return the client's visit nearest to now on the salon's day; None where there is none."""
    zone = page.site.salon.zone
    day_ends = datetime.combine(page.today + timedelta(days=1), time(), zone).astimezone(UTC)
    found = await reading.read_newest_first(conn, user_id, status=None, after=(day_ends, 0), limit=VISITS_MAX)
    todays = [
        one
        for one in found
        if one.starts_at.astimezone(zone).date() == page.today and one.status != "CANCELLED"
    ]
    return min(todays, key=lambda one: abs(one.appointment_datetime - page.now), default=None)


def _render(page: Page, template: str, **values: object) -> Response:
    """Render a page of the till, the only pages that may ask for the camera."""
    return render(page, template, headers=CAMERA, **values)
