"""Callers who go on while servers are restarted, and what they are answered."""

import asyncio
from collections import Counter
from collections.abc import Awaitable, Callable, Sequence
from contextlib import AbstractAsyncContextManager
from typing import Any

import httpx2

SECRET = "secret-that-no-log-may-hold"
COMPANY_ID = 100200
CALLERS = 8
PAUSE_SECONDS = 0.1
"""Between a caller's calls: what is asked is what a restart loses, not how many calls a machine bears."""
PATIENCE_SECONDS = 120.0
"""How long a caller waits for an answer: a machine with other work is slow, and that is no failure."""

Open = Callable[[], AbstractAsyncContextManager[httpx2.AsyncClient]]
"""Opens a caller's way through the proxy."""


def event(record_id: int) -> dict[str, Any]:
    """The body of a webhook about a new booking."""
    data = {
        "id": record_id,
        "company_id": COMPANY_ID,
        "date": "2027-01-10 12:00:00",
        "datetime": "2027-01-10T12:00:00+03:00",
        "seance_length": 3600,
        "services": [{"id": 1, "title": "Стрижка", "cost": 1800, "amount": 1}],
        "attendance": 0,
        "deleted": False,
        "comment": "",
        "client": {"id": record_id, "name": "Клиент", "phone": f"+7000{record_id:07d}", "email": ""},
        "staff": {"name": "Мастер"},
        "last_change_date": "2026-01-01T12:00:00+0300",
    }
    return {
        "company_id": COMPANY_ID,
        "resource": "record",
        "resource_id": record_id,
        "status": "create",
        "data": data,
    }


async def restart_under_load(
    open_caller: Open, restarts: Sequence[Callable[[], Awaitable[None]]]
) -> Counter[str]:
    """Do the restarts, one after the other, with callers all the while; what those were answered."""
    stop, answers = asyncio.Event(), Counter[str]()
    calling = [
        asyncio.create_task(_call(open_caller, number + 1, stop, answers)) for number in range(CALLERS)
    ]
    for restart in restarts:
        before = answers.total()
        while answers.total() < before + 20 * CALLERS:  # all of them are at work
            await asyncio.sleep(0.05)
        await restart()
    stop.set()
    await asyncio.gather(*calling)
    return answers


def failed(answers: Counter[str]) -> dict[str, int]:
    """What was not answered as it should be."""
    return {answer: count for answer, count in answers.items() if " 200" not in answer}


async def _call(open_caller: Open, number: int, stop: asyncio.Event, answers: Counter[str]) -> None:
    """One caller, webhooks and pages by turns until `stop`; every answer is counted."""
    record_id = number * 100_000
    async with open_caller() as client:
        while not stop.is_set():
            record_id += 1
            try:
                told = await client.post(f"/api/v1/yclients/webhook?token={SECRET}", json=event(record_id))
                page = await client.get("/me/sign-in")
            except httpx2.TransportError as error:
                answers[type(error).__name__] += 1
                continue
            await asyncio.sleep(PAUSE_SECONDS)
            status = told.json()["status"] if told.status_code == httpx2.codes.OK else ""
            answers[f"webhook {told.status_code} {status}"] += 1
            answers[f"page {page.status_code}"] += 1
