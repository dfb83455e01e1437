"""A refresh token whose answer was lost gives its successor again; a copied one ends the log-in."""

import anyio
import pytest

from tests.support.people import PASSWORD, PeopleApi, people_api
from zerkalo.auth.model import Tokens
from zerkalo.db.pool import Pool
from zerkalo.kit.problem import ProblemError


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


async def age_uses(people: PeopleApi, seconds: int) -> None:
    """Let what was used have been used so long ago, by the database's clock."""
    async with people.pool.connection() as conn:
        await conn.execute(
            "update refresh_tokens set used_at = used_at - make_interval(secs => %s)", [seconds]
        )


async def test_a_token_used_again_within_a_minute_gives_the_same_successor(people: PeopleApi) -> None:
    await people.register("anna@example.com")
    first = (await people.log_in("anna@example.com")).json()["refresh_token"]
    lost = await people.auth.refresh(first, now=people.now)
    await age_uses(people, 59)

    again = await people.auth.refresh(first, now=people.now)

    assert again.refresh_token == lost.refresh_token
    assert await people.auth.session_of(again.access_token, now=people.now)
    assert await people.auth.refresh(again.refresh_token, now=people.now)


@pytest.mark.parametrize("seconds", [61, 0])
async def test_a_token_used_again_later_or_after_its_successor_ends_the_log_in(
    people: PeopleApi, seconds: int
) -> None:
    await people.register("anna@example.com")
    other = await people.signed_in("anna@example.com")
    first = (await people.log_in("anna@example.com")).json()["refresh_token"]
    second = await people.auth.refresh(first, now=people.now)
    if not seconds:
        await people.auth.refresh(second.refresh_token, now=people.now)
    await age_uses(people, seconds)

    answer = await people.api.client().post("/auth/refresh", json={"refresh_token": first})

    assert (answer.status_code, answer.json()["code"]) == (401, "invalid_token")
    assert await people.auth.session_of(second.access_token, now=people.now) is None
    assert (await other.get("/auth/me")).status_code == 200, "another log-in of theirs is not touched"


async def test_one_token_used_by_many_at_once_gives_one_successor(people: PeopleApi) -> None:
    await people.register("anna@example.com")
    first = (await people.log_in("anna@example.com")).json()["refresh_token"]
    given: list[Tokens] = []

    async def refresh() -> None:
        given.append(await people.auth.refresh(first, now=people.now))

    async with anyio.create_task_group() as tasks:
        for _ in range(6):
            tasks.start_soon(refresh)

    assert len({pair.refresh_token for pair in given}) == 1
    assert await people.auth.refresh(given[0].refresh_token, now=people.now)


@pytest.mark.parametrize("ending", ["logout", "password"])
async def test_a_log_in_that_was_ended_gives_no_successor_again(people: PeopleApi, ending: str) -> None:
    await people.register("anna@example.com")
    tokens = (await people.log_in("anna@example.com")).json()
    pair = await people.auth.refresh(tokens["refresh_token"], now=people.now)
    client = people.api.client(pair.access_token)
    if ending == "logout":
        await client.post("/auth/logout")
    else:
        body = {"old_password": PASSWORD, "new_password": "another long one"}
        assert (await client.post("/auth/password", json=body)).status_code == 200

    with pytest.raises(ProblemError) as refused:
        await people.auth.refresh(tokens["refresh_token"], now=people.now)

    assert refused.value.status == 401
