"""What a booking is: the values of the mirror, frozen.

`Snapshot` is a booking as YCLIENTS sent it once, in our terms; a field is `UNSET` where the snapshot lacks it.
`Row` is the row of our table. `bookings.rules` turns (row, snapshot) into a decision. The two are
msgspec structs and not dataclasses, since several are made for every event; copy one by `msgspec.structs.replace`.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta, timezone
from enum import StrEnum
from typing import Any, Literal

from msgspec import UNSET, Struct, UnsetType


class Status(StrEnum):
    """Where a booking stands; the four words of the contract."""

    PENDING = "PENDING"
    CONFIRMED = "CONFIRMED"
    COMPLETED = "COMPLETED"
    CANCELLED = "CANCELLED"


class CancelReason(StrEnum):
    """Why a booking is CANCELLED."""

    DELETED = "deleted"
    NO_SHOW = "no_show"


class MatchedBy(StrEnum):
    """Which step of matching gave the link, strongest first."""

    MANUAL = "manual"
    FORM = "form"
    CODE = "code"
    IMPORT = "import"
    CARD = "card"
    EMAIL = "email"
    PHONE = "phone"


class Source(StrEnum):
    """Where a snapshot came from. Anything from elsewhere is rejected."""

    WEBHOOK = "webhook"
    """A call with the secret."""
    PAGE = "page"
    """An item of a list read from the API: complete."""
    REFETCH = "refetch"
    """The record itself, read from the API."""


class Observed(Struct, frozen=True, gc=False, kw_only=True):
    """How a record, or its absence, was observed.

    `number` is from the sequence of observations: one per API request, reserved before it is sent, or per batch of calls.
    `is_delete`: the envelope said `delete`. `gone`: the API answered 404. `confirmed`: a second read some seconds later
    said the same.
    """

    source: Source
    number: int = 0
    is_delete: bool = False
    gone: bool = False
    confirmed: bool = False


class Line(Struct, frozen=True, gc=False):
    """One service of a booking, in kopecks. `cost` covers all of the line; `discount` is percent, as text."""

    service_id: int | None
    title: str
    amount: int
    cost: int
    cost_per_unit: int | None
    discount: str | None


class Snapshot(Struct, frozen=True, kw_only=True, gc=False):
    """A booking as the vendor sent it. `UNSET`: the field was absent.

    `version` is the vendor's change time (aware UTC, to the second), None where absent.
    `price_kopecks` is the sum over the services, `duration_minutes` rounded up.
    `starts_at` is aware UTC; `starts_local` the salon's naive wall clock (None: sent with an offset only).
    `has_client` is False where the vendor says that there is none; with no services either, it is a block.
    `codes` are the client codes found in the comment, in their canonical form.
    """

    company_id: int
    record_id: int
    version: datetime | None
    deleted: bool | UnsetType
    attendance: int | UnsetType
    service_name: str | UnsetType
    price_kopecks: int | UnsetType
    duration_minutes: int | UnsetType
    starts_at: datetime | UnsetType
    starts_local: datetime | None | UnsetType
    phone: str | None | UnsetType
    phone10: str | None | UnsetType
    email: str | None | UnsetType
    client_id: int | None | UnsetType
    client_name: str | None | UnsetType
    has_client: bool | UnsetType
    has_services: bool | UnsetType
    staff_name: str | None | UnsetType
    comment: str | UnsetType
    codes: tuple[str, ...]
    api_id: str | None
    raw: bytes
    lines: tuple[Line, ...] | UnsetType = UNSET
    staff_id: int | UnsetType = UNSET
    paid: bool | UnsetType = UNSET
    prepaid: bool | UnsetType = UNSET
    online: bool | UnsetType = UNSET
    created_by: int | UnsetType = UNSET


class Row(Struct, frozen=True, kw_only=True, gc=False):
    """A booking's row: the columns that decisions read and write, by their names in the table."""

    id: int | None
    """None until the database has given one."""
    company_id: int
    yclients_record_id: int
    client_id: int | None = None
    """YCLIENTS's card, whose contacts are used for matching. None: unknown; the booking's own `match_…` are used."""
    client_name: str | None = None
    handed_over: bool = False
    """The salon gave the record to another person: its earlier codes and form bookings no longer count."""
    user_id: int | None = None
    matched_by: MatchedBy | None = None
    service_name: str = ""
    service_price: int = 0
    service_duration: int = 0
    appointment_datetime: datetime | None = None
    appointment_local: datetime | None = None
    status: Status = Status.PENDING
    cancel_reason: CancelReason | None = None
    cancelled_at: datetime | None = None
    cancelled_at_ours: bool = False
    phone: str | None = None
    staff_id: int | None = None
    staff_name: str | None = None
    lines: tuple[Line, ...] = ()
    paid: bool | None = None
    prepaid: bool | None = None
    online: bool | None = None
    created_by: int | None = None
    user_code: str | None = None
    comment: str = ""
    absent: bool = False
    vendor_changed_at: datetime | None = None
    observation: int = 0
    revision: int = 0
    match_email: str | None = None
    match_phone10: str | None = None
    match_codes: tuple[str, ...] = ()
    raw_record: bytes | None = None
    """The record of a snapshot: written, never read. None: the stored one is kept, except in an erased row."""
    raw_digest: str | None = None
    erased_at: datetime | None = None


Cause = Literal["call", "sync", "read", "card", "person", "import", "form"]
"""`card`: the client's card in YCLIENTS has changed, and another person matches."""


class Change(Struct, frozen=True, omit_defaults=True):
    """A change of one kind, with the values before and after.

    Values that name a person are left out: a comment's change has no text, a link's has only the user's id.
    """

    kind: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Event(Struct, frozen=True):
    """A row of `booking_events` to be written.

    `by_user_id`: the admin who did it; `run_id`: the run that read it; `delivery_id`: the call that brought it.
    """

    booking_id: int
    change: Change
    cause: Cause
    by_user_id: int | None = None
    run_id: int | None = None
    delivery_id: int | None = None


@dataclass(frozen=True, slots=True)
class Candidate:
    """A user whom a booking may belong to, and the step of matching at which they fit."""

    user_id: int
    name: str
    email: str | None
    phone: str | None
    step: str


def with_offset(instant: datetime, wall_clock: datetime | None) -> datetime:
    """Return the instant with the offset that the salon's wall clock (naive) implies; None: in UTC.

    An offset of a day or more is impossible and counts as unknown; seconds are dropped, RFC 3339 has none.
    """
    if wall_clock is None:
        return instant
    offset = timedelta(minutes=round((wall_clock - instant.replace(tzinfo=None)) / timedelta(minutes=1)))
    return instant.astimezone(timezone(offset)) if abs(offset) < timedelta(days=1) else instant


@dataclass(frozen=True, slots=True)
class ShownBooking:
    """A booking as it is shown; fields as the columns of the same names. Instants are aware UTC."""

    id: int
    user_id: int | None
    matched_by: str | None
    company_id: int
    yclients_record_id: int
    client_id: int | None
    """YCLIENTS's card."""
    service_name: str
    service_price: int
    service_duration: int
    appointment_datetime: datetime
    appointment_local: datetime | None
    status: str
    cancel_reason: str | None
    cancelled_at: datetime | None
    phone: str | None
    staff_name: str | None
    notes: str
    revision: int
    created_at: datetime
    updated_at: datetime

    @property
    def starts_at(self) -> datetime:
        """The appointment with the salon's offset; in UTC where that is not known."""
        return with_offset(self.appointment_datetime, self.appointment_local)
