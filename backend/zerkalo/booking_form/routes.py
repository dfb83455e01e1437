"""`/booking/services`, `/staff`, `/dates`, `/times`, `POST /booking`, `/claim`, `PATCH` and `DELETE /booking/{id}`."""

from collections.abc import Awaitable, Callable
from datetime import date, datetime
from typing import Annotated, Literal, Protocol

from fastapi import APIRouter, Depends, Header, Query, Request
from pydantic import BaseModel, BeforeValidator, Field, StrictBool

from zerkalo.auth.dependencies import AuthRuntime, client_address, current_user, optional_session
from zerkalo.auth.model import AuthenticatedUser, Session
from zerkalo.booking_form import rules
from zerkalo.booking_form.form import BookingForm
from zerkalo.booking_form.model import Asker, OfferedService, OfferedStaff, OfferedTime, Wish
from zerkalo.booking_form.service import Booked
from zerkalo.bookings.model import Status
from zerkalo.bookings.routes import Booking, Day, MatchedByWord, PathId, booking_of, path_id
from zerkalo.companies.model import Branch
from zerkalo.kit.cursor import ID_MAX
from zerkalo.kit.problem import ProblemError, problem_responses

KEY_CHARS_MAX = 200
CONTACT_CHARS_MAX = 320
PHONE_CHARS_MAX = 64
HASH_CHARS_MAX = 128


class FormRuntime(AuthRuntime, Protocol):
    """What these routes need of the process's parts."""

    @property
    def booking_form(self) -> BookingForm: ...


def _moment(value: object) -> object:
    """Only ISO 8601 with date and time; pydantic alone would take numbers and days too."""
    if isinstance(value, str) and len(value) >= len("2025-06-01T09:30") and value[10] in "T ":
        return value
    raise ValueError("must be a time like 2025-06-01T15:30:00+03:00")


Id = Annotated[int, Field(ge=1, le=ID_MAX)]
Number = Annotated[int, Field(strict=True, ge=1, le=ID_MAX)]
"""For bodies: strict, so that true or "1" is no number. Queries have only texts."""
Moment = Annotated[
    datetime,
    BeforeValidator(_moment, json_schema_input_type=str),
    Field(description="ISO 8601; without an offset it is the salon's wall clock."),
]
CompanyQuery = Annotated[
    int | None, Query(ge=1, le=ID_MAX, description="Needed where there are several branches.")
]
ServicesQuery = Annotated[list[Id], Query(max_length=rules.SERVICES_MAX)]
DayQuery = Annotated[Day, Query(alias="date")]
StaffQuery = Annotated[int, Query(ge=0, le=ID_MAX, description="0: anybody.")]
IdempotencyKey = Annotated[
    str | None,
    Header(
        alias="Idempotency-Key",
        min_length=1,
        max_length=KEY_CHARS_MAX,
        pattern=r"^[\x21-\x7e]+$",
        description=(
            "The same key and body never book twice and get the same answer. Without a key the same body of a user counts as "
            "the same wish for ten minutes, while its booking is what was wished; a guest is told no more than what was sent."
        ),
    ),
]


class TimeItem(BaseModel):
    """A free time, with the salon's offset and as its wall clock shows it; `duration` in minutes."""

    datetime: datetime
    time: str
    duration: int | None


class Branches(BaseModel):
    items: list[Branch]


class Services(BaseModel):
    items: list[OfferedService]


class Staff(BaseModel):
    items: list[OfferedStaff]


class Dates(BaseModel):
    items: list[date]


class Times(BaseModel):
    items: list[TimeItem]


class BookingRequest(BaseModel):
    """What to book. Contacts default to the signed-in user's; `code` is the salon's SMS code, where it wants one."""

    company_id: Number | None = None
    service_ids: Annotated[list[Number], Field(min_length=1, max_length=rules.SERVICES_MAX)]
    staff_id: Annotated[int, Field(strict=True, ge=0, le=ID_MAX)]
    datetime: Moment
    comment: Annotated[str, Field(max_length=rules.COMMENT_CHARS_MAX)] | None = None
    name: Annotated[str, Field(max_length=rules.NAME_CHARS_MAX)] | None = None
    phone: Annotated[str, Field(max_length=PHONE_CHARS_MAX)] | None = None
    email: Annotated[str, Field(max_length=CONTACT_CHARS_MAX)] | None = None
    code: Annotated[str, Field(max_length=rules.CODE_CHARS_MAX)] | None = None
    consent: StrictBool


class ClaimRequest(BaseModel):
    """Data of the success page of YCLIENTS's own form, whose path is `/success-order/{record_id}/{record_hash}`."""

    company_id: Number | None = None
    record_id: Number
    record_hash: Annotated[str, Field(max_length=HASH_CHARS_MAX, pattern=r"^[0-9A-Za-z_-]+$")]


class CodeRequest(BaseModel):
    """Where to send the salon's SMS code."""

    company_id: Number | None = None
    phone: Annotated[str, Field(max_length=PHONE_CHARS_MAX)]
    name: Annotated[str, Field(max_length=rules.NAME_CHARS_MAX)] = ""


class Move(BaseModel):
    """The new time."""

    datetime: Moment


class MadeBooking(BaseModel):
    """A new booking: as `Booking` where the mirror has it already, which is usual.

    Unknown fields are null, and so are, for a guest, those that only an account may see.
    """

    id: int | None
    user_id: int | None = None
    matched_by: MatchedByWord | None = None
    company_id: int
    yclients_record_id: int
    client_id: int | None = None
    service_name: str | None = None
    service_price: int | None = None
    service_duration: int | None = None
    appointment_datetime: datetime
    status: Status = Status.PENDING
    cancel_reason: Literal["deleted", "no_show"] | None = None
    cancelled_at: datetime | None = None
    phone: str | None = None
    staff_name: str | None = None
    notes: str | None = None
    created_at: datetime | None = None
    updated_at: datetime | None = None


_FOR_GUESTS = {
    "id",
    "company_id",
    "yclients_record_id",
    "appointment_datetime",
    "service_name",
    "service_price",
    "service_duration",
    "status",
    "cancel_reason",
    "cancelled_at",
    "staff_name",
    "created_at",
    "updated_at",
}
"""Fields of a guest's booking. Without the notes: they may hold the code of a user who has proved the typed phone."""


def made_of(booked: Booked) -> MadeBooking:
    """The new booking with the fields that the caller may see."""
    if booked.booking is None:
        return MadeBooking(
            id=None,
            company_id=booked.company_id,
            yclients_record_id=booked.record_id,
            appointment_datetime=booked.starts_at,
        )
    shown = booking_of(booked.booking).model_dump(include=None if booked.is_own else _FOR_GUESTS)
    return MadeBooking.model_validate(shown)


def router(runtime: FormRuntime) -> APIRouter:
    """The routes of the form, to be mounted under /api/v1 before `GET /booking/{id}`."""
    routes = APIRouter(prefix="/booking", tags=["booking form"])
    form = runtime.booking_form
    _add_offers(routes, form, Depends(asker_of(runtime)))
    _add_bookings(routes, form, Depends(optional_session(runtime)))
    _add_changes(routes, form, Depends(signed_in_asker(runtime)))
    return routes


def asker_of(runtime: FormRuntime) -> Callable[..., Awaitable[Asker]]:
    """A dependency that gives the asker, who may be a guest."""
    perhaps_signed_in = optional_session(runtime)

    async def dependency(request: Request, session: Session | None = Depends(perhaps_signed_in)) -> Asker:
        return Asker(client_address(request), session.user.id if session else None)

    return dependency


def signed_in_asker(runtime: FormRuntime) -> Callable[..., Awaitable[Asker]]:
    """A dependency that gives the signed-in asker, or raises 401."""
    signed_in = current_user(runtime)

    async def dependency(request: Request, user: AuthenticatedUser = Depends(signed_in)) -> Asker:
        return Asker(client_address(request), user.id)

    return dependency


def _add_bookings(routes: APIRouter, form: BookingForm, perhaps_signed_in: Session | None) -> None:
    @routes.post("", status_code=201, responses=problem_responses(401, 403, 404, 409, 429))
    async def book(
        body: BookingRequest,
        request: Request,
        idempotency_key: IdempotencyKey = None,
        session: Session | None = perhaps_signed_in,
    ) -> MadeBooking:
        """Book in YCLIENTS itself, for anybody; a signed-in user's code goes into the comment."""
        if session is None and "authorization" in request.headers:
            # Treated as a guest, a user would not find the booking in their account.
            raise ProblemError(401, "not_signed_in", "Sign in anew.", {"WWW-Authenticate": "Bearer"})
        booked = await form.booker.book(
            wish_of(body),
            user_id=session.user.id if session else None,
            address=client_address(request),
            idempotency_key=idempotency_key,
        )
        return made_of(booked)

    @routes.post("/code", status_code=204, responses=problem_responses(403, 404, 429))
    async def send_booking_code(body: CodeRequest, request: Request) -> None:
        """Have the salon send an SMS code to a phone, where it requires confirmed phones."""
        await form.booker.send_code(
            body.company_id, phone=body.phone, name=body.name, address=client_address(request)
        )


def _add_changes(routes: APIRouter, form: BookingForm, signed_in: Asker) -> None:
    @routes.post("/claim", responses=problem_responses(401, 404, 409, 429))
    async def claim_booking(body: ClaimRequest, asker: Asker = signed_in) -> Booking:
        """Link a booking of YCLIENTS's own form to one's account, by the hash that its success page shows.

        A repeated claim has the same answer. 404: YCLIENTS does not know the pair of number and hash.
        """
        return booking_of(await form.claims.claim(asker, body.company_id, body.record_id, body.record_hash))

    @routes.patch("/{booking_id}", responses=problem_responses(401, 403, 404, 409, 429))
    async def move_booking(booking_id: PathId, body: Move, asker: Asker = signed_in) -> Booking:
        """Move one of one's own bookings, in YCLIENTS itself."""
        return booking_of(await form.changes.move(asker, path_id(booking_id), body.datetime))

    @routes.delete("/{booking_id}", status_code=204, responses=problem_responses(401, 403, 404, 409, 429))
    async def cancel_booking(booking_id: PathId, asker: Asker = signed_in) -> None:
        """Cancel one of one's own bookings, in YCLIENTS itself."""
        await form.changes.cancel(asker, path_id(booking_id))


def _add_offers(routes: APIRouter, form: BookingForm, anybody: Asker) -> None:
    reading = problem_responses(404, 409, 429)

    @routes.get("/companies", responses=problem_responses())
    async def list_companies() -> Branches:
        """The salon's branches."""
        return Branches(items=list(await form.offers.branches()))

    @routes.get("/services", responses=reading)
    async def list_services(
        asker: Asker = anybody,
        company_id: CompanyQuery = None,
        staff_id: StaffQuery = 0,
        service_ids: ServicesQuery = [],  # noqa: B006 - FastAPI copies it
    ) -> Services:
        """The services that can be booked. Prices in kopecks, 0 to 0 where there is none; `duration` in minutes."""
        found = await form.offers.services(
            asker, company_id, staff_id=staff_id or None, service_ids=tuple(service_ids)
        )
        return Services(items=list(found))

    @routes.get("/staff", responses=reading)
    async def list_staff(
        asker: Asker = anybody,
        company_id: CompanyQuery = None,
        service_ids: ServicesQuery = [],  # noqa: B006 - FastAPI copies it
    ) -> Staff:
        """The specialists who do these services."""
        found = await form.offers.staff(asker, company_id, service_ids=tuple(service_ids))
        return Staff(items=list(found))

    @routes.get("/dates", responses=reading)
    async def list_dates(
        asker: Asker = anybody,
        company_id: CompanyQuery = None,
        staff_id: StaffQuery = 0,
        service_ids: ServicesQuery = [],  # noqa: B006 - FastAPI copies it
    ) -> Dates:
        """The days with a free time."""
        found = await form.offers.dates(asker, company_id, service_ids=tuple(service_ids), staff_id=staff_id)
        return Dates(items=list(found))

    @routes.get("/times", responses=reading)
    async def list_times(
        day: DayQuery,
        asker: Asker = anybody,
        company_id: CompanyQuery = None,
        staff_id: StaffQuery = 0,
        service_ids: ServicesQuery = [],  # noqa: B006 - FastAPI copies it
    ) -> Times:
        """The free times of a day."""
        found = await form.offers.times(
            asker, company_id, day=day, service_ids=tuple(service_ids), staff_id=staff_id
        )
        return Times(items=[_time_item(one) for one in found])


def wish_of(body: BookingRequest) -> Wish:
    """The request as a `Wish`."""
    return Wish(
        service_ids=tuple(body.service_ids),
        staff_id=body.staff_id,
        starts_at=body.datetime,
        consent=body.consent,
        company_id=body.company_id,
        comment=body.comment or "",
        name=body.name,
        phone=body.phone,
        email=body.email,
        code=body.code or "",
    )


def _time_item(offered: OfferedTime) -> TimeItem:
    return TimeItem(datetime=offered.starts_at, time=offered.wall_time, duration=offered.duration)
