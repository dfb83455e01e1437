"""What is known of a branch."""

from dataclasses import dataclass
from datetime import datetime


@dataclass(frozen=True, slots=True)
class Company:
    """What we know of a branch between its runs. Instants are aware UTC."""

    id: int
    title: str
    timezone_name: str | None
    """IANA name; None until YCLIENTS told it."""
    known_since: datetime
    """When it first stood in our settings."""
    last_run_started_at: datetime | None
    last_complete_read_at: datetime | None
    """Start of the last run that read its whole window."""
    history_read_at: datetime | None
    """None: the first full history is still owed."""
    changes_read_until: datetime | None
    """The watermark: every change before it is applied."""
    problem: str | None
    """Why YCLIENTS refuses us; None while it answers."""
