"""A delivery: one call to our webhook. It may repeat, be late, come out of order."""

from dataclasses import dataclass
from datetime import datetime
from typing import Literal

import msgspec
from msgspec import Struct

OutcomeName = Literal["applied", "unchanged", "stale", "ignored", "quarantined", "queued"]
"""What a delivery did; the words of the contract."""
READ = "read"
"""The event of what no call brought: a record that an API read showed and that could not be applied."""
IGNORED = "ignored"
"""The outcome of an event that is no booking's."""
TEST_RESOURCE = "zerkalo_test"
"""An event that no rule knows, by which an admin tries the door: it is kept as ignored, and nothing else happens."""


class Delivery(Struct, frozen=True, gc=False):
    """A call that carried the secret, as it came. `received_at` is aware UTC by our clock.

    `company_id`, `resource`, `resource_id` and `event` are None where the body did not tell them readably.
    """

    body: bytes
    received_at: datetime
    company_id: int | None = None
    resource: str | None = None
    resource_id: int | None = None
    event: str | None = None


def envelope_of(delivery: Delivery) -> bytes:
    """The call without its data: what is kept of an event that we ignore. Replayed, it makes us ask YCLIENTS."""
    return msgspec.json.encode(
        {
            "company_id": delivery.company_id,
            "resource": delivery.resource,
            "resource_id": delivery.resource_id,
            "status": delivery.event,
        }
    )


class Finished(Struct, frozen=True, gc=False):
    """A delivery and what it did: an outcome of the contract, why, and to which booking. `id`: reserved for it; None: any."""

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
