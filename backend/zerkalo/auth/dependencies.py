"""Who is asking, as dependencies for routes: `user: AuthenticatedUser = Depends(current_user(runtime))`."""

from collections.abc import Awaitable, Callable
from typing import Protocol

from fastapi import Depends, Request
from fastapi.security import OAuth2PasswordBearer

from zerkalo.auth.model import AuthenticatedUser, Session
from zerkalo.auth.rules import address_subject
from zerkalo.auth.service import Auth
from zerkalo.db.pool import Pool
from zerkalo.kit.clock import Clock
from zerkalo.kit.problem import ProblemError

bearer_token = OAuth2PasswordBearer(
    tokenUrl="/api/v1/auth/login", refreshUrl="/api/v1/auth/refresh", auto_error=False
)
"""A dependency that gives the caller's access token, valid or not; None where there is none."""


class AuthRuntime(Protocol):
    """What signing in needs of the process's parts."""

    @property
    def pool(self) -> Pool: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def secret_key(self) -> str: ...


def auth_of(runtime: AuthRuntime) -> Auth:
    """Signing in with this process's pool and keys."""
    return Auth(runtime.pool, runtime.secret_key)


def current_session(runtime: AuthRuntime) -> Callable[..., Awaitable[Session]]:
    """A dependency that gives the caller's session, or raises 401."""
    auth = auth_of(runtime)

    async def dependency(token: str | None = Depends(bearer_token)) -> Session:
        session = await auth.session_of(token, now=runtime.clock()) if token else None
        if session is None:
            raise ProblemError(401, "not_signed_in", "Sign in first.", {"WWW-Authenticate": "Bearer"})
        return session

    return dependency


def optional_session(runtime: AuthRuntime) -> Callable[..., Awaitable[Session | None]]:
    """A dependency that gives the caller's session, None where there is none. A token that does not hold is none."""
    auth = auth_of(runtime)

    async def dependency(token: str | None = Depends(bearer_token)) -> Session | None:
        return await auth.session_of(token, now=runtime.clock()) if token else None

    return dependency


def current_user(runtime: AuthRuntime) -> Callable[..., Awaitable[AuthenticatedUser]]:
    """A dependency that gives the caller, or raises 401."""

    async def dependency(session: Session = Depends(current_session(runtime))) -> AuthenticatedUser:
        return session.user

    return dependency


def current_admin(runtime: AuthRuntime) -> Callable[..., Awaitable[AuthenticatedUser]]:
    """A dependency that gives the caller, if an admin; raises 401 for nobody and 403 for any other user."""

    async def dependency(session: Session = Depends(current_session(runtime))) -> AuthenticatedUser:
        if not session.user.is_admin:
            raise ProblemError(403, "admins_only", "Only an admin may do this.")
        return session.user

    return dependency


def client_address(request: Request) -> str:
    """For whom this call counts: the socket's address, of IPv6 the /64.

    `X-Forwarded-For` is believed only where uvicorn believes it: it rewrites the socket's address for proxies named in
    its `--forwarded-allow-ips` (FORWARDED_ALLOW_IPS, by default this machine alone). The header itself is not read
    here, since anybody may write one.
    """
    return address_subject(request.client.host if request.client else None)
