"""Routers called in-process over ASGI, by nobody, a user or an admin, at a time that the test sets."""

from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

import httpx2
from fastapi import APIRouter, FastAPI

from tests.support.rows import add_user
from zerkalo.auth.service import Auth
from zerkalo.db.pool import Pool
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.loyalty.programme.service import policy_of
from zerkalo.settings import Settings
from zerkalo.web.errors import install_error_handlers

SECRET_KEY = "a secret of the tests, long enough"
NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)


@dataclass
class ApiRuntime:
    """The parts that routes need. `now` is what its clock says."""

    pool: Pool
    settings: Settings = field(default_factory=Settings)
    now: datetime = NOW
    secret_key: str = SECRET_KEY
    auth: Auth = field(init=False)

    def __post_init__(self) -> None:
        self.auth = Auth(self.pool, self.secret_key)

    @property
    def policy(self) -> LoyaltyPolicy:
        return policy_of(self.settings)

    def clock(self) -> datetime:
        return self.now


class Api:
    """Calls to routers. `as_user` and `as_admin` give clients that are signed in."""

    def __init__(self, runtime: ApiRuntime, *routers: Callable[[ApiRuntime], APIRouter]) -> None:
        self.runtime = runtime
        self.app = FastAPI()
        for router in routers:
            self.app.include_router(router(runtime), prefix="/api/v1")
        install_error_handlers(self.app)

    def client(self, token: str | None = None) -> httpx2.AsyncClient:
        """A client that is nobody, or who the access token says."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # A 5xx is an answer to look at, not an exception of the test.
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False)
        return httpx2.AsyncClient(transport=transport, base_url="http://test/api/v1", headers=headers)

    async def as_user(self, user_id: int) -> httpx2.AsyncClient:
        """A client signed in as an existing user."""
        async with self.runtime.pool.connection() as conn, conn.transaction():
            pair = await self.runtime.auth.new_session(conn, user_id, 0, now=self.runtime.now)
        return self.client(pair.access_token)

    async def new_user(self, **columns: Any) -> tuple[int, httpx2.AsyncClient]:
        """A new user and a client signed in as her."""
        async with self.runtime.pool.connection() as conn:
            user_id = await add_user(conn, **columns)
        return user_id, await self.as_user(user_id)
