"""Deliveries as the desk sees them; the API answers with these."""

from dataclasses import dataclass
from datetime import datetime

from zerkalo.inbox.model import Kept, OutcomeName


@dataclass(frozen=True, slots=True)
class Event:
    """A delivery to the webhook and what it did. `handled_at`: when a replay took a quarantined one in."""

    id: int
    received_at: datetime
    company_id: int | None
    resource: str | None
    resource_id: int | None
    event: str | None
    outcome: OutcomeName
    reason: str | None
    booking_id: int | None
    finished_at: datetime
    handled_at: datetime | None
    body_bytes: int


@dataclass(frozen=True, slots=True)
class EventWithBody(Event):
    """A delivery whole. Bytes that are not UTF-8 show as U+FFFD."""

    body: str


def whole(kept: Kept) -> EventWithBody:
    """A kept delivery with its body."""
    told = kept.delivery
    return EventWithBody(
        id=kept.id,
        received_at=told.received_at,
        company_id=told.company_id,
        resource=told.resource,
        resource_id=told.resource_id,
        event=told.event,
        outcome=kept.outcome,
        reason=kept.reason,
        booking_id=kept.booking_id,
        finished_at=kept.finished_at,
        handled_at=kept.handled_at,
        body_bytes=len(told.body),
        body=told.body.decode(errors="replace"),
    )
