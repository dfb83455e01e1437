"""What happened to a booking, one value a change.

Values that name a person are left out: of a comment only that it changed, of a link the user's number.
"""

from datetime import datetime
from typing import Any, Literal

from msgspec import Struct

Cause = Literal["call", "sync", "read", "card", "person", "import", "form"]
"""`card`: the client's card in YCLIENTS says something else than before, and another person fits."""


class Change(Struct, frozen=True, omit_defaults=True):
    """A change of one kind, with what stood there before and after."""

    kind: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Event(Struct, frozen=True):
    """A row of `booking_events` to be written.

    `by_user_id`: the admin who did it; `run_id`: the run that read it; `delivery_id`: the call that told it.
    """

    booking_id: int
    change: Change
    cause: Cause
    by_user_id: int | None = None
    run_id: int | None = None
    delivery_id: int | None = None


class Happened(Struct, frozen=True):
    """A row of `booking_events` as it is read."""

    id: int
    at: datetime
    kind: str
    cause: str
    delivery_id: int | None
    by_user_id: int | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None
