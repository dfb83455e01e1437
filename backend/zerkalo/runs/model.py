"""What a sync run is: the values that `rules` decides on and `store` keeps."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import msgspec


class RunStatus(StrEnum):
    """Where a run stands. A run that nobody carries any more is `running` too, with its lease run out."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class Phase(StrEnum):
    """The parts of a run, in their order."""

    RECENT = "recent"
    """What changed since the watermark, first, so that a lost webhook waits no longer than one interval."""
    VISITS = "visits"
    """Every visit from the window's start onward (the whole history while it is owed), slice by slice."""
    CHANGED = "changed"
    """What changed in the window's days, whenever the visit is."""
    LAST = "last"
    """What changed while the run was reading, for a record can move from an unread slice into a read one."""


class Slice(msgspec.Struct, frozen=True):
    """Visit dates in the salon's zone, both ends included; `last` None: open to the future."""

    first: date
    last: date | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """How far a run has come, kept after each finished part: whoever takes a killed run up begins here."""

    phase: Phase = Phase.RECENT
    pending: tuple[Slice, ...] | None = None
    """Slices still to be read, the first one next; None: not planned yet. An unfinished one starts again."""
    full_window: bool = True
    """False: the window is too large for the period, so this run carries only the changes."""
    covered_until: datetime | None = None
    """Every change before this instant (UTC) has been read, or will be shown by a slice read after it."""
    resumed: int = 0
    """How often another process has taken the run up."""


@dataclass(frozen=True, slots=True)
class Counts:
    """What the records of a run did. `fetched` counts a record once for each state of it that was shown."""

    fetched: int = 0
    created: int = 0
    updated: int = 0
    unchanged: int = 0
    stale: int = 0
    cancelled: int = 0
    failed: int = 0

    def __add__(self, other: "Counts") -> "Counts":
        return Counts(
            fetched=self.fetched + other.fetched,
            created=self.created + other.created,
            updated=self.updated + other.updated,
            unchanged=self.unchanged + other.unchanged,
            stale=self.stale + other.stale,
            cancelled=self.cancelled + other.cancelled,
            failed=self.failed + other.failed,
        )


@dataclass(frozen=True, slots=True)
class Run:
    """One row of `sync_runs`. Instants are aware UTC."""

    id: int
    company_id: int
    status: RunStatus
    full_history: bool
    window_start: date | None
    """First visit date of the window in the salon's zone; None until the run has planned its reading."""
    progress: Progress
    expected: int | None
    """How many records the visits are expected to be; None while YCLIENTS has not said."""
    counts: Counts
    error: str | None
    started_at: datetime
    finished_at: datetime | None

    @property
    def is_running(self) -> bool:
        """Whether it is still to be carried to its end, by whomever."""
        return self.status is RunStatus.RUNNING
