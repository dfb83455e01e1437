"""Branches: their state of reading, and what YCLIENTS says of them."""

from dataclasses import dataclass
from datetime import datetime
from typing import Protocol


@dataclass(frozen=True, slots=True)
class Company:
    """The stored state of a branch. Instants are aware UTC."""

    id: int
    title: str
    timezone_name: str | None
    """IANA name; None until YCLIENTS gives it."""
    zone_rules: str | None
    """Fingerprint of the zone rules used to read the visits (`kit.zones`); None until they are known."""
    zone_data_version: str | None
    """Version of the zone data behind the fingerprint; "" where they name none."""
    known_since: datetime
    """When it was first in our settings."""
    last_run_started_at: datetime | None
    last_complete_read_at: datetime | None
    """Start of the last run that read its whole window."""
    history_read_at: datetime | None
    """When the full history was read; None: it still has to be."""
    changes_read_until: datetime | None
    """The watermark: every change before it is applied."""
    problem: str | None
    """Why YCLIENTS refuses us; None while it answers."""


class Told(Protocol):
    """What YCLIENTS says of a branch, for display."""

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
