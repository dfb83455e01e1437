"""`/admin/setup`: the webhook's address and the five steps to enter it in YCLIENTS, ticked off once they are seen done."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from starlette.responses import Response

from zerkalo.auth.audit.service import audit_first, note_nothing
from zerkalo.booking_form.model import HookPlan
from zerkalo.checkup.model import CompanyFacts
from zerkalo.inbox.desk.store import last_received_at
from zerkalo.kit.problem import ProblemError
from zerkalo.web.pages.admin.desk import HookAnswer
from zerkalo.web.pages.admin.rendering import render
from zerkalo.web.pages.page import Page
from zerkalo.web.pages.routing import Pages, Who

pages = Pages()


SEEN_CHARS_MAX = 64


@dataclass(frozen=True, slots=True)
class Steps:
    """Which of the five steps are seen to be done. None: not known, since YCLIENTS does not say."""

    opened: bool | None
    added: bool | None
    address: bool | None
    events: bool | None
    saved: bool
    """An event of YCLIENTS has arrived, so all before it is done too."""


def steps_of(answers: Mapping[int, HookAnswer], *, arrived: bool) -> Steps:
    """Return the steps as YCLIENTS reports them: a step is done when it is done in every branch that was asked.

    Where YCLIENTS does not report them, an event that has arrived shows that all are done.
    """
    states = [answer.state for answer in answers.values() if answer.state is not None]
    if not states or len(states) < len(answers):
        told = True if arrived else None
        return Steps(opened=told, added=told, address=told, events=told, saved=arrived)
    is_listed = all(state.is_listed for state in states)
    is_active = is_listed and all(state.is_active for state in states)
    return Steps(
        opened=True, added=is_listed, address=is_listed, events=is_active, saved=is_active and arrived
    )


async def _setup_page(
    page: Page, problem: ProblemError | None = None, *, plan: HookPlan | None = None
) -> Response:
    desk = page.site.desk
    facts = await desk.facts()
    answers = desk.hooks.peek() if desk.can_ask else {}
    async with page.runtime.pool.connection() as conn:
        arrived_at = await last_received_at(conn)
    return render(
        page,
        "admin/setup.html",
        facts=facts,
        answers=answers,
        is_asking=desk.can_ask and not answers,
        steps=steps_of(answers, arrived=arrived_at is not None),
        arrived_at=arrived_at,
        answering=_answering(facts.companies),
        synced=bool(facts.companies) and all(one.last_success_at for one in facts.companies),
        titles={one.id: one.title for one in facts.companies},
        problem=problem,
        plan=plan,
    )


@pages.get("/admin/setup", Who.OWNER)
async def setup(page: Page) -> Response:
    """Show the webhook's address, and which steps are done."""
    return await _setup_page(page)


@pages.post("/admin/setup/install", Who.OWNER, again=_setup_page)
async def install(page: Page) -> Response:
    """Show what adding the address changes in YCLIENTS's settings; once confirmed, add it."""
    hooks = page.runtime.booking_form.hooks
    company_id, seen = page.form.number("company_id") or 0, page.form.text("seen", SEEN_CHARS_MAX)
    if not seen:
        note_nothing()
        plan = await hooks.plan_hook(company_id)
        if plan is not None:
            return await _setup_page(page, plan=plan)
    else:
        await _note(page, "hook.install", company_id)
        await hooks.install_hook(company_id, seen=seen)
    page.site.desk.hooks.forget()
    return page.redirect("/admin/setup", flash="hook_installed")


@pages.post("/admin/setup/test", Who.OWNER, again=_setup_page)
async def test(page: Page) -> Response:
    """Send a test event to the address that YCLIENTS has."""
    company_id = page.form.number("company_id") or 0
    await _note(page, "hook.test", company_id)
    try:
        arrived = await page.runtime.booking_form.hooks.test_hook(company_id)
    finally:
        page.site.desk.hooks.forget()
    return page.redirect("/admin/setup", flash="hook_tested" if arrived else "hook_test_failed")


async def _note(page: Page, action: str, company_id: int) -> None:
    subject = f"company {company_id}"
    await audit_first(page.runtime.pool, page.me.id, action, subject, {}, page.now)


def _answering(companies: Sequence[CompanyFacts]) -> bool | None:
    """Return whether YCLIENTS answers for every branch; None: it was not asked yet."""
    if any(company.problem or (company.answer and company.answer.problem) for company in companies):
        return False
    return True if companies and all(company.answer for company in companies) else None
