"""The record of an erasure: ids, and nothing that identifies a person by itself."""

from dataclasses import dataclass
from datetime import datetime

from msgspec import Struct

Key = tuple[int, int]
"""(company, record) or (company, card): YCLIENTS's numbers."""


class Erasure(Struct, frozen=True):
    """One person's erasure. `user_id` None: bookings that turned up after it."""

    at: datetime
    user_id: int | None
    bookings: tuple[Key, ...] = ()
    cards: tuple[Key, ...] = ()
    id: int = 0
    """Of its row; 0 in the journal, which may be read into another database."""


@dataclass(frozen=True, slots=True)
class Limits:
    """How much one step takes."""

    bodies: int = 500
    """Deliveries emptied in one transaction."""
    persons: int = 100
    """Persons checked by one sweep."""
