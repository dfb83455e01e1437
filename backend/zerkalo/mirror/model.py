"""Observations and items, which go into a batch, and outcomes, which come out of it."""

from enum import StrEnum

from msgspec import Struct

from zerkalo.bookings.model import Observed
from zerkalo.inbox.model import Delivery
from zerkalo.refetches.model import Refetch
from zerkalo.yclients.model import Record, SalonClient

Key = tuple[int, int]
"""(company, record)."""
HELD = "somebody else holds it"
"""Why an observation is put off: its booking, card or user stays locked for longer than a batch waits."""


class OutcomeStatus(StrEnum):
    """What a delivery did; the words of the contract."""

    APPLIED = "applied"
    UNCHANGED = "unchanged"
    STALE = "stale"
    IGNORED = "ignored"
    QUARANTINED = "quarantined"
    QUEUED = "queued"


class Shown(Struct, frozen=True, gc=False):
    """The digest of a record as a list showed it (`snapshots.digest_of`), and the zone's rules that it is of."""

    digest: str
    zone_rules: str | None


class Observation(Observed, frozen=True, gc=False, kw_only=True):
    """What was learned of one record: its content, or that it is gone.

    `record` is None for a bare event and where the API answered 404 (`gone`).
    """

    company_id: int
    record_id: int
    record: Record | None = None
    run_id: int | None = None
    """The sync run that read it, for the booking's history."""
    shown: Shown | None = None
    """Where a list shows the record."""

    @property
    def key(self) -> Key:
        """The booking this is about."""
        return (self.company_id, self.record_id)


class Outcome(Struct, frozen=True, gc=False):
    """What an observation did. `created`, `cancelled` and `refused` are for the counts of a run.

    `refused`: YCLIENTS answers 403 or 422 for this record only; it stays among those to ask for.
    """

    status: OutcomeStatus
    booking_id: int | None = None
    reason: str | None = None
    created: bool = False
    cancelled: bool = False
    refused: bool = False
    delivery_id: int | None = None
    """The call that brought it, in the inbox: for the log."""


class Item(Struct, frozen=True, gc=False):
    """One thing to apply: an observation, or something whose outcome (`verdict`) is known without reading any row.

    `delivery` is kept with its outcome. `refetch`: a record to ask for; of an unsigned call nothing else is kept.
    """

    observation: Observation | None = None
    delivery: Delivery | None = None
    verdict: Outcome | None = None
    refetch: Refetch | None = None
    client: SalonClient | None = None
    """The card in a `client` event, of the delivery's company."""
