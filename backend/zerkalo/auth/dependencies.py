"""The caller, as dependencies for routes: `user: AuthenticatedUser = Depends(current_user(runtime))`."""

from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any, Protocol

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from zerkalo.auth.audit.service import noting
from zerkalo.auth.model import AuthenticatedUser, Role, Session
from zerkalo.auth.rules import address_subject
from zerkalo.auth.service import Auth
from zerkalo.db.pool import Pool
from zerkalo.kit.clock import Clock
from zerkalo.kit.problem import ProblemError

bearer_token = OAuth2PasswordBearer(
    tokenUrl="/api/v1/auth/login", refreshUrl="/api/v1/auth/refresh", auto_error=False
)
"""A dependency that gives the caller's access token, valid or not; None where there is none."""


SAFE_METHODS = frozenset({"GET", "HEAD", "OPTIONS"})
SUBJECT_CHARS_MAX = 200


class AuthRuntime(Protocol):
    """What signing in needs of the process's parts."""

    @property
    def pool(self) -> Pool: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def auth(self) -> Auth: ...


def current_session(runtime: AuthRuntime) -> Callable[..., Awaitable[Session]]:
    """A dependency that gives the caller's session, or raises 401."""

    async def dependency(token: str | None = Depends(bearer_token)) -> Session:
        session = await runtime.auth.session_of(token, now=runtime.clock()) if token else None
        if session is None:
            raise ProblemError(401, "not_signed_in", "Sign in first.", {"WWW-Authenticate": "Bearer"})
        return session

    return dependency


def optional_session(runtime: AuthRuntime) -> Callable[..., Awaitable[Session | None]]:
    """A dependency that gives the caller's session; None without a token or with an invalid one."""

    async def dependency(token: str | None = Depends(bearer_token)) -> Session | None:
        return await runtime.auth.session_of(token, now=runtime.clock()) if token else None

    return dependency


def current_user(runtime: AuthRuntime) -> Callable[..., Awaitable[AuthenticatedUser]]:
    """A dependency that gives the caller, or raises 401."""

    async def dependency(session: Session = Depends(current_session(runtime))) -> AuthenticatedUser:
        return session.user

    return dependency


def staff(runtime: AuthRuntime, needed: Role) -> Any:
    """A `Depends` that gives the caller, if their role covers `needed`; raises 401 without a session, 403 otherwise.

    A request that may change something gets an entry in the log when it has succeeded, unless it wrote one.
    """

    async def dependency(
        request: Request, session: Session = Depends(current_session(runtime))
    ) -> AsyncIterator[AuthenticatedUser]:
        user = session.user
        check_role(user, needed)
        if request.method in SAFE_METHODS:
            yield user
            return
        action, subject = request.scope["route"].name, subject_of(request)
        async with noting(runtime.pool, user.id, action, subject, now=runtime.clock()):
            yield user

    return Depends(dependency, scope="function")


def check_role(user: AuthenticatedUser, needed: Role) -> None:
    """Raise a 403 `ProblemError` where the user's role does not cover `needed`."""
    if user.may(needed):
        return
    if user.role is None:
        raise ProblemError(403, "admins_only", "Only staff may do this.")
    raise ProblemError(403, "role_too_low", "Your role does not allow this; an owner's does.")


def subject_of(request: Request) -> str:
    """The subject in a request's path, such as "user 5"; the whole path where it has no parameters."""
    ids = [f"{name.removesuffix('_id')} {value}" for name, value in request.path_params.items()]
    return ", ".join(ids)[:SUBJECT_CHARS_MAX] or request.url.path[:SUBJECT_CHARS_MAX]


def client_address(request: Request) -> str:
    """The address that a call counts for: the socket's, for IPv6 its /64.

    uvicorn evaluates `X-Forwarded-For` for the proxies named in `--forwarded-allow-ips` (FORWARDED_ALLOW_IPS, by default
    this machine alone) and rewrites the socket's address. The header is not read here, since anybody may send one.
    """
    return address_subject(request.client.host if request.client else None)
