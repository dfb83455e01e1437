"""The journal's values."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime

from zerkalo.bookings.model import Candidate, with_offset

EventValue = str | bool | int | None
"""A value of a change: a time in ISO 8601, kopecks, a user's id, a status, a title, or whether something is so."""


@dataclass(frozen=True, slots=True)
class Search:
    """The possible meanings of a search text. All None: no text was given."""

    code: str | None = None
    """In the form that codes are compared in; if a user has this code, only it is searched for."""
    record_id: int | None = None
    phone10: str | None = None
    """The last ten digits of a whole phone."""
    digits: str | None = None
    """Part of a phone."""
    name: str | None = None
    """In lower case."""


@dataclass(frozen=True, slots=True)
class Filters:
    """Which bookings; None: all. Days are in the salon's zone, inclusive."""

    first_day: date | None = None
    last_day: date | None = None
    status: str | None = None
    staff_id: int | None = None
    company_id: int | None = None
    client_id: int | None = None
    """A card of YCLIENTS's, which `company_id` completes."""
    matched: bool | None = None
    search: Search | None = None

    @property
    def is_forward(self) -> bool:
        """Whether the order is earliest first, as it is where a first day is given; else it is latest first."""
        return self.first_day is not None


@dataclass(frozen=True, slots=True)
class JournalBooking:
    """A booking with its client; fields as the columns of the same names, `user_…` the linked user's."""

    id: int
    user_id: int | None
    user_name: str | None
    user_code: str | None
    matched_by: str | None
    company_id: int
    yclients_record_id: int
    client_id: int | None
    client_name: str | None
    service_name: str
    service_price: int
    service_duration: int
    appointment_datetime: datetime
    appointment_local: datetime | None
    status: str
    cancel_reason: str | None
    cancelled_at: datetime | None
    phone: str | None
    staff_id: int | None
    staff_name: str | None
    notes: str
    comment: str
    handed_over: bool
    created_at: datetime
    updated_at: datetime
    paid: bool | None
    prepaid: bool | None
    created_by: int | None
    """YCLIENTS's number of whoever of the staff booked it."""
    booked: str | None
    """Through what: `form` ours, `online` another one, `journal`; None where YCLIENTS does not say."""

    @property
    def starts_at(self) -> datetime:
        """The appointment with the salon's offset; in UTC where that is not known."""
        return with_offset(self.appointment_datetime, self.appointment_local)


@dataclass(frozen=True, slots=True)
class Line:
    """A service line. Money in kopecks, the discount in per cent; None where YCLIENTS does not tell."""

    service_id: int | None
    title: str | None
    amount: int | None
    cost: int | None
    cost_per_unit: int | None
    discount: float | None


@dataclass(frozen=True, slots=True)
class Card:
    """YCLIENTS's card of the client. `user_id`: to whom an admin gave it; `email_came_late`: it was not there at first, None
    where that is not known; `note`: what the staff wrote about the person.
    """

    client_id: int
    name: str
    phone: str | None
    email: str | None
    email_came_late: bool | None
    user_id: int | None
    note: str


@dataclass(frozen=True, slots=True)
class Evidence:
    """Whose a booking is or may be, and why: how it was linked, the codes that its comments held, its card, who fits."""

    matched_by: str | None
    codes_seen: list[str]
    handed_over: bool
    card: Card | None
    candidates: list[Candidate]


@dataclass(frozen=True, slots=True)
class BookingEvent:
    """A change of a booking: what (`kind`), when, by whose doing (`cause`), and what it was `before` and `after`.

    `points` are movements of the ledger, by a person or by the programme's rules. A `message` to the user says what it told,
    `to` whom, by which `channel` (None: there was none), and as `outcome` `sent`, `waiting` or why it was not sent.
    """

    id: int
    """Its number in this booking's history."""
    at: datetime
    kind: str
    cause: str
    delivery_id: int | None
    run_id: int | None
    by_user_id: int | None
    by_name: str | None
    before: Mapping[str, EventValue] | None
    after: Mapping[str, EventValue] | None


@dataclass(frozen=True, slots=True)
class Staff:
    """A specialist who has bookings."""

    staff_id: int
    name: str


@dataclass(frozen=True, slots=True)
class Unseen:
    """A person whose last visit was long ago: an account, or (`user_id` None) a card of YCLIENTS."""

    booking_id: int
    """The first of their bookings: tells two of one moment apart."""
    user_id: int | None
    company_id: int | None
    client_id: int | None
    name: str | None
    phone: str | None
    last_at: datetime
    visits: int
