"""Merge an accepted snapshot into a row, and list the changes for the booking's history. Pure.

`rules.decide` decides whether a snapshot is accepted.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, TypeVar

from msgspec import UNSET, UnsetType
from msgspec.structs import replace

from zerkalo.bookings.model import CancelReason, Change, Row, Snapshot, Status

Value = TypeVar("Value")

ATTENDANCE_STATUS = {0: Status.PENDING, 1: Status.COMPLETED, 2: Status.CONFIRMED, -1: Status.CANCELLED}
"""YCLIENTS's `attendance` (fact sheet, section 2). Any other number counts as waiting."""


def content_differences(row: Row, snapshot: Snapshot) -> tuple[str, ...]:
    """Name the mapped fields in which the row differs from the snapshot.

    Compared after masking an erased row, never by raw JSON: webhook and API send one state in different shapes.
    """
    shown = merge(row, snapshot, now=None)
    return tuple(name for name in _CONTENT if getattr(row, name) != getattr(shown, name))


def merge(row: Row, snapshot: Snapshot, *, now: datetime | None) -> Row:
    """Return the row after `snapshot`: fields that it lacks are kept, and so are links and revision."""
    status, reason = _status_of(row, snapshot)
    match_email, match_phone10 = _contacts(row, snapshot)
    when, is_ours = cancelled_at(row, status, snapshot.version, now)
    merged = replace(
        row,
        service_name=told(snapshot.service_name, row.service_name),
        service_price=told(snapshot.price_kopecks, row.service_price),
        service_duration=told(snapshot.duration_minutes, row.service_duration),
        appointment_datetime=told(snapshot.starts_at, row.appointment_datetime),
        appointment_local=told(snapshot.starts_local, row.appointment_local),
        status=status,
        cancel_reason=reason,
        cancelled_at=when,
        cancelled_at_ours=is_ours,
        client_id=_client_of(row, snapshot),
        client_name=_name_of(row, snapshot),
        phone=told(snapshot.phone, row.phone),
        staff_id=_staff_id(row, snapshot),
        staff_name=told(snapshot.staff_name, row.staff_name),
        lines=told(snapshot.lines, row.lines),
        paid=told(snapshot.paid, row.paid),
        prepaid=told(snapshot.prepaid, row.prepaid),
        online=told(snapshot.online, row.online),
        created_by=told(snapshot.created_by, row.created_by),
        comment=told(snapshot.comment, row.comment),
        absent=row.absent and snapshot.deleted is True,
        vendor_changed_at=snapshot.version or row.vendor_changed_at,
        match_email=match_email,
        match_phone10=match_phone10,
        raw_record=snapshot.raw,
    )
    return masked(learn_codes(merged, snapshot))


def learn_codes(row: Row, snapshot: Snapshot) -> Row:
    """Return the row with the codes of this snapshot's comment added to the earlier ones."""
    new = [code for code in snapshot.codes if code not in row.match_codes]
    if not new or row.erased_at is not None:
        return row
    return replace(row, match_codes=(*row.match_codes, *dict.fromkeys(new)))


def masked(row: Row) -> Row:
    """Return the row without personal data if its person was erased; any other row unchanged."""
    if row.erased_at is None:
        return row
    return replace(
        row,
        user_id=None,
        matched_by=None,
        user_code=None,
        client_id=None,
        client_name=None,
        phone=None,
        comment="",
        match_email=None,
        match_phone10=None,
        match_codes=(),
        raw_record=None,
        raw_digest=None,
    )


def changes_between(before: Row | None, after: Row) -> tuple[Change, ...]:
    """Name what differs between two states of a booking, for a person to read."""
    if before is None:
        return (Change("created", after=_values(after, _CREATED)),)
    changes = [
        Change(kind, _values(before, names), _values(after, names))
        for kind, names in _KINDS
        if _values(before, names) != _values(after, names)
    ]
    if _is_paid(before) != _is_paid(after):  # unknown counts as not paid
        changes.append(Change("paid", _values(before, _PAID), _values(after, _PAID)))
    if before.comment != after.comment:
        changes.append(Change("comment"))
    return tuple(changes)


_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("moved", ("appointment_datetime",)),
    ("price", ("service_price",)),
    ("status", ("status", "cancel_reason")),
    ("services", ("service_name",)),
    ("staff", ("staff_name",)),
    ("client", ("client_id",)),
    ("link", ("user_id", "matched_by")),
)
_PAID = ("paid", "prepaid")
_CREATED = ("appointment_datetime", "service_price", "status", "service_name", "user_id")
_CONTENT = (
    "service_name",
    "service_price",
    "service_duration",
    "appointment_datetime",
    "status",
    "cancel_reason",
    "cancelled_at",
    "client_id",
    "client_name",
    "phone",
    "staff_id",
    "staff_name",
    "lines",
    "paid",
    "prepaid",
    "online",
    "created_by",
    "comment",
    "match_email",
    "match_phone10",
)


def _status_of(row: Row, snapshot: Snapshot) -> tuple[Status, CancelReason | None]:
    deleted = told(snapshot.deleted, row.cancel_reason is CancelReason.DELETED)
    if deleted:
        return Status.CANCELLED, CancelReason.DELETED
    if snapshot.attendance is UNSET:
        if row.cancel_reason is CancelReason.DELETED:
            return Status.PENDING, None  # restored, its earlier status unknown
        return row.status, row.cancel_reason
    status = ATTENDANCE_STATUS.get(snapshot.attendance, Status.PENDING)
    return status, CancelReason.NO_SHOW if status is Status.CANCELLED else None


def _staff_id(row: Row, snapshot: Snapshot) -> int | None:
    """Return the specialist's id; None where the snapshot has only a name, and a different one."""
    if snapshot.staff_id is not UNSET:
        return snapshot.staff_id
    return row.staff_id if told(snapshot.staff_name, row.staff_name) == row.staff_name else None


def _client_of(row: Row, snapshot: Snapshot) -> int | None:
    """Return the record's card after `snapshot`. No client, or one without an id, changes nothing.

    A new card is accepted only with its phone, which shows whether it is another person's. A call without the phone is
    checked with the API, which sends it.
    """
    shown = told(snapshot.client_id, None)
    return row.client_id if shown is None or snapshot.phone is UNSET else shown


def _name_of(row: Row, snapshot: Snapshot) -> str | None:
    return told(snapshot.client_name, None) or row.client_name


def _contacts(row: Row, snapshot: Snapshot) -> tuple[str | None, str | None]:
    """Return the e-mail and the last ten digits of the phone to match by, after `snapshot`.

    An empty contact changes nothing: YCLIENTS hides contacts from a token without the right to see them. But where the
    other contact is new, the record may be another person's now, so the first person's contact is dropped. A call that
    lacks a key is checked with the API. A record with a card is matched by the card's contacts, so it has none here.
    """
    if _client_of(row, snapshot) is not None:
        return None, None
    email, phone = told(snapshot.email, None), told(snapshot.phone, None)
    phone10 = told(snapshot.phone10, None)
    has_new_email = bool(email) and email != row.match_email
    has_new_phone = bool(phone) and (phone10 != row.match_phone10 or (phone10 is None and phone != row.phone))
    known_email = None if has_new_phone and snapshot.email is not UNSET else row.match_email
    known_phone10 = None if has_new_email and snapshot.phone is not UNSET else row.match_phone10
    return email or known_email, phone10 if phone else known_phone10


def cancelled_at(
    row: Row, status: Status, version: datetime | None, now: datetime | None
) -> tuple[datetime | None, bool]:
    """Return when a row that is to have `status` was cancelled, and whether that is our own time for lack of the vendor's.

    It is the change time (`version`) of the first snapshot of the current cancellation; the vendor's time replaces ours.
    """
    if status is not Status.CANCELLED:
        return None, False
    if row.status is Status.CANCELLED and row.cancelled_at and not (row.cancelled_at_ours and version):
        return row.cancelled_at, row.cancelled_at_ours
    return version or now, version is None


def told(shown: Value | UnsetType, otherwise: Value) -> Value:
    """Return the snapshot's value of a field; `otherwise` where it is absent."""
    return otherwise if shown is UNSET else shown


def _is_paid(row: Row) -> tuple[bool, bool]:
    return bool(row.paid), bool(row.prepaid)


def _values(row: Row, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
