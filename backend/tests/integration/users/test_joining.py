"""Registering with a contact that another account has proved: after the right code one signs in there, joins the two, or
takes the contact; and nobody gets into an account by one contact of it.
"""

from datetime import UTC, datetime

import httpx2
import pytest

from tests.support.people import PASSWORD, PeopleApi, people_api
from tests.support.rows import add_booking, add_user
from zerkalo.auth.passwords.rules import hash_password
from zerkalo.db.pool import Pool
from zerkalo.outbox.model import Channel
from zerkalo.users.merging.service import undo_merge

EARLIER = datetime(2025, 1, 1, tzinfo=UTC)
EMAIL, PHONE, OLD_PASSWORD = "anna@example.com", "+79991234567", "the password of before"
OLD_HASH = hash_password(OLD_PASSWORD)


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


async def old_account(people: PeopleApi, **columns: object) -> int:
    """An account of before, with a visit, whose contacts are proved."""
    given = {
        "email": EMAIL,
        "email_verified_at": EARLIER,
        "phone": PHONE,
        "phone_verified_at": EARLIER,
        "password_hash": OLD_HASH,
        "unique_code": "CARD1234",
        "name": "Анна Петрова",
    }
    async with people.pool.connection() as conn:
        user_id = await add_user(conn, **(given | columns))
        await add_booking(conn, user_id=user_id, matched_by="phone", user_code="CARD1234")
    return user_id


async def newcomer(people: PeopleApi, channel: str) -> tuple[int, httpx2.AsyncClient]:
    """Somebody who registers with that e-mail, or with an e-mail of their own and that phone."""
    if channel == "email":
        return await people.registered(EMAIL)
    return await people.registered("new@example.com", phone=PHONE)


async def code_for(people: PeopleApi, client: httpx2.AsyncClient, channel: str) -> str:
    people.pass_time(minutes=1, seconds=1)
    assert (await client.post("/auth/verify/request", json={"channel": channel})).status_code == 202
    await people.send_messages()
    return people.senders[Channel(channel)].code_for(EMAIL if channel == "email" else PHONE)


async def confirm(client: httpx2.AsyncClient, channel: str, code: str, **more: str) -> httpx2.Response:
    return await client.post("/auth/verify/confirm", json={"channel": channel, "code": code, **more})


async def owner_of_visit(people: PeopleApi) -> int:
    async with people.pool.connection() as conn:
        row = await (await conn.execute("select user_id from bookings")).fetchone()
    assert row is not None
    return row[0]


@pytest.mark.parametrize("channel", ["email", "phone"])
async def test_the_right_code_says_that_there_is_an_account_and_changes_nothing(
    people: PeopleApi, channel: str
) -> None:
    old = await old_account(people)
    new, client = await newcomer(people, channel)
    code = await code_for(people, client, channel)

    answer = await confirm(client, channel, code)

    assert (answer.status_code, answer.json()["code"]) == (409, "account_exists")
    assert EMAIL not in answer.text
    assert await owner_of_visit(people) == old
    assert (await client.get("/auth/me")).json()[f"{channel}_verified"] is False
    assert (await people.log_in(EMAIL, OLD_PASSWORD)).status_code == 200, "one of the two ways: sign in there"
    assert new != old


@pytest.mark.parametrize("channel", ["email", "phone"])
async def test_a_wrong_code_does_not_tell_that_there_is_one(people: PeopleApi, channel: str) -> None:
    await old_account(people)
    _, client = await newcomer(people, channel)
    code = await code_for(people, client, channel)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"

    for more in ({}, {"resolve": "take"}, {"resolve": "join", "other_password": OLD_PASSWORD}):
        answer = await confirm(client, channel, wrong, **more)
        assert (answer.status_code, answer.json()["code"]) == (400, "wrong_code")


@pytest.mark.parametrize("channel", ["email", "phone"])
async def test_the_password_of_the_other_joins_the_two(people: PeopleApi, channel: str) -> None:
    old = await old_account(people)
    before = await people.signed_in(EMAIL, OLD_PASSWORD)
    new, client = await newcomer(people, channel)
    code = await code_for(people, client, channel)

    answer = await confirm(client, channel, code, resolve="join", other_password=OLD_PASSWORD)

    assert answer.status_code == 200, answer.text
    assert answer.json()["id"] == new
    assert answer.json()["unique_code"] == "CARD1234", "it is printed on a card"
    assert answer.json()[f"{channel}_verified"] is True
    assert await owner_of_visit(people) == new
    assert (await before.get("/auth/me")).status_code == 401, "the sessions of the other end"
    assert (await people.log_in(EMAIL, OLD_PASSWORD)).status_code == 401
    assert (await people.log_in(answer.json()["email"], PASSWORD)).status_code == 200
    await people.send_messages()
    told = [to for to, _, text in people.senders[Channel.EMAIL].sent if "объединён" in text]
    assert told == [EMAIL], "the owner of the other hears, in case it was not them"
    again = await confirm(client, channel, code, resolve="join", other_password=OLD_PASSWORD)
    assert again.status_code == 200, "a lost answer costs nothing"
    assert old != new


@pytest.mark.parametrize("channel", ["email", "phone"])
@pytest.mark.parametrize("password", ["", PASSWORD, "guess"])
async def test_the_code_alone_joins_nothing(people: PeopleApi, channel: str, password: str) -> None:
    """Who reads the SMS of a number that changed hands, or talked somebody into reading a code out."""
    old = await old_account(people)
    _, client = await newcomer(people, channel)
    code = await code_for(people, client, channel)

    answer = await confirm(client, channel, code, resolve="join", other_password=password)

    assert (answer.status_code, answer.json()["code"]) == (403, "wrong_password")
    assert await owner_of_visit(people) == old


async def test_guesses_at_the_other_s_password_end_with_the_code(people: PeopleApi) -> None:
    old = await old_account(people)
    _, client = await newcomer(people, "phone")
    code = await code_for(people, client, "phone")

    statuses = [
        (await confirm(client, "phone", code, resolve="join", other_password=f"guess {n}")).status_code
        for n in range(7)
    ]

    assert statuses == [403] * 5 + [429] * 2
    assert await owner_of_visit(people) == old


async def test_the_password_alone_joins_nothing(people: PeopleApi) -> None:
    old = await old_account(people)
    _, client = await newcomer(people, "phone")
    await code_for(people, client, "phone")

    answer = await confirm(client, "phone", "000000", resolve="join", other_password=OLD_PASSWORD)

    assert answer.json()["code"] == "wrong_code"
    assert await owner_of_visit(people) == old


@pytest.mark.parametrize(
    "columns", [{"role": "receptionist"}, {"role": "owner"}, {"password_hash": None}], ids=str
)
async def test_what_can_not_be_proved_here_is_not_joined(
    people: PeopleApi, columns: dict[str, object]
) -> None:
    """One of the staff's, and one that is entered by a code to its e-mail: that one is signed in to."""
    old = await old_account(people, **columns)
    _, client = await newcomer(people, "phone")
    code = await code_for(people, client, "phone")

    answer = await confirm(client, "phone", code, resolve="join", other_password=OLD_PASSWORD)

    assert (answer.status_code, answer.json()["code"]) == (409, "cannot_join")
    assert await owner_of_visit(people) == old


async def test_of_several_holders_none_is_joined_and_all_can_be_left(people: PeopleApi) -> None:
    for email in (EMAIL, "mother@example.com"):
        await old_account(people, email=email, unique_code=None)
    _, client = await people.registered("new@example.com", phone=PHONE)
    code = await code_for(people, client, "phone")

    joined = await confirm(client, "phone", code, resolve="join", other_password=OLD_PASSWORD)
    taken = await confirm(client, "phone", code, resolve="take")

    assert (joined.status_code, taken.status_code) == (409, 200)


async def test_a_joined_account_can_be_parted_by_the_desk_within_a_day(people: PeopleApi) -> None:
    old = await old_account(people)
    new, client = await newcomer(people, "phone")
    async with people.pool.connection() as conn:
        owner = await add_user(conn, email="owner@example.com", email_verified_at=EARLIER, role="owner")
    code = await code_for(people, client, "phone")
    await confirm(client, "phone", code, resolve="join", other_password=OLD_PASSWORD)
    async with people.pool.connection() as conn:
        row = await (await conn.execute("select id, admin_id from merges")).fetchone()
    assert row is not None
    assert row[1] is None

    back = await undo_merge(people.people, row[0], admin_id=owner, now=people.now)

    assert (back.id, await owner_of_visit(people)) == (old, old)
    assert (await people.log_in(EMAIL, OLD_PASSWORD)).status_code == 200
    assert (await client.get("/auth/me")).json()["id"] == new


@pytest.mark.parametrize("resolve", ["", "steal", "TAKE"])
async def test_another_word_is_refused(people: PeopleApi, resolve: str) -> None:
    _, client = await newcomer(people, "phone")

    assert (await confirm(client, "phone", "000000", resolve=resolve)).status_code == 422
