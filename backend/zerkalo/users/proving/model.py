"""The values of proving, frozen."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum

from zerkalo.auth.model import Limit
from zerkalo.outbox.model import Channel


@dataclass(frozen=True, slots=True)
class Contact:
    """A contact: an e-mail in lower case, or a phone as E.164."""

    channel: Channel
    text: str

    @property
    def key(self) -> str:
        """The form that is compared: the e-mail itself, the whole number of a phone."""
        return self.text


@dataclass(frozen=True, slots=True)
class Aim:
    """What a code is for: its purpose, the contact it is sent to, and the user."""

    purpose: str
    contact: Contact
    user_id: int | None = None
    """None: the user, if any, who turns out to have the contact."""


class Resolve(StrEnum):
    """What to do with a contact that another account has proved; chosen by the user who knows its code."""

    TAKE = "take"
    """Take the contact: the other account keeps everything, and only claims the contact from now on."""
    JOIN = "join"
    """Merge the other account into this one, by the other account's password."""


@dataclass(frozen=True, slots=True)
class SmsBounds:
    """How many SMS the whole installation sends, and to which countries: each one costs the salon money."""

    per_hour: int = 60
    per_day: int = 300
    countries: tuple[str, ...] = ("RU",)
    """Two-letter codes."""

    @property
    def limits(self) -> list[tuple[Limit, str]]:
        """The limits that one SMS counts in."""
        return [
            (Limit("sms hour", self.per_hour, timedelta(hours=1)), "installation"),
            (Limit("sms day", self.per_day, timedelta(days=1)), "installation"),
        ]
