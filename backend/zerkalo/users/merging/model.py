"""A merge of two accounts, as it is kept for a day."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True, slots=True)
class Merge:
    """Two accounts that became one. `before`: both accounts and what moved, see `store.what_stands`; `after`: what stayed.

    Both are empty where it was undone.
    """

    id: int
    at: datetime
    from_id: int
    into_id: int
    before: Mapping[str, Any]
    after: Mapping[str, Any]
    undone_at: datetime | None

    @property
    def name(self) -> str:
        """The name of the account that ended."""
        return self.before["from"]["name"]

    @property
    def bookings(self) -> Sequence[int]:
        """The bookings that moved."""
        return self.before["bookings"]
