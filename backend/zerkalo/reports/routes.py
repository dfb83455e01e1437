"""`/admin/reports`: the owner's figures as JSON."""

from collections.abc import Sequence
from typing import Annotated, Protocol

from fastapi import APIRouter, Query

from zerkalo.auth.dependencies import AuthRuntime, staff
from zerkalo.auth.model import Role
from zerkalo.bookings.routes import Day
from zerkalo.db.pool import Pool
from zerkalo.kit.clock import Clock
from zerkalo.kit.cursor import ID_MAX
from zerkalo.kit.problem import problem_responses
from zerkalo.reports.model import Report
from zerkalo.reports.rules import bounded_period, named_period
from zerkalo.reports.service import read_report


class ReportSettings(Protocol):
    """Which branches there are."""

    @property
    def yclients_company_ids(self) -> Sequence[int]: ...


class ReportsRuntime(AuthRuntime, Protocol):
    """What this route needs of the process's parts."""

    @property
    def pool(self) -> Pool: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def settings(self) -> ReportSettings: ...


def router(runtime: ReportsRuntime) -> APIRouter:
    """The route, relative to /api/v1. It is for owners."""
    routes = APIRouter(tags=["admin"])

    @routes.get(
        "/admin/reports",
        dependencies=[staff(runtime, Role.OWNER)],
        responses=problem_responses(401, 403),
        summary="The figures of a period beside the one before",
    )
    async def reports(
        from_day: Annotated[Day | None, Query(alias="from")] = None,
        to: Annotated[Day | None, Query()] = None,
        company_id: Annotated[int | None, Query(ge=0, le=ID_MAX)] = None,
    ) -> Report:
        """Without days: the running month. Money in kopecks; pairs hold the period's figures, then those before it."""
        today = runtime.clock().date()
        period = bounded_period(from_day, to, today) or named_period("month", today)
        return await read_report(runtime.pool, period, runtime.settings.yclients_company_ids, only=company_id)

    return routes
