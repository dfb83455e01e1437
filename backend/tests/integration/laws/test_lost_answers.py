"""Each write endpoint of an account, with the answer to one of its commits lost, then repeated as told.

Whoever is told 503 can repeat what they did, and it ends as if nothing had been lost.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx2
import pytest

from tests.support.lost_answers import Losing, losing_pool
from tests.support.people import PASSWORD, PeopleApi, people_api
from zerkalo.outbox.model import Channel

COMMITS_MAX = 4
EMAIL, PHONE = "anna@example.com", "+79991234567"
NEW_PASSWORD = "another long password"

Call = Callable[[], Awaitable[httpx2.Response]]
Scene = Callable[[PeopleApi], Awaitable[tuple[Call, Callable[[httpx2.Response], Awaitable[None]]]]]


@pytest.fixture
async def lossy(dsn: str) -> AsyncIterator[tuple[PeopleApi, Losing]]:
    async with losing_pool(dsn) as (pool, losing):
        yield people_api(pool), losing


async def count(people: PeopleApi, sql: str) -> int:
    async with people.pool.connection() as conn:
        row = await (await conn.execute(sql.encode())).fetchone()
    assert row is not None
    return row[0]


async def registering(people: PeopleApi) -> Any:
    async def call() -> httpx2.Response:
        return await people.register(EMAIL)

    async def see(answer: httpx2.Response) -> None:
        assert answer.status_code == 201, answer.text
        assert await count(people, "select count(*) from users") == 1, "no twin"

    return call, see


async def signing_in(people: PeopleApi) -> Any:
    await people.register(EMAIL)

    async def call() -> httpx2.Response:
        return await people.log_in(EMAIL)

    async def see(answer: httpx2.Response) -> None:
        assert (await people.api.client(answer.json()["access_token"]).get("/auth/me")).status_code == 200

    return call, see


async def refreshing(people: PeopleApi) -> Any:
    await people.register(EMAIL)
    token = (await people.log_in(EMAIL)).json()["refresh_token"]

    async def call() -> httpx2.Response:
        return await people.api.client().post("/auth/refresh", json={"refresh_token": token})

    async def see(answer: httpx2.Response) -> None:
        body = {"refresh_token": answer.json()["refresh_token"]}
        assert (await people.api.client().post("/auth/refresh", json=body)).status_code == 200

    return call, see


async def signing_out(people: PeopleApi) -> Any:
    await people.register(EMAIL)
    token = (await people.log_in(EMAIL)).json()["refresh_token"]

    async def call() -> httpx2.Response:
        return await people.api.client().post("/auth/logout", json={"refresh_token": token})

    async def see(answer: httpx2.Response) -> None:
        assert answer.status_code == 204
        again = await people.api.client().post("/auth/refresh", json={"refresh_token": token})
        assert again.status_code == 401

    return call, see


async def changing_a_contact(people: PeopleApi) -> Any:
    _, client = await people.registered(EMAIL)

    async def call() -> httpx2.Response:
        return await client.patch("/auth/me", json={"phone": PHONE, "password": PASSWORD})

    async def see(answer: httpx2.Response) -> None:
        assert answer.json()["phone"] == PHONE

    return call, see


async def changing_the_password(people: PeopleApi) -> Any:
    _, client = await people.registered(EMAIL)

    async def call() -> httpx2.Response:
        body = {"old_password": PASSWORD, "new_password": NEW_PASSWORD}
        return await client.post("/auth/password", json=body)

    async def see(answer: httpx2.Response) -> None:
        assert (await people.api.client(answer.json()["access_token"]).get("/auth/me")).status_code == 200
        assert (await people.log_in(EMAIL, NEW_PASSWORD)).status_code == 200

    return call, see


async def asking_for_a_code(people: PeopleApi) -> Any:
    _, client = await people.registered(EMAIL)

    async def call() -> httpx2.Response:
        return await client.post("/auth/verify/request", json={"channel": "email"})

    async def see(answer: httpx2.Response) -> None:
        # The one that was written is on its way; another one within the minute is not.
        assert answer.status_code in (202, 429), answer.text
        await people.send_messages()
        assert len(people.senders[Channel.EMAIL].sent) == 1

    return call, see


async def proving(people: PeopleApi) -> Any:
    _, client = await people.registered(EMAIL)
    await client.post("/auth/verify/request", json={"channel": "email"})
    await people.send_messages()
    code = people.senders[Channel.EMAIL].code_for(EMAIL)

    async def call() -> httpx2.Response:
        return await client.post("/auth/verify/confirm", json={"channel": "email", "code": code})

    async def see(answer: httpx2.Response) -> None:
        assert answer.status_code == 200, answer.text
        assert answer.json()["email_verified"] is True

    return call, see


async def joining(people: PeopleApi) -> Any:
    old, old_client = await people.registered("old@example.com", phone=PHONE)
    await people.prove(old_client, "phone")
    people.pass_time(minutes=2)
    new, client = await people.registered(EMAIL, phone=PHONE)
    await client.post("/auth/verify/request", json={"channel": "phone"})
    await people.send_messages()
    body = {"channel": "phone", "code": people.senders[Channel.PHONE].code_for(PHONE)}

    async def call() -> httpx2.Response:
        joined = body | {"resolve": "join", "other_password": PASSWORD}
        return await client.post("/auth/verify/confirm", json=joined)

    async def see(answer: httpx2.Response) -> None:
        assert answer.status_code == 200, answer.text
        assert (answer.json()["id"], answer.json()["phone_verified"]) == (new, True)
        assert await count(people, f"select merged_into from users where id = {old}") == new

    return call, see


async def entering_by_a_code(people: PeopleApi) -> Any:
    await people.api.client().post("/auth/code/request", json={"phone": PHONE})
    await people.send_messages()
    code = people.senders[Channel.PHONE].code_for(PHONE)
    body = {"phone": PHONE, "code": code, "new_account": True}

    async def call() -> httpx2.Response:
        return await people.api.client().post("/auth/code/confirm", json=body)

    async def see(answer: httpx2.Response) -> None:
        assert answer.status_code == 200, answer.text
        assert (await people.api.client(answer.json()["access_token"]).get("/auth/me")).status_code == 200
        assert await count(people, "select count(*) from users") == 1

    return call, see


async def resetting(people: PeopleApi) -> Any:
    _, client = await people.registered(EMAIL)
    await people.prove(client, "email")
    people.pass_time(minutes=1)
    await people.api.client().post("/auth/password/reset/request", json={"email": EMAIL})
    await people.send_messages()
    code = people.senders[Channel.EMAIL].code_for(EMAIL)

    async def call() -> httpx2.Response:
        body = {"email": EMAIL, "code": code, "password": NEW_PASSWORD}
        return await people.api.client().post("/auth/password/reset/confirm", json=body)

    async def see(answer: httpx2.Response) -> None:
        assert answer.status_code == 204, answer.text
        assert (await people.log_in(EMAIL, NEW_PASSWORD)).status_code == 200

    return call, see


async def erasing(people: PeopleApi) -> Any:
    _, client = await people.registered(EMAIL)

    async def call() -> httpx2.Response:
        return await client.request("DELETE", "/auth/me", json={"password": PASSWORD})

    async def see(answer: httpx2.Response) -> None:
        assert answer.status_code == 204, answer.text
        assert await count(people, "select count(*) from users where erased_at is null") == 0

    return call, see


async def merging(people: PeopleApi) -> Any:
    _, admin = await people.api.new_user(is_admin=True)
    old, _ = await people.registered("old@example.com")
    new, _ = await people.registered(EMAIL)

    async def call() -> httpx2.Response:
        return await admin.post(f"/admin/users/{old}/merge", json={"into": new})

    async def see(answer: httpx2.Response) -> None:
        assert (answer.status_code, answer.json()["id"]) == (200, new)

    return call, see


SCENES = [
    registering,
    signing_in,
    refreshing,
    signing_out,
    changing_a_contact,
    changing_the_password,
    asking_for_a_code,
    proving,
    joining,
    entering_by_a_code,
    resetting,
    erasing,
    merging,
]


@pytest.mark.parametrize("pause_seconds", [0.0, 0.2])
@pytest.mark.parametrize("scene", SCENES)
async def test_a_button_pressed_thrice_at_once_does_it_once_and_every_answer_says_so(
    lossy: tuple[PeopleApi, Losing], scene: Scene, pause_seconds: float
) -> None:
    """A browser shows the answer to the last press. `pause_seconds`: before each commit, so that all have read by then."""
    people, losing = lossy
    call, see = await scene(people)
    losing.pause_seconds = pause_seconds

    answers = await asyncio.gather(*(call() for _ in range(3)))

    for answer in answers:
        await see(answer)


@pytest.mark.parametrize("at", range(1, COMMITS_MAX + 1))
@pytest.mark.parametrize("scene", SCENES)
async def test_a_write_whose_answer_was_lost_can_be_repeated(
    lossy: tuple[PeopleApi, Losing], scene: Scene, at: int
) -> None:
    people, losing = lossy
    call, see = await scene(people)
    losing.lose(at)

    answer = await call()
    losing.lose(0)
    if answer.status_code == 503 and answer.json()["code"] == "database_unavailable":
        assert int(answer.headers["retry-after"]) > 0
        answer = await call()
    elif scene is asking_for_a_code:
        answer = await call()

    await see(answer)
    by_the_edge = "select count(*) from audit_entries where action not like '%.%'"
    assert await count(people, by_the_edge) == 0, "what was asked again is noted by whoever did it, once"
