"""What is known of a branch."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


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


class Told(Protocol):
    """What YCLIENTS says of a branch, for people."""

    @property
    def title(self) -> str: ...
    @property
    def address(self) -> str: ...
    @property
    def phone(self) -> str: ...
    @property
    def may_move(self) -> bool | None: ...
    @property
    def may_delete(self) -> bool | None: ...
    @property
    def move_seconds_before(self) -> int: ...
    @property
    def delete_seconds_before(self) -> int: ...


@dataclass(frozen=True, slots=True)
class Branch:
    """A company of the settings, to choose from and to find. Texts are "" until YCLIENTS has told them."""

    company_id: int
    title: str
    timezone_name: str | None
    address: str = ""
    phone: str = ""
    may_move: bool | None = None
    """Whether clients may move their visits; None: YCLIENTS does not say, which is no refusal."""
    may_cancel: bool | None = None
    move_seconds_before: int = 0
    """Until how long before the visit."""
    cancel_seconds_before: int = 0
