"""`/admin/users…`: people and their codes; one client with visits and points; changing points; adding a client."""

import secrets

from starlette.responses import Response

from zerkalo.bookings.reading import store as reading
from zerkalo.kit.cursor import ById
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty import service as loyalty
from zerkalo.loyalty import store as ledger
from zerkalo.loyalty.by_hand import service as by_hand
from zerkalo.loyalty.routes import KEY_CHARS_MAX, POINTS_MAX, REASON_CHARS_MAX
from zerkalo.users import store as users
from zerkalo.users.desk import service as enter_service
from zerkalo.users.desk.routes import SEARCH_CHARS_MAX
from zerkalo.users.desk.store import cards_of, doubles_of, search_users
from zerkalo.users.merging.service import UNDO_SPAN
from zerkalo.users.merging.store import merges_into
from zerkalo.users.model import User
from zerkalo.users.proving import store as proofs
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.me.overview import told_entries
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

USERS_PAGE = 30
VISITS_SHOWN = 10
ENTRIES_SHOWN = 10
_USERS = ById("users page")
_ONE = "/admin/users/{user_id}"


@pages.get("/admin/users", Who.STAFF)
async def people(page: Page) -> Response:
    """Show people, newest first, or those that a search finds."""
    search = page.query.text("search", SEARCH_CHARS_MAX)
    before_id = _USERS.position(page.cursor)
    async with page.runtime.pool.connection() as conn:
        found = await search_users(conn, text=search, before_id=before_id, limit=USERS_PAGE + 1)
    shown = _USERS.page(found, USERS_PAGE, lambda one: one.id)
    return render(page, "admin/users.html", users=shown.items, search=search, next_cursor=shown.next_cursor)


async def _new_page(
    page: Page,
    problem: ProblemError | None = None,
    *,
    errors: dict[str, str] | None = None,
    holder: User | None = None,
) -> Response:
    return render(
        page,
        "admin/user_new.html",
        status=409 if holder else 200,
        holder=holder,
        typed={name: page.form.text(name) for name in ("email", "phone", "name")},
        errors=errors,
        problem=problem,
        at={"email_taken": "email", "phone_taken": "phone"},
    )


@pages.get("/admin/users/new", Who.RECEPTION)
async def show_new(page: Page) -> Response:
    """Show the form for a new client."""
    return await _new_page(page)


@pages.post("/admin/users/new", Who.RECEPTION, again=_new_page)
async def enter(page: Page) -> Response:
    """Add a client, whose contacts count as proved."""
    fields = page.fields()
    email = fields.email() if page.form.text("email") else None
    phone = fields.phone()
    if email is None and phone is None and not fields.errors:
        fields.refuse("email", "Нужен e-mail или телефон.", "An e-mail or a phone is needed.")
    if fields.errors:
        return await _new_page(page, errors=fields.errors)
    holder = await _holder_of(page, email, phone)
    if holder is not None:
        return await _new_page(page, holder=holder)
    user = await enter_service.enter_user(
        page.runtime.people,
        email=email,
        phone=phone,
        name=fields.name(),
        admin_id=page.me.id,
        now=page.now,
    )
    page.site.desk.counts.forget()
    return page.redirect(f"/admin/users/{user.id}", flash="user_added")


async def _holder_of(page: Page, email: str | None, phone: str | None) -> User | None:
    """Return the user who has proved one of these contacts already."""
    async with page.runtime.pool.connection() as conn:
        holder = await proofs.holder_of_email(conn, email) if email else None
        if holder is None and phone:
            holder = next(iter(await proofs.holders_of_phone(conn, phone)), None)
    return holder


async def _user_page(
    page: Page, problem: ProblemError | None = None, *, errors: dict[str, str] | None = None
) -> Response:
    shown = await existing_user(page)
    async with page.runtime.pool.connection() as conn:
        visits = await reading.read_newest_first(conn, shown.id, status=None, after=None, limit=VISITS_SHOWN)
        entries = await ledger.read_entries(conn, shown.id, None, ENTRIES_SHOWN)
        balance = await loyalty.balance(conn, shown.id)
        told = await told_entries(page, conn, entries)
        doubles, cards = await doubles_of(conn, shown), await cards_of(conn, shown.id)
        merges = await merges_into(conn, shown.id, since=page.now - UNDO_SPAN)
    return render(
        page,
        "admin/user.html",
        user=shown,
        visits=visits,
        entries=told,
        balance=balance,
        doubles=doubles,
        cards=cards,
        merges=merges,
        typed={name: page.form.text(name) for name in ("points", "reason")},
        key=_key_of(page, problem) or secrets.token_urlsafe(16),
        points_max=POINTS_MAX,
        reason_chars_max=REASON_CHARS_MAX,
        errors=errors,
        problem=problem,
        at={"balance_too_low": "points"},
        here=f"/admin/users/{shown.id}",
    )


def _key_of(page: Page, problem: ProblemError | None) -> str:
    """Return the idempotency key for the form shown again: a refused one moved no points, so its key is reused.

    "": make a new one.
    """
    is_used = problem is not None and problem.code == "idempotency_key_reused"
    return "" if is_used else page.form.text("key", KEY_CHARS_MAX)


@pages.get(_ONE, Who.STAFF)
async def user(page: Page) -> Response:
    """Show one client: contacts, points, visits."""
    return await _user_page(page)


async def existing_user(page: Page) -> User:
    """Read the account in the address. Raises a 404 `ProblemError` where there is none, or it was erased."""
    async with page.runtime.pool.connection() as conn:
        found = await users.read_user(conn, page.id("user_id"))
    if found is None or found.erased_at is not None:
        raise ProblemError(404, "not_found", "There is no such user.")
    return found


@pages.post(f"{_ONE}/points", Who.OWNER, again=_user_page)
async def move_points(page: Page) -> Response:
    """Spend points, or correct them by a signed number: one form with two buttons."""
    shown = await existing_user(page)
    points, reason = _signed_number(page.form.text("points", 12)), page.form.text("reason", REASON_CHARS_MAX)
    errors = _points_errors(page, points, reason)
    if errors or points is None:
        return await _user_page(page, errors=errors)
    move = by_hand.redeem if _is_redeeming(page) else by_hand.adjust
    await move(
        page.runtime.pool,
        user_id=shown.id,
        points=points,
        reason=reason,
        idempotency_key=page.form.text("key", KEY_CHARS_MAX),
        admin_id=page.me.id,
        policy=page.runtime.policy,
        now=page.now,
    )
    return page.redirect(f"/admin/users/{shown.id}", flash="points_moved")


def _is_redeeming(page: Page) -> bool:
    return page.form.text("what") == "redeem"


def _points_errors(page: Page, points: int | None, reason: str) -> dict[str, str]:
    if not points or (_is_redeeming(page) and points < 0) or abs(points) > POINTS_MAX:
        return {"points": page.say("Введите число баллов.", "Enter a number of points.")}
    if not reason or not page.form.text("key", KEY_CHARS_MAX):
        return {"reason": page.say("Напишите, за что.", "Say what it is for.")}
    return {}


def _signed_number(text: str) -> int | None:
    """Parse a whole number with an optional sign, the typographic minus too; None for anything else."""
    bare = text.replace("−", "-").replace(" ", "")
    digits = bare[1:] if bare[:1] in ("-", "+") else bare
    return int(bare) if digits.isascii() and digits.isdigit() else None
