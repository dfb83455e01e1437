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
class TokenPair:
    """What a log-in gives. `expires_in_seconds` is the access token's."""

    access_token: str
    refresh_token: str
    expires_in_seconds: int


@dataclass(frozen=True, slots=True)
class Limit:
    """At most `count_max` tries within any `span`, for each subject."""

    name: str
    count_max: int
    span: timedelta
