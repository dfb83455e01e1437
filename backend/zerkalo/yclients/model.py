"""YCLIENTS's data as frozen values: the words "record" and "client" stop here.

The values are msgspec structs and not dataclasses, since one is made for every record that comes in; copy one
with changes by `msgspec.structs.replace`.
"""

from datetime import datetime
from decimal import Decimal
from typing import Any

import msgspec
from msgspec import UNSET, UnsetType


class ServiceLine(msgspec.Struct, frozen=True, gc=False):
    """One service of a record, with money in roubles exactly as written in the JSON text."""

    title: str | UnsetType
    """As given; UNSET: the key is absent."""
    cost: Decimal | UnsetType | None = UNSET
    """After the discount; None where it is null or "", UNSET: the key is absent."""
    cost_per_unit: Decimal | None = None
    discount: Decimal | None = None
    """Percent, not a share."""
    amount: int = 1
    """At least 1: a missing amount and 0 count as 1."""
    service_id: int | None = None


class SalonClient(msgspec.Struct, frozen=True, gc=False):
    """The person a record is for, as the salon typed it."""

    name: str = ""
    """Surname, name and patronymic joined by a space; "" where the salon gave none."""
    phone: str | UnsetType | None = None
    """E.164 where it parses, else as given; None where there is none, UNSET: the key is absent."""
    phone10: str | UnsetType | None = None
    """The last ten digits, where there are that many; UNSET as `phone` is."""
    email: str | UnsetType | None = None
    """Without outer spaces, in lower case; None where there is none, UNSET: the key is absent."""
    client_id: int | UnsetType = UNSET
    """YCLIENTS's id of the card; UNSET where it is absent or 0."""


class Record(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One state of one YCLIENTS record.

    A field is UNSET where the key is missing, or where it is null and a null counts as missing: then the stored
    value stays. Every value here fits its column: see the bounds in `zerkalo.yclients.fields`.
    """

    company_id: int
    record_id: int
    version: datetime | None = None
    """`last_change_date`, aware UTC; None where it is missing or unreadable."""
    local_start: datetime | UnsetType = UNSET
    """`date`: the naive wall clock of the salon. Prefer it, with the company's zone, to `instant`."""
    instant: datetime | UnsetType = UNSET
    """`datetime`, aware UTC. Its offset was wrong in summer for one salon (yclients-api.md, section 2)."""
    instant_offset_minutes: int | UnsetType = UNSET
    """The offset in `datetime`: used to display `instant` where the salon's zone is unknown."""
    duration_seconds: int | UnsetType = UNSET
    """`seance_length`, else `length`."""
    services: tuple[ServiceLine, ...] | UnsetType = UNSET
    client: SalonClient | UnsetType | None = UNSET
    """None: explicitly none (null, [] or {}); UNSET: the key is absent."""
    staff_name: str | UnsetType | None = UNSET
    """None: explicitly none; UNSET: the key is absent, or the specialist has no name."""
    staff_id: int | UnsetType = UNSET
    attendance: int | UnsetType = UNSET
    """`attendance`, else `visit_attendance`; unknown numbers are kept as they are."""
    deleted: bool | UnsetType = UNSET
    comment: str | UnsetType = UNSET
    """null is ""."""
    api_id: str | UnsetType = UNSET
    """The id that the booking program gave; numbers as text, null is ""."""
    paid_full: bool | UnsetType = UNSET
    """Whether the visit is paid in full (`paid_full`, seen in captured calls)."""
    prepaid: bool | UnsetType = UNSET
    """Whether it was paid for online beforehand (`prepaid_confirmed`). YCLIENTS's `prepaid` means only that it can be."""
    online: bool | UnsetType = UNSET
    """Whether the client booked it online. A single read may lack it."""
    created_by: int | UnsetType = UNSET
    """`created_user_id`: YCLIENTS's id of the user who booked it; 0: not a staff member (inferred, not documented)."""
    raw: bytes
    """The record's JSON: UTF-8 without U+0000, lone surrogates or their escapes; byte for byte otherwise.

    Fit for a `text` column, not for a `jsonb` one: an unknown key may hold a number that PostgreSQL refuses.
    """


class UnreadableRecord(Exception):
    """A record that could not be parsed: kept in quarantine with `reason`, and counted, never dropped.

    `reason` names the field and what is wrong with it, never its content, so that it may be logged. The ids
    are None where they could not be read either. `raw` is as `Record.raw`.
    """

    def __init__(self, company_id: int | None, record_id: int | None, reason: str, raw: bytes = b"") -> None:
        super().__init__(company_id, record_id, reason)
        self.company_id = company_id
        self.record_id = record_id
        self.reason = reason
        self.raw = raw

    def __str__(self) -> str:
        return f"record {self.record_id} of company {self.company_id}: {self.reason}"


class NotJson(Exception):
    """The body is not JSON; `reason` says why, in a few words without content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class NotEnvelope(Exception):
    """The body is JSON, but not what YCLIENTS sends; `reason` says what is missing, without content."""

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


class WebhookEvent(msgspec.Struct, frozen=True, kw_only=True, gc=False):
    """One call to our webhook, read."""

    company_id: int
    resource: str
    """`record`, `client`, `schedule`, …, or `marketplace` (an application's life cycle); in lower case."""
    resource_id: int | None = None
    """For a record event never None: taken from `data.id` where the envelope has none."""
    status: str
    """`create`, `update`, `delete`, or `other` for everything else.

    With `delete`, `record.deleted` is True, unless it is false in the data: the caller handles that contradiction.
    """
    record: Record | None = None
    """For `record` with an object in `data`; None for a bare event ([], {}, null, missing) and the rest."""
    client: SalonClient | None = None
    """For a `client` created or updated, with a readable card."""


class ListedRecord(msgspec.Struct, frozen=True, gc=False):
    """A record of a list of which only the id has been read; None: it has no readable one."""

    record_id: int | None
    raw: bytes
    """As YCLIENTS sent it: not cleaned as `Record.raw` is."""


class ListPage(msgspec.Struct, frozen=True):
    """One page of `GET /records/{company_id}` before its records are read; an empty one ends a list."""

    items: tuple[ListedRecord, ...]
    total_count: int | None
    """`meta.total_count`; None where it is missing."""


class RecordsPage(msgspec.Struct, frozen=True):
    """One page of `GET /records/{company_id}`."""

    items: tuple[Record | UnreadableRecord, ...]
    """In the order of the page, which YCLIENTS does not document."""
    total_count: int | None
    """`meta.total_count`; None where it is missing."""
    raw_count: int
    """How many items the page had, readable or not: 0 ends a list."""


class Company(msgspec.Struct, frozen=True):
    """A branch of a salon, as `GET /company/{id}` shows it."""

    company_id: int
    title: str
    timezone_name: str | None
    """An IANA name that this machine's zone database knows, else None."""
    address: str = ""
    phone: str = ""
    """As the salon writes it, for people."""
    may_delete: bool | None = None
    """Whether clients may cancel their bookings; None: unknown, which does not mean no."""
    may_move: bool | None = None
    delete_seconds_before: int = 0
    """Until how long before the visit (`allow_delete_record_delay_step`: 10800 and 18000 were seen, so seconds)."""
    move_seconds_before: int = 0


class HooksSettings(msgspec.Struct, frozen=True):
    """A branch's webhook settings. All its integrations share the list of addresses: only add to it."""

    urls: tuple[str, ...]
    """May hold other integrations' secrets: not for logs."""
    switches: dict[str, int]
    """What is sent, 0 or 1: `active`, `record`, `client`, … as YCLIENTS names them. The first address's, where
    `by_url` has each one's.
    """
    by_url: dict[str, dict[str, int]] = {}
    """The switches of each address, in the newer shape of the answer; empty in the older one."""

    def of(self, url: str) -> dict[str, int]:
        """Return the switches of this address; empty where it is not in the list."""
        return self.by_url.get(url, self.switches) if url in self.urls else {}


class HookChange(msgspec.Struct, frozen=True):
    """What adding our address to a branch's webhook settings changes, for us and for the others in the list."""

    body: dict[str, Any]
    """The body of the POST, which replaces all settings."""
    adds_url: bool
    turned_on: tuple[str, ...]
    """Switches that this turns on for another address in the list: POST has one set for all."""


class BookableService(msgspec.Struct, frozen=True):
    """A service that the online booking offers."""

    service_id: int
    title: str
    category: str
    price_min: Decimal
    """Roubles; a range with `price_max`, and 0 to 0 where the salon set no price."""
    price_max: Decimal
    duration_seconds: int | None
    """None where YCLIENTS gives it only for a chosen specialist."""
    comment: str


class BookableStaff(msgspec.Struct, frozen=True):
    """A specialist whom the online booking offers."""

    staff_id: int
    name: str
    specialization: str
    is_bookable: bool
    rating: Decimal | None = None
    """Of 5; None where the salon does not show it, or nobody has voted."""
    votes: int = 0
    description: str = ""
    """As plain text."""
    avatar: str = ""
    """The address of a picture as YCLIENTS sent it: untrusted."""


class BookableTime(msgspec.Struct, frozen=True):
    """A time that the online booking offers."""

    wall_time: str
    """As the salon's clock shows it, "15:30"."""
    starts_at: datetime
    """Aware; in UTC where YCLIENTS sent seconds, else with the salon's offset."""
    duration_seconds: int | None


class BookedAppointment(msgspec.Struct, frozen=True):
    """A record that a booking made. Whoever has both its ids may see and cancel it."""

    appointment_id: int
    """The `id` that the request gave the appointment."""
    record_id: int
    record_hash: str


class UserRecord(msgspec.Struct, frozen=True):
    """A client's own booking, and what its salon allows the client to do with it."""

    record: Record
    company_id: int | None
    """Of the branch as the answer names it; None where it does not."""
    may_delete: bool | None
    """None: unknown, which does not mean no."""
    may_move: bool | None
