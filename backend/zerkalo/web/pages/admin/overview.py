"""`/admin`: is all well and what to do if not, the sync and its runs, the charts, the comparison with YCLIENTS."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.auth.audit import audit
from zerkalo.checkup.model import Facts, Problem, Severity
from zerkalo.checkup.rules import LATE_INTERVALS, problems_of, sync_lag
from zerkalo.checkup.service import is_healthy
from zerkalo.checkup.texts import fix_of, text_of
from zerkalo.codes.service import give_missing_codes
from zerkalo.db.transaction import transaction
from zerkalo.kit.cursor import CURSOR_CHARS_MAX
from zerkalo.kit.problem import ProblemError
from zerkalo.runs.routes import drift_page
from zerkalo.web.pages.admin import bookings, events, setup, users
from zerkalo.web.pages.admin.desk import Desk, LastDrift
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.site import Page, Site
from zerkalo.web.pages.wording import Words
from zerkalo.web.stats import CHART_DAYS

RUNS_SHOWN = 5
RUNS_PAGE = 30
DRIFT_SECONDS = 8.0
"""How long the page compares before it shows how far it has come; it ends with the slice it is in."""
DIFFERENCES_SHOWN = 200

_WHERE: Mapping[str, tuple[str, Words]] = {
    "quarantine": ("/admin/quarantine", {"ru": "Разобрать события", "en": "See the events"}),
    "ambiguous": ("/admin/bookings?choose=1", {"ru": "Выбрать клиентов", "en": "Choose the clients"}),
    "webhook_never": ("/admin/setup", {"ru": "Настроить вебхук", "en": "Set the webhook up"}),
    "secret_missing": ("/admin/setup", {"ru": "Настройка вебхука", "en": "Set the webhook up"}),
}
"""Problem -> the page that mends it."""
_SYNC_MENDS = frozenset({"sync_failed", "sync_late", "yclients_refuses", "yclients_silent", "unverified"})


def routes(site: Site) -> list[Route]:
    """`/admin` and everything below it."""
    runtime = site.runtime
    desk = Desk(runtime)

    async def overview(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        charts = await desk.charts.get()
        return render(
            page,
            "admin/overview.html",
            **await _state(page),
            charts=charts,
            chart_days=CHART_DAYS,
        )

    async def state(request: Request) -> Response:
        """The part of the overview that changes by itself."""
        page = await site.page(request)
        page.require_admin()
        return render(page, "admin/state.html", **await _state(page))

    async def _state(page: Page) -> dict[str, Any]:
        facts = await desk.facts()
        problems = problems_of(facts)
        runs = await runtime.runs.latest(before_id=None, limit=RUNS_SHOWN)
        return {
            "facts": facts,
            "is_well": is_healthy(problems),
            "todo": [_shown(page, one) for one in problems if one.severity is Severity.ERROR],
            "advice": [_shown(page, one) for one in problems if one.severity is Severity.ADVICE],
            "lag": sync_lag(facts),
            "is_lagging": _is_lagging(facts),
            "runs": runs,
            "is_running": any(run.is_running for run in runs),
            "is_asking": desk.can_ask and desk.answers.is_asking and not desk.answers.peek(),
        }

    async def sync_now(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        await page.form()
        if not runtime.settings.yclients_enabled:
            return page.redirect("/admin/setup")
        for company_id in runtime.runs.company_ids:
            run = await runtime.runs.open_or_join(company_id)
            await runtime.bells.sync(run.company_id)
        return page.redirect("/admin", flash="sync_begun")

    async def give_codes(request: Request) -> Response:
        page = await site.page(request)
        admin = page.require_admin()
        await page.form()
        now = runtime.clock()
        given = await give_missing_codes(runtime.pool, now=now)
        async with transaction(runtime.pool) as conn:
            await audit(conn, admin.id, "user.give_codes", "users", {"count": given}, now)
        desk.counts.forget()
        return page.redirect("/admin", flash="codes_given")

    async def runs(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        before_id = page.query().number("before")
        found = await runtime.runs.latest(before_id=before_id, limit=RUNS_PAGE + 1)
        more = f"/admin/runs?before={found[RUNS_PAGE - 1].id}" if len(found) > RUNS_PAGE else None
        return render(
            page,
            "admin/runs.html",
            runs=found[:RUNS_PAGE],
            enabled=runtime.settings.yclients_enabled,
            # The newest ones are read again while one of them goes on.
            is_running=before_id is None and any(run.is_running for run in found),
            next_url=more,
            now=runtime.clock(),
        )

    async def show_drift(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        return _drift_page(page)

    async def compare(request: Request) -> Response:
        page = await site.page(request)
        page.require_admin()
        cursor = (await page.form()).text("cursor", CURSOR_CHARS_MAX) or None
        if not runtime.settings.yclients_enabled:
            return page.redirect("/admin/setup")
        try:
            found = await drift_page(runtime.sync, cursor, seconds_max=DRIFT_SECONDS)
        except ProblemError as problem:
            return _drift_page(page, problem)
        goes_on = desk.last_drift is not None and cursor is not None and desk.last_drift.next_cursor == cursor
        if not goes_on or desk.last_drift is None:
            desk.last_drift = LastDrift(runtime.clock())
        desk.last_drift.differences = (desk.last_drift.differences + found.items)[: DIFFERENCES_SHOWN + 1]
        desk.last_drift.next_cursor = found.next_cursor
        return page.redirect("/admin/drift")

    def _drift_page(page: Page, problem: ProblemError | None = None) -> Response:
        return render(
            page,
            "admin/drift.html",
            status=problem.status if problem else 200,
            drift=desk.last_drift,
            shown_max=DIFFERENCES_SHOWN,
            enabled=runtime.settings.yclients_enabled,
            problem=page.problem(problem) if problem else None,
            now=runtime.clock(),
        )

    return [
        Route("/admin", overview),
        Route("/admin/state", state),
        Route("/admin/sync", sync_now, methods=["POST"]),
        Route("/admin/codes", give_codes, methods=["POST"]),
        Route("/admin/runs", runs),
        Route("/admin/drift", show_drift),
        Route("/admin/drift", compare, methods=["POST"]),
        *bookings.routes(site),
        *events.routes(site),
        *users.routes(site, desk),
        *setup.routes(site, desk),
    ]


def _shown(page: Page, problem: Problem) -> dict[str, Any]:
    """A problem with what mends it: always the words of `check`, and a page or a button where the desk has one."""
    href, words = _WHERE.get(problem.code, (None, None))
    return {
        "code": problem.code,
        "text": text_of(problem, page.language),
        "fix": fix_of(problem, page.language),
        "href": href,
        "link": words[page.language] if words else None,
        "sync": problem.code in _SYNC_MENDS,
        "codes": problem.code == "codes_missing",
    }


def _is_lagging(facts: Facts) -> bool:
    lag = sync_lag(facts)
    return lag is None or lag > LATE_INTERVALS * timedelta(minutes=facts.interval_minutes)
