"""`/admin/bookings`: every booking, one with its lines and evidence, and what happened to it."""

from collections.abc import Mapping
from datetime import datetime
from typing import Annotated, Any, Literal, Protocol

from fastapi import APIRouter, Depends, Query
from pydantic import BaseModel

from zerkalo.auth.dependencies import AuthRuntime, staff
from zerkalo.auth.model import Role
from zerkalo.bookings.journal import store
from zerkalo.bookings.journal.model import BookingEvent, Evidence, Filters, JournalBooking, Line
from zerkalo.bookings.journal.rules import read_search
from zerkalo.bookings.model import Status
from zerkalo.bookings.routes import LIMIT_DEFAULT, LIMIT_MAX, Day, PathId, path_id
from zerkalo.db.pool import Pool
from zerkalo.kit.cursor import CURSOR_CHARS_MAX, ID_MAX, ByMoment
from zerkalo.kit.problem import ProblemError, problem_responses
from zerkalo.kit.text import storable_text

SEARCH_CHARS_MAX = 200
Limit = Annotated[int, Query(ge=1, le=LIMIT_MAX)]
Cursor = Annotated[str | None, Query(max_length=CURSOR_CHARS_MAX)]
IdFilter = Annotated[int | None, Query(ge=0, le=ID_MAX)]
DayFilter = Annotated[Day | None, Query(description="A day of the salon's calendar.")]


class JournalRuntime(AuthRuntime, Protocol):
    """What these routes need of the process's parts."""

    @property
    def pool(self) -> Pool: ...


class BookingOfSalon(BaseModel):
    """A booking as staff see it. `service_price` in kopecks, `service_duration` in minutes, `appointment_datetime` with
    the salon's offset. `paid` whole, `prepaid` online before the visit; `booked` through our form, another one online or the
    journal, by YCLIENTS's user `created_by`; null where YCLIENTS does not say.
    """

    id: int
    user_id: int | None
    user_name: str | None
    user_code: str | None
    matched_by: Literal["manual", "form", "code", "import", "card", "email", "phone"] | None
    company_id: int
    yclients_record_id: int
    client_id: int | None
    client_name: str | None
    service_name: str
    service_price: int
    service_duration: int
    appointment_datetime: datetime
    status: Status
    cancel_reason: Literal["deleted", "no_show"] | None
    cancelled_at: datetime | None
    phone: str | None
    staff_id: int | None
    staff_name: str | None
    notes: str
    created_at: datetime
    updated_at: datetime
    paid: bool | None
    prepaid: bool | None
    booked: Literal["form", "online", "journal"] | None
    created_by: int | None


class WholeBooking(BookingOfSalon):
    """A booking with its service lines, the points it brought, and the evidence of whose it is."""

    points: int
    lines: list[Line]
    evidence: Evidence


class JournalPage(BaseModel):
    """Some bookings; `next_cursor` gives the next ones, null where there are none."""

    items: list[BookingOfSalon]
    next_cursor: str | None


class HistoryPage(BaseModel):
    """What happened to a booking, newest first; `next_cursor` gives the earlier ones."""

    items: list[BookingEvent]
    next_cursor: str | None


def router(runtime: JournalRuntime) -> APIRouter:
    """The routes, to be mounted under /api/v1 after those with words in the place of the id."""
    routes = APIRouter(
        prefix="/admin/bookings",
        tags=["admin"],
        dependencies=[staff(runtime, Role.READ_ONLY)],
        responses=problem_responses(401, 403),
    )

    @routes.get("", summary="Every booking: of a day or some days soonest first, else the latest first")
    async def journal(
        filters: Annotated[Filters, Depends(_filters)], limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None
    ) -> JournalPage:
        listing = ByMoment("journal forward" if filters.is_forward else "journal")
        after = listing.position(cursor)
        async with runtime.pool.connection() as conn:
            found = await store.read_journal(conn, filters, after=after, limit=limit + 1)
        page = listing.page(found, limit, lambda one: (one.appointment_datetime, one.id))
        return JournalPage(items=[_booking_of(one) for one in page.items], next_cursor=page.next_cursor)

    @routes.get("/{booking_id}", responses=problem_responses(401, 403, 404))
    async def booking(booking_id: PathId) -> WholeBooking:
        """One booking with its lines and evidence."""
        async with runtime.pool.connection() as conn:
            found = existing(await store.read_booking(conn, path_id(booking_id)))
            lines = await store.read_lines(conn, found.id)
            points = await store.read_points(conn, found.id)
            evidence = await store.read_evidence(conn, found)
        return WholeBooking(**_fields_of(found), points=points, lines=lines, evidence=evidence)

    @routes.get("/{booking_id}/history", responses=problem_responses(401, 403, 404))
    async def history(booking_id: PathId, limit: Limit = LIMIT_DEFAULT, cursor: Cursor = None) -> HistoryPage:
        """What happened to a booking, newest first."""
        listing = ByMoment("history")
        async with runtime.pool.connection() as conn:
            found = existing(await store.read_booking(conn, path_id(booking_id)))
            events = await store.read_history(conn, found.id, after=listing.position(cursor), limit=limit + 1)
        page = listing.page(events, limit, lambda event: (event.at, event.id))
        return HistoryPage(items=page.items, next_cursor=page.next_cursor)

    return routes


def _filters(
    day: DayFilter = None,
    from_day: Annotated[Day | None, Query(alias="from")] = None,
    to: DayFilter = None,
    status: Status | None = None,
    staff_id: IdFilter = None,
    company_id: IdFilter = None,
    matched: bool | None = None,
    q: Annotated[str, Query(max_length=SEARCH_CHARS_MAX)] = "",
) -> Filters:
    """`day` alone, or from a day to a day, both included; `q`: a code or a record's number, a whole phone (ten digits and
    more), a piece of one or of a name: these two in the newest 500 cards and accounts that have it.
    """
    return Filters(
        first_day=day or from_day,
        last_day=day or to,
        status=status,
        staff_id=staff_id,
        company_id=company_id,
        matched=matched,
        search=read_search(storable_text(q)),
    )


def existing(booking: JournalBooking | None) -> JournalBooking:
    """The booking. Raises a 404 `ProblemError` where there is none."""
    if booking is None:
        raise ProblemError(404, "not_found", "There is no such booking.")
    return booking


def _fields_of(booking: JournalBooking) -> Mapping[str, Any]:
    fields = {name: getattr(booking, name) for name in BookingOfSalon.model_fields}
    return fields | {"appointment_datetime": booking.starts_at}


def _booking_of(booking: JournalBooking) -> BookingOfSalon:
    return BookingOfSalon(**_fields_of(booking))
