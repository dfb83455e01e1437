"""Signing in, staying signed in, signing out."""

from datetime import timedelta

import anyio
import pytest

from tests.support.people import PASSWORD, PeopleApi, people_api
from zerkalo.auth.model import Tokens
from zerkalo.db.pool import Pool
from zerkalo.kit.problem import ProblemError


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


async def test_log_in_gives_a_pair_of_tokens_that_opens_me(people: PeopleApi) -> None:
    await people.register("anna@example.com")

    answer = await people.log_in(" ANNA@example.com ")

    assert answer.status_code == 200
    assert answer.headers["cache-control"] == "no-store"
    body = answer.json()
    assert body.keys() == {"access_token", "refresh_token", "token_type", "expires_in"}
    assert (body["token_type"], body["expires_in"]) == ("bearer", 900)
    me = await people.api.client(body["access_token"]).get("/auth/me")
    assert me.json()["email"] == "anna@example.com"


@pytest.mark.parametrize(
    ("username", "password"),
    [
        ("anna@example.com", "wrong password"),
        ("nobody@example.com", PASSWORD),
        ("no e-mail", PASSWORD),
        ("anna@example.com\x00", PASSWORD),
    ],
)
async def test_a_wrong_log_in_does_not_say_what_was_wrong(
    people: PeopleApi, username: str, password: str
) -> None:
    await people.register("anna@example.com")

    answer = await people.log_in(username, password)

    assert (answer.status_code, answer.json()["code"]) == (401, "wrong_credentials")


async def test_an_access_token_ends_by_itself_and_a_refresh_token_gives_a_new_one(people: PeopleApi) -> None:
    await people.register("anna@example.com")
    tokens = (await people.log_in("anna@example.com")).json()
    client = people.api.client(tokens["access_token"])
    people.pass_time(minutes=15)

    ended = await client.get("/auth/me")
    renewed = await client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})

    assert (ended.status_code, ended.json()["code"]) == (401, "not_signed_in")
    assert renewed.status_code == 200
    assert renewed.json()["refresh_token"] != tokens["refresh_token"]
    me = await people.api.client(renewed.json()["access_token"]).get("/auth/me")
    assert me.status_code == 200


@pytest.mark.parametrize("token", ["", "made up", "x" * 5000, "\ud800", "\x00"])
async def test_a_made_up_refresh_token_is_refused(people: PeopleApi, token: str) -> None:
    answer = await people.api.client().post(
        "/auth/refresh", content=b'{"refresh_token": "' + token.encode("unicode_escape") + b'"}'
    )

    assert answer.status_code in (401, 422)


async def test_a_refresh_token_ends_after_thirty_days(people: PeopleApi) -> None:
    await people.register("anna@example.com")
    token = (await people.log_in("anna@example.com")).json()["refresh_token"]

    people.now += timedelta(days=30)

    answer = await people.api.client().post("/auth/refresh", json={"refresh_token": token})
    assert answer.status_code == 401


async def test_log_out_ends_this_session_at_once_and_no_other(people: PeopleApi) -> None:
    await people.register("anna@example.com")
    tokens = (await people.log_in("anna@example.com")).json()
    client = people.api.client(tokens["access_token"])
    other = await people.signed_in("anna@example.com")

    assert (await client.post("/auth/logout")).status_code == 204

    assert (await client.get("/auth/me")).status_code == 401
    refreshed = await client.post("/auth/refresh", json={"refresh_token": tokens["refresh_token"]})
    assert refreshed.status_code == 401
    assert (await other.get("/auth/me")).status_code == 200


async def test_log_out_works_by_the_refresh_token_alone(people: PeopleApi) -> None:
    await people.register("anna@example.com")
    tokens = (await people.log_in("anna@example.com")).json()

    answer = await people.api.client().post("/auth/logout", json={"refresh_token": tokens["refresh_token"]})

    assert answer.status_code == 204
    assert (await people.api.client(tokens["access_token"]).get("/auth/me")).status_code == 401
    assert (await people.api.client().post("/auth/logout")).status_code == 204, "nothing to end is fine"


async def test_a_changed_password_ends_every_other_session(people: PeopleApi) -> None:
    await people.register("anna@example.com")
    client = await people.signed_in("anna@example.com")
    other = await people.signed_in("anna@example.com")

    wrong = await client.post(
        "/auth/password", json={"old_password": "wrong", "new_password": "another long one"}
    )
    changed = await client.post(
        "/auth/password", json={"old_password": PASSWORD, "new_password": "another long one"}
    )

    assert (wrong.status_code, wrong.json()["code"]) == (403, "wrong_password")
    assert changed.status_code == 200
    assert (await other.get("/auth/me")).status_code == 401
    assert (await client.get("/auth/me")).status_code == 401, "her own old token too"
    assert (await people.api.client(changed.json()["access_token"]).get("/auth/me")).status_code == 200
    assert (await people.log_in("anna@example.com")).status_code == 401
    assert (await people.log_in("anna@example.com", "another long one")).status_code == 200


async def test_a_refresh_at_the_moment_of_a_password_change_survives_it_never(people: PeopleApi) -> None:
    for round_ in range(6):
        email = f"anna{round_}@example.com"
        await people.register(email)
        tokens = (await people.log_in(email)).json()
        client = await people.signed_in(email)
        refreshed: list[Tokens] = []

        async def refresh(token: str = tokens["refresh_token"], into: list[Tokens] = refreshed) -> None:
            try:
                into.append(await people.auth.refresh(token, now=people.now))
            except ProblemError:
                return

        async with anyio.create_task_group() as tasks:
            tasks.start_soon(refresh)
            await client.post(
                "/auth/password", json={"old_password": PASSWORD, "new_password": "another long one"}
            )

        for pair in refreshed:
            assert await people.auth.session_of(pair.access_token, now=people.now) is None
            with pytest.raises(ProblemError):
                await people.auth.refresh(pair.refresh_token, now=people.now)


async def test_passwords_are_kept_as_argon2id_and_tokens_as_digests(people: PeopleApi) -> None:
    await people.register("anna@example.com")
    tokens = (await people.log_in("anna@example.com")).json()

    async with people.pool.connection() as conn:
        (hashed,) = await (await conn.execute("select password_hash from users")).fetchone() or ("",)
        (stored,) = await (await conn.execute("select token_hash from refresh_tokens")).fetchone() or (b"",)

    assert hashed.startswith("$argon2id$")
    assert PASSWORD not in hashed
    assert tokens["refresh_token"].encode() not in stored
