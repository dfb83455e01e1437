"""Replay of a stored delivery, for admins."""

from typing import Protocol

import structlog
from fastapi import APIRouter
from pydantic import BaseModel

from zerkalo.auth.dependencies import AuthRuntime, staff
from zerkalo.auth.model import AuthenticatedUser, Role
from zerkalo.bookings.routes import PathId, path_id
from zerkalo.kit.problem import ProblemError, problem_responses
from zerkalo.mirror.context import SyncContext
from zerkalo.mirror.model import OutcomeStatus
from zerkalo.settings import Settings
from zerkalo.webhook.replaying.service import Replay

log = structlog.get_logger(__name__)


class ReplayRuntime(AuthRuntime, Protocol):
    """What this route needs of the process's parts."""

    @property
    def settings(self) -> Settings: ...
    @property
    def sync(self) -> SyncContext: ...


class ReplayAnswer(BaseModel):
    """What the delivery did this time."""

    status: OutcomeStatus
    booking_id: int | None
    reason: str | None


def router(runtime: ReplayRuntime) -> APIRouter:
    """The route, relative to /api/v1. It is for admins."""
    routes = APIRouter(tags=["sync"])
    is_admin = staff(runtime, Role.OWNER)

    @routes.post("/admin/events/{event_id}/replay", responses=problem_responses(401, 403, 404))
    async def replay(event_id: PathId, admin: AuthenticatedUser = is_admin) -> ReplayAnswer:
        """Take a kept delivery in once more."""
        context = runtime.sync
        again = Replay(
            context.pool,
            context.clock,
            context.applier,
            runtime.settings.yclients_company_ids,
            admin_id=admin.id,
        )
        replayed = await again.one(path_id(event_id))
        if replayed is None:
            raise ProblemError(404, "not_found", "There is no such delivery.")
        log.info("webhook replayed", delivery_id=replayed.delivery_id, by_user_id=admin.id)
        outcome = replayed.outcome
        return ReplayAnswer(status=outcome.status, booking_id=outcome.booking_id, reason=outcome.reason)

    return routes
