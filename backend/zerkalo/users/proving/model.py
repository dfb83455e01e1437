"""What proving works with, as frozen values."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from zerkalo.auth.model import Limit
from zerkalo.outbox.model import Channel


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact that somebody names: an e-mail in lower case, or a phone as E.164."""

    channel: Channel
    text: str

    @property
    def key(self) -> str:
        """The form in which it is compared: the e-mail itself, a phone's whole number."""
        return self.text


@dataclass(frozen=True, slots=True)
class Aim:
    """What a code is for: to what end, sent where, to whom."""

    purpose: str
    contact: Contact
    user_id: int | None = None
    """None: whoever turns out to have the contact."""


class Resolve(StrEnum):
    """What is to be done with a contact that another account has proved, by who has seen its code."""

    TAKE = "take"
    """It is mine now: the other account keeps all it has, and only claims the contact."""
    JOIN = "join"
    """The other account is mine too, as its password shows: it is merged into this one."""


@dataclass(frozen=True, slots=True)
class SmsBounds:
    """How many SMS the whole installation sends, and to which countries: each one costs the salon money."""

    per_hour: int = 60
    per_day: int = 300
    countries: tuple[str, ...] = ("RU",)
    """Two-letter codes."""

    @property
    def limits(self) -> list[tuple[Limit, str]]:
        """What one SMS is counted in."""
        return [
            (Limit("sms hour", self.per_hour, timedelta(hours=1)), "installation"),
            (Limit("sms day", self.per_day, timedelta(days=1)), "installation"),
        ]
