"""The values of authentication."""

from dataclasses import dataclass
from datetime import timedelta
from enum import StrEnum
from uuid import UUID


class Role(StrEnum):
    """The roles of the salon's staff, least first: each includes the rights of those before it."""

    READ_ONLY = "read_only"
    """May read the journal and clients."""
    RECEPTIONIST = "receptionist"
    """May use the journal, clients and the till; no secrets, settings, erasing or adjusting."""
    OWNER = "owner"

    def covers(self, needed: "Role") -> bool:
        """Whether this role includes the rights of `needed`."""
        ranks = list(Role)
        return ranks.index(self) >= ranks.index(needed)


@dataclass(frozen=True, slots=True)
class AuthenticatedUser:
    """The caller, as the database has them at this moment."""

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
        """Whether their role covers `needed`."""
        return self.role is not None and self.role.covers(needed)


def authenticated_user(id_: int, email: str, role: str | None) -> AuthenticatedUser:
    """The user of a row."""
    return AuthenticatedUser(id_, email, Role(role) if role is not None else None)


@dataclass(frozen=True, slots=True)
class Session:
    """A valid session: its user, and the log-in that it descends from."""

    user: AuthenticatedUser
    family: UUID


@dataclass(frozen=True, slots=True)
class Credentials:
    """The data that a log-in is checked against."""

    user_id: int
    password_hash: str
    token_epoch: int


@dataclass(frozen=True, slots=True)
class AccessClaims:
    """The claims of an access token whose signature and time have been verified."""

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
    """Limits on hashing in a process, which is bound by the processor; tests supply smaller ones."""

    at_once: int = 2
    """Hashes computed at the same time: two cores, and 92 MiB."""
    waiting_max: int = 8
    """Waiting calls of one address; four times as many of a /56, sixteen times of a /48. Further ones are answered 503."""
    all_waiting_max: int = 512
    """Waiting calls in all, about half a minute of work: a distributed flood must not pile up without bound."""
    retry_seconds: int = 5
    """Retry-After of the 503."""


@dataclass(frozen=True, slots=True)
class AuthLimits:
    """Limits on signing in, registering and confirming by password; tests supply smaller ones."""

    login_of_account: Limit = Limit("login account", 10, timedelta(minutes=15))
    login_of_address: Limit = Limit("login address", 50, timedelta(minutes=15))
    login_from_everywhere: Limit = Limit("login everywhere", 100, timedelta(hours=1))
    """For one account; beyond it only addresses that have signed in to it before may try."""
    registration_of_account: Limit = Limit("registration account", 10, timedelta(minutes=15))
    """A registration may return an existing account, so it counts like a try to sign in to it."""
    registration_of_address: Limit = Limit("registration address", 20, timedelta(hours=1))
    password_of_user: Limit = Limit("password try", 10, timedelta(minutes=15))
    """Per address, so that the holder of a stolen session can't keep the owner from changing the password."""
    verifications_per_login: int = 3
    """Hashes that every log-in compares, however many accounts have the address and whichever of them matches.

    Otherwise somebody who registers a stranger's address could time their own log-in, and learn from the number of
    hashes whether the stranger has an account.
    """
    refresh_grace: timedelta = timedelta(seconds=60)
    """How long a used refresh token returns its successor again, because the first answer may have been lost."""


TURN_LIMITS = TurnLimits()
AUTH_LIMITS = AuthLimits()
