"""Which step of a booking comes next, with what YCLIENTS offers for it."""

import asyncio
import secrets
from collections.abc import Sequence
from dataclasses import dataclass, replace
from itertools import groupby
from typing import Any

from starlette.responses import Response

from zerkalo.booking_form.model import Branch, OfferedService, OfferedStaff
from zerkalo.booking_form.offers import ANYBODY
from zerkalo.kit.problem import ProblemError
from zerkalo.users import store as users
from zerkalo.web.pages.book.choice import Choice, Typed
from zerkalo.web.pages.book.days import choice_of_times
from zerkalo.web.pages.site import MAY_GO_BACK, NO_STORE, Page, Site
from zerkalo.web.pages.wording import duration, money, money_range

ASK_SECONDS_MAX = 12.0
"""How long a page waits for YCLIENTS before it says so. What was asked for is kept for the next try."""

CLOSED = frozenset({"yclients_disabled", "yclients_refuses"})
"""Troubles that the next try does not mend."""

STEPS = ("branch", "services", "staff", "time", "contacts")


@dataclass(frozen=True, slots=True)
class _Chosen:
    """What the summary tells: the parts of the choice by their names."""

    branch: Branch
    services: tuple[OfferedService, ...] = ()
    staff: OfferedStaff | None = None
    """None with `Choice.staff_id` 0: anybody."""


class Steps:
    """Shows the next step of a choice."""

    def __init__(self, site: Site) -> None:
        self._site = site
        self._offers = site.runtime.booking_form.offers

    async def page(
        self,
        page: Page,
        choice: Choice,
        typed: Typed,
        *,
        back: str = "",
        errors: dict[str, str] | None = None,
        problem: ProblemError | None = None,
        fresh: bool = False,
        carry: bool = False,
    ) -> Response:
        """The step that is due. `back`: a step to take again; `fresh`: nothing kept of free times; `carry`: something was
        typed already, so the forms post it on.
        """
        frame = _Frame(page, typed, errors or {}, problem, carry=carry)
        try:
            async with asyncio.timeout(ASK_SECONDS_MAX):
                return await self._next(frame, choice, back, fresh=fresh)
        except TimeoutError:
            trouble = ProblemError(
                503, "yclients_unavailable", "YCLIENTS is too slow.", {"Retry-After": "10"}
            )
        except ProblemError as error:
            if error.code in ("service_gone", "company_unknown") and problem is None:
                return await self.page(
                    page, choice.until("services"), typed, problem=error, fresh=fresh, carry=carry
                )
            trouble = error
        return frame.render(
            "book/trouble.html",
            choice,
            trouble=page.problem(trouble),
            is_closed=trouble.code in CLOSED,
            status=trouble.status,
        )

    async def _next(self, frame: "_Frame", choice: Choice, back: str, *, fresh: bool) -> Response:
        branches = await self._offers.branches()
        branch = next((one for one in branches if one.company_id == choice.company_id), None)
        branch = branch or (branches[0] if len(branches) == 1 else None)
        frame.has_branches = len(branches) > 1
        if branch is None or (back == "branch" and frame.has_branches):
            return frame.render("book/branch.html", choice.until("branch"), branches=branches)
        choice = replace(choice, company_id=branch.company_id)

        offered = await self._offers.services(branch.company_id)
        services = tuple(one for one in offered if one.service_id in choice.service_ids)
        if not services or back == "services":
            return frame.render(
                "book/services.html",
                choice.until("services"),
                chosen=_Chosen(branch),
                groups=_grouped(offered),
                ticked={one.service_id for one in services},
            )
        choice = replace(choice, service_ids=tuple(one.service_id for one in services))

        masters = await self._offers.staff(branch.company_id, service_ids=choice.service_ids)
        staff = next((one for one in masters if one.staff_id == choice.staff_id), None)
        if (staff is None and choice.staff_id != ANYBODY) or back == "staff":
            return frame.render(
                "book/staff.html", choice.until("staff"), chosen=_Chosen(branch, services), masters=masters
            )

        chosen = _Chosen(branch, services, staff)
        if choice.starts_at is None or back == "time":
            times = await choice_of_times(
                self._offers,
                branch.company_id,
                service_ids=choice.service_ids,
                staff_id=choice.staff_id or ANYBODY,
                day=choice.day,
                fresh=fresh,
            )
            until = replace(choice.until("time"), day=None)
            return frame.render("book/time.html", until, chosen=chosen, times=times)
        return await self._contacts(frame, choice, chosen)

    async def _contacts(self, frame: "_Frame", choice: Choice, chosen: _Chosen) -> Response:
        code = None
        if frame.page.user is not None:
            async with self._site.runtime.pool.connection() as conn:
                user = await users.read_user(conn, frame.page.user.id)
            code = user.unique_code if user else None
        frame.typed = replace(frame.typed, key=frame.typed.key or secrets.token_urlsafe(18))
        return frame.render("book/contacts.html", choice, chosen=chosen, client_code=code)


class _Frame:
    """What every step has around it."""

    def __init__(
        self,
        page: Page,
        typed: Typed,
        errors: dict[str, str],
        problem: ProblemError | None,
        *,
        carry: bool,
    ) -> None:
        self.page = page
        self.typed = typed
        self.has_branches = False
        self._errors = errors
        self._problem = problem
        self._carry = carry

    def render(self, template: str, choice: Choice, *, status: int = 200, **values: Any) -> Response:
        """The step; `choice` is what its form carries on."""
        page = self.page
        if self._problem is not None:
            status = self._problem.status
        elif self._errors:
            status = 422
        name = template.removeprefix("book/").removesuffix(".html")
        steps = STEPS if self.has_branches else STEPS[1:]
        chosen: _Chosen | None = values.pop("chosen", None)
        return page.render(
            template,
            status=status,
            cache=NO_STORE if self._carry or page.user else MAY_GO_BACK,
            choice=choice,
            chosen=chosen,
            typed=self.typed,
            carried=choice.pairs() + (self.typed.pairs() if self._carry else []),
            is_carrying=self._carry,
            has_branches=self.has_branches,
            step=(steps.index(name) + 1, len(steps)) if name in steps else None,
            total=total_of(page, chosen.services) if chosen else "",
            price_of=lambda service: price_of(page, [service]),
            errors=self._errors,
            problem=page.problem(self._problem) if self._problem else None,
            **values,
        )


def price_of(page: Page, services: Sequence[OfferedService]) -> str:
    """What services cost together: "2 500 ₽", "2 500–3 500 ₽"; "" where the salon set no price."""
    low, high = sum(one.price_min for one in services), sum(one.price_max for one in services)
    if high <= 0:
        return ""
    if low >= high:
        return money(low)
    if low <= 0:
        return page.say(f"до {money(high)}", f"up to {money(high)}")
    return money_range(low, high)


def total_of(page: Page, services: Sequence[OfferedService]) -> str:
    """Price and duration of the chosen services, as far as they are known."""
    minutes = [one.duration for one in services]
    known = sum(one or 0 for one in minutes) if all(minutes) else 0
    return ", ".join(part for part in (price_of(page, services), duration(known, page.language)) if part)


def _grouped(services: Sequence[OfferedService]) -> list[tuple[str, list[OfferedService]]]:
    """By category, in the order in which YCLIENTS tells the categories first."""
    order = {name: place for place, name in enumerate(dict.fromkeys(one.category for one in services))}
    ranked = sorted(services, key=lambda one: order[one.category])
    return [(name, list(found)) for name, found in groupby(ranked, key=lambda one: one.category)]
