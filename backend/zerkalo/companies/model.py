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
    zone_rules: str | None
    """Fingerprint of the zone's rules that the visits are read by (`kit.zones`); None until they are known."""
    zone_data_version: str | None
    """Version of the zone data that the fingerprint was taken from; "" where those did not say."""
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


@dataclass(frozen=True, slots=True)
class Branch:
    """A company of the settings, to choose from. `title` is "" until YCLIENTS has told it."""

    company_id: int
    title: str
    timezone_name: str | None
