"""A booking of our form, and why one was declined."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not done: an HTTP status, a stable code, one sentence for people without anybody's data."""

    status: int
    code: str
    detail: str


class FormStatus(StrEnum):
    """Where a booking of the form stands."""

    PENDING = "pending"
    """Nobody has heard yet what became of it."""
    BOOKED = "booked"
    REFUSED = "refused"


@dataclass(frozen=True, slots=True)
class FormBooking:
    """A row of `form_bookings`."""

    api_id: str
    user_id: int | None
    company_id: int
    record_id: int | None
    status: FormStatus
    request_digest: bytes | None
    refusal: Refusal | None
    """What the salon said, where `status` is REFUSED."""
    asked_at: datetime | None
    """When YCLIENTS was last asked to book it, with an end that is not known; None: it surely has not booked it."""
    claimed_until: datetime | None
    """Until when one request works on it; also the token by which that request proves that it still does."""
    is_claimed: bool
    """Whether a request works on it now, by the database's clock."""
    created_at: datetime
