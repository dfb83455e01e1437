"""Invitations and the lines of the staff's log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from zerkalo.auth.model import Role


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time link. With a role it makes whoever opens it staff; else it gives a client the account `user_id`."""

    id: int
    role: Role | None
    user_id: int | None
    created_by: int
    created_at: datetime
    expires_at: datetime
    used_at: datetime | None
    used_by: int | None


@dataclass(frozen=True, slots=True)
class Action:
    """A line of the log: what was done to whom or what. `admin_id` None: at the console."""

    id: int
    at: datetime
    admin_id: int | None
    admin_name: str | None
    action: str
    subject: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LogFilters:
    """What of the log is asked for; None: all. Days are the salon's, both included; `zone` names whose they are."""

    zone: str
    admin_id: int | None = None
    action: str | None = None
    first_day: date | None = None
    last_day: date | None = None
