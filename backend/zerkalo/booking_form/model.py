"""The values of the booking form, frozen. Money in kopecks, durations in minutes, instants aware with the salon's offset."""

from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum


@dataclass(frozen=True, slots=True)
class Branch:
    """A company of the settings, to choose from. `title` is "" until YCLIENTS has told it."""

    company_id: int
    title: str
    timezone_name: str | None


@dataclass(frozen=True, slots=True)
class OfferedService:
    """A service that can be booked. The price is a range; 0 to 0 where the salon set none."""

    service_id: int
    title: str
    category: str
    price_min: int
    price_max: int
    duration: int | None
    """None where it is told only for a chosen master, and masters differ."""
    comment: str


@dataclass(frozen=True, slots=True)
class OfferedStaff:
    """A master who can be booked."""

    staff_id: int
    name: str
    specialization: str


@dataclass(frozen=True, slots=True)
class OfferedTime:
    """A free time."""

    starts_at: datetime
    wall_time: str
    """As the salon's clock shows it, "15:30"."""
    duration: int | None


@dataclass(frozen=True, slots=True)
class Wish:
    """What somebody asks for, as she typed it. None: her account's own contact, where she has one."""

    service_ids: tuple[int, ...]
    staff_id: int
    """0 is anybody."""
    starts_at: datetime
    """Naive: the salon's wall clock."""
    consent: bool
    """To the processing of her personal data; without it nothing is booked."""
    company_id: int | None = None
    """None: the only company there is."""
    comment: str = field(default="", repr=False)
    name: str | None = field(default=None, repr=False)
    phone: str | None = field(default=None, repr=False)
    email: str | None = field(default=None, repr=False)
    code: str = field(default="", repr=False)
    """From the SMS, where the salon wants phones confirmed."""


@dataclass(frozen=True, slots=True)
class Person:
    """The signed-in user, as far as the form needs her."""

    id: int
    name: str
    phone: str | None
    email: str | None
    unique_code: str | None


@dataclass(frozen=True, slots=True)
class Order:
    """A wish found in order: what is sent to YCLIENTS."""

    company_id: int
    service_ids: tuple[int, ...]
    staff_id: int
    starts_at: datetime
    name: str = field(repr=False)
    phone: str = field(repr=False)
    """E.164."""
    email: str = field(repr=False)
    """"" where she gave none."""
    comment: str = field(repr=False)
    """With her code in front, if she has one."""
    code: str = field(repr=False)


@dataclass(frozen=True, slots=True)
class Refusal:
    """Why something was not done: an HTTP status, a stable code, one sentence for people without anybody's data."""

    status: int
    code: str
    detail: str


@dataclass(frozen=True, slots=True)
class Need:
    """What must be free for a booking to be moved."""

    company_id: int
    service_ids: tuple[int, ...]
    staff_id: int


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


@dataclass(frozen=True, slots=True)
class ClientRules:
    """What a salon lets its clients do with their bookings, and until how long before the visit, in seconds."""

    may_move: bool
    may_cancel: bool
    move_seconds_before: int
    cancel_seconds_before: int


@dataclass(frozen=True, slots=True)
class HookState:
    """How a branch's webhook settings stand to us. Other integrations' addresses are counted, never shown."""

    company_id: int
    url: str
    """Ours, with the secret: for admins only."""
    is_listed: bool
    """Our address stands in the list."""
    is_active: bool
    """Webhooks are on, those about records among them."""
    other_urls: int

    @property
    def is_set_up(self) -> bool:
        """Whether YCLIENTS tells us of changes."""
        return self.is_listed and self.is_active
