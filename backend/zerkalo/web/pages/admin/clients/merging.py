"""`/admin/users/{id}/merge`: finding a person's second account, comparing both side by side, merging and unmerging."""

from starlette.responses import Response

from zerkalo.kit.problem import ProblemError
from zerkalo.users import store as users
from zerkalo.users.desk.routes import SEARCH_CHARS_MAX
from zerkalo.users.desk.store import doubles_of, search_users, weigh
from zerkalo.users.merging import service as merging
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

FOUND_MAX = 10
_HERE = "/admin/users/{user_id}/merge"


async def _merge_page(page: Page, problem: ProblemError | None = None) -> Response:
    """Show the account to keep beside the one to merge into it, and the result; or a search for the latter."""
    kept_id, other_id = page.id("user_id"), page.query.number("with")
    if page.request.method == "POST":
        kept_id, other_id = page.form.number("into") or 0, kept_id
    search = page.query.text("search", SEARCH_CHARS_MAX)
    async with page.runtime.pool.connection() as conn:
        kept = await users.read_user(conn, kept_id)
        other = await users.read_user(conn, other_id) if other_id else None
        if kept is None or kept.erased_at is not None:
            raise ProblemError(404, "not_found", "There is no such user.")
        if other is not None and (other.erased_at is not None or other.id == kept.id):
            other = None
        found = await search_users(conn, text=search, before_id=None, limit=FOUND_MAX) if search else []
        weights = await weigh(conn, [kept.id, *([other.id] if other else [])])
        doubles = await doubles_of(conn, kept)
    return render(
        page,
        "admin/merge.html",
        kept=kept,
        other=other,
        merged=merging.merged_account(other, kept) if other else None,
        weights=weights,
        found=[one for one in found if one.id != kept.id],
        doubles=doubles,
        search=search,
        problem=problem,
        here=f"/admin/users/{kept.id}/merge",
    )


@pages.get(_HERE, Who.OWNER)
async def compare_accounts(page: Page) -> Response:
    """Search for the second account, then show both."""
    return await _merge_page(page)


@pages.post(_HERE, Who.OWNER, again=_merge_page)
async def merge(page: Page) -> Response:
    """Merge this account into another one of the same person."""
    kept = await merging.merge_users(
        page.runtime.people,
        from_id=page.id("user_id"),
        into_id=page.form.number("into") or 0,
        admin_id=page.me.id,
        now=page.now,
    )
    return page.redirect(f"/admin/users/{kept.id}", flash="merged")


@pages.post("/admin/users/{user_id}/unmerge", Who.OWNER)
async def unmerge(page: Page) -> Response:
    """Undo a merge."""
    user = await merging.undo_merge(
        page.runtime.people, page.form.number("merge_id") or 0, admin_id=page.me.id, now=page.now
    )
    return page.redirect(f"/admin/users/{user.id}", flash="unmerged")
