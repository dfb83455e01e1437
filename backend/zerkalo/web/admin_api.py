"""What admins read: unmatched bookings, the inbox, quarantine, counts; lists are paged, newest first. Matching by hand."""

from dataclasses import asdict
from datetime import date, datetime
from typing import Annotated, Literal, Protocol

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from zerkalo.auth.dependencies import AuthRuntime, staff
from zerkalo.auth.model import AuthenticatedUser, Role
from zerkalo.bookings.reading import store as reading
from zerkalo.bookings.routes import (
    LIMIT_DEFAULT,
    LIMIT_MAX,
    Booking,
    PathId,
    booking_of,
    moment_of,
    path_id,
)
from zerkalo.checkup.rules import sync_lag
from zerkalo.checkup.service import examine
from zerkalo.db.pool import Pool
from zerkalo.inbox import store as inbox
from zerkalo.inbox.desk import store as inbox_desk
from zerkalo.inbox.desk.model import Event, EventWithBody, whole
from zerkalo.inbox.model import OutcomeName
from zerkalo.kit.cursor import CURSOR_CHARS_MAX, ID_MAX, ById, ByMoment
from zerkalo.kit.problem import ProblemError, problem_responses
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.mirror.by_hand.service import link_by_hand, unlink_by_hand
from zerkalo.settings import Settings
from zerkalo.web import stats as charts

Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
Cursor = Annotated[str | None, Query(max_length=CURSOR_CHARS_MAX)]
_EVENTS, _QUARANTINE = ById("events"), ById("quarantine")
IdFilter = Annotated[int | None, Query(ge=0, le=ID_MAX)]


class AdminRuntime(AuthRuntime, Protocol):
    """What these routes need of the process's parts."""

    @property
    def pool(self) -> Pool: ...
    @property
    def settings(self) -> Settings: ...
    @property
    def policy(self) -> LoyaltyPolicy: ...


class PossibleUser(BaseModel):
    """A user who fits, and the step of matching at which they do."""

    user_id: int
    name: str
    email: str | None
    phone: str | None
    step: Literal["form", "code", "import", "card", "email", "phone"]


class UnmatchedBooking(Booking):
    """An unmatched booking, with the users among whom to choose."""

    candidates: list[PossibleUser]


class UnmatchedPage(BaseModel):
    """Some of them; `next_cursor` gives the next ones, null where there are none."""

    items: list[UnmatchedBooking]
    next_cursor: str | None


class LinkRequest(BaseModel):
    """Whose the booking is."""

    user_id: Annotated[int, Field(strict=True, ge=1, le=ID_MAX)]


class EventPage(BaseModel):
    """Some deliveries, newest first; `next_cursor` gives the next ones, null where there are none."""

    items: list[Event]
    next_cursor: str | None


class BookingCounts(BaseModel):
    """How many bookings there are."""

    total: int
    by_status: dict[str, int]
    matched: int
    unmatched: int


class UserCounts(BaseModel):
    """How many users have a code."""

    with_code: int
    without_code: int


class DayCounts(BaseModel):
    """A day of a chart: counts by status or outcome."""

    day: date
    counts: dict[str, int]


class Bonuses(BaseModel):
    """Points in the whole ledger; `negative_balances`: users who owe some."""

    balance: int
    by_kind: dict[str, int]
    negative_balances: int


class Stats(BaseModel):
    """Counts. `lag_seconds`: since the slowest company's last good sync began; null where one has had none."""

    bookings: BookingCounts
    users: UserCounts
    bookings_by_day: list[DayCounts]
    deliveries_by_day: list[DayCounts]
    bonuses: Bonuses
    quarantine: int
    waiting_refetches: int
    last_webhook_at: datetime | None
    lag_seconds: Annotated[float | None, Field(ge=0)]


_UNMATCHED = ByMoment("unmatched")


def router(runtime: AdminRuntime) -> APIRouter:
    """Return the admin's routes, to be mounted under /api/v1."""
    routes = APIRouter(prefix="/admin", tags=["admin"], responses=problem_responses(401, 403))
    _add_bookings(routes, runtime)
    _add_events(routes, runtime)
    _add_stats(routes, runtime)
    return routes


def _add_bookings(routes: APIRouter, runtime: AdminRuntime) -> None:
    a_receptionist, a_reader = staff(runtime, Role.RECEPTIONIST), staff(runtime, Role.READ_ONLY)
    policy = runtime.policy

    @routes.get("/bookings/unmatched", dependencies=[a_reader])
    async def unmatched_bookings(limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> UnmatchedPage:
        """Unmatched bookings, the latest appointment first."""
        after = _UNMATCHED.position(cursor)
        async with runtime.pool.connection() as conn:
            found = await reading.read_unmatched(conn, after=after, limit=limit + 1)
            page = _UNMATCHED.page(found, limit, moment_of)
            candidates = await reading.read_candidates(conn, [shown.id for shown in page.items])
        items = [
            UnmatchedBooking.model_validate(
                booking_of(shown).model_dump()
                | {"candidates": [asdict(candidate) for candidate in candidates.get(shown.id, [])]}
            )
            for shown in page.items
        ]
        return UnmatchedPage(items=items, next_cursor=page.next_cursor)

    @routes.post("/bookings/{booking_id}/link", responses=problem_responses(401, 403, 404, 409))
    async def link_booking(
        booking_id: PathId, body: LinkRequest, admin: AuthenticatedUser = a_receptionist
    ) -> Booking:
        """Give a booking to a user, for good; points and notes follow."""
        shown = await link_by_hand(
            runtime.pool,
            booking_id=path_id(booking_id),
            user_id=body.user_id,
            admin_id=admin.id,
            policy=policy,
            now=runtime.clock(),
        )
        return booking_of(shown)

    @routes.post("/bookings/{booking_id}/unlink", responses=problem_responses(401, 403, 404, 409))
    async def unlink_booking(booking_id: PathId, admin: AuthenticatedUser = a_receptionist) -> Booking:
        """Take a booking from its user; it stays so until it is linked by hand."""
        shown = await unlink_by_hand(
            runtime.pool,
            booking_id=path_id(booking_id),
            admin_id=admin.id,
            policy=policy,
            now=runtime.clock(),
        )
        return booking_of(shown)


def _add_events(routes: APIRouter, runtime: AdminRuntime) -> None:
    an_owner = staff(runtime, Role.OWNER)

    @routes.get("/events", dependencies=[an_owner])
    async def list_events(
        company_id: IdFilter = None,
        record_id: IdFilter = None,
        outcome: OutcomeName | None = None,
        limit: Limit = LIMIT_DEFAULT,
        cursor: Cursor = None,
    ) -> EventPage:
        """Deliveries to the webhook: all, or those of a company, of a record, with an outcome."""
        before_id = _EVENTS.position(cursor)
        async with runtime.pool.connection() as conn:
            found = await inbox_desk.read_deliveries(
                conn,
                company_id=company_id,
                record_id=record_id,
                outcome=outcome,
                before_id=before_id,
                limit=limit + 1,
            )
        return _event_page(_EVENTS, found, limit)

    @routes.get("/events/{event_id}", dependencies=[an_owner], responses=problem_responses(401, 403, 404))
    async def get_event(event_id: PathId) -> EventWithBody:
        """One delivery with its body."""
        async with runtime.pool.connection() as conn:
            kept = await inbox.get(conn, path_id(event_id))
        if kept is None:
            raise ProblemError(404, "not_found", "There is no such delivery, or it has been pruned.")
        return whole(kept)

    @routes.get("/quarantine", dependencies=[an_owner])
    async def quarantine(limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> EventPage:
        """Deliveries that could not be understood and that nobody has handled."""
        before_id = _QUARANTINE.position(cursor)
        async with runtime.pool.connection() as conn:
            found = await inbox_desk.read_quarantined(conn, before_id=before_id, limit=limit + 1)
        return _event_page(_QUARANTINE, found, limit)


def _add_stats(routes: APIRouter, runtime: AdminRuntime) -> None:
    an_owner = staff(runtime, Role.OWNER)

    @routes.get("/stats", dependencies=[an_owner])
    async def stats() -> Stats:
        """Counts and the series of the charts."""
        now = runtime.clock()
        facts = await examine(runtime.pool, runtime.settings, now=now)
        async with runtime.pool.connection() as conn:
            bookings = await charts.bookings_by_day(conn, now=now)
            deliveries = await charts.deliveries_by_day(conn, now=now)
            ledger = await charts.ledger_totals(conn)
        lag = sync_lag(facts)
        return Stats(
            bookings=BookingCounts(
                total=facts.matched + facts.unmatched,
                by_status=dict(facts.by_status),
                matched=facts.matched,
                unmatched=facts.unmatched,
            ),
            users=UserCounts(with_code=facts.users_with_code, without_code=facts.users_without_code),
            bookings_by_day=[DayCounts.model_validate(asdict(day)) for day in bookings],
            deliveries_by_day=[DayCounts.model_validate(asdict(day)) for day in deliveries],
            bonuses=Bonuses.model_validate(asdict(ledger)),
            quarantine=facts.quarantine,
            waiting_refetches=facts.waiting_refetches,
            last_webhook_at=facts.last_webhook_at,
            lag_seconds=None if lag is None else max(lag.total_seconds(), 0),
        )


def _event_page(listing: ById, found: list[Event], limit: int) -> EventPage:
    page = listing.page(found, limit, lambda one: one.id)
    return EventPage(items=page.items, next_cursor=page.next_cursor)
