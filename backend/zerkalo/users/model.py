"""Users, as frozen values."""

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from msgspec import Struct

from zerkalo.auth.model import Role
from zerkalo.outbox.model import Channel


class Names(Struct, frozen=True):
    """Keys that users are looked up by: codes as in `users`, e-mails in lower case, last ten digits of phones, ids."""

    codes: frozenset[str] = frozenset()
    emails: frozenset[str] = frozenset()
    phone10s: frozenset[str] = frozenset()
    ids: frozenset[int] = frozenset()


class MatchUser(Struct, frozen=True, gc=False):
    """What matching needs of a user; without contacts that are only claimed."""

    id: int
    unique_code: str | None
    """The code that is written into notes."""
    email_proved: str | None
    """In lower case."""
    phone_proved: str | None
    """E.164."""
    also_codes: tuple[str, ...] = ()
    """Codes of accounts merged into this one: they still name the user."""


@dataclass(frozen=True, slots=True)
class User:
    """A row of `users`."""

    id: int
    email: str | None
    phone: str | None
    """E.164."""
    phone10: str | None
    name: str
    unique_code: str | None
    has_password: bool
    role: str | None
    """A value of `Role`; None for a client."""
    email_verified_at: datetime | None
    phone_verified_at: datetime | None
    token_epoch: int
    created_at: datetime
    updated_at: datetime
    erased_at: datetime | None
    merged_into: int | None
    rematch_wanted_at: datetime | None
    note: str = ""
    """What the salon's staff wrote about the person."""
    signed_in_by_code_at: datetime | None = None
    """When the first sign-in by a code was; None: there was none."""

    @property
    def is_in_use(self) -> bool:
        """Whether somebody signs in to the account, by a password or by codes; then the staff can't hand it to anybody."""
        return self.has_password or self.signed_in_by_code_at is not None

    @property
    def is_admin(self) -> bool:
        """Whether this is an owner."""
        return self.role == Role.OWNER

    def contact(self, channel: Channel) -> str | None:
        """The contact that the user has on this channel, proved or not: an e-mail as typed, a phone as E.164."""
        return self.email if channel is Channel.EMAIL else self.phone

    def verified_at(self, channel: Channel) -> datetime | None:
        """When that contact was proved; None where it is only claimed."""
        return self.email_verified_at if channel is Channel.EMAIL else self.phone_verified_at


@dataclass(frozen=True, slots=True)
class NewUser:
    """A user about to be written. Contacts are canonical: `email` in lower case, `phone` as E.164.

    `unique_code` None: the user gets one later, from `zerkalo codes`. `password_hash` None: the user can't sign in yet.
    """

    email: str | None = None
    phone: str | None = None
    name: str = ""
    unique_code: str | None = None
    password_hash: str | None = None
    role: Role | None = None
    email_proved: bool = False
    phone_proved: bool = False
    created_at: datetime | None = None
    """Of an account imported from another program; None: now."""


class ProofOutcome(StrEnum):
    """How an attempt to prove a contact ended. The values are the `code` of the answer."""

    PROVED = "proved"
    ACCOUNT_EXISTS = "account_exists"
    """The code is right, and another account has proved the contact: the user must say what to do with it."""
    WRONG_CODE = "wrong_code"
    TOO_MANY_TRIES = "too_many_requests"
