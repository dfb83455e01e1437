"""A booking whose record YCLIENTS does not know."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Absence:
    """An absent record that is not cancelled yet. `observation`: the number of the request that answered 404."""

    record_id: int
    observation: int
    is_left: bool
    """Whether it was left to a person, who has not decided yet."""
    is_accepted: bool
    """Whether a person, or YCLIENTS itself since, said that it is deleted."""
    noted_at: datetime
    """When it first answered 404."""


@dataclass(frozen=True, slots=True)
class AbsenceLimits:
    """More 404s than this, per company and day, suggest that the token lost its rights."""

    records: int = 20
    share_of_window: float = 0.05
