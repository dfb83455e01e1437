"""A small model of the vendor: one record, the states it went through, and how each of them may be shown to us.

Knows nothing of the rules it is used to judge: what a mirror should hold in the end is read off the last state.
"""

import json
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import count
from typing import Any

from zerkalo.bookings.model import CancelReason, Row, Source, Status
from zerkalo.mirror.model import Observation
from zerkalo.yclients.payloads import parse_record, parse_webhook

COMPANY_ID = 7
RECORD_ID = 4711
EPOCH = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
"""The second 0 of a history."""
MOSCOW_OFFSET = timedelta(hours=3)


@dataclass(frozen=True, slots=True)
class State:
    """One state of the record. `second` is its change time; several states may share one."""

    second: int
    deleted: bool = False
    purged: bool = False
    """Not even a list with deleted ones shows it, and asking for it is answered 404."""
    attendance: int = 0
    title: str | None = "Стрижка"
    """None: no services."""
    roubles: int = 1800
    minutes: int = 60
    visit_hour: int = 15
    phone: str | None = "+79990000001"
    """None together with `email`: no client."""
    email: str | None = None
    staff: str = "Анна"
    comment: str = ""
    skew: int = 0
    """Seconds by which the vendor's clock was wrong when it changed."""

    @property
    def version(self) -> datetime:
        return EPOCH + timedelta(seconds=self.second + self.skew)

    @property
    def is_gone(self) -> bool:
        return self.deleted or self.purged

    @property
    def has_client(self) -> bool:
        return self.phone is not None or self.email is not None

    @property
    def is_block(self) -> bool:
        return self.title is None and not self.has_client

    @property
    def visit_local(self) -> datetime:
        return datetime(2026, 12, 10, self.visit_hour, 0)  # noqa: DTZ001  the salon's wall clock

    @property
    def status(self) -> Status:
        if self.is_gone or self.attendance == -1:
            return Status.CANCELLED
        return {1: Status.COMPLETED, 2: Status.CONFIRMED}.get(self.attendance, Status.PENDING)

    @property
    def cancel_reason(self) -> CancelReason | None:
        if self.is_gone:
            return CancelReason.DELETED
        return CancelReason.NO_SHOW if self.attendance == -1 else None

    def record(self) -> dict[str, Any]:
        """The record object as the API shows it."""
        changed = self.version + MOSCOW_OFFSET
        service = {"title": self.title, "cost": self.roubles, "amount": 1}
        client = {"name": "Мария", "phone": self.phone or "", "email": self.email or ""}
        return {
            "id": RECORD_ID,
            "company_id": COMPANY_ID,
            "date": self.visit_local.strftime("%Y-%m-%d %H:%M:%S"),
            "datetime": self.visit_local.strftime("%Y-%m-%dT%H:%M:%S+03:00"),
            "last_change_date": changed.strftime("%Y-%m-%dT%H:%M:%S+0300"),
            "seance_length": self.minutes * 60,
            "services": [] if self.title is None else [service],
            "client": client if self.has_client else None,
            "staff": {"id": 1, "name": self.staff},
            "attendance": self.attendance,
            "deleted": self.deleted,
            "comment": self.comment,
            "api_id": "",
        }


PARTS = (
    "date",
    "last_change_date",
    "services",
    "client",
    "staff",
    "attendance",
    "deleted",
    "comment",
    "seance_length",
    "services.title",
    "services.cost",
    "client.phone",
    "client.email",
    "staff.name",
)
"""Keys that a partial webhook may leave out; `a.b`: of the object, or of every object of the list, that `a` is."""


def event(
    state: State, *, without: frozenset[str] = frozenset(), bare: bool = False, **changes: Any
) -> dict[str, Any]:
    """The body of a webhook of this state: whole, partial (`without` these keys) or bare; `changes` to its data."""
    data: Any = {
        key: _without(value, {part.partition(".")[2] for part in without if part.startswith(f"{key}.")})
        for key, value in state.record().items()
        if key not in without
    } | changes
    if "date" in without:
        data.pop("datetime")
    if bare:
        data = {"id": RECORD_ID, "deleted": True} if state.is_gone else []
    status = "delete" if state.is_gone else "update"
    record_id = changes.get("id", RECORD_ID)
    return {
        "company_id": COMPANY_ID,
        "resource": "record",
        "resource_id": record_id,
        "status": status,
        "data": data,
    }


def _without(value: Any, keys: set[str]) -> Any:
    if isinstance(value, list):
        return [_without(one, keys) for one in value]
    return {key: kept for key, kept in value.items() if key not in keys} if isinstance(value, dict) else value


def webhook(
    state: State,
    *,
    without: frozenset[str] = frozenset(),
    bare: bool = False,
    **changes: Any,
) -> Observation:
    """What such a webhook brings."""
    told = parse_webhook(json.dumps(event(state, without=without, bare=bare, **changes)).encode())
    assert told.resource_id is not None, "it is a record's"
    return Observation(
        source=Source.WEBHOOK,
        company_id=COMPANY_ID,
        record_id=told.resource_id,
        record=told.record,
        is_delete=told.status == "delete",
    )


_numbers = count(10**12, 1000)


def next_number() -> int:
    """The number of an observation made now: higher than all before, and than those of calls in a fresh database. There is room for numbers of the database between two."""
    return next(_numbers)


def page_item(state: State, **changes: Any) -> Observation | None:
    """The record on a page of a list with deleted ones; None where that does not show it."""
    if state.purged:
        return None
    record = parse_record(json.dumps(state.record() | changes).encode(), COMPANY_ID)
    return Observation(
        source=Source.PAGE,
        company_id=COMPANY_ID,
        record_id=record.record_id,
        record=record,
        number=next_number(),
    )


def page(state: State) -> Observation:
    """`page_item` of a record that the list shows."""
    shown = page_item(state)
    assert shown is not None
    return shown


def answer(state: State, *, deleted_is_404: bool, confirmed: bool = False) -> Observation:
    """The answer to asking for this very record now."""
    gone = state.purged or (state.deleted and deleted_is_404)
    record = None if gone else parse_record(json.dumps(state.record()).encode(), COMPANY_ID)
    return Observation(
        source=Source.REFETCH,
        company_id=COMPANY_ID,
        record_id=RECORD_ID,
        record=record,
        gone=gone,
        number=next_number(),
        confirmed=confirmed,
    )


def differences(row: Row, state: State) -> list[str]:
    """Where a row says anything else than this last state of the record; the fields named by the contract.

    Not compared: the links and what was learned for them, `cancelled_at` beyond being there or not (both depend on what was seen), and the
    content of a purged record, which nobody shows any more.
    """
    told: dict[str, object] = {
        "status": state.status,
        "cancel_reason": state.cancel_reason,
    }
    if not state.purged:
        told |= {
            "service_name": state.title or "",
            "service_price": state.roubles * 100 if state.title is not None else 0,
            "service_duration": state.minutes,
            "appointment_datetime": state.visit_local.replace(tzinfo=UTC) - MOSCOW_OFFSET,
            "phone": state.phone,
            "staff_name": state.staff,
            "comment": state.comment,
            "vendor_changed_at": state.version,
        }
    found = [
        f"{name}: {getattr(row, name)!r} is not {value!r}"
        for name, value in told.items()
        if getattr(row, name) != value
    ]
    if (row.cancelled_at is not None) != (row.status is Status.CANCELLED):
        found.append(f"cancelled_at: {row.cancelled_at!r} with {row.status}")
    return found
