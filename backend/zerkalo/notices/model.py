"""What a notice is about, and which are sent."""

from collections.abc import Collection
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from zerkalo.kit.language import Language

NO_WAY, OVER_BOUNDS = "no_way", "over_bounds"
"""Why a message about a visit went nowhere: no contact that the user lets us write to; the bounds of SMS."""
TELEGRAM = "telegram"
"""The way of a message beside the channels of `outbox.model.Channel`: its recipient is a chat's number."""


class Kind(StrEnum):
    """Of what a notice tells; the words of NOTICES, and the reminder of REMIND_HOURS_BEFORE."""

    CONFIRMATION = "confirmation"
    MOVED = "moved"
    CANCELLED = "cancelled"
    POINTS = "points"
    BURNING = "burning"
    REMINDER = "reminder"


@dataclass(frozen=True, slots=True)
class NoticePolicy:
    """Which notices are sent, and when not. `quiet`: from which to which hour of the salon's clock; None: never."""

    kinds: Collection[Kind] = ()
    remind_before: timedelta | None = None
    quiet: tuple[int, int] | None = (21, 9)

    @property
    def is_on(self) -> bool:
        """Whether anything is sent at all."""
        return bool(self.kinds) or self.remind_before is not None


@dataclass(frozen=True, slots=True)
class Visit:
    """A booking with a user as it stands, and what its user was told of it last."""

    booking_id: int
    user_id: int
    status: str
    starts_at: datetime
    """With the salon's offset."""
    service_name: str
    staff_name: str | None
    salon: str
    changed_at: datetime
    """When YCLIENTS changed it last."""
    created_at: datetime
    told_user_id: int | None = None
    told_starts_at: datetime | None = None
    told_cancelled: bool = False

    @property
    def is_cancelled(self) -> bool:
        """Whether it does not take place."""
        return self.status == "CANCELLED"


@dataclass(frozen=True, slots=True)
class Reach:
    """How a user can be written to and wants to be: the contacts are proved ones, None where there is none."""

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
    """How a user's points moved, up to an entry."""

    user_id: int
    earned: int
    """By visits."""
    by_hand: int
    """Given by somebody, or, below zero, spent; what was undone meanwhile is none."""
    entry_id: int
    balance: int
    booking_id: int | None
    """The visit of all this; None where there were several, or none."""

    @property
    def came(self) -> int:
        """All that came."""
        return self.earned + max(self.by_hand, 0)

    @property
    def went(self) -> int:
        """What was spent or taken."""
        return max(-self.by_hand, 0)


@dataclass(frozen=True, slots=True)
class WouldBe:
    """What a kind of notice would have been in a span of time, by how people can be written to now."""

    kind: str
    occasions: int
    people: int
    by_email: int
    by_phone: int
    by_telegram: int
    unreachable: int
    """Occasions of which nobody could have been told: no contact that the user lets us write to."""
