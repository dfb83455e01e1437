"""Each write of bookings, points, the desk and replaying, with the answer to one of its commits lost, then repeated.

As `test_lost_answers` does it with accounts: whoever is told 503 can repeat what they did, and it is done once.
"""

import asyncio
import json
from collections.abc import AsyncIterator, Awaitable, Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import Any

import httpx2
import pytest

from tests.support.api import Api, ApiRuntime
from tests.support.emulator import sample
from tests.support.form import FormSalon, open_form
from tests.support.lost_answers import Losing, losing_pool
from tests.support.rows import add_booking, add_user
from tests.support.sync import COMPANY_ID, open_salon
from zerkalo.db.pool import Pool
from zerkalo.inbox import store as inbox
from zerkalo.inbox.model import Delivery, Finished
from zerkalo.loyalty import routes as loyalty
from zerkalo.mirror.service import Applier
from zerkalo.settings import Settings
from zerkalo.web import admin_api, clients_api
from zerkalo.webhook.replaying import routes as replaying

pytestmark = pytest.mark.integration

COMMITS_MAX = 5
TIMES_MAX = 4
"""So often somebody comes again, as told."""
KEY = {"Idempotency-Key": "once"}
PAUSES = [0.0, 0.2]
"""Seconds before each commit: with some, all who act at once have read by then."""

Call = Callable[[], Awaitable[httpx2.Response]]
See = Callable[[httpx2.Response], Awaitable[None]]


async def no_time() -> None:
    """The default: at once."""


async def repeated(
    call: Call, losing: Losing, at: int, pass_time: Callable[[], Awaitable[None]] = no_time
) -> httpx2.Response:
    """The call, its `at`th commit's answer lost, and again as long as it is told to come again."""
    losing.lose(at)
    answer = await call()
    losing.lose(0)
    for _ in range(TIMES_MAX):
        if answer.status_code != 503:
            break
        await pass_time()
        answer = await call()
    return answer


# In our form


@pytest.fixture
async def form(dsn: str) -> AsyncIterator[tuple[FormSalon, Losing]]:
    async def at_once(_: float) -> None:
        """Whoever waited in the form would wait for a request that has ended."""

    async with losing_pool(dsn) as (pool, losing), open_form(pool, sleep=at_once) as salon:
        yield salon, losing


async def booked(salon: FormSalon, client: httpx2.AsyncClient) -> dict[str, Any]:
    made = await client.post("/booking", json=await salon.wish(), headers=KEY)
    assert made.status_code == 201, made.text
    return made.json()


async def booking(
    salon: FormSalon, client: httpx2.AsyncClient, headers: dict[str, str] = KEY
) -> tuple[Call, See]:
    wish = await salon.wish(staff_id=0)

    async def call() -> httpx2.Response:
        return await client.post("/booking", json=wish, headers=headers)

    async def see(answer: httpx2.Response) -> None:
        assert answer.status_code in (200, 201), answer.text
        assert len(salon.records()) == 1, "booked once"

    return call, see


async def booking_without_a_key(salon: FormSalon, client: httpx2.AsyncClient) -> tuple[Call, See]:
    return await booking(salon, client, {})


async def moving(salon: FormSalon, client: httpx2.AsyncClient) -> tuple[Call, See]:
    made, to = await booked(salon, client), await salon.free_time(6)

    async def call() -> httpx2.Response:
        return await client.patch(f"/booking/{made['id']}", json={"datetime": to})

    async def see(answer: httpx2.Response) -> None:
        assert answer.status_code == 200, answer.text
        assert answer.json()["appointment_datetime"] == to

    return call, see


async def cancelling(salon: FormSalon, client: httpx2.AsyncClient) -> tuple[Call, See]:
    made = await booked(salon, client)

    async def call() -> httpx2.Response:
        return await client.delete(f"/booking/{made['id']}")

    async def see(answer: httpx2.Response) -> None:
        is_told = answer.status_code == 409 and answer.json()["code"] == "already_cancelled"
        assert answer.status_code == 204 or is_told, answer.text
        assert [one["deleted"] for one in salon.records()] == [True]

    return call, see


async def claiming(salon: FormSalon, client: httpx2.AsyncClient) -> tuple[Call, See]:
    made = await salon.guest.post("/booking", json=await salon.guest_wish(), headers=KEY)
    (record,) = salon.records()
    body = {name: record[name] for name in ("company_id", "record_hash")} | {"record_id": record["id"]}

    async def call() -> httpx2.Response:
        return await client.post("/booking/claim", json=body)

    async def see(answer: httpx2.Response) -> None:
        assert answer.status_code in (200, 201), answer.text
        shown = (await client.get("/booking")).json()["items"]
        assert [one["matched_by"] for one in shown] == ["form"]

    assert made.status_code == 201, made.text
    return call, see


@pytest.mark.parametrize("at", range(1, COMMITS_MAX + 1))
@pytest.mark.parametrize("scene", [booking, booking_without_a_key, moving, cancelling, claiming])
async def test_a_booking_whose_answer_was_lost_can_be_repeated(
    form: tuple[FormSalon, Losing], scene: Any, at: int
) -> None:
    salon, losing = form
    _, client = await salon.user()
    call, see = await scene(salon, client)

    async def pass_a_minute() -> None:
        """By the salon's clock alone: what was claimed, by the database's, is free at once."""
        salon.salon.clock.now += timedelta(minutes=1)

    await see(await repeated(call, losing, at, pass_a_minute))


@pytest.mark.parametrize("pause_seconds", PAUSES)
@pytest.mark.parametrize("scene", [booking, booking_without_a_key, moving, cancelling, claiming])
async def test_a_button_of_the_form_pressed_thrice_at_once_does_it_once(
    form: tuple[FormSalon, Losing], scene: Any, pause_seconds: float
) -> None:
    salon, losing = form
    _, client = await salon.user()
    call, see = await scene(salon, client)
    losing.pause_seconds = pause_seconds

    for answer in await asyncio.gather(*(call() for _ in range(3))):
        await see(answer)


# Points and the desk


class DeskRuntime(ApiRuntime):
    """The parts that the desk's routes need."""

    @property
    def applier(self) -> Applier:
        return Applier(self.pool, clock=self.clock, policy=self.policy)


@pytest.fixture
async def desk(dsn: str) -> AsyncIterator[tuple[Api, Pool, Losing]]:
    async with losing_pool(dsn) as (pool, losing):
        runtime = DeskRuntime(pool, Settings(loyalty_enabled=True))
        yield Api(runtime, loyalty.router, admin_api.router, clients_api.router), pool, losing  # pyright: ignore[reportArgumentType]  # has all they ask for


async def value(pool: Pool, sql: str) -> Any:
    async with pool.connection() as conn:
        row = await (await conn.execute(sql.encode())).fetchone()
    return row and row[0]


NOTED_BY_THE_EDGE = "select count(*) from audit_entries where action not like '%.%'"
NOTED_ONCE = "select count(*) = count(distinct (action, subject, details)) from audit_entries"
"""Each movement once, however often it was asked for."""
DESK: dict[str, tuple[str, dict[str, Any], str, Any]] = {
    "adjusting": (
        "/admin/loyalty/adjust", {"user_id": 1, "points": 50, "reason": "подарок"},
        "select sum(amount)::int from bonus_entries", 150,
    ),
    "redeeming": (
        "/admin/loyalty/redeem", {"user_id": 1, "points": 30, "reason": "скидка"},
        "select sum(amount)::int from bonus_entries", 70,
    ),
    "linking": ("/admin/bookings/1/link", {"user_id": 1}, "select user_id from bookings", 1),
    "unlinking": ("/admin/bookings/1/unlink", {}, "select matched_by from bookings", "manual"),
    "giving a card": ("/admin/clients/1/9/link", {"user_id": 1}, "select user_id from bookings", 1),
    "taking a card back": ("/admin/clients/1/9/unlink", {}, "select user_id from clients", None),
}  # fmt: skip


async def at_the_desk(api: Api, pool: Pool, act: str) -> Call:
    """Anna, who has points, a card with a visit, and an admin who is about to do that."""
    async with pool.connection() as conn:
        user_id = await add_user(conn, name="Анна")
        await conn.execute("insert into clients (company_id, client_id, name) values (1, 9, 'Мария')")
        await add_booking(conn, client_id=9)
    _, admin = await api.new_user(is_admin=True)
    path, body, _, _ = DESK[act]
    gift = {"user_id": user_id, "points": 100, "reason": "начало"}
    await admin.post("/admin/loyalty/adjust", json=gift, headers={"Idempotency-Key": "first"})

    async def call() -> httpx2.Response:
        return await admin.post(path, json=body, headers=KEY)

    return call


@pytest.mark.parametrize("at", range(1, COMMITS_MAX + 1))
@pytest.mark.parametrize("act", DESK)
async def test_what_the_desk_does_is_done_once_though_its_answer_was_lost(
    desk: tuple[Api, Pool, Losing], act: str, at: int
) -> None:
    api, pool, losing = desk
    call = await at_the_desk(api, pool, act)
    _, _, sql, expected = DESK[act]

    answer = await repeated(call, losing, at)

    assert answer.status_code == 200, answer.text
    assert await value(pool, sql) == expected
    await call()
    assert await value(pool, NOTED_BY_THE_EDGE) == 0
    assert await value(pool, NOTED_ONCE)


@pytest.mark.parametrize("pause_seconds", PAUSES)
@pytest.mark.parametrize("act", DESK)
async def test_a_button_of_the_desk_pressed_thrice_at_once_does_it_once(
    desk: tuple[Api, Pool, Losing], act: str, pause_seconds: float
) -> None:
    api, pool, losing = desk
    call = await at_the_desk(api, pool, act)
    _, _, sql, expected = DESK[act]
    losing.pause_seconds = pause_seconds

    answers = await asyncio.gather(*(call() for _ in range(3)))

    assert [one.status_code for one in answers] == [200] * 3, [one.text for one in answers]
    assert await value(pool, sql) == expected
    assert await value(pool, NOTED_BY_THE_EDGE) == 0
    assert await value(pool, NOTED_ONCE)


# Replaying


@dataclass
class ReplayRuntime(ApiRuntime):
    """The parts that replaying needs."""

    sync: Any = None


@pytest.mark.parametrize("at", range(1, COMMITS_MAX + 1))
async def test_a_replay_whose_answer_was_lost_can_be_repeated_and_applies_once(dsn: str, at: int) -> None:
    async with losing_pool(dsn) as (pool, losing), open_salon(pool) as salon:
        await salon.runs.due()
        settings = Settings(yclients_enabled=True, yclients_company_ids=(COMPANY_ID,))
        runtime = ReplayRuntime(pool, settings, now=salon.clock(), sync=salon.context)
        _, admin = await Api(runtime, replaying.router).new_user(is_admin=True)  # pyright: ignore[reportArgumentType]  # has all it asks for
        body = json.dumps(sample("01") | {"company_id": COMPANY_ID}).encode()
        delivery = Delivery(body, salon.clock() - timedelta(hours=1), COMPANY_ID, "record", 1, "create")
        async with pool.connection() as conn:
            await inbox.put(conn, [Finished(delivery, "quarantined", "not read then")], now=salon.clock())

        async def call() -> httpx2.Response:
            return await admin.post("/admin/events/1/replay", headers=KEY)

        answer = await repeated(call, losing, at)

        (kept,) = await salon.fetch("select outcome, booking_id, handled_at from deliveries")
        (booking,) = await salon.rows()
        events = await salon.fetch("select from booking_events")
        asked = await salon.fetch("select from refetches")
    assert answer.status_code == 200, answer.text
    assert answer.json()["status"] == kept["outcome"] != "quarantined"
    assert kept["handled_at"] is not None
    assert booking["id"] == kept["booking_id"], "the desk still says which booking it is about"
    assert (len(events), len(asked)) == (1, 1), "written once, and checked with YCLIENTS once"
