"""Messages and what becomes of them."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol


class Channel(StrEnum):
    """What a contact is, and how a message reaches it."""

    EMAIL = "email"
    PHONE = "phone"


@dataclass(frozen=True, slots=True)
class Message:
    """Something to send. `recipient`: an e-mail, or a phone as E.164. `subject`: of a mail; SMS have none."""

    channel: str
    """A `Channel`, or "telegram"."""
    recipient: str
    subject: str
    body: str
    expires_at: datetime
    """After it the message is of no use and is dropped."""
    user_id: int | None = None
    """For whom, so that erasing the user finds it."""
    kind: str | None = None
    """Of what a notice tells; None for codes and letters about an account."""
    booking_id: int | None = None
    """Of which booking: its history keeps that the message was."""


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
    """The message was not taken. `reason`: a few words without the recipient and the text, for log and table.

    `is_final`: trying again is of no use.
    """

    def __init__(self, reason: str, *, is_final: bool = False) -> None:
        super().__init__(reason)
        self.reason = reason
        self.is_final = is_final


class Sender(Protocol):
    """The port: something that delivers one message, or raises `SendFailed`."""

    async def send(self, recipient: str, subject: str, body: str) -> None: ...
