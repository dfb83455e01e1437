"""The next step of the booking form, with what YCLIENTS offers for it."""

import asyncio
import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import groupby
from typing import Any

from starlette.responses import Response

from zerkalo.booking_form.model import OfferedService, OfferedStaff
from zerkalo.booking_form.offering.service import ANYBODY, Offers
from zerkalo.booking_form.pictures.rules import sources
from zerkalo.companies.model import Branch
from zerkalo.kit.problem import ProblemError
from zerkalo.web.headers import CONTENT_SECURITY_POLICY
from zerkalo.web.pages.book.choice import Choice, Typed
from zerkalo.web.pages.book.days import choice_of_times
from zerkalo.web.pages.book.widget import code_of
from zerkalo.web.pages.page import MAY_GO_BACK, NO_STORE, Page
from zerkalo.web.pages.wording import duration, money, money_range

ASK_SECONDS_MAX = 12.0
"""How long a page waits for YCLIENTS before it says so. What was asked for is cached for the next try."""

CLOSED = frozenset({"yclients_disabled", "yclients_refuses"})
"""Problem codes where trying again does not help."""

STEPS = ("branch", "services", "staff", "time", "contacts")


@dataclass(frozen=True, slots=True)
class Way:
    """What was chosen and typed so far, and how the next step is shown."""

    choice: Choice
    typed: Typed = field(default_factory=Typed)
    back: str = ""
    """The step to go back to."""
    errors: Mapping[str, str] = field(default_factory=dict[str, str])
    problem: ProblemError | None = None
    is_fresh: bool = False
    """Free times are read anew, not from the cache."""
    is_carrying: bool = False
    """Something was typed already, so the forms carry it by POST."""
    has_branches: bool = False


@dataclass(frozen=True, slots=True)
class _Chosen:
    """The choice for the summary, with names."""

    branch: Branch
    services: tuple[OfferedService, ...] = ()
    staff: OfferedStaff | None = None
    """None: anybody (`Choice.staff_id` 0)."""


async def show_step(page: Page, way: Way) -> Response:
    """Show the next step, or why YCLIENTS could not be asked."""
    try:
        async with asyncio.timeout(ASK_SECONDS_MAX):
            return await _next_step(page, way)
    except TimeoutError:
        trouble = ProblemError(503, "yclients_unavailable", "YCLIENTS is too slow.", {"Retry-After": "10"})
    except ProblemError as error:
        if error.code in ("service_gone", "company_unknown") and way.problem is None:
            return await show_step(page, replace(way, choice=way.choice.until("services"), problem=error))
        trouble = error
    return _render(
        page,
        replace(way, problem=None, errors={}),
        "book/trouble.html",
        status=trouble.status,
        trouble=page.problem(trouble),
        is_closed=trouble.code in CLOSED,
    )


async def _next_step(page: Page, way: Way) -> Response:
    """Show the choice of a branch where several are possible; else the step after it."""
    offers = page.runtime.booking_form.offers
    branches = await offers.branches()
    branch = next((one for one in branches if one.company_id == way.choice.company_id), None)
    branch = branch or (branches[0] if len(branches) == 1 else None)
    way = replace(way, has_branches=len(branches) > 1)
    if branch is None or (way.back == "branch" and way.has_branches):
        return _render(page, _until(way, "branch"), "book/branch.html", branches=branches)
    choice = way.choice
    if choice.service_ids and way.back != "services":
        needs_times = choice.starts_at is None and way.back != "staff" and not way.is_fresh
        await offers.ask_together(
            page.asker,
            branch.company_id,
            service_ids=choice.service_ids,
            staff_id=choice.staff_id if needs_times else None,
            day=choice.day,
        )
    return await _services_step(page, _choose(way, company_id=branch.company_id), offers, branch)


async def _services_step(page: Page, way: Way, offers: Offers, branch: Branch) -> Response:
    offered = await offers.services(page.asker, branch.company_id)
    services = tuple(one for one in offered if one.service_id in way.choice.service_ids)
    if services and way.back != "services":
        way = _choose(way, service_ids=tuple(one.service_id for one in services))
        return await _staff_step(page, way, offers, _Chosen(branch, services))
    return _render(
        page,
        _until(way, "services"),
        "book/services.html",
        chosen=_Chosen(branch),
        groups=_grouped(offered),
        ticked={one.service_id for one in services},
    )


async def _staff_step(page: Page, way: Way, offers: Offers, chosen: _Chosen) -> Response:
    choice = way.choice
    masters = await offers.staff(page.asker, chosen.branch.company_id, service_ids=choice.service_ids)
    staff = next((one for one in masters if one.staff_id == choice.staff_id), None)
    if (staff is None and choice.staff_id != ANYBODY) or way.back == "staff":
        offers.ask_ahead(page.asker, chosen.branch.company_id, service_ids=choice.service_ids)
        return _render(page, _until(way, "staff"), "book/staff.html", chosen=chosen, masters=masters)
    chosen = replace(chosen, staff=staff)
    if choice.starts_at is None or way.back == "time":
        return await _time_step(page, way, offers, chosen)
    return await _contacts_step(page, way, chosen)


async def _time_step(page: Page, way: Way, offers: Offers, chosen: _Chosen) -> Response:
    times = await choice_of_times(
        offers,
        page.asker,
        chosen.branch.company_id,
        service_ids=way.choice.service_ids,
        staff_id=way.choice.staff_id or ANYBODY,
        day=way.choice.day,
        fresh=way.is_fresh,
    )
    return _render(page, _choose(_until(way, "time"), day=None), "book/time.html", chosen=chosen, times=times)


async def _contacts_step(page: Page, way: Way, chosen: _Chosen) -> Response:
    typed = replace(way.typed, key=way.typed.key or secrets.token_urlsafe(18))
    way = replace(way, typed=typed)
    return _render(page, way, "book/contacts.html", chosen=chosen, client_code=await code_of(page))


def _choose(way: Way, **changes: Any) -> Way:
    return replace(way, choice=replace(way.choice, **changes))


def _until(way: Way, step: str) -> Way:
    """Keep only the choices before that step, for its form to carry."""
    return replace(way, choice=way.choice.until(step))


def _render(
    page: Page, way: Way, template: str, *, status: int = 200, chosen: _Chosen | None = None, **values: Any
) -> Response:
    name = template.removeprefix("book/").removesuffix(".html")
    # HTMX puts later steps into the page that was opened first, so every step must allow the pictures.
    allowed = " ".join(sources(page.runtime.settings.yclients_api_url))
    page.headers["Content-Security-Policy"] = CONTENT_SECURITY_POLICY.replace(
        "img-src 'self'", f"img-src 'self' {allowed}"
    )
    steps = STEPS if way.has_branches else STEPS[1:]

    def price_of_one(service: OfferedService) -> str:
        return price_of(page, [service])

    return page.render(
        template,
        status=status,
        cache=NO_STORE if way.is_carrying or page.user else MAY_GO_BACK,
        problem=way.problem,
        errors=way.errors,
        choice=way.choice,
        chosen=chosen,
        typed=way.typed,
        carried=way.choice.pairs() + (way.typed.pairs() if way.is_carrying else []),
        is_carrying=way.is_carrying,
        has_branches=way.has_branches,
        step=(steps.index(name) + 1, len(steps)) if name in steps else None,
        total=total_of(page, chosen.services) if chosen else "",
        price_of=price_of_one,
        **values,
    )


def price_of(page: Page, services: Sequence[OfferedService]) -> str:
    """Return what services cost together: "2 500 ₽", "2 500–3 500 ₽"; "" where the salon set no price."""
    low, high = sum(one.price_min for one in services), sum(one.price_max for one in services)
    if high <= 0:
        return ""
    if low >= high:
        return money(low)
    if low <= 0:
        return page.say(f"до {money(high)}", f"up to {money(high)}")
    return money_range(low, high)


def total_of(page: Page, services: Sequence[OfferedService]) -> str:
    """Return price and duration of the chosen services, as far as they are known."""
    minutes = [one.duration for one in services]
    known = sum(one or 0 for one in minutes) if all(minutes) else 0
    return ", ".join(part for part in (price_of(page, services), duration(known, page.language)) if part)


def _grouped(services: Sequence[OfferedService]) -> list[tuple[str, list[OfferedService]]]:
    """Group services by category, in the order in which YCLIENTS first lists the categories."""
    order = {name: index for index, name in enumerate(dict.fromkeys(one.category for one in services))}
    ranked = sorted(services, key=lambda one: order[one.category])
    return [(name, list(found)) for name, found in groupby(ranked, key=lambda one: one.category)]
