"""A booking whose record YCLIENTS does not know."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Absence:
    """One that is not cancelled yet. `observation`: the number of the asking."""

    record_id: int
    observation: int
    is_accepted: bool
    """A person said that these are gone."""


@dataclass(frozen=True, slots=True)
class AbsenceLimits:
    """So many 404s a company and day are more than a salon deletes: the token may have lost its rights."""

    records: int = 20
    share_of_window: float = 0.05
