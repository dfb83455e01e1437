"""The results of a comparison with YCLIENTS."""

from dataclasses import dataclass
from datetime import datetime

import msgspec

from zerkalo.runs.model import Slice


@dataclass(frozen=True, slots=True)
class Difference:
    """A booking that differs from YCLIENTS. `what` names fields or a reason, never a value."""

    company_id: int
    record_id: int | None
    what: str
    is_owed: bool = True
    """False: a change of a card or a phone that only visits before the window show; only `sync --full` reads those."""

    def __str__(self) -> str:
        return f"company {self.company_id} record {self.record_id}: {self.what}"


class Comparison(msgspec.Struct, frozen=True):
    """The progress of a comparison. `next_cursor`: where it continues; None: it is complete."""

    at: datetime
    differences: tuple[Difference, ...] = ()
    next_cursor: str | None = None


@dataclass(frozen=True, slots=True)
class SliceDrift:
    """The differences in one slice of visit dates, and how many records were compared."""

    part: Slice
    differences: tuple[Difference, ...]
    compared: int
