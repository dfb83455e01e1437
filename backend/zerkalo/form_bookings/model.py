"""A booking of our form, and why one was declined."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not done: an HTTP status, a stable code, and one sentence without personal data."""

    status: int
    code: str
    detail: str


class FormStatus(StrEnum):
    """The state of a form booking."""

    PENDING = "pending"
    """The outcome is not known yet."""
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
    """The salon's answer, where `status` is REFUSED."""
    asked_at: datetime | None
    """When YCLIENTS was last asked to book it, with an unknown outcome; None: it has certainly not booked it."""
    claimed_until: datetime | None
    """Until when one request holds the claim; also the token by which that request proves that it still does."""
    is_claimed: bool
    """Whether the claim is valid now, by the database's clock."""
    created_at: datetime
