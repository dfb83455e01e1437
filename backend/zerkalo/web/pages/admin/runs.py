"""`/admin/runs` and `/admin/drift`: the syncs, and the comparison with YCLIENTS."""

from starlette.responses import Response

from zerkalo.kit.cursor import CURSOR_CHARS_MAX
from zerkalo.kit.problem import ProblemError
from zerkalo.runs.routes import drift_page
from zerkalo.web.pages.admin.desk import LastDrift
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()

RUNS_PAGE = 30
DRIFT_SECONDS = 8.0
"""How long the page compares before it shows how far it has come; it ends with the slice it is in."""
DIFFERENCES_SHOWN = 200


@pages.get("/admin/runs", Who.ADMIN)
async def runs(page: Page) -> Response:
    """The syncs, newest first; read again by itself while one goes on."""
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
    return render(
        page,
        "admin/drift.html",
        drift=page.site.desk.last_drift,
        shown_max=DIFFERENCES_SHOWN,
        enabled=page.runtime.settings.yclients_enabled,
        problem=problem,
        now=page.now,
    )


@pages.get("/admin/drift", Who.ADMIN)
async def show_drift(page: Page) -> Response:
    """The last comparison."""
    return await _drift_page(page)


@pages.post("/admin/drift", Who.ADMIN, again=_drift_page)
async def compare(page: Page) -> Response:
    """Compares some more visit dates with YCLIENTS; without a cursor from the beginning."""
    cursor = page.form.text("cursor", CURSOR_CHARS_MAX) or None
    if not page.runtime.settings.yclients_enabled:
        return page.redirect("/admin/setup")
    found = await drift_page(page.runtime.sync, cursor, seconds_max=DRIFT_SECONDS)
    last = page.site.desk.last_drift
    if last is None or cursor is None or last.next_cursor != cursor:
        last = LastDrift(page.now)
    last.differences = (last.differences + found.items)[: DIFFERENCES_SHOWN + 1]
    last.next_cursor = found.next_cursor
    page.site.desk.last_drift = last
    return page.redirect("/admin/drift")
