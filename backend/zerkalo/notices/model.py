"""Notices: their kinds, the policy for sending them, and their subjects."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from zerkalo.kit.language import Language

NO_WAY, OVER_BOUNDS = "no_way", "over_bounds"
"""Why a message about a visit was not sent: the user has no usable channel; the SMS limit is reached."""
TELEGRAM = "telegram"
"""A channel besides those of `outbox.model.Channel`: its recipient is a chat's id."""


class Kind(StrEnum):
    """The kind of a notice: the values of NOTICES, and the reminder of REMIND_HOURS_BEFORE."""

    CONFIRMATION = "confirmation"
    MOVED = "moved"
    CANCELLED = "cancelled"
    POINTS = "points"
    BURNING = "burning"
    REMINDER = "reminder"


@dataclass(frozen=True, slots=True)
class NoticePolicy:
    """Which notices are sent, and when. `quiet`: first and last hour, salon-local, without messages; None: no such hours."""

    kinds: Collection[Kind] = ()
    remind_before: timedelta | None = None
    quiet: tuple[int, int] | None = (21, 9)

    @property
    def is_on(self) -> bool:
        """Return whether any notices are sent."""
        return bool(self.kinds) or self.remind_before is not None


@dataclass(frozen=True, slots=True)
class Visit:
    """The current state of a user's booking, and what the user was last told about it."""

    booking_id: int
    user_id: int
    status: str
    starts_at: datetime
    """With the salon's offset."""
    service_name: str
    staff_name: str | None
    salon: str
    changed_at: datetime
    """When it last changed in YCLIENTS."""
    created_at: datetime
    told_user_id: int | None = None
    told_starts_at: datetime | None = None
    told_cancelled: bool = False

    @property
    def is_cancelled(self) -> bool:
        """Return whether it is cancelled."""
        return self.status == "CANCELLED"


@dataclass(frozen=True, slots=True)
class Reach:
    """A user's proved contacts (None where there is none) and chosen channels."""

    user_id: int
    email: str | None
    phone: str | None
    chat_id: int | None
    by_email: bool
    by_phone: bool
    by_telegram: bool
    language: Language = "ru"


@dataclass(frozen=True, slots=True)
class Movement:
    """The change of a user's points up to a ledger entry."""

    user_id: int
    earned: int
    """By visits."""
    by_hand: int
    """Given by the staff or, below zero, spent; entries undone meanwhile cancel out."""
    entry_id: int
    balance: int
    booking_id: int | None
    """The visit, if all of it is about one; else None."""

    @property
    def came(self) -> int:
        """Return the points gained."""
        return self.earned + max(self.by_hand, 0)

    @property
    def went(self) -> int:
        """Return the points spent or taken."""
        return max(-self.by_hand, 0)


@dataclass(frozen=True, slots=True)
class WouldBe:
    """How many notices of a kind would have been sent in a span of time, by the channels that people have now."""

    kind: str
    occasions: int
    people: int
    by_email: int
    by_phone: int
    by_telegram: int
    unreachable: int
    """Occasions whose user has no usable channel."""
