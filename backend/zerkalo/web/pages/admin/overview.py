"""`/admin`: the problems and how to fix them, the charts, starting a sync, assigning codes."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from starlette.responses import Response

from zerkalo.auth.audit.service import note_nothing
from zerkalo.checkup.model import Facts, Problem, Severity
from zerkalo.checkup.rules import LATE_INTERVALS, problems_of, sync_lag, verdict_of
from zerkalo.checkup.texts.rules import fix_of, programme_text, text_of
from zerkalo.codes.service import give_missing_codes
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who
from zerkalo.web.pages.wording import Words
from zerkalo.web.stats import CHART_DAYS

pages = Pages()

RUNS_SHOWN = 5
_WHERE: Mapping[str, tuple[str, Words]] = {
    "quarantine": ("/admin/quarantine", {"ru": "Разобрать события", "en": "See the events"}),
    "ambiguous": ("/admin/unmatched?choose=1", {"ru": "Выбрать клиентов", "en": "Choose the clients"}),
    "webhook_never": ("/admin/setup", {"ru": "Настроить вебхук", "en": "Set the webhook up"}),
    "secret_missing": ("/admin/setup", {"ru": "Настройка вебхука", "en": "Set the webhook up"}),
}
"""Problem -> the page where it can be fixed."""
_OPERATORS_WORDS = ("zerkalo ", ".env", "YCLIENTS_", "SMTP_", "SMS_")
"""A fix with one of these words is for whoever runs the server, not for the desk."""
_SYNC_MENDS = frozenset(
    {"sync_failed", "sync_late", "yclients_refuses", "yclients_silent", "records_refused"}
)


@pages.get("/admin", Who.STAFF)
async def overview(page: Page) -> Response:
    """Show the overview to owners; redirect others to the journal."""
    if not page.me.is_admin:
        return page.redirect("/admin/bookings")
    charts = await page.site.desk.charts.get()
    return render(page, "admin/overview.html", **await _state(page), charts=charts, chart_days=CHART_DAYS)


@pages.get("/admin/state", Who.OWNER)
async def state(page: Page) -> Response:
    """Show the part of the overview that refreshes itself."""
    return render(page, "admin/state.html", **await _state(page))


async def _state(page: Page) -> dict[str, Any]:
    desk = page.site.desk
    facts = await desk.facts()
    problems = problems_of(facts)
    runs = await page.runtime.runs.latest(before_id=None, limit=RUNS_SHOWN)
    return {
        "facts": facts,
        "verdict": verdict_of(problems),
        "todo": [_shown(page, one) for one in problems if one.severity is Severity.ERROR],
        "advice": [_shown(page, one) for one in problems if one.severity is Severity.ADVICE],
        "programme": programme_text(facts.programme, page.language),
        "lag": sync_lag(facts),
        "is_lagging": _is_lagging(facts),
        "runs": runs,
        "is_running": any(run.is_running for run in runs),
        "is_asking": desk.can_ask and desk.answers.is_asking and not desk.answers.peek(),
    }


@pages.post("/admin/sync", Who.OWNER)
async def sync_now(page: Page) -> Response:
    """Start a sync of every branch, or join the one under way."""
    runtime = page.runtime
    if not runtime.settings.yclients_enabled:
        note_nothing()
        return page.redirect("/admin/setup")
    for company_id in runtime.runs.company_ids:
        run = await runtime.runs.open_or_join(company_id, admin_id=page.me.id)
        await runtime.bells.sync(run.company_id)
    # No log entry where no run was opened.
    note_nothing()
    return page.redirect("/admin", flash="sync_begun")


@pages.post("/admin/codes", Who.OWNER)
async def give_codes(page: Page) -> Response:
    """Assign a code to every user without one."""
    await give_missing_codes(page.runtime.pool, now=page.now, admin_id=page.me.id)
    # No log entry where no code was assigned.
    note_nothing()
    page.site.desk.counts.forget()
    return page.redirect("/admin", flash="codes_given")


def _shown(page: Page, problem: Problem) -> dict[str, Any]:
    """Return a problem with its fix: the words of `check`, and a page or a button where the desk has one."""
    href, words = _WHERE.get(problem.code, (None, None))
    return {
        "code": problem.code,
        "text": text_of(problem, page.language),
        "fix": fix_of(problem, page.language),
        "is_for_operator": any(word in fix_of(problem, page.language) for word in _OPERATORS_WORDS),
        "href": href,
        "link": words[page.language] if words else None,
        "sync": problem.code in _SYNC_MENDS,
        "codes": problem.code == "codes_missing",
        "absent": problem.values if problem.code == "absent_waiting" else None,
    }


def _is_lagging(facts: Facts) -> bool:
    lag = sync_lag(facts)
    return lag is None or lag > LATE_INTERVALS * timedelta(minutes=facts.interval_minutes)
