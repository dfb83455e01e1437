"""What differs between two states of a booking. Pure."""

from collections.abc import Iterable
from typing import Any

from zerkalo.bookings.history.model import Change
from zerkalo.bookings.model import Row

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


def changes_between(before: Row | None, after: Row) -> tuple[Change, ...]:
    """Name what differs between two states of a booking, for a person to read."""
    if before is None:
        return (Change("created", after=_values(after, _CREATED)),)
    changes = [
        Change(kind, _values(before, names), _values(after, names))
        for kind, names in _KINDS
        if _values(before, names) != _values(after, names)
    ]
    if _is_paid(before) != _is_paid(after):  # what was not told counts as not paid
        changes.append(Change("paid", _values(before, _PAID), _values(after, _PAID)))
    if before.comment != after.comment:
        changes.append(Change("comment"))
    return tuple(changes)


def _is_paid(row: Row) -> tuple[bool, bool]:
    return bool(row.paid), bool(row.prepaid)


def _values(row: Row, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
