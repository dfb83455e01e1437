"""The values of signing in."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """What somebody of the salon's staff may do, least first: each may do whatever those before it may."""

    READ_ONLY = "read_only"
    """Sees journal and clients, and changes nothing."""
    RECEPTIONIST = "receptionist"
    """Journal, clients and till; no secrets, settings, erasing or adjusting."""
    OWNER = "owner"

    def covers(self, needed: "Role") -> bool:
        """Whether who has this role may do what `needed` may."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


@dataclass(frozen=True, slots=True)
class AuthenticatedUser:
    """Who is asking, as the database has them at this moment."""

    id: int
    email: str
    """Proved or only claimed; "" where there is none."""
    role: Role | None = None
    """None: a client."""

    @property
    def is_admin(self) -> bool:
        """Whether this is an owner."""
        return self.may(Role.OWNER)

    def may(self, needed: Role) -> bool:
        """Whether their role covers the one that is needed."""
        return self.role is not None and self.role.covers(needed)


def authenticated_user(id_: int, email: str, role: str | None) -> AuthenticatedUser:
    """The user of a row."""
    return AuthenticatedUser(id_, email, Role(role) if role is not None else None)


@dataclass(frozen=True, slots=True)
class Session:
    """An access token that holds: whose it is, and which log-in it descends from."""

    user: AuthenticatedUser
    family: UUID


@dataclass(frozen=True, slots=True)
class Credentials:
    """What a log-in is checked against."""

    user_id: int
    password_hash: str
    token_epoch: int


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """What an access token says, once its signature and its time are seen to be right."""

    user_id: int
    epoch: int
    family: UUID


@dataclass(frozen=True, slots=True)
class Tokens:
    """An open session. `expires_in`: seconds until the access token ends."""

    access_token: str
    refresh_token: str
    expires_in: int
    token_type: str = "bearer"  # noqa: S105 - the kind of token, as OAuth2 names it


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count_max` tries within any `span`, for each subject."""

    name: str
    count_max: int
    span: timedelta


@dataclass(frozen=True, slots=True)
class TurnLimits:
    """How much work that takes a processor a process does at once, and how much may wait; a test hands in smaller ones."""

    at_once: int = 2
    """Hashes computed at the same time: two cores, and 92 MiB."""
    waiting_max: int = 8
    """Waiting calls of one address, of a /56 four times and of a /48 sixteen times as many; more are told to come back."""
    all_waiting_max: int = 512
    """Waiting calls in all, some half a minute of work: a crowd from everywhere must not pile up without end."""
    retry_seconds: int = 5
    """After how many seconds who is turned away is to come back."""


@dataclass(frozen=True, slots=True)
class AuthLimits:
    """How often somebody may try to sign in, register or say a password; a test hands in smaller ones."""

    login_of_account: Limit = Limit("login account", 10, timedelta(minutes=15))
    login_of_address: Limit = Limit("login address", 50, timedelta(minutes=15))
    login_from_everywhere: Limit = Limit("login everywhere", 100, timedelta(hours=1))
    """For one account; then only addresses that have signed in to it before may go on trying."""
    registration_of_account: Limit = Limit("registration account", 10, timedelta(minutes=15))
    """A registration may open an account that is there already, so it is counted like a try to sign in to it."""
    registration_of_address: Limit = Limit("registration address", 20, timedelta(hours=1))
    password_of_user: Limit = Limit("password try", 10, timedelta(minutes=15))
    """From one address, so that whoever holds a stolen session can't keep the owner from changing the password."""
    verifications_per_login: int = 3
    """A log-in compares as many hashes whether nobody or three people claim the address, and whichever of them it is.

    Were a right password answered as soon as it is found, somebody who registers a stranger's address could time their own
    log-in, and learn by a hash more or less whether the stranger is there.
    """
    refresh_grace: timedelta = timedelta(seconds=60)
    """How long a refresh token that was used gives its successor again: the answer may have been lost."""


TURN_LIMITS = TurnLimits()
AUTH_LIMITS = AuthLimits()
