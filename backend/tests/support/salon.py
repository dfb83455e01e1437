"""A salon's server as far as the write path goes: webhook, committer and applier on a real database, called in process."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from decimal import Decimal
from typing import Any

import httpx2
from psycopg.rows import dict_row

from tests.support.vendor import COMPANY_ID, next_number
from zerkalo.db.pool import Pool
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.mirror.service import Applier
from zerkalo.webhook.committer import Committer
from zerkalo.webhook.routes import Tally, Webhook

NOW = datetime(2026, 12, 1, 12, 0, tzinfo=UTC)
SECRET = "a-long-random-word"
NO_BONUSES = LoyaltyPolicy(enabled=False, percent=Decimal(5))
BONUSES = LoyaltyPolicy(enabled=True, percent=Decimal(5))


@dataclass
class Salon:
    """The server, and a look at its tables."""

    pool: Pool
    applier: Applier
    client: httpx2.AsyncClient
    secret: str | None
    rung: list[int] = field(default_factory=list[int])
    """Companies whose bell was rung."""

    async def post(
        self, body: object, *, token: str | None = SECRET, in_path: bool = False
    ) -> httpx2.Response:
        """Call the webhook; bytes go as they are. `token` only where the server has a secret."""
        content = body if isinstance(body, bytes) else json.dumps(body).encode()
        token = token if self.secret else None
        async with self.pool.connection() as conn:  # later than every read that a test has made up before
            await conn.execute("select setval('observations', %s, false)", [next_number()])
        path = "/api/v1/yclients/webhook" + (f"/{token}" if token and in_path else "")
        params = {"token": token} if token and not in_path else {}
        return await self.client.post(path, params=params, content=content)

    async def status(self, body: object) -> str:
        """What a call did, in the words of the contract."""
        answer = await self.post(body)
        assert answer.status_code == 200, answer.text
        return answer.json()["status"]

    async def bookings(self) -> list[dict[str, Any]]:
        return await self.rows("select * from bookings order by yclients_record_id")

    async def booking(self) -> dict[str, Any]:
        (one,) = await self.bookings()
        return one

    async def deliveries(self) -> list[dict[str, Any]]:
        return await self.rows("select * from deliveries order by id")

    async def rows(self, sql: str, *values: object) -> list[dict[str, Any]]:
        async with self.pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
            await cursor.execute(sql.encode(), values)
            return await cursor.fetchall() if cursor.description else []


@asynccontextmanager
async def salon(
    pool: Pool, *, secret: str | None = SECRET, policy: LoyaltyPolicy = NO_BONUSES
) -> AsyncIterator[Salon]:
    """Yields the server of one salon in Moscow."""
    async with pool.connection() as conn:
        await conn.execute(
            "insert into companies (id, timezone_name) values (%s, 'Europe/Moscow') on conflict do nothing",
            [COMPANY_ID],
        )
    rung: list[int] = []

    async def ring(company_id: int) -> None:
        rung.append(company_id)

    applier = Applier(pool, clock=lambda: NOW, order_clock=lambda: NOW, policy=policy, ring=ring)
    async with Committer(applier.apply_items) as committer:
        tally = Tally()
        webhook = Webhook(
            committer, {COMPANY_ID}, (secret,) if secret else (), clock=lambda: NOW, tally=tally
        )
        transport = httpx2.ASGITransport(webhook)
        async with httpx2.AsyncClient(transport=transport, base_url="http://salon") as client:
            yield Salon(pool, applier, client, secret, rung)
        tally.log()
