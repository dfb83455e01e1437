"""The whole application as it runs, worker included if wanted: over ASGI or as a real server, beside the emulator."""

import asyncio
import socket
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import httpx2
import uvicorn
from psycopg.rows import dict_row

from tests.support.rows import add_user
from yclients_emulator import Emulator, EmulatorSettings, new_demo_emulator
from yclients_emulator.cli import new_server
from yclients_emulator.hooks import HookModes
from zerkalo.auth.model import Tokens
from zerkalo.auth.passwords.rules import hash_password
from zerkalo.auth.service import Auth
from zerkalo.main import Runtime, running_app, server_of
from zerkalo.mirror.context import Limits
from zerkalo.settings import Settings, load_settings
from zerkalo.web.api import App

COMPANY_ID = 100200
SECRET = "webhook-secret-of-the-tests"
SECRET_KEY = "a signing key of the tests, long enough"
PASSWORD = "correct horse battery"
PASSWORD_HASH = hash_password(PASSWORD)
WEBHOOK = "/api/v1/yclients/webhook"
ADDRESS = "203.0.113.5"


def free_port() -> int:
    """A port nobody listens on."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]


@asynccontextmanager
async def serving(server: uvicorn.Server) -> AsyncIterator[None]:
    """Runs a server as a task for as long as the block lasts; it leaves the signals to the test runner."""
    task = asyncio.create_task(server._serve(), name="server")
    while not server.started:
        assert not task.done(), "the server did not start"
        await asyncio.sleep(0.01)
    try:
        yield
    finally:
        server.should_exit = True
        await task


@dataclass
class Application:
    """The running application and the emulator that it talks to."""

    app: App
    runtime: Runtime
    emulator: Emulator
    emulator_url: str
    users: dict[str, int] = field(default_factory=dict)

    @property
    def settings(self) -> Settings:
        return self.runtime.settings

    def client(
        self, token: str | None = None, *, address: str = ADDRESS, **options: Any
    ) -> httpx2.AsyncClient:
        """A caller from an address of the internet, signed in by an access token or nobody."""
        headers = {"Authorization": f"Bearer {token}"} if token else {}
        # A 5xx is an answer to look at, not an exception of the test.
        transport = httpx2.ASGITransport(self.app, raise_app_exceptions=False, client=(address, 40_000))
        return httpx2.AsyncClient(
            transport=transport, base_url="http://salon.test", headers=headers, **options
        )

    async def new_user(self, **columns: Any) -> int:
        """A user with `PASSWORD`, unless `columns` say otherwise."""
        async with self.runtime.pool.connection() as conn:
            return await add_user(conn, **{"password_hash": PASSWORD_HASH, **columns})

    async def session_of(self, user_id: int) -> Tokens:
        """A fresh log-in of an existing user."""
        auth: Auth = self.runtime.people.auth
        async with self.runtime.pool.connection() as conn, conn.transaction():
            return await auth.new_session(conn, user_id, 0, now=self.runtime.clock())

    async def mirror(self, record_id: int, company_id: int = COMPANY_ID) -> None:
        """Reads one record from the emulator into the mirror, as is done after a booking of ours."""
        assert await self.runtime.refetcher.read_now(company_id, record_id)

    async def as_user(self, user_id: int, **options: Any) -> httpx2.AsyncClient:
        """A caller signed in as an existing user."""
        return self.client((await self.session_of(user_id)).access_token, **options)

    async def fetch(self, sql: str, *values: Any) -> list[dict[str, Any]]:
        """Rows of any question."""
        async with self.runtime.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(sql, values)  # pyright: ignore[reportArgumentType]  SQL of the tests' own
            return await cursor.fetchall()

    async def execute(self, sql: str, *values: Any) -> None:
        """Changes something behind everybody's back."""
        async with self.runtime.pool.connection() as conn:
            await conn.execute(sql, values)  # pyright: ignore[reportArgumentType]  SQL of the tests' own

    @asynccontextmanager
    async def listening(self, **options: Any) -> AsyncIterator[int]:
        """Yields the port of a real server of the application, made as `zerkalo serve` makes it."""
        port = free_port()
        async with serving(server_of(self.app, "127.0.0.1", port, **options)):
            yield port


def settings_of(folder: Path, emulator_url: str, **environ: str | None) -> Settings:
    """Settings that talk to the emulator; `environ` changes or (None) unsets some."""
    given: dict[str, str | None] = {
        "DATA_DIR": str(folder),
        "SECRET_KEY": SECRET_KEY,
        "YCLIENTS_ENABLED": "True",
        "YCLIENTS_API_URL": emulator_url,
        "YCLIENTS_PARTNER_TOKEN": EmulatorSettings().partner_token,
        "YCLIENTS_USER_TOKEN": EmulatorSettings().user_token,
        "YCLIENTS_COMPANY_ID": str(COMPANY_ID),
        "YCLIENTS_WEBHOOK_SECRET": SECRET,
        "YCLIENTS_REQUESTS_PER_SECOND": "1000",
        "YCLIENTS_REQUESTS_PER_MINUTE": "60000",
        "LOYALTY_ENABLED": "True",
        "LOYALTY_START_DATE": "2000-01-01",
        "PUBLIC_URL": "https://salon.test",
        **environ,
    }
    return load_settings(environ={name: text for name, text in given.items() if text is not None}, cwd=folder)


@asynccontextmanager
async def running_application(
    dsn: str,
    folder: Path,
    *,
    with_worker: bool = False,
    is_demo: bool = True,
    emulator: Emulator | None = None,
    limits: Limits | None = None,
    **environ: str | None,
) -> AsyncIterator[Application]:
    """Yields the application on a migrated database, put together as `zerkalo serve` does it.

    `is_demo`: codes can be asked for, and go to the log. The emulator has no rate limit and lives only if told to.
    """
    emulator = emulator or new_demo_emulator(EmulatorSettings(rate_limit=False), seed=7)
    emulator.hooks.set_modes(HookModes(delay_seconds=0))
    port = free_port()
    url = f"http://127.0.0.1:{port}/api/v1"
    settings = settings_of(folder, url, **environ)
    async with (
        serving(new_server(emulator, port=port)),
        running_app(settings, dsn, with_worker=with_worker, is_demo=is_demo, limits=limits) as (app, runtime),
    ):
        async with runtime.pool.connection() as conn:
            await conn.execute(
                "insert into companies (id, title, timezone_name) values (%s, 'Salon', 'Europe/Moscow')"
                " on conflict do nothing",
                [COMPANY_ID],
            )
        yield Application(app, runtime, emulator, url)
