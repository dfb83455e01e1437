"""Messages, their senders, and failures to send."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Channel(StrEnum):
    """The kind of a contact, which decides how a message is sent."""

    EMAIL = "email"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Message:
    """A message to send. `recipient`: an e-mail, a phone as E.164, or a Telegram chat's id. `subject`: of a mail."""

    channel: str
    """A `Channel`, or "telegram"."""
    recipient: str
    subject: str
    body: str
    expires_at: datetime
    """Afterwards the message is useless and is dropped."""
    user_id: int | None = None
    """The user it is for, so that erasing them deletes it."""
    kind: str | None = None
    """The kind of notice; None for codes and mails about an account."""
    booking_id: int | None = None
    """The booking it is about: its history lists the message."""


@dataclass(frozen=True, slots=True)
class DueMessage:
    """A message that this process has claimed."""

    id: int
    channel: str
    recipient: str
    subject: str
    body: str
    expires_at: datetime
    attempts: int
    """Tries so far, this one included."""


class SendFailed(Exception):
    """The message was not accepted. `reason`: a few words without recipient and text, for the log and the table.

    `is_final`: another try can't succeed.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final


class Sender(Protocol):
    """The port: something that delivers one message, or raises `SendFailed`."""

    async def send(self, recipient: str, subject: str, body: str) -> None: ...
