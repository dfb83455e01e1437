"""A webhook whose server ends before the database has answered."""

import asyncio
import json
from collections.abc import Sequence
from datetime import UTC, datetime

import httpx2

from tests.support.vendor import COMPANY_ID, State, event
from zerkalo.mirror.model import Item, Outcome
from zerkalo.webhook.committer import Committer
from zerkalo.webhook.routes import PATH, Tally, Webhook


async def test_a_call_broken_off_by_the_end_of_the_server_is_told_to_come_again() -> None:
    asked = asyncio.Event()

    async def never(items: Sequence[Item]) -> list[Outcome]:
        asked.set()
        await asyncio.Event().wait()
        raise AssertionError("the database does not answer")

    async with Committer(never) as committer:
        webhook = Webhook(
            committer, {COMPANY_ID}, (), clock=lambda: datetime(2026, 12, 1, tzinfo=UTC), tally=Tally()
        )
        transport = httpx2.ASGITransport(webhook)
        async with httpx2.AsyncClient(transport=transport, base_url="http://salon") as client:
            body = json.dumps(event(State(1))).encode()
            call = asyncio.create_task(client.post(PATH, content=body))
            await asked.wait()
            call.cancel("as uvicorn does it")
            answer = await call

    assert (answer.status_code, answer.json()["code"]) == (503, "shutting_down")
    assert int(answer.headers["retry-after"]) > 0
