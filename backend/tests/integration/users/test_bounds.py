"""What bounds guesses and messages, and that none of it locks the owner out."""

from contextlib import suppress
from dataclasses import replace
from datetime import timedelta

import anyio
import pytest
from psycopg.errors import LockNotAvailable

from tests.support.people import PASSWORD, PeopleApi, people_api
from tests.support.rows import add_user
from zerkalo.auth.model import Limit
from zerkalo.auth.rules import by_address
from zerkalo.auth.store import has_signed_in
from zerkalo.db.pool import Pool
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users.passwords import service as passwords
from zerkalo.users.proving import service as proving
from zerkalo.users.proving.model import Contact, SmsBounds
from zerkalo.users.service import register

EMAIL = Contact(Channel.EMAIL, "anna@example.com")
OWN = "192.0.2.1"


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


def strangers(number: int) -> str:
    """Addresses of one /48, each in a /56 of its own."""
    return f"2001:db8:1:{number % 256:x}00::/64"


async def with_reset_code(people: PeopleApi) -> str:
    """Anna has proved her e-mail and asked for a reset: its code."""
    _, client = await people.registered(EMAIL.text)
    await people.prove(client, "email")
    people.pass_time(minutes=1)
    await passwords.request_reset(people.people, EMAIL, language="ru", address=OWN, now=people.now)
    await people.send_messages()
    return people.senders[Channel.EMAIL].code_for(EMAIL.text)


async def reset(people: PeopleApi, code: str, address: str) -> str:
    try:
        await passwords.confirm_reset(
            people.people, EMAIL, code, "a new password", address=address, now=people.now
        )
    except ProblemError as refused:
        return refused.code
    return "done"


async def test_five_wrong_resets_of_a_stranger_lock_nobody_out(people: PeopleApi) -> None:
    code = await with_reset_code(people)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"

    assert [await reset(people, wrong, "203.0.113.7") for _ in range(6)] == [
        *["wrong_code"] * 5,
        "too_many_requests",
    ]

    assert await reset(people, code, OWN) == "done"


async def test_thirty_wrong_tries_in_all_end_the_code_but_not_the_link(people: PeopleApi) -> None:
    people.people = replace(people.people, public_url="https://salon.test")
    code = await with_reset_code(people)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for number in range(30):
        assert await reset(people, wrong, f"203.0.113.{number}") == "wrong_code"

    assert await reset(people, code, OWN) == "wrong_code"

    body = next(body for _, _, body in reversed(people.senders[Channel.EMAIL].sent))
    link = body.partition("https://salon.test/me/reset?code=")[2].split()[0]
    assert await reset(people, "x" * len(link), OWN) == "wrong_code"
    assert await reset(people, link, OWN) == "done"


@pytest.mark.parametrize(
    ("address", "tries"),
    [
        ("192.0.2.7", 2),
        ("2001:db8:1:1::/64", 2),
        ("2001:db8:1:1{number:02x}::/64", 8),
        ("2001:db8:1:{number:x}00::/64", 32),
    ],
)
async def test_a_network_has_so_many_tries_however_many_addresses_it_has(
    people: PeopleApi, address: str, tries: int
) -> None:
    """Of IPv6 a /64 counts as one address, a /56 as four, a /48 as sixteen."""
    limit = Limit("test", 2, timedelta(hours=1))
    passed = 0
    for number in range(40):
        with suppress(ProblemError):
            await people.auth.count(by_address(limit, address.format(number=number)), now=people.now)
            passed += 1

    assert passed == tries


async def test_a_hundred_wrong_passwords_from_everywhere_leave_the_owners_address(people: PeopleApi) -> None:
    await people.register(EMAIL.text)
    await people.auth.log_in(EMAIL.text, PASSWORD, address=OWN, now=people.now)
    with suppress(ProblemError):  # the registration counted as one
        everywhere = people.auth.limits.login_from_everywhere
        for _ in range(everywhere.count_max):
            await people.auth.count([(everywhere, EMAIL.text)], now=people.now)

    with pytest.raises(ProblemError) as refused:
        await people.auth.log_in(EMAIL.text, PASSWORD, address="203.0.113.8", now=people.now)

    assert refused.value.status == 429
    assert await people.auth.log_in(EMAIL.text, PASSWORD, address=OWN, now=people.now)


async def test_signing_in_to_an_own_account_with_her_email_gives_no_more_guesses_at_hers(
    people: PeopleApi,
) -> None:
    """Anybody may claim an e-mail, and so sign in to an account that shows it, from as many addresses as they have."""
    _, client = await people.registered(EMAIL.text)
    assert (await people.prove(client, "email")).status_code == 200
    await people.auth.log_in(EMAIL.text, PASSWORD, address=OWN, now=people.now)
    strange = "203.0.113.8"
    async with people.pool.connection() as conn:
        claimant = await add_user(conn, email=EMAIL.text)
        await people.auth.new_session(conn, claimant, 0, address=strange, now=people.now)

        known = [
            await has_signed_in(conn, EMAIL.text, people.auth.address_digest(address))
            for address in (OWN, strange)
        ]
    assert known == [True, False]


async def test_the_installation_sends_so_many_sms_an_hour_and_no_more(people: PeopleApi) -> None:
    people.people = replace(people.people, sms=SmsBounds(per_hour=5, per_day=6))
    outcomes: list[str] = []

    async def ask(number: int) -> None:
        async with people.pool.connection() as conn:
            user_id = await add_user(conn, email=f"u{number}@example.com", phone=f"+7999000{number:04}")
        try:
            await proving.request_verification(
                people.people,
                user_id,
                Channel.PHONE,
                language="ru",
                address=strangers(number),
                now=people.now,
            )
            outcomes.append("sent")
        except ProblemError as refused:
            outcomes.append(refused.code)

    async with anyio.create_task_group() as tasks:
        for number in range(12):
            tasks.start_soon(ask, number)
    assert sorted(outcomes) == ["sent"] * 5 + ["too_many_requests"] * 7

    people.pass_time(hours=1)
    for number in range(12, 15):
        await ask(number)
    assert outcomes[12:] == ["sent", "too_many_requests", "too_many_requests"], "the day's bound"


async def test_no_sms_leaves_to_other_countries(people: PeopleApi) -> None:
    async with people.pool.connection() as conn:
        user_id = await add_user(conn, email="a@example.com", phone="+4915112345678")

    with pytest.raises(ProblemError) as refused:
        await proving.request_verification(
            people.people, user_id, Channel.PHONE, language="ru", address=OWN, now=people.now
        )

    assert refused.value.code == "channel_unavailable"


async def test_a_code_with_a_space_or_a_dash_costs_no_try(people: PeopleApi) -> None:
    """`073 986` and `073-986` are what was sent."""
    code = await with_reset_code(people)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for _ in range(4):
        assert await reset(people, wrong, OWN) == "wrong_code"

    assert await reset(people, f" {code[:3]}\N{EN DASH}{code[3:]} ", OWN) == "done"


async def test_a_contact_changes_only_with_the_password_and_the_others_hear(people: PeopleApi) -> None:
    """With a stolen session the phone can't be changed, proved and used to reset."""
    _, client = await people.registered(EMAIL.text, phone="+79991234567")
    for channel in ("email", "phone"):
        await people.prove(client, channel)
    await people.send_messages()
    sent = people.senders[Channel.EMAIL].sent
    sent.clear()

    without = await client.patch("/auth/me", json={"phone": "+79990000000"})
    wrong = await client.patch("/auth/me", json={"phone": "+79990000000", "password": "wrong password"})
    named = await client.patch("/auth/me", json={"name": "Анна"})
    assert [answer.status_code for answer in (without, wrong, named)] == [403, 403, 200]
    assert (without.json()["code"], wrong.json()["code"]) == ("password_required", "wrong_password")
    assert await people.send_messages() == 0

    changed = await client.patch("/auth/me", json={"phone": "+79990000000", "password": PASSWORD})
    assert changed.status_code == 200
    await people.send_messages()
    assert [to for to, _, _ in sent] == [EMAIL.text]
    await people.prove(client, "phone")
    await people.send_messages()
    assert [to for to, _, _ in sent] == [EMAIL.text] * 2, "the newly proved one is told to the other"


async def test_who_has_no_password_confirms_by_a_fresh_code(people: PeopleApi) -> None:
    async with people.pool.connection() as conn:
        user_id = await add_user(conn, email=EMAIL.text, email_verified_at=people.now)
    client = await people.api.as_user(user_id)
    assert (await client.patch("/auth/me", json={"phone": "+79990000000"})).json()["code"] == "code_required"
    assert (await client.delete("/auth/me")).json()["code"] == "code_required"
    assert (await client.post("/auth/verify/request", json={"channel": "email"})).status_code == 202
    await people.send_messages()
    code = people.senders[Channel.EMAIL].code_for(EMAIL.text)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"

    refused = await client.patch("/auth/me", json={"phone": "+79990000000", "code": wrong})
    changed = await client.patch("/auth/me", json={"phone": "+79990000000", "code": code})

    assert (refused.status_code, refused.json()["code"]) == (400, "wrong_code")
    assert changed.json()["phone"] == "+79990000000"
    assert (await client.request("DELETE", "/auth/me", json={"code": code})).status_code == 204


async def test_deleting_takes_the_password(people: PeopleApi) -> None:
    _, client = await people.registered(EMAIL.text)

    without = await client.delete("/auth/me")
    wrong = await client.request("DELETE", "/auth/me", json={"password": "wrong password"})

    assert [without.json()["code"], wrong.json()["code"]] == ["password_required", "wrong_password"]
    assert (await client.request("DELETE", "/auth/me", json={"password": PASSWORD})).status_code == 204


async def test_what_was_committed_is_answered_though_bookings_can_not_be_looked_for(
    people: PeopleApi,
) -> None:
    """The company's barrier is held: registering and proving succeed, and the bookings come later."""

    async def locked(_user_id: int) -> None:
        raise LockNotAvailable

    held = replace(people.people, ports=replace(people.people.ports, on_contact_proved=locked))
    user = await register(
        held, email=EMAIL.text, password=PASSWORD, phone=None, name="", address=OWN, now=people.now
    )
    await proving.request_verification(
        held, user.id, Channel.EMAIL, language="ru", address=OWN, now=people.now
    )
    await people.send_messages()
    code = people.senders[Channel.EMAIL].code_for(EMAIL.text)

    proved = await proving.confirm_verification(
        held, user.id, Channel.EMAIL, code, address=OWN, language="ru", now=people.now
    )

    assert proved.email_verified_at == people.now
    assert proved.rematch_wanted_at is not None, "a job looks for them"
