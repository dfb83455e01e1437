"""The values of a sync run."""

from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum

import msgspec


class RunStatus(StrEnum):
    """The status of a run. One that no process carries out any more is `running` too, with an expired lease."""

    RUNNING = "running"
    FINISHED = "finished"
    FAILED = "failed"


class Phase(StrEnum):
    """The parts of a run, in order."""

    RECENT = "recent"
    """Changes since the watermark; first, so that a lost webhook waits no longer than one interval."""
    VISITS = "visits"
    """Every visit from the window's start on (all visits until the history is complete), slice by slice."""
    CHANGED = "changed"
    """Changes within the window's days, whenever the visit is."""
    LAST = "last"
    """Changes while the run was reading, because a record can move from an unread slice into a read one."""


class Slice(msgspec.Struct, frozen=True):
    """Visit dates in the salon's zone, both ends included; `last` None: open to the future."""

    first: date
    last: date | None = None


class Progress(msgspec.Struct, frozen=True, kw_only=True):
    """The progress of a run, stored after each finished part: a process that resumes the run begins here."""

    phase: Phase = Phase.RECENT
    pending: tuple[Slice, ...] | None = None
    """Slices still to be read, in order; None: not planned yet. An unfinished one starts again."""
    full_window: bool = True
    """False: the window is too large for the period, so this run reads only the changes."""
    covered_until: datetime | None = None
    """Every change before this instant (UTC) has been read, or will be in a slice read after it."""
    resumed: int = 0
    """How often another process has resumed the run."""


@dataclass(frozen=True, slots=True)
class Counts:
    """The outcomes of a run's records. `fetched` counts each distinct state of a record once."""

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
    """The expected number of records; None while YCLIENTS has not given it."""
    counts: Counts
    error: str | None
    started_at: datetime
    finished_at: datetime | None

    @property
    def is_running(self) -> bool:
        """Whether it has not ended."""
        return self.status is RunStatus.RUNNING
