"""Invitations and entries of the staff's log."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import date, datetime
from typing import Any

from zerkalo.auth.model import Role


@dataclass(frozen=True, slots=True)
class Invitation:
    """A one-time link. With a role it adds its user to the staff; else it gives a client the account `user_id`."""

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
    """An entry of the log: what was done to which subject. `admin_id` None: at the console."""

    id: int
    at: datetime
    admin_id: int | None
    admin_name: str | None
    action: str
    subject: str
    details: Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class LogFilters:
    """Filters of the log; None: all. Days are dates in `zone`, both ends included."""

    zone: str
    admin_id: int | None = None
    action: str | None = None
    first_day: date | None = None
    last_day: date | None = None
