"""What a comparison with YCLIENTS finds."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from zerkalo.runs.model import Slice


@dataclass(frozen=True, slots=True)
class Difference:
    """One booking that the database shows otherwise than YCLIENTS. `what` names fields or says why, never a value."""

    company_id: int
    record_id: int | None
    what: str
    is_owed: bool = True
    """False: a card's or a phone's change that only visits before the window show; `sync --full` alone reads those."""

    def __str__(self) -> str:
        return f"company {self.company_id} record {self.record_id}: {self.what}"


class Comparison(msgspec.Struct, frozen=True):
    """A comparison with YCLIENTS as far as it has come. `next_cursor`: where it goes on; None: all is compared."""

    at: datetime
    differences: tuple[Difference, ...] = ()
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class SliceDrift:
    """What one slice of visit dates showed, and how many records were compared."""

    part: Slice
    differences: tuple[Difference, ...]
    compared: int
