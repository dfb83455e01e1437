"""The webhook over ASGI with a real PostgreSQL: every fixture body comes in, and the right rows stand there."""

import json
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import httpx2
import pytest

from zerkalo.db.pool import Pool
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.mirror.service import Applier
from zerkalo.webhook.committer import Committer
from zerkalo.webhook.routes import Tally, Webhook

pytestmark = pytest.mark.integration

BODIES = Path(__file__).parents[2] / "fixtures" / "yclients"
NOW = datetime(2027, 3, 1, 9, 0, tzinfo=UTC)
SECRET = "a-long-random-word"
COMPANY_ID = 100200


def body(number: str) -> dict:
    (path,) = BODIES.glob(f"{number}-*.json")
    return json.loads(path.read_text())


@asynccontextmanager
async def webhook(pool: Pool, secret: str | None = SECRET) -> AsyncIterator[httpx2.AsyncClient]:
    applier = Applier(
        pool,
        clock=lambda: NOW,
        order_clock=lambda: NOW,
        policy=LoyaltyPolicy(enabled=False, percent=Decimal(5)),
    )
    async with Committer(applier.apply_items) as committer:
        secrets = (secret,) if secret else ()
        app = Webhook(committer, {COMPANY_ID}, secrets, clock=lambda: NOW, tally=Tally())
        transport = httpx2.ASGITransport(app)
        async with httpx2.AsyncClient(transport=transport, base_url="http://salon") as client:
            async with pool.connection() as conn:
                await conn.execute(
                    "insert into companies (id, timezone_name) values (%s, 'Europe/Moscow')", [COMPANY_ID]
                )
            yield client


async def post(client: httpx2.AsyncClient, event: dict, token: str | None = SECRET) -> tuple[int, dict]:
    answer = await client.post(
        "/api/v1/yclients/webhook", params={"token": token} if token else {}, json=event
    )
    return answer.status_code, answer.json()


async def rows(pool: Pool) -> list[dict]:
    from psycopg.rows import dict_row

    async with pool.connection() as conn, conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute("select * from bookings order by id")
        return await cursor.fetchall()


async def test_a_created_record_becomes_a_booking_with_every_promised_field(pool: Pool) -> None:
    async with webhook(pool) as client:
        status, answer = await post(client, body("01"))
    (row,) = await rows(pool)
    assert (status, answer) == (200, {"status": "applied", "booking_id": row["id"]})
    assert row["service_name"] == "Стрижка"
    assert row["service_price"] == 180_000
    assert row["service_duration"] == 60
    assert row["appointment_datetime"] == datetime(2026, 12, 3, 12, 30, tzinfo=UTC)
    assert row["status"] == "PENDING"
    assert row["phone"] == "+70000000101"
    assert row["staff_name"] == "Мастер Первый"
    assert row["notes"] == "YClients. ID: 1700001\nКод клиента: ABC12345. Позвонить за час"


@pytest.mark.parametrize(
    ("numbers", "statuses"),
    [
        (["01", "01"], ["applied", "unchanged"]),
        (["01", "02", "13"], ["applied", "applied", "stale"]),
        (["01", "03"], ["applied", "applied"]),
        (["07"], ["queued"]),
        (["08"], ["ignored"]),
        (["09"], ["applied"]),
        (["10"], ["applied"]),
        (["11"], ["applied"]),
        (["12"], ["queued"]),
        (["01", "12"], ["applied", "queued"]),
        (["14"], ["applied"]),
        (["15"], ["ignored"]),
        (["16"], ["ignored"]),
        (["17"], ["ignored"]),
        (["18"], ["ignored"]),
    ],
)
async def test_each_body_does_what_it_says(pool: Pool, numbers: list[str], statuses: list[str]) -> None:
    async with webhook(pool) as client:
        answers = [await post(client, body(number)) for number in numbers]
    assert [answer["status"] for _, answer in answers] == statuses
