"""A new password by a proved contact."""

from datetime import UTC, datetime, timedelta
from typing import Any

import anyio
import httpx2
import pytest

from tests.support.people import PASSWORD, PeopleApi, people_api
from tests.support.rows import add_user
from zerkalo.bookings.calendar.store import make_calendar_token, user_of_calendar_token
from zerkalo.db.pool import Pool
from zerkalo.notices import store as notices
from zerkalo.outbox.model import Channel
from zerkalo.users.proving.codes import service as codes

EARLIER = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def reset(
    people: PeopleApi, contact: dict[str, str], password: str = "a new password"
) -> httpx2.Response:
    """Asks for a code, gets it sent if there is anybody to send it to, and confirms."""
    people.pass_time(minutes=1)
    client = people.api.client()
    asked = await client.post("/auth/password/reset/request", json=contact)
    assert asked.status_code == 202
    await people.send_messages()
    ((channel, text),) = contact.items()
    try:
        code = people.senders[Channel(channel)].code_for(text)
    except StopIteration:
        code = "123456"
    return await client.post(
        "/auth/password/reset/confirm", json={**contact, "code": code, "password": password}
    )


async def test_a_proved_email_sets_a_new_password_and_ends_every_session(people: PeopleApi) -> None:
    user_id, client = await people.registered("anna@example.com", phone="+79991234567")
    for channel in ("email", "phone"):
        await people.prove(client, channel)
    async with people.pool.connection() as conn:
        calendar = await make_calendar_token(conn, user_id, now=people.now)
        await notices.connect_chat(conn, user_id, 77)
        await notices.insert_code(conn, user_id, b"digest", expires_at=people.now + timedelta(minutes=15))
    people.senders[Channel.PHONE].sent.clear()

    assert (await reset(people, {"email": "anna@example.com"})).status_code == 204

    assert (await client.get("/auth/me")).status_code == 401
    assert (await people.log_in("anna@example.com")).status_code == 401
    assert (await people.log_in("anna@example.com", "a new password")).status_code == 200
    async with people.pool.connection() as conn:
        assert await user_of_calendar_token(conn, calendar) is None, "the calendar's address ends too"
        assert (await notices.reach_of(conn, [user_id]))[user_id].chat_id is None, "and the chat"
        assert not await notices.has_codes(conn, now=people.now)
    await people.send_messages()
    assert [to for to, _, _ in people.senders[Channel.PHONE].sent] == ["+79991234567"], (
        "the other contact hears"
    )


async def test_an_sms_alone_resets_no_account_that_has_a_password(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com", phone="+79991234567")
    await people.prove(client, "phone")
    people.senders[Channel.PHONE].sent.clear()

    assert (await reset(people, {"phone": "+79991234567"})).status_code == 400

    assert people.senders[Channel.PHONE].sent == []
    assert (await client.get("/auth/me")).status_code == 200


async def test_a_phone_alone_sets_no_first_password_for_an_imported_account(people: PeopleApi) -> None:
    async with people.pool.connection() as conn:
        await add_user(
            conn,
            email="mother@example.com",
            email_verified_at=EARLIER,
            phone="+79991234567",
            phone_verified_at=EARLIER,
        )

    answer = await reset(people, {"phone": "+79991234567"})

    assert answer.status_code == 400
    assert people.senders[Channel.PHONE].sent == []
    assert (await people.log_in("mother@example.com", "a new password")).status_code == 401
    assert (await reset(people, {"email": "mother@example.com"})).status_code == 204, (
        "her e-mail is hers alone"
    )


async def test_an_unproved_contact_resets_nothing_and_tells_nothing(people: PeopleApi) -> None:
    await people.registered("anna@example.com")

    claimed = await reset(people, {"email": "anna@example.com"})
    unknown = await reset(people, {"email": "nobody@example.com"})

    assert claimed.status_code == unknown.status_code == 400
    assert claimed.json() == unknown.json()
    assert people.senders[Channel.EMAIL].sent == []
    assert (await people.log_in("anna@example.com")).status_code == 200


async def test_a_reset_request_takes_as_long_for_unknown_as_for_known(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com")
    await people.prove(client, "email")
    people.pass_time(minutes=1)

    async def seconds(email: str) -> float:
        started = anyio.current_time()
        await people.api.client().post("/auth/password/reset/request", json={"email": email})
        return anyio.current_time() - started

    known, unknown = await seconds("anna@example.com"), await seconds("nobody@example.com")

    assert min(known, unknown) >= 0.29
    assert await people.send_messages() == 1, "only the one was written to"


async def test_guesses_at_a_reset_code_are_limited_for_known_and_unknown_alike(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com")
    await people.prove(client, "email")
    people.pass_time(minutes=1)
    nobody = people.api.client()
    await nobody.post("/auth/password/reset/request", json={"email": "anna@example.com"})
    await people.send_messages()
    code = people.senders[Channel.EMAIL].code_for("anna@example.com")

    async def guess(email: str) -> int:
        body = {"email": email, "code": other_than(code), "password": "a new password"}
        return (await nobody.post("/auth/password/reset/confirm", json=body)).status_code

    for email in ("anna@example.com", "nobody@example.com"):
        assert [await guess(email) for _ in range(6)] == [400] * 5 + [429]
    assert (await people.log_in("anna@example.com", PASSWORD)).status_code == 200


@pytest.mark.parametrize("body", [{}, {"email": "a@example.com", "phone": "+79991234567"}, {"email": "x"}])
async def test_a_reset_names_one_contact(people: PeopleApi, body: dict[str, str]) -> None:
    answer = await people.api.client().post("/auth/password/reset/request", json=body)

    assert answer.status_code == 422


async def test_an_sms_resets_no_account_that_gets_a_role_at_the_same_moment(
    people: PeopleApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with people.pool.connection() as conn:
        anna = await add_user(
            conn,
            email="anna@example.com",
            phone="+79991234567",
            phone_verified_at=EARLIER,
            password_hash=None,
        )
    take = codes.take_code

    async def taken(*args: Any, **more: Any) -> Any:
        refused = await take(*args, **more)
        async with people.pool.connection() as conn:
            await conn.execute("update users set role = 'owner' where id = %s", [anna])
        return refused

    monkeypatch.setattr(codes, "take_code", taken)
    assert (await reset(people, {"phone": "+79991234567"})).status_code == 400

    async with people.pool.connection() as conn:
        cursor = await conn.execute("select password_hash from users where id = %s", [anna])
        assert await cursor.fetchone() == (None,)
