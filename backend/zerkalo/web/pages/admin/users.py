"""`/admin/users…`: people and their codes, one of them with visits and points, moving points, adding and merging."""

import secrets

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.bookings import reading
from zerkalo.bookings.routes import path_id
from zerkalo.kit.cursor import CURSOR_CHARS_MAX, encode_cursor
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty import service as loyalty
from zerkalo.loyalty import store as ledger
from zerkalo.loyalty.routes import KEY_CHARS_MAX, POINTS_MAX, REASON_CHARS_MAX
from zerkalo.users import store as users
from zerkalo.users.desk import service as enter_service
from zerkalo.users.desk.routes import SEARCH_CHARS_MAX
from zerkalo.users.merging import service as merge_service
from zerkalo.users.model import User
from zerkalo.web.pages.admin.desk import Desk
from zerkalo.web.pages.admin.rendering import before_id_of, render
from zerkalo.web.pages.fields import Fields
from zerkalo.web.pages.forms import Form
from zerkalo.web.pages.me.overview import entry_words
from zerkalo.web.pages.site import Page, Site

USERS_PAGE = 30
VISITS_SHOWN = 10
ENTRIES_SHOWN = 10
_MODE = "users page"


def routes(site: Site, desk: Desk) -> list[Route]:
    """`/admin/users`, `/admin/users/new`, `/admin/users/{id}`, `/points` and `/merge` below it."""
    runtime = site.runtime

    async def people(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        query = page.query()
        search = query.text("search", SEARCH_CHARS_MAX)
        before_id = before_id_of(query.text("cursor", CURSOR_CHARS_MAX), _MODE)
        async with runtime.pool.connection() as conn:
            found = await users.search_users(conn, text=search, before_id=before_id, limit=USERS_PAGE + 1)
        more = encode_cursor(_MODE, found[USERS_PAGE - 1].id) if len(found) > USERS_PAGE else None
        return render(page, "admin/users.html", users=found[:USERS_PAGE], search=search, next_cursor=more)

    async def show_new(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        return _new_page(page, page.query())

    async def enter(request: Request) -> Response:
        page = await site.page(request)
        admin = page.require_admin()
        form = await page.form()
        fields = Fields(page, form)
        email = fields.email() if form.text("email") else None
        phone = fields.phone()
        if email is None and phone is None and not fields.errors:
            fields.refuse("email", "Нужен e-mail или телефон.", "An e-mail or a phone is needed.")
        if fields.errors:
            return _new_page(page, form, errors=fields.errors)
        try:
            user = await enter_service.enter_user(
                runtime.people,
                email=email,
                phone=phone,
                name=fields.name(),
                admin_id=admin.id,
                now=runtime.clock(),
            )
        except ProblemError as problem:
            return _new_page(page, form, problem=problem)
        desk.counts.forget()
        return page.redirect(f"/admin/users/{user.id}", flash="user_added")

    def _new_page(
        page: Page,
        form: Form,
        *,
        errors: dict[str, str] | None = None,
        problem: ProblemError | None = None,
    ) -> Response:
        return render(
            page,
            "admin/user_new.html",
            status=problem.status if problem else 422 if errors else 200,
            typed={name: form.text(name) for name in ("email", "phone", "name")},
            **(
                page.refusal(problem, {"email_taken": "email"})
                if problem
                else {"problem": None, "errors": errors or {}}
            ),
        )

    async def user(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        return await _user_page(page, await _existing(request))

    async def _existing(request: Request) -> User:
        async with runtime.pool.connection() as conn:
            found = await users.read_user(conn, path_id(request.path_params["user_id"]))
        if found is None or found.erased_at is not None:
            raise ProblemError(404, "not_found", "There is no such user.")
        return found

    async def _user_page(
        page: Page,
        shown: User,
        form: Form | None = None,
        errors: dict[str, str] | None = None,
        problem: str | None = None,
        *,
        new_key: bool = False,
    ) -> Response:
        typed = form or Form([])
        # What was refused moved nothing, so the same key may be tried again; a page asked for has a new one.
        key = "" if new_key else typed.text("key", KEY_CHARS_MAX)
        async with runtime.pool.connection() as conn:
            visits = await reading.read_newest_first(
                conn, shown.id, status=None, after=None, limit=VISITS_SHOWN
            )
            entries = await ledger.read_entries(conn, shown.id, None, ENTRIES_SHOWN)
            balance = await loyalty.balance(conn, shown.id)
        return render(
            page,
            "admin/user.html",
            status=422 if problem or errors else 200,
            user=shown,
            visits=visits,
            entries=[(entry, *entry_words(page, entry)) for entry in entries],
            balance=balance,
            typed={name: typed.text(name) for name in ("points", "reason", "into")},
            key=key or secrets.token_urlsafe(16),
            points_max=POINTS_MAX,
            reason_chars_max=REASON_CHARS_MAX,
            errors=errors or {},
            problem=problem,
            here=f"/admin/users/{shown.id}",
        )

    async def move_points(request: Request) -> Response:
        """One form with two buttons: spend points, or correct them by a signed number."""
        page = await site.page(request)
        admin = page.require_admin()
        form = await page.form()
        shown = await _existing(request)
        points, reason = _signed_number(form.text("points", 12)), form.text("reason", REASON_CHARS_MAX)
        key = form.text("key", KEY_CHARS_MAX)
        is_redeeming = form.text("what") == "redeem"
        if points is None or points == 0 or (is_redeeming and points < 0) or abs(points) > POINTS_MAX:
            what = page.say("Введите число баллов.", "Enter a number of points.")
            return await _user_page(page, shown, form, {"points": what})
        if not reason or not key:
            what = page.say("Напишите, за что.", "Say what it is for.")
            return await _user_page(page, shown, form, {"reason": what})
        move = loyalty.redeem if is_redeeming else loyalty.adjust
        try:
            await move(
                runtime.pool,
                user_id=shown.id,
                points=points,
                reason=reason,
                idempotency_key=key,
                admin_id=admin.id,
                policy=runtime.policy,
                now=runtime.clock(),
            )
        except ProblemError as problem:
            new_key = problem.code == "idempotency_key_reused"
            refusal = page.refusal(problem, {"balance_too_low": "points"})
            return await _user_page(page, shown, form, **refusal, new_key=new_key)
        return page.redirect(f"/admin/users/{shown.id}", flash="points_moved")

    async def merge(request: Request) -> Response:
        page = await site.page(request)
        admin = page.require_admin()
        form = await page.form()
        shown = await _existing(request)
        try:
            kept = await merge_service.merge_users(
                runtime.people,
                from_id=shown.id,
                into_id=form.number("into") or 0,
                admin_id=admin.id,
                now=runtime.clock(),
            )
        except ProblemError as problem:
            return await _user_page(page, shown, form, {"into": page.problem(problem)})
        return page.redirect(f"/admin/users/{kept.id}", flash="merged")

    one = "/admin/users/{user_id}"
    return [
        Route("/admin/users", people),
        Route("/admin/users/new", show_new),
        Route("/admin/users/new", enter, methods=["POST"]),
        Route(one, user),
        Route(f"{one}/points", move_points, methods=["POST"]),
        Route(f"{one}/merge", merge, methods=["POST"]),
    ]


def _signed_number(text: str) -> int | None:
    """A whole number with an optional sign, the typographic minus too; None for anything else."""
    bare = text.replace("−", "-").replace(" ", "")
    digits = bare[1:] if bare[:1] in ("-", "+") else bare
    return int(bare) if digits.isascii() and digits.isdigit() else None
