"""A spending by hand."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Redemption:
    """Points spent by hand, and whether that was undone since."""

    id: int
    user_id: int
    points: int
    visit_id: int | None
    created_at: datetime
    is_undone: bool
