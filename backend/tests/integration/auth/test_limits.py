"""How often somebody may try: over the wire, at once, and from two processes."""

import asyncio
import json
import sys
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import anyio
import pytest

from tests.support.people import PASSWORD, PeopleApi, people_api
from zerkalo.auth import store
from zerkalo.auth.model import AUTH_LIMITS, AuthLimits, Limit
from zerkalo.auth.passwords.service import Passwords
from zerkalo.auth.service import Auth
from zerkalo.db.pool import Pool
from zerkalo.kit.problem import ProblemError

BACKEND = Path(__file__).resolve().parents[3]


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


async def test_ten_failures_close_an_account_to_this_address_for_a_while(people: PeopleApi) -> None:
    await people.register("anna@example.com")
    for _ in range(10):
        assert (await people.log_in("anna@example.com", "wrong password")).status_code == 401

    refused = await people.log_in("anna@example.com")

    assert (refused.status_code, refused.json()["code"]) == (429, "too_many_requests")
    wait = int(refused.headers["retry-after"])
    assert 0 < wait <= 15 * 60
    assert (await people.log_in("olga@example.com", "wrong password")).status_code == 401
    people.pass_time(seconds=wait)
    assert (await people.log_in("anna@example.com")).status_code == 200


async def test_log_ins_that_succeed_are_no_failures(people: PeopleApi) -> None:
    await people.register("anna@example.com")

    for _ in range(12):
        assert (await people.log_in("anna@example.com")).status_code == 200


class CrowdedPasswords(Passwords):
    """Everybody is at the door already."""

    async def verify(self, password: str, password_hash: str | None, *, address: str) -> bool:
        raise ProblemError(503, "busy", "Too many people sign in at once.", {"Retry-After": "5"})


async def test_log_ins_for_which_nobody_had_time_are_no_failures(people: PeopleApi) -> None:
    await people.register("anna@example.com")
    auth = Auth(people.pool, people.secret_key, passwords=CrowdedPasswords())
    for _ in range(12):
        with pytest.raises(ProblemError) as busy:
            await auth.log_in("anna@example.com", PASSWORD, address="203.0.113.7", now=people.now)
        assert busy.value.status == 503

    assert await people.auth.log_in("anna@example.com", PASSWORD, address="203.0.113.7", now=people.now)


async def test_fifty_failures_close_the_address_whatever_the_account(people: PeopleApi) -> None:
    auth = people.auth
    for number in range(50):
        await auth.count([(AUTH_LIMITS.login_of_address, "203.0.113.7")], now=people.now)
        assert number < 50

    with pytest.raises(ProblemError) as refused:
        await auth.log_in("new@example.com", PASSWORD, address="203.0.113.7", now=people.now)

    assert refused.value.status == 429
    with pytest.raises(ProblemError) as wrong:
        await auth.log_in("new@example.com", PASSWORD, address="203.0.113.8", now=people.now)
    assert wrong.value.status == 401


async def test_twenty_registrations_an_hour_from_an_address(people: PeopleApi) -> None:
    async def register(number: int) -> int:
        return (await people.register(f"user{number}@example.com")).status_code

    for number in range(20):
        assert await register(number) == 201
    assert await register(20) == 429

    people.pass_time(hours=1)
    assert await register(21) == 201


async def test_a_hundred_guesses_at_once_are_a_hundred_tries(people: PeopleApi) -> None:
    limit = Limit("test", 10, AUTH_LIMITS.login_of_account.span)
    passed = 0

    async def guess() -> None:
        nonlocal passed
        try:
            await people.auth.count([(limit, "somebody")], now=people.now)
            passed += 1
        except ProblemError:
            return

    async with anyio.create_task_group() as tasks:
        for _ in range(100):
            tasks.start_soon(guess)

    assert passed == 10


async def test_a_try_that_is_refused_costs_none_of_the_other_buckets(people: PeopleApi) -> None:
    narrow, wide = (
        Limit("narrow", 1, AUTH_LIMITS.login_of_account.span),
        Limit("wide", 5, AUTH_LIMITS.login_of_account.span),
    )
    await people.auth.count([(narrow, "a"), (wide, "a")], now=people.now)
    for _ in range(10):
        with pytest.raises(ProblemError):
            await people.auth.count([(narrow, "a"), (wide, "a")], now=people.now)

    for _ in range(4):
        await people.auth.count([(wide, "a")], now=people.now)


def few(name: str) -> Limit:
    return Limit(name, 2, timedelta(minutes=1))


@pytest.mark.parametrize("bound", ["login_of_account", "login_of_address", "login_from_everywhere"])
async def test_each_bound_of_logging_in_is_the_one_that_is_handed_in(pool: Pool, bound: str) -> None:
    people = people_api(pool, limits=replace(AuthLimits(), **{bound: few("few")}))

    told = [(await people.log_in("olga@example.com", "wrong password")).status_code for _ in range(3)]

    assert told == [401, 401, 429]
    people.pass_time(minutes=1)
    assert (await people.log_in("olga@example.com", "wrong password")).status_code == 401


@pytest.mark.parametrize("bound", ["registration_of_account", "registration_of_address"])
async def test_each_bound_of_registering_is_the_one_that_is_handed_in(pool: Pool, bound: str) -> None:
    people = people_api(pool, limits=replace(AuthLimits(), **{bound: few("few")}))

    told = [(await people.register("olga@example.com", f"a long password {n}")).status_code for n in range(3)]

    assert told == [201, 201, 429]


async def test_the_bound_of_saying_the_password_again_is_the_one_that_is_handed_in(pool: Pool) -> None:
    people = people_api(pool, limits=AuthLimits(password_of_user=few("few")))
    _, client = await people.registered("olga@example.com")

    told = [
        (await client.patch("/auth/me", json={"phone": "+79991234567", "password": "wrong"})).status_code
        for _ in range(3)
    ]

    assert told == [403, 403, 429]


PROGRAM = """
import asyncio, json, sys
from datetime import UTC, datetime
from zerkalo.auth.service import Auth
from zerkalo.db.pool import open_pool
from zerkalo.kit.problem import ProblemError

async def main(dsn):
    async with open_pool(dsn, name="guesser") as pool:
        auth = Auth(pool, "a secret of the tests, long enough")
        print("ready", flush=True)
        sys.stdin.readline()
        statuses = []
        for _ in range(10):
            try:
                await auth.log_in("anna@example.com", "wrong", address="203.0.113.7", now=datetime.now(UTC))
            except ProblemError as refused:
                statuses.append(refused.status)
        print(json.dumps(statuses), flush=True)

asyncio.run(main(sys.argv[1]))
"""


async def test_tries_of_a_clock_that_was_hours_ahead_lock_nobody_out(people: PeopleApi) -> None:
    limit = Limit("a test", 2, timedelta(minutes=15))
    for _ in range(2):
        await people.auth.count([(limit, "anna")], now=people.now + timedelta(hours=3))

    for _ in range(2):
        await people.auth.count([(limit, "anna")], now=people.now)
    with pytest.raises(ProblemError):
        await people.auth.count([(limit, "anna")], now=people.now)


@pytest.mark.slow
async def test_two_processes_share_one_limit(dsn: str) -> None:
    guessers = [
        await asyncio.create_subprocess_exec(
            sys.executable,
            "-c",
            PROGRAM,
            dsn,
            stdin=asyncio.subprocess.PIPE,
            stdout=asyncio.subprocess.PIPE,
            cwd=BACKEND,
        )
        for _ in range(2)
    ]
    for guesser in guessers:
        assert guesser.stdout is not None
        assert await guesser.stdout.readline() == b"ready\n"

    told = await asyncio.gather(*(guesser.communicate(b"go\n") for guesser in guessers))

    statuses = [status for out, _ in told for status in json.loads(out)]
    assert len(statuses) == 20
    assert statuses.count(401) == 10, "ten failures in all, not ten each"
    assert statuses.count(429) == 10


async def test_pruning_leaves_what_still_counts(people: PeopleApi) -> None:
    auth: Auth = people.auth
    await auth.count([(AUTH_LIMITS.login_of_account, "old")], now=people.now)
    people.pass_time(days=3)
    await auth.count([(AUTH_LIMITS.login_of_account, "new")], now=people.now)

    async with people.pool.connection() as conn:
        await store.prune(conn, now=people.now)
        count = await (await conn.execute("select count(*) from attempts")).fetchone()

    assert count == (1,)
