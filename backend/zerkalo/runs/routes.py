"""Routes of the sync for admins: start it and wait, list its runs, compare."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import UTC, date, datetime, timedelta
from typing import Annotated, Protocol

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel

from zerkalo.auth.audit.service import note_nothing
from zerkalo.auth.dependencies import AuthRuntime, staff
from zerkalo.auth.model import AuthenticatedUser, Role
from zerkalo.bookings.routes import PathId, path_id
from zerkalo.kit.cursor import CURSOR_CHARS_MAX, ById, decode_cursor, encode_cursor
from zerkalo.kit.problem import ProblemError, problem_responses
from zerkalo.mirror.context import SyncContext
from zerkalo.runs.drift.model import Difference
from zerkalo.runs.drift.service import Drift
from zerkalo.runs.lists.rules import IncompleteRead
from zerkalo.runs.model import Run, RunStatus
from zerkalo.runs.service import Runs
from zerkalo.settings import Settings
from zerkalo.yclients.errors import VendorError

RUNS_LIMIT_MAX = 200
_RUNS = ById("runs")


class RunBells(Protocol):
    """The bells of the engine that these routes ring."""

    async def sync(self, company_id: int, *, history: bool = False) -> None: ...


class RunRuntime(AuthRuntime, Protocol):
    """What these routes need of the process's parts."""

    @property
    def settings(self) -> Settings: ...
    @property
    def bells(self) -> RunBells: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def sync(self) -> SyncContext: ...


class RunAnswer(BaseModel):
    """One reconciliation of a company. `error`: why it failed; `expected`: how many visits it reads, once known."""

    id: int
    company_id: int
    status: RunStatus
    fetched: int
    created: int
    updated: int
    unchanged: int
    stale: int
    cancelled: int
    failed: int
    expected: int | None
    started_at: datetime
    finished_at: datetime | None
    error: str | None


class RunsAnswer(BaseModel):
    """The runs of `sync-bookings`, one a company."""

    runs: list[RunAnswer]


class RunPage(BaseModel):
    """Some runs, newest first; `next_cursor` gives the next ones, null where there are none."""

    items: list[RunAnswer]
    next_cursor: str | None


class DriftPage(BaseModel):
    """The differences of some visit dates. An empty page with a `next_cursor` is not the end: more dates follow."""

    items: list[Difference]
    next_cursor: str | None


def run_answer(run: Run) -> RunAnswer:
    """A run as the API shows it."""
    return RunAnswer.model_validate(asdict(run) | asdict(run.counts))


def router(runtime: RunRuntime) -> APIRouter:
    """The routes, relative to /api/v1. All are for admins."""
    is_admin = staff(runtime, Role.OWNER)
    routes = APIRouter(
        tags=["sync"],
        dependencies=[is_admin],
        responses=problem_responses(401, 403),
    )

    @routes.post(
        "/yclients/sync-bookings", responses={202: {"model": RunsAnswer, "description": "Some still run"}}
    )
    async def sync_bookings(response: Response, admin: AuthenticatedUser = is_admin) -> RunsAnswer:
        """Reconcile every company now, or join the run under way. Waits up to 25 seconds."""
        _check_enabled(runtime.settings)
        opened = [
            await runtime.runs.open_or_join(company_id, admin_id=admin.id)
            for company_id in runtime.runs.company_ids
        ]
        note_nothing()  # apart from the runs that were opened
        for run in opened:
            await runtime.bells.sync(run.company_id)
        runs = await runtime.runs.wait(
            [run.id for run in opened], timeout_seconds=runtime.sync.limits.wait_seconds_max
        )
        running = [run for run in runs if run.is_running]
        if running:
            response.status_code = 202
            response.headers["Location"] = f"/api/v1/yclients/runs/{running[0].id}"
        return RunsAnswer(runs=[run_answer(run) for run in runs])

    @routes.get("/yclients/runs")
    async def list_runs(
        limit: Annotated[int, Query(ge=1, le=RUNS_LIMIT_MAX)] = 50,
        cursor: Annotated[str | None, Query(max_length=CURSOR_CHARS_MAX)] = None,
    ) -> RunPage:
        """The runs of all companies, newest first."""
        runs = await runtime.runs.latest(before_id=_RUNS.position(cursor), limit=limit + 1)
        page = _RUNS.page(runs, limit, lambda run: run.id)
        return RunPage(items=[run_answer(run) for run in page.items], next_cursor=page.next_cursor)

    @routes.get("/yclients/runs/{run_id}", responses=problem_responses(401, 403, 404))
    async def get_run(run_id: PathId) -> RunAnswer:
        """One run."""
        run = await runtime.runs.get(path_id(run_id))
        if run is None:
            raise ProblemError(404, "not_found", "There is no such run.")
        return run_answer(run)

    @routes.get("/admin/drift")
    async def drift(
        cursor: Annotated[str | None, Query(max_length=CURSOR_CHARS_MAX)] = None,
    ) -> DriftPage:
        """Compare the database with YCLIENTS, some visit dates a page, company after company."""
        _check_enabled(runtime.settings)
        return await drift_page(runtime.sync, cursor)

    return routes


async def drift_page(
    context: SyncContext, cursor: str | None, *, seconds_max: float | None = None
) -> DriftPage:
    """Compare slices of visit dates until the time is up; the cursor says where to continue.

    Raises a 503 `ProblemError` where YCLIENTS does not answer: then no date of this page was compared.
    """
    try:
        return await _drift_page(
            context, cursor, context.limits.drift_seconds_max if seconds_max is None else seconds_max
        )
    except (VendorError, IncompleteRead) as error:
        raise ProblemError(
            503, "yclients_unavailable", f"YCLIENTS does not answer: {error}", {"Retry-After": "60"}
        ) from error


async def _drift_page(context: SyncContext, cursor: str | None, seconds_max: float) -> DriftPage:
    companies: Sequence[int] = context.company_ids
    first_day = date.min
    if cursor is not None:
        company_id, day = decode_cursor(cursor, "drift", int, datetime)
        assert isinstance(day, datetime), "decoded so"
        if company_id not in companies:
            raise ProblemError(422, "invalid_cursor", "This cursor does not belong to this list.")
        companies, first_day = companies[companies.index(company_id) :], day.date()
    until = context.clock().timestamp() + seconds_max
    items: list[Difference] = []
    for place, company_id in enumerate(companies):
        async for found in Drift(context, company_id).slices(first_day):
            items += found.differences
            if context.clock().timestamp() < until:
                continue
            if found.part.last is not None:
                following = found.part.last + timedelta(days=1)
                return DriftPage(items=items, next_cursor=_drift_cursor(company_id, following))
            if place + 1 < len(companies):
                return DriftPage(items=items, next_cursor=_drift_cursor(companies[place + 1], date.min))
        first_day = date.min
    return DriftPage(items=items, next_cursor=None)


def _drift_cursor(company_id: int, day: date) -> str:
    return encode_cursor("drift", company_id, datetime(day.year, day.month, day.day, tzinfo=UTC))


def _check_enabled(settings: Settings) -> None:
    if not settings.yclients_enabled:
        raise ProblemError(503, "yclients_disabled", "YCLIENTS_ENABLED is off.", {"Retry-After": "3600"})
