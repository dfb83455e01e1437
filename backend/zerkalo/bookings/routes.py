"""`GET /booking`, `/booking/{id}`, and the calendar feed: one's own bookings, nobody else's."""

from datetime import date, datetime
from functools import partial
from typing import Annotated, Literal, Protocol

from fastapi import APIRouter, Depends, Path, Query, Response
from pydantic import BaseModel, BeforeValidator, WithJsonSchema

from zerkalo.auth.dependencies import AuthRuntime, current_user
from zerkalo.auth.model import AuthenticatedUser
from zerkalo.bookings.calendar import store as calendars
from zerkalo.bookings.calendar.rules import calendar_of
from zerkalo.bookings.model import ShownBooking, Status
from zerkalo.bookings.reading import store as reading
from zerkalo.db.pool import Pool
from zerkalo.kit.cursor import CURSOR_CHARS_MAX, ID_MAX, ByMoment, Moment
from zerkalo.kit.problem import ProblemError, problem_responses
from zerkalo.settings import Settings

LIMIT_DEFAULT = 50
LIMIT_MAX = 200
TOKEN_CHARS_MAX = 200


class BookingsRuntime(AuthRuntime, Protocol):
    """What these routes need of the process's parts."""

    @property
    def pool(self) -> Pool: ...
    @property
    def settings(self) -> Settings: ...


def _day(value: object) -> object:
    """Accept ISO 8601 only; pydantic alone would accept seconds since 1970 too."""
    if isinstance(value, str) and len(value) == len("2025-06-01") and value[4] == value[7] == "-":
        return value
    raise ValueError("must be a day like 2025-06-01")


Day = Annotated[date, BeforeValidator(_day)]
"""A day of the salon's calendar, as a query names it."""
MatchedByWord = Literal["manual", "form", "code", "import", "card", "email", "phone"]
"""What gave a booking to its user, strongest first."""


class Booking(BaseModel):
    """A booking. `service_price` in kopecks, `service_duration` in minutes, `appointment_datetime` with the salon's offset."""

    id: int
    user_id: int | None
    matched_by: MatchedByWord | None
    company_id: int
    yclients_record_id: int
    client_id: int | None
    service_name: str
    service_price: int
    service_duration: int
    appointment_datetime: datetime
    status: Status
    cancel_reason: Literal["deleted", "no_show"] | None
    cancelled_at: datetime | None
    phone: str | None
    staff_name: str | None
    notes: str
    created_at: datetime
    updated_at: datetime


class BookingPage(BaseModel):
    """Some bookings; `next_cursor` gives the next ones, null where there are none."""

    items: list[Booking]
    next_cursor: str | None


class CalendarAddress(BaseModel):
    """Where a calendar program finds the feed. Whoever has it can read it."""

    url: str


def booking_of(shown: ShownBooking) -> Booking:
    """A booking as the API shows it."""
    fields = {name: getattr(shown, name) for name in Booking.model_fields}
    return Booking.model_validate(fields | {"appointment_datetime": shown.starts_at})


def moment_of(shown: ShownBooking) -> Moment:
    """Where a booking stands in lists by appointment."""
    return shown.appointment_datetime, shown.id


def path_id(text: str) -> int:
    """An id of a path; raises 404 for what can't be an id: no number, or more than the database can hold."""
    if text.isascii() and text.isdigit() and len(text) <= len(str(ID_MAX)) and 1 <= int(text) <= ID_MAX:
        return int(text)
    raise ProblemError(404, "not_found", "There is no such thing.")


PathId = Annotated[
    str, Path(), WithJsonSchema({"type": "integer", "format": "int64", "minimum": 1, "maximum": ID_MAX})
]
"""An id in a path, to be read by `path_id`: any text, so that a wrong one is answered 404 and not 422."""


def router(runtime: BookingsRuntime) -> APIRouter:
    """The routes of one's own bookings, to be mounted under /api/v1 before those of the booking form."""
    routes = APIRouter(prefix="/booking", tags=["booking"])
    signed_in = Depends(current_user(runtime))

    @routes.get("", responses=problem_responses(401))
    async def list_bookings(
        user: AuthenticatedUser = signed_in,
        upcoming_only: bool = False,
        status: Status | None = None,
        limit: Annotated[int, Query(ge=1, le=LIMIT_MAX)] = LIMIT_DEFAULT,
        cursor: Annotated[str | None, Query(max_length=CURSOR_CHARS_MAX)] = None,
    ) -> BookingPage:
        """One's own bookings: the upcoming ones soonest first, or all of them newest first."""
        order = ByMoment(f"{'upcoming' if upcoming_only else 'all'}:{status or ''}")
        after = order.position(cursor)
        async with runtime.pool.connection() as conn:
            newest_first = reading.read_newest_first
            read = partial(reading.read_upcoming, now=runtime.clock()) if upcoming_only else newest_first
            alone = runtime.settings.match_email_alone
            found = await read(
                conn, user.id, status=status, after=after, limit=limit + 1, email_counts_alone=alone
            )
            page = order.page(found, limit, moment_of)
        return BookingPage(items=[booking_of(shown) for shown in page.items], next_cursor=page.next_cursor)

    @routes.get(
        "/calendar.ics",
        response_class=Response,
        responses=problem_responses(404)
        | {200: {"content": {"text/calendar": {"schema": {"type": "string"}}}}},
    )
    async def calendar_feed(token: Annotated[str, Query(max_length=TOKEN_CHARS_MAX)] = "") -> Response:
        """The bookings of whoever made this address, as an iCalendar feed. The address itself is the key."""
        async with runtime.pool.connection() as conn:
            user_id = await calendars.user_of_calendar_token(conn, token)
            if user_id is None:
                raise ProblemError(404, "not_found", "There is no such calendar.")
            shown = await reading.read_calendar(conn, user_id, now=runtime.clock())
            places = await reading.read_places(conn, {one.company_id for one in shown})
        feed = calendar_of(
            shown,
            url_of=lambda one: f"{runtime.settings.public_url}/me/visits/{one.id}",
            places=places,
        )
        headers = {
            "Cache-Control": "private, no-store",
            "Content-Disposition": 'inline; filename="zerkalo.ics"',
        }
        return Response(feed, media_type="text/calendar; charset=utf-8", headers=headers)

    @routes.post("/calendar", responses=problem_responses(401))
    async def make_calendar_address(
        response: Response, user: AuthenticatedUser = signed_in
    ) -> CalendarAddress:
        """Make a new address for one's calendar feed; the one before stops working."""
        async with runtime.pool.connection() as conn:
            token = await calendars.make_calendar_token(conn, user.id, now=runtime.clock())
        response.headers["Cache-Control"] = "no-store"
        return CalendarAddress(url=f"{runtime.settings.public_url}/api/v1/booking/calendar.ics?token={token}")

    @routes.delete("/calendar", status_code=204, responses=problem_responses(401))
    async def revoke_calendar_address(user: AuthenticatedUser = signed_in) -> None:
        """Stop the address of one's calendar feed."""
        async with runtime.pool.connection() as conn:
            await calendars.revoke_calendar_token(conn, user.id)

    return routes


def booking_router(runtime: BookingsRuntime) -> APIRouter:
    """`GET /booking/{id}`, to be mounted after every other GET below /booking, which its path would catch."""
    routes = APIRouter(prefix="/booking", tags=["booking"])
    signed_in = Depends(current_user(runtime))

    @routes.get("/{booking_id}", responses=problem_responses(401, 404))
    async def get_booking(booking_id: PathId, user: AuthenticatedUser = signed_in) -> Booking:
        """One of one's own bookings."""
        async with runtime.pool.connection() as conn:
            alone = runtime.settings.match_email_alone
            shown = await reading.read_own(conn, user.id, path_id(booking_id), email_counts_alone=alone)
        if shown is None:
            raise ProblemError(404, "not_found", "You have no such booking.")
        return booking_of(shown)

    return routes
