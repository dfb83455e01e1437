"""Without YCLIENTS_WEBHOOK_SECRET anybody may post: what a forger can get out of it, and for how long."""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any

import pytest

from tests.support.application import COMPANY_ID, WEBHOOK, Application, running_application
from yclients_emulator import desk
from zerkalo.refetches.store import UNSIGNED_MAX

pytestmark = pytest.mark.integration

CORRECTED_SECONDS_MAX = 10
CODE = "FARMER23"


@pytest.fixture
async def open_door(dsn: str, tmp_path: Path) -> AsyncIterator[Application]:
    """The application with its worker and without a secret."""
    async with running_application(
        dsn, tmp_path, with_worker=True, YCLIENTS_WEBHOOK_SECRET=None
    ) as application:
        yield application


def forged(record_id: int, **fields: Any) -> dict[str, Any]:
    """An event that a stranger makes up: a visit that was, and cost a fortune."""
    data = {
        "id": record_id,
        "company_id": COMPANY_ID,
        "date": "2025-06-02 12:00:00",
        "seance_length": 3600,
        "services": [{"id": 1, "title": "Стрижка", "cost": 900_000, "amount": 1}],
        "client": {"phone": "+79990000001", "name": "Forger"},
        "staff": {"name": "Мастер"},
        "attendance": 1,
        "deleted": False,
        "comment": f"Код клиента: {CODE}",
        "last_change_date": "2099-01-01T12:00:00+0300",
        **fields,
    }
    return {
        "company_id": COMPANY_ID,
        "resource": "record",
        "resource_id": record_id,
        "status": "update",
        "data": data,
    }


async def post(application: Application, event: dict[str, Any], **params: str) -> dict[str, Any]:
    async with application.client() as client:
        answer = await client.post(WEBHOOK, json=event, params=params)
    assert answer.status_code == 200, answer.text
    return answer.json()


async def soon(what: Callable[[], Awaitable[bool]]) -> None:
    async with asyncio.timeout(CORRECTED_SECONDS_MAX):
        while not await what():
            await asyncio.sleep(0.05)


async def entries(application: Application) -> list[dict[str, Any]]:
    return await application.fetch("select * from bonus_entries")


async def waiting(application: Application) -> int:
    return len(await application.fetch("select 1 from refetches"))


async def test_an_invented_visit_earns_nothing_and_disappears(open_door: Application) -> None:
    user_id = await open_door.new_user(email="farmer@mail.test", unique_code=CODE)

    await post(open_door, forged(990_001))

    async def gone() -> bool:
        return not await open_door.fetch("select 1 from bookings where yclients_record_id = 990001")

    await soon(gone)
    assert await entries(open_door) == []
    async with await open_door.as_user(user_id) as client:
        assert (await client.get("/api/v1/auth/me")).json()["balance"] == 0
        assert (await client.get("/api/v1/booking")).json()["items"] == []


async def test_a_real_visit_can_be_neither_completed_nor_moved_nor_cancelled_by_a_stranger(
    open_door: Application,
) -> None:
    await open_door.new_user(email="farmer@mail.test", unique_code=CODE)
    record = desk.create(
        open_door.emulator, company_id=COMPANY_ID, service_ids=(3001,), phone="+79990000002", name="Анна"
    )
    await open_door.mirror(record.id)
    (before,) = await open_door.fetch("select * from bookings where yclients_record_id = %s", record.id)

    for event in (
        forged(record.id),
        forged(record.id, deleted=True),
        forged(record.id, attendance=-1),
        {**forged(record.id), "status": "delete", "data": []},
    ):
        assert (await post(open_door, event))["status"] == "queued"

        async def answered() -> bool:
            return not await waiting(open_door)

        await soon(answered)
        (after,) = await open_door.fetch("select * from bookings where yclients_record_id = %s", record.id)
        # A list tells `online`, a single read does not: a true answer may bring it, and is a write.
        written = {"online", "observation", "revision", "updated_at", "raw_digest", "raw_record"}
        assert {name: value for name, value in after.items() if name not in written} == {
            name: value for name, value in before.items() if name not in written
        }
    assert await entries(open_door) == []


async def test_a_text_meant_to_deceive_goes_within_seconds(open_door: Application) -> None:
    """A record that is new to us is shown before it is asked for, so a forger's text stands for seconds at most."""
    user_id = await open_door.new_user(email="victim@mail.test", unique_code=CODE)
    record = desk.create(
        open_door.emulator,
        company_id=COMPANY_ID,
        service_ids=(3001,),
        phone="+79990000003",
        name="Анна",
        comment=f"Код клиента: {CODE}",
    )
    lure = "Ваша карта заблокирована: http://evil.test"

    await post(open_door, forged(record.id, services=[{"id": 1, "title": lure, "cost": 1, "amount": 1}]))

    async def corrected() -> bool:
        async with await open_door.as_user(user_id) as client:
            items = (await client.get("/api/v1/booking")).json()["items"]
        return bool(items) and lure not in str(items)

    await soon(corrected)
    (row,) = await open_door.fetch("select * from bookings where yclients_record_id = %s", record.id)
    assert lure not in str(row)


async def test_a_token_in_the_address_makes_nobody_believed_where_there_is_no_secret(
    open_door: Application,
) -> None:
    await post(open_door, forged(990_002), token="anything")

    assert not await open_door.fetch("select 1 from bookings where yclients_record_id = 990002")
    assert not await open_door.fetch("select 1 from deliveries")


async def test_a_flood_of_inventions_leaves_a_bounded_number_of_rows(dsn: str, tmp_path: Path) -> None:
    """No worker: nothing is corrected meanwhile."""
    async with running_application(dsn, tmp_path, YCLIENTS_WEBHOOK_SECRET=None) as application:
        async with application.client() as client:
            for start in range(0, 1_500, 100):
                answers = await asyncio.gather(
                    *(client.post(WEBHOOK, json=forged(2_000_000 + start + n)) for n in range(100))
                )
                assert {answer.status_code for answer in answers} == {200}
        counts = [
            (await application.fetch(f"select count(*) from {table}"))[0]["count"]
            for table in ("bookings", "refetches", "deliveries")
        ]

    bookings, refetches, deliveries = counts
    assert bookings == deliveries == 0
    assert refetches <= UNSIGNED_MAX + 1
