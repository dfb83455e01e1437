"""A delivery: one call to our webhook. It may repeat, be late or come out of order."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

OutcomeName = Literal["applied", "unchanged", "stale", "ignored", "quarantined", "queued"]
"""What a delivery did; the words of the contract."""
READ = "read"
"""The event of a delivery made from an API read: a record that could not be applied."""
IGNORED = "ignored"
"""The outcome of an event that is not about a booking."""
TEST_RESOURCE = "zerkalo_test"
"""The resource of an admin's test call to the webhook: it is kept as ignored and has no other effect."""


class Delivery(Struct, frozen=True, gc=False):
    """A call that carried the secret, unchanged. `received_at` is aware UTC by our clock.

    `company_id`, `resource`, `resource_id` and `event` are None where they can't be read from the body.
    """

    body: bytes
    received_at: datetime
    company_id: int | None = None
    resource: str | None = None
    resource_id: int | None = None
    event: str | None = None


def envelope_of(delivery: Delivery) -> bytes:
    """Return the call without its data, as kept for ignored events. Replaying it makes us ask YCLIENTS."""
    return msgspec.json.encode(
        {
            "company_id": delivery.company_id,
            "resource": delivery.resource,
            "resource_id": delivery.resource_id,
            "status": delivery.event,
        }
    )


class Finished(Struct, frozen=True, gc=False):
    """A delivery with its outcome (a word of the contract), reason and booking. `id`: reserved for it; None: any."""

    delivery: Delivery
    outcome: str
    reason: str | None = None
    booking_id: int | None = None
    id: int | None = None


@dataclass(frozen=True, slots=True)
class Kept:
    """A delivery read back from the inbox."""

    id: int
    delivery: Delivery
    outcome: OutcomeName
    reason: str | None
    booking_id: int | None
    finished_at: datetime
    handled_at: datetime | None
