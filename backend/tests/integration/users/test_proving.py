"""Proving contacts by a code."""

from datetime import UTC, datetime

import anyio
import httpx2
import pytest

from tests.support.people import PASSWORD, PeopleApi, people_api
from tests.support.rows import add_booking, add_user
from zerkalo.db.pool import Pool
from zerkalo.outbox.model import Channel
from zerkalo.users.proving.model import Aim, Contact
from zerkalo.users.proving.rules import CODE_SPAN, proof_digest
from zerkalo.users.proving.store import insert_code

EARLIER = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


async def ask(client: httpx2.AsyncClient, channel: str = "email", **headers: str) -> httpx2.Response:
    return await client.post("/auth/verify/request", json={"channel": channel}, headers=headers)


async def confirm(client: httpx2.AsyncClient, code: str, channel: str = "email") -> httpx2.Response:
    return await client.post("/auth/verify/confirm", json={"channel": channel, "code": code})


def other_than(code: str) -> str:
    return f"{(int(code) + 1) % 1_000_000:06}"


async def imported(people: PeopleApi, **columns: object) -> int:
    """A person as an import leaves her: contacts proved, no password."""
    given = dict(columns)
    for contact in ("email", "phone"):
        if contact in given:
            given[f"{contact}_verified_at"] = EARLIER
    async with people.pool.connection() as conn:
        return await add_user(conn, **given)


@pytest.mark.parametrize("channel", ["email", "phone"])
async def test_the_code_that_was_sent_proves_the_contact(people: PeopleApi, channel: str) -> None:
    user_id, client = await people.registered("anna@example.com", phone="+79991234567")
    people.proved.clear()

    answer = await people.prove(client, channel)

    assert answer.status_code == 200
    assert answer.json()[f"{channel}_verified"] is True
    assert people.proved == [user_id], "her earlier bookings are looked for"
    async with people.pool.connection() as conn:
        wanted = await (await conn.execute("select rematch_wanted_at from users")).fetchone()
    assert wanted == (people.now,), "and remembered until they were"
    again = await ask(client, channel)
    assert (again.status_code, again.json()["code"]) == (409, "already_verified")


async def test_nothing_is_sent_within_the_request(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com")

    assert (await ask(client)).status_code == 202

    assert people.senders[Channel.EMAIL].sent == []
    assert await people.send_messages() == 1


async def test_a_code_is_stored_neither_in_clear_nor_after_it_was_sent(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com")
    await ask(client)
    await people.send_messages()
    code = people.senders[Channel.EMAIL].code_for("anna@example.com")

    async with people.pool.connection() as conn:
        outbox = await (await conn.execute("select recipient, subject, body from outbox")).fetchone()
        stored = await (await conn.execute("select code_hash from verification_codes")).fetchone()

    assert outbox == (None, "", "")
    assert stored is not None
    assert code.encode() not in stored[0]


@pytest.mark.parametrize(
    ("language", "word"), [("ru", "подтверждения"), ("en", "confirm"), ("", "подтверждения")]
)
async def test_the_message_speaks_her_language(people: PeopleApi, language: str, word: str) -> None:
    _, client = await people.registered("anna@example.com")

    await ask(client, **({"Accept-Language": language} if language else {}))
    await people.send_messages()

    (message,) = people.senders[Channel.EMAIL].sent
    assert word in message[2]


async def test_who_proves_a_contact_in_english_is_written_to_in_english_from_then_on(
    people: PeopleApi,
) -> None:
    _, client = await people.registered("anna@example.com", phone="+79991234567")
    for channel, language in (("email", "en"), ("phone", "ru")):
        client.headers["Accept-Language"] = language
        people.pass_time(minutes=2)
        assert (await people.prove(client, channel)).status_code == 200
        async with people.pool.connection() as conn:
            ((kept,),) = await (await conn.execute("select language from users")).fetchall()
        assert kept == "en"


async def test_one_code_a_minute_for_a_user_and_for_a_contact(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com", phone="+79991234567")
    _, other = await people.registered("anna@example.com", password="another password")

    assert (await ask(client)).status_code == 202
    own, others, on_phone = await ask(client), await ask(other), await ask(client, "phone")

    assert own.status_code == others.status_code == 429
    assert 0 < int(own.headers["retry-after"]) <= 60
    assert on_phone.status_code == 202, "another contact is another matter"
    people.pass_time(minutes=1)
    assert (await ask(client)).status_code == 202


async def test_ten_codes_a_day(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com")
    for _ in range(10):
        assert (await ask(client)).status_code == 202
        people.pass_time(minutes=10)
        client = await people.signed_in("anna@example.com")

    refused = await ask(client)

    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 3600


async def test_five_wrong_tries_end_a_code(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com")
    await ask(client)
    await people.send_messages()
    code = people.senders[Channel.EMAIL].code_for("anna@example.com")

    for _ in range(5):
        wrong = await confirm(client, other_than(code))
        assert (wrong.status_code, wrong.json()["code"]) == (400, "wrong_code")
    refused = await confirm(client, code)

    assert refused.status_code == 429
    assert int(refused.headers["retry-after"]) > 0
    assert (await people.prove(client, "email")).status_code == 200, "a new code can be had"


async def test_five_tries_are_five_however_many_come_at_once(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com")
    await ask(client)
    await people.send_messages()
    code = people.senders[Channel.EMAIL].code_for("anna@example.com")
    answers: list[int] = []

    async def guess(number: int) -> None:
        answers.append((await confirm(client, f"{(int(code) + 1 + number) % 1_000_000:06}")).status_code)

    async with anyio.create_task_group() as tasks:
        for number in range(20):
            tasks.start_soon(guess, number)

    assert answers.count(400) == 5
    assert answers.count(429) == 15


async def test_a_code_ends_after_ten_minutes_after_its_use_and_by_a_newer_one(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com", phone="+79991234567")
    sender = people.senders[Channel.EMAIL]
    await ask(client)
    await people.send_messages()
    first = sender.code_for("anna@example.com")
    people.pass_time(minutes=1)
    await ask(client)
    await people.send_messages()
    second = sender.code_for("anna@example.com")

    replaced = await confirm(client, first) if first != second else None
    people.pass_time(minutes=10)
    late = await confirm(client, second)

    assert replaced is None or replaced.status_code == 400
    assert (late.status_code, late.json()["code"]) == (400, "wrong_code")
    assert (await people.prove(client, "phone")).status_code == 200
    used = people.senders[Channel.PHONE].code_for("+79991234567")
    assert (await confirm(client, used, "phone")).status_code == 200, "the same answer again"
    assert (await confirm(client, other_than(used), "phone")).status_code == 400


async def test_a_code_proves_only_the_contact_it_was_sent_to(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com")
    await ask(client)
    await people.send_messages()
    code = people.senders[Channel.EMAIL].code_for("anna@example.com")

    await client.patch("/auth/me", json={"email": "victim@example.com", "password": PASSWORD})
    answer = await confirm(client, code)

    assert (answer.status_code, answer.json()["code"]) == (400, "wrong_code")
    assert (await client.get("/auth/me")).json()["email_verified"] is False


async def test_somebody_elses_code_proves_nothing(people: PeopleApi) -> None:
    _, anna = await people.registered("anna@example.com")
    _, thief = await people.registered("thief@example.com")
    await ask(anna)
    people.pass_time(minutes=1)
    await ask(thief)
    await people.send_messages()
    annas, thiefs = (
        people.senders[Channel.EMAIL].code_for(f"{who}@example.com") for who in ("anna", "thief")
    )

    if annas != thiefs:
        assert (await confirm(thief, annas)).status_code == 400


@pytest.mark.parametrize("channel", ["email", "phone"])
async def test_who_proves_a_contact_ends_the_proof_that_another_had(people: PeopleApi, channel: str) -> None:
    other_channel = Channel.PHONE if channel == "email" else Channel.EMAIL
    own = {"email": "anna@example.com", "phone": "+79991234567"}
    holder_id, holder = await people.registered(own["email"], phone=own["phone"])
    for proved in own:
        assert (await people.prove(holder, proved)).status_code == 200
    async with people.pool.connection() as conn:
        booking = await add_booking(conn, user_id=holder_id, matched_by=channel)
    second_id, second = await people.registered("second@example.com", password="another password")
    await second.patch("/auth/me", json={channel: own[channel], "password": "another password"})
    await people.send_messages()
    for sender in people.senders.values():
        sender.sent.clear()

    assert (await people.prove(second, channel, resolve="take")).status_code == 200

    me = (await holder.get("/auth/me")).json()
    assert (me[channel], me[f"{channel}_verified"]) == (own[channel], False), "a claim is left"
    assert me[f"{other_channel}_verified"] is True
    await people.send_messages()
    assert [to for to, _, _ in people.senders[other_channel].sent] == [own[other_channel]], "the holder hears"
    async with people.pool.connection() as conn:
        row = await (await conn.execute("select user_id from bookings where id = %s", [booking])).fetchone()
    assert row == (holder_id,), "what is linked stays"
    assert second_id != holder_id


@pytest.mark.parametrize("channel", ["email", "phone"])
async def test_of_two_who_prove_one_contact_at_once_one_succeeds(people: PeopleApi, channel: str) -> None:
    sender = people.senders[Channel(channel)]
    contact = "anna@example.com" if channel == "email" else "+79991234567"
    clients: list[httpx2.AsyncClient] = []
    codes: list[str] = []
    for number in range(2):
        _, client = await people.registered(
            "anna@example.com", phone="+79991234567", password=f"password number {number}"
        )
        people.pass_time(minutes=1)
        assert (await ask(client, channel)).status_code == 202
        await people.send_messages()
        clients.append(client)
        codes.append(sender.code_for(contact))
    answers: list[tuple[int, str]] = []

    async def prove(number: int) -> None:
        answer = await confirm(clients[number], codes[number], channel)
        answers.append((answer.status_code, answer.json().get("code", "")))

    async with anyio.create_task_group() as tasks:
        for number in range(2):
            tasks.start_soon(prove, number)

    # Who comes second is told of the first one or, for an e-mail, finds the claim on it gone already.
    statuses = sorted(status for status, _ in answers)
    assert statuses in ([[200, 400], [200, 409]] if channel == "email" else [[200, 409]])
    async with people.pool.connection() as conn:
        proved = await (
            await conn.execute(
                "select count(*) from users"
                " where case when %s = 'email' then email_verified_at else phone_verified_at end is not null",
                [channel],
            )
        ).fetchone()
    assert proved == (1,)


async def test_without_a_gateway_the_request_is_refused_with_its_reason(pool: Pool) -> None:
    people = people_api(pool, senders={})
    _, client = await people.registered("anna@example.com", phone="+79991234567")

    for channel, setting in (("email", "SMTP_URL"), ("phone", "SMS_URL")):
        answer = await ask(client, channel)
        assert (answer.status_code, answer.json()["code"]) == (409, "channel_unavailable")
        assert setting in answer.json()["detail"]


async def test_who_has_no_phone_proves_none(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com")

    assert (await ask(client, "phone")).json()["code"] == "no_contact"
    assert (await confirm(client, "123456", "phone")).json()["code"] == "no_contact"


async def test_who_proves_an_imported_email_takes_over_what_was_imported(people: PeopleApi) -> None:
    old = await imported(
        people, email="anna@example.com", phone="+79991234567", name="Анна Петрова", unique_code="CARD1234"
    )
    async with people.pool.connection() as conn:
        booking = await add_booking(
            conn,
            user_id=old,
            matched_by="email",
            yclients_record_id=7,
            user_code="CARD1234",
            comment="привет",
        )
        await conn.execute(
            "insert into bonus_entries (user_id, booking_id, amount, kind, entry_key, effective_at, created_at)"
            " values (%s, %s, 125, 'accrual', 'k', %s, %s)",
            [old, booking, EARLIER, EARLIER],
        )
    user_id, client = await people.registered("anna@example.com")
    own_code = (await client.get("/auth/me")).json()["unique_code"]

    me = (await people.prove(client, "email")).json()

    assert me == {
        "id": user_id,
        "email": "anna@example.com",
        "phone": "+79991234567",
        "name": "Анна Петрова",
        "unique_code": "CARD1234",
        "email_verified": True,
        "phone_verified": True,
        "is_admin": False,
        "balance": 125,
    }
    async with people.pool.connection() as conn:
        row = await (await conn.execute("select user_id, notes from bookings")).fetchone()
        also = await (await conn.execute("select code, user_id from retired_codes")).fetchall()
        shell = await (
            await conn.execute("select email, unique_code, merged_into from users where id = %s", [old])
        ).fetchone()
    assert row == (user_id, "YClients. ID: 7\nКод клиента: CARD1234\nпривет")
    assert also == [(own_code, user_id)], "the code of her registration names her still"
    assert shell == (None, None, user_id)


async def test_an_imported_account_is_not_taken_over_by_a_phone_if_it_has_an_email(people: PeopleApi) -> None:
    mother = await imported(people, email="mother@example.com", phone="+79991234567", unique_code="CARD1234")
    daughter_id, daughter = await people.registered("mother@example.com", phone="+79991234567")

    assert (await people.prove(daughter, "phone")).json()["code"] == "account_exists"
    assert (await people.prove(daughter, "phone", resolve="take")).status_code == 200

    me = (await daughter.get("/auth/me")).json()
    assert (me["email_verified"], me["phone_verified"]) == (False, True)
    assert await accounts(people) == {mother: "CARD1234", daughter_id: me["unique_code"]}
    await people.send_messages()
    assert [to for to, _, _ in people.senders[Channel.EMAIL].sent] == ["mother@example.com"]


async def test_a_number_of_another_country_that_ends_alike_has_nothing_in_common(people: PeopleApi) -> None:
    """`+91 9161234567` and `+7 916 123-45-67`: each is proved, and neither knows of the other."""
    anna = await imported(people, phone="+79161234567", unique_code="CARD1234")
    async with people.pool.connection() as conn:
        stranger = await add_user(conn, email="s@example.com", phone="+919161234567")
        code = "123456"
        aim = Aim("verify", Contact(Channel.PHONE, "+919161234567"), stranger)
        await insert_code(
            conn,
            aim,
            kept=aim.contact.text,
            code_hash=proof_digest(people.people.proof_key, aim, code),
            now=people.now,
            expires_at=people.now + CODE_SPAN,
        )
    client = await people.api.as_user(stranger)

    assert (await confirm(client, code, "phone")).status_code == 200

    async with people.pool.connection() as conn:
        proved = await (
            await conn.execute("select id from users where phone_verified_at is not null order by id")
        ).fetchall()
    assert proved == [(anna,), (stranger,)]


async def test_a_contact_changed_while_it_is_proved_takes_nothing_over(people: PeopleApi) -> None:
    old = await imported(people, phone="+79991234567", unique_code="CARD1234")
    user_id, client = await people.registered("anna@example.com", phone="+79991234567")
    own_code = (await client.get("/auth/me")).json()["unique_code"]
    people.pass_time(minutes=1)
    assert (await ask(client, "phone")).status_code == 202
    await people.send_messages()
    code = people.senders[Channel.PHONE].code_for("+79991234567")
    answers: list[httpx2.Response] = []

    async def prove() -> None:
        answers.append(await confirm(client, code, "phone"))

    async with people.pool.connection() as conn, anyio.create_task_group() as tasks, conn.transaction():
        await conn.execute("update users set phone = '+79990000000' where id = %s", [user_id])
        tasks.start_soon(prove)
        await somebody_waits(people, answers)

    assert answers[0].status_code == 400
    assert await accounts(people) == {old: "CARD1234", user_id: own_code}, "no merge is left of it"
    assert (await client.get("/auth/me")).json()["phone"] == "+79990000000", "what she wrote stands"


@pytest.mark.parametrize("purpose", ["verify", "reset"])
async def test_a_code_asked_for_while_she_is_erased_leaves_no_contact(
    people: PeopleApi, purpose: str
) -> None:
    user_id, client = await people.registered("anna@example.com")
    if purpose == "reset":
        await people.prove(client, "email")
        people.pass_time(minutes=1)
    answers: list[httpx2.Response] = []

    async def ask_now() -> None:
        if purpose == "verify":
            answers.append(await ask(client))
        else:
            nobody = people.api.client()
            body = {"email": "anna@example.com"}
            answers.append(await nobody.post("/auth/password/reset/request", json=body))

    async with people.pool.connection() as conn, anyio.create_task_group() as tasks, conn.transaction():
        await conn.execute(
            "update users set email = null, email_verified_at = null, erased_at = now() where id = %s",
            [user_id],
        )
        await conn.execute("delete from verification_codes")
        tasks.start_soon(ask_now)
        await somebody_waits(people, answers)

    assert answers[0].status_code == (409 if purpose == "verify" else 202), "told as for an unknown one"
    async with people.pool.connection() as conn:
        left = await (
            await conn.execute(
                "select contact from verification_codes union all select recipient from outbox"
            )
        ).fetchall()
    assert [one for one in left if one != (None,)] == []


async def somebody_waits(people: PeopleApi, answers: list[httpx2.Response]) -> None:
    """Returns once a session of this database waits for another one's lock, or there is an answer without waiting."""
    sql = "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
    async with people.pool.connection() as conn:
        while not answers and await (await conn.execute(sql)).fetchone() == (0,):
            await anyio.sleep(0.01)


async def accounts(people: PeopleApi) -> dict[int, str]:
    """Who is there, with her code."""
    async with people.pool.connection() as conn:
        cursor = await conn.execute("select id, unique_code from users where erased_at is null")
        return dict(await cursor.fetchall())


async def test_an_account_with_a_password_is_never_taken_over(people: PeopleApi) -> None:
    async with people.pool.connection() as conn:
        await add_user(
            conn, phone="+79991234567", phone_verified_at=EARLIER, password_hash="$argon2id$x", email="a@b.ru"
        )
    _, client = await people.registered("anna@example.com", phone="+79991234567")

    assert (await people.prove(client, "phone")).json()["code"] == "account_exists"
    assert (await people.prove(client, "phone", resolve="take")).status_code == 200
    assert len(await accounts(people)) == 2
