"""`/admin/runs` and `/admin/drift`: the syncs, and the comparison with YCLIENTS."""

from starlette.responses import Response

from zerkalo.auth.audit.service import audit, note_nothing
from zerkalo.db.transaction import transaction
from zerkalo.kit.cursor import CURSOR_CHARS_MAX
from zerkalo.kit.problem import ProblemError
from zerkalo.runs.drift.model import Comparison, Difference
from zerkalo.runs.drift.store import begin_comparison, go_on_comparison, last_comparison
from zerkalo.runs.routes import drift_page
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

RUNS_PAGE = 30
DRIFT_SECONDS = 8.0
"""How long one request compares before it shows its progress; it still finishes the current slice."""
DIFFERENCES_SHOWN = 200


@pages.get("/admin/runs", Who.OWNER)
async def runs(page: Page) -> Response:
    """Show the syncs, newest first; the page refreshes itself while one is running."""
    before_id = page.query.number("before")
    found = await page.runtime.runs.latest(before_id=before_id, limit=RUNS_PAGE + 1)
    return render(
        page,
        "admin/runs.html",
        runs=found[:RUNS_PAGE],
        enabled=page.runtime.settings.yclients_enabled,
        is_running=before_id is None and any(run.is_running for run in found),
        next_url=f"/admin/runs?before={found[RUNS_PAGE - 1].id}" if len(found) > RUNS_PAGE else None,
        now=page.now,
    )


async def _drift_page(page: Page, problem: ProblemError | None = None) -> Response:
    async with page.runtime.pool.connection() as conn:
        last = await last_comparison(conn)
    return render(
        page,
        "admin/drift.html",
        drift=last,
        shown_max=DIFFERENCES_SHOWN,
        enabled=page.runtime.settings.yclients_enabled,
        problem=problem,
        now=page.now,
    )


@pages.get("/admin/drift", Who.OWNER)
async def show_drift(page: Page) -> Response:
    """Show the last comparison."""
    return await _drift_page(page)


@pages.post("/admin/drift", Who.OWNER, again=_drift_page)
async def compare(page: Page) -> Response:
    """Compare more visit dates with YCLIENTS, from the cursor or from the beginning."""
    cursor = page.form.text("cursor", CURSOR_CHARS_MAX) or None
    if not page.runtime.settings.yclients_enabled:
        note_nothing()
        return page.redirect("/admin/setup")
    found = await drift_page(page.runtime.sync, cursor, seconds_max=DRIFT_SECONDS)
    new = tuple(Difference(one.company_id, one.record_id, one.what) for one in found.items)
    most = DIFFERENCES_SHOWN + 1
    async with transaction(page.runtime.pool) as conn:
        await audit(conn, page.me.id, "drift.compare", "bookings", {}, page.now)
        if cursor is None:
            await begin_comparison(conn, Comparison(page.now, new[:most], found.next_cursor))
        else:
            await go_on_comparison(conn, cursor, new, next_cursor=found.next_cursor, most=most)
    return page.redirect("/admin/drift")


@pages.post("/admin/accept-absent", Who.OWNER)
async def accept_absent(page: Page) -> Response:
    """Cancel a branch's bookings that YCLIENTS no longer knows: an admin confirms that those shown are gone."""
    runtime = page.runtime
    company_id, shown = page.form.number("company"), page.form.number("shown")
    accepted = 0
    if company_id in runtime.runs.company_ids and shown is not None:
        accepted = await runtime.refetcher.accept_absent(company_id, shown=shown, admin_id=page.me.id)
    # No log entry where nothing waited.
    note_nothing()
    page.site.desk.counts.forget()
    if not accepted:
        return page.redirect("/admin", flash="nothing_absent")
    return page.redirect("/admin", flash="absent_accepted", count=accepted)
