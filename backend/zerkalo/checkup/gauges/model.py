"""Health figures read from the tables, frozen."""

from collections.abc import Mapping
from dataclasses import dataclass, field


@dataclass(frozen=True, slots=True)
class Gauges:
    """Counts and ages. Ages are in seconds; None: there is nothing to measure."""

    unmatched: int = 0
    """Coming and past bookings without a user, counted up to `store.COUNTED_MAX`."""
    with_candidates: int = 0
    """Bookings that fit several people, counted up to `store.COUNTED_MAX`."""
    quarantine: int = 0
    refetches: int = 0
    refetches_age: float | None = None
    absences: int = 0
    runs_running: int = 0
    refusing: int = 0
    """Companies for which YCLIENTS refuses us."""
    drift: int | None = None
    """Differences found by the last comparison on the desk; None: there was no comparison."""
    drift_age: float | None = None
    messages: int = 0
    messages_age: float | None = None
    tasks_failing: int = 0
    """Periodic tasks that failed several times in a row, as the check-up counts them."""
    worker_age: float | None = None
    webhook_age: float | None = None
    sync_age: float = 0.0
    """Since the slowest company's last successful read began; before the first one, since the server's start."""
    slot_seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    """Share of the rate limit -> seconds until its next request may be sent; 0: at once."""
