"""People over ASGI: accounts, the codes they are sent, and senders that remember."""

import random
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import timedelta

import httpx2

from tests.support.api import Api, ApiRuntime
from tests.support.salon import BONUSES
from zerkalo.auth import routes as auth_routes
from zerkalo.auth.model import AUTH_LIMITS, AuthLimits
from zerkalo.auth.service import Auth
from zerkalo.bookings.calendar.store import revoke_calendar_token
from zerkalo.codes.rules import new_code
from zerkalo.db.pool import Pool
from zerkalo.loyalty.service import move_ledger, return_ledger, settler_of
from zerkalo.outbox.model import Channel, SendFailed
from zerkalo.outbox.service import send_due
from zerkalo.users import routes as user_routes
from zerkalo.users.desk import routes as admin_routes
from zerkalo.users.entering import routes as entering_routes
from zerkalo.users.passwords import routes as password_routes
from zerkalo.users.ports import Ports
from zerkalo.users.proving import routes as proving_routes
from zerkalo.users.service import People, people_of
from zerkalo.users.store import renew_password_hash

PASSWORD = "correct horse battery"
ROUTES = (user_routes, password_routes, proving_routes, entering_routes, admin_routes)


@dataclass
class RememberingSender:
    """Takes every message and remembers it; refuses instead while `failure` is set."""

    sent: list[tuple[str, str, str]] = field(default_factory=list)
    failure: SendFailed | None = None

    async def send(self, recipient: str, subject: str, body: str) -> None:
        if self.failure is not None:
            raise self.failure
        self.sent.append((recipient, subject, body))

    def code_for(self, recipient: str) -> str:
        """The code in the newest message to this recipient."""
        body = next(body for to, _, body in reversed(self.sent) if to == recipient)
        found = re.search(r"\b\d{6}\b", body)
        assert found is not None
        return found[0]


@dataclass
class PeopleApi(ApiRuntime):
    """The parts that people's routes need, with senders and hooks that remember."""

    senders: Mapping[str, RememberingSender] = field(
        default_factory=lambda: {channel: RememberingSender() for channel in Channel}
    )
    proved: list[int] = field(default_factory=list)
    """For whom `on_contact_proved` was called."""
    limits: AuthLimits = AUTH_LIMITS
    people: People = field(init=False)
    api: Api = field(init=False)

    def __post_init__(self) -> None:
        self.auth = Auth(self.pool, self.secret_key, renew_hash=renew_password_hash, limits=self.limits)
        self.people = people_of(self.auth, self.secret_key, self._ports())
        self.api = Api(self, auth_routes.router, *(one.router for one in ROUTES))

    def _ports(self) -> Ports:
        rng = random.Random(1)

        async def remember(user_id: int) -> None:
            self.proved.append(user_id)

        return Ports(
            new_code=lambda: new_code(rng),
            move_ledger=move_ledger,
            return_ledger=return_ledger,
            settle_bookings=settler_of(BONUSES),
            end_calendar=revoke_calendar_token,
            open_channels=frozenset(map(Channel, self.senders)),
            on_contact_proved=remember,
        )

    def pass_time(self, **span: float) -> None:
        """Moves the clock on."""
        self.now += timedelta(**span)

    async def send_messages(self) -> int:
        """What the periodic job does."""
        return await send_due(self.pool, self.senders, clock=self.clock)

    async def register(self, email: str, password: str = PASSWORD, **more: str) -> httpx2.Response:
        async with self.api.client() as client:
            return await client.post("/auth/register", json={"email": email, "password": password, **more})

    async def log_in(self, email: str, password: str = PASSWORD) -> httpx2.Response:
        async with self.api.client() as client:
            return await client.post("/auth/login", data={"username": email, "password": password})

    async def signed_in(self, email: str, password: str = PASSWORD) -> httpx2.AsyncClient:
        """A client signed in by log-in."""
        answer = await self.log_in(email, password)
        assert answer.status_code == 200, answer.text
        return self.api.client(answer.json()["access_token"])

    async def registered(self, email: str, **more: str) -> tuple[int, httpx2.AsyncClient]:
        """A new account, and a client signed in to it."""
        answer = await self.register(email, **more)
        assert answer.status_code == 201, answer.text
        return answer.json()["id"], await self.signed_in(email, more.get("password", PASSWORD))

    async def prove(self, client: httpx2.AsyncClient, channel: str, **more: str) -> httpx2.Response:
        """Asks for a code, gets it sent, and confirms it with `more`; the clock moves on a minute first."""
        self.pass_time(minutes=1, seconds=1)
        asked = await client.post("/auth/verify/request", json={"channel": channel})
        assert asked.status_code == 202, asked.text
        await self.send_messages()
        me = (await client.get("/auth/me")).json()
        code = self.senders[Channel(channel)].code_for(me[channel])
        return await client.post("/auth/verify/confirm", json={"channel": channel, "code": code, **more})


def people_api(pool: Pool, **parts: object) -> PeopleApi:
    """People's routes on this database."""
    return PeopleApi(pool, **parts)  # pyright: ignore[reportArgumentType]  # has all they ask for
