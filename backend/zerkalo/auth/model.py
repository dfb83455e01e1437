"""The values of signing in."""

from dataclasses import dataclass
from datetime import timedelta
from uuid import UUID


@dataclass(frozen=True, slots=True)
class AuthenticatedUser:
    """Who is asking, as the database has her at this moment."""

    id: int
    email: str
    """Proved or only claimed; "" where she has none."""
    is_admin: bool


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
