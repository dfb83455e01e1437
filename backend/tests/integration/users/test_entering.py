"""Signing in by a code to a contact: who is let in, who is told what, and who never learns anything."""

from dataclasses import replace
from datetime import UTC, datetime

import httpx2
import pytest

from tests.support.people import PASSWORD, PeopleApi, people_api
from tests.support.rows import add_user
from zerkalo.db.pool import Pool
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users.desk.service import edit_user
from zerkalo.users.entering import service
from zerkalo.users.erasing.service import erase_oneself
from zerkalo.users.proving.model import Contact, SmsBounds
from zerkalo.users.staff.service import invite_client, join_account
from zerkalo.users.store import read_user

EARLIER = datetime(2025, 1, 1, tzinfo=UTC)
PHONE, EMAIL = "+79991234567", "anna@example.com"


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


def named(contact: str) -> dict[str, str]:
    return {"email" if "@" in contact else "phone": contact}


async def post(people: PeopleApi, path: str, **body: object) -> httpx2.Response:
    async with people.api.client() as client:
        return await client.post(f"/auth/code/{path}", json=body)


async def code_to(people: PeopleApi, contact: str) -> str:
    """Asks for a code, and reads what came."""
    people.pass_time(minutes=1, seconds=1)
    asked = await post(people, "request", **named(contact))
    assert asked.status_code == 202, asked.text
    await people.send_messages()
    return people.senders[Channel.EMAIL if "@" in contact else Channel.PHONE].code_for(contact)


async def enter(people: PeopleApi, contact: str, code: str, **more: object) -> httpx2.Response:
    return await post(people, "confirm", **named(contact), code=code, **more)


async def whose(people: PeopleApi, answer: httpx2.Response) -> dict[str, object]:
    assert answer.status_code == 200, answer.text
    client = people.api.client(answer.json()["access_token"])
    return (await client.get("/auth/me")).json()


async def user(people: PeopleApi, **columns: object) -> int:
    """A user with contacts as given; `*_verified_at` says which are proved."""
    async with people.pool.connection() as conn:
        return await add_user(conn, **columns)


@pytest.mark.parametrize(
    "columns",
    [
        {"email": EMAIL, "email_verified_at": EARLIER, "password_hash": "x"},
        {"email": EMAIL, "email_verified_at": EARLIER},
        {"email": EMAIL, "email_verified_at": EARLIER, "role": "owner"},
        {"phone": PHONE, "phone_verified_at": EARLIER},
        {"phone": PHONE, "phone_verified_at": EARLIER, "email": EMAIL},
    ],
)
async def test_the_code_opens_the_account_that_proved_the_contact(
    people: PeopleApi, columns: dict[str, object]
) -> None:
    user_id = await user(people, **columns)
    contact = PHONE if "phone" in columns else EMAIL

    me = await whose(people, await enter(people, contact, await code_to(people, contact)))

    assert me["id"] == user_id


async def test_who_signs_in_by_codes_alone_keeps_the_account_from_the_desk(people: PeopleApi) -> None:
    """No password is there to be reset, but a phone that the desk enters would let the desk's own in."""
    desk = await user(people, role="receptionist")
    anna = await user(people, phone=PHONE, phone_verified_at=EARLIER, name="Анна")
    await whose(people, await enter(people, PHONE, await code_to(people, PHONE)))

    await edit_user(
        people.people,
        anna,
        email=None,
        phone="+79990000001",
        name="Анна",
        note="",
        admin_id=desk,
        language="ru",
        now=people.now,
    )

    async with people.pool.connection() as conn:
        edited = await read_user(conn, anna)
    assert edited is not None
    assert (edited.phone, edited.phone_verified_at) == ("+79990000001", None)
    entered = await enter(people, "+79990000001", await code_to(people, "+79990000001"))
    assert (entered.status_code, entered.json()["code"]) == (409, "account_exists")


async def test_an_invitation_is_over_once_somebody_signs_in_by_a_code(people: PeopleApi) -> None:
    """Its link, where no message could be sent, is known at the desk."""
    desk = await user(people, role="receptionist")
    anna = await user(people, phone=PHONE, phone_verified_at=EARLIER)
    sms = SmsBounds(countries=())
    link = await invite_client(replace(people.people, sms=sms), anna, by=desk, language="ru", now=people.now)
    assert link is not None, "no SMS can be sent"

    await whose(people, await enter(people, PHONE, await code_to(people, PHONE)))

    with pytest.raises(ProblemError, match="409 account_in_use"):
        await join_account(
            people.people,
            link.partition("code=")[2],
            email="desk@example.com",
            password=PASSWORD,
            address="203.0.113.7",
            now=people.now,
        )
    with pytest.raises(ProblemError, match="409 account_in_use"):
        await invite_client(people.people, anna, by=desk, language="ru", now=people.now)


@pytest.mark.parametrize(
    "columns",
    [
        {"password_hash": "x"},
        {"email": "other@example.com", "email_verified_at": EARLIER},
        {"role": "owner"},
        {"role": "receptionist"},
        {"role": "read_only"},
    ],
)
async def test_an_sms_alone_opens_no_account_with_more_and_none_of_the_staff(
    people: PeopleApi, columns: dict[str, object]
) -> None:
    old = await user(people, phone=PHONE, phone_verified_at=EARLIER, **columns)
    code = await code_to(people, PHONE)

    refused = await enter(people, PHONE, code)

    assert (refused.status_code, refused.json()["code"]) == (409, "account_exists")
    me = await whose(people, await enter(people, PHONE, code, new_account=True, name="Анна"))
    assert me["id"] != old
    assert (me["phone"], me["phone_verified"], me["email"], me["name"]) == (PHONE, True, None, "Анна")


async def test_who_gets_a_number_anew_takes_nothing_of_who_had_it_and_the_other_hears(
    people: PeopleApi,
) -> None:
    old = await user(
        people, phone=PHONE, phone_verified_at=EARLIER, email=EMAIL, email_verified_at=EARLIER, name="Прежняя"
    )
    code = await code_to(people, PHONE)

    me = await whose(people, await enter(people, PHONE, code, new_account=True))

    assert (me["name"], me["balance"]) == ("", 0)
    assert me["unique_code"] is not None
    await people.send_messages()
    assert [to for to, _, text in people.senders[Channel.EMAIL].sent if "подтвердил другой" in text] == [
        EMAIL
    ]
    async with people.pool.connection() as conn:
        row = await (
            await conn.execute("select phone_verified_at, email_verified_at from users where id = %s", [old])
        ).fetchone()
    assert row is not None
    assert (row[0], row[1] is not None) == (None, True)


@pytest.mark.parametrize("contact", [PHONE, EMAIL])
async def test_a_contact_that_nobody_has_makes_an_account_only_when_asked_to(
    people: PeopleApi, contact: str
) -> None:
    code = await code_to(people, contact)

    refused = await enter(people, contact, code)
    assert (refused.status_code, refused.json()["code"]) == (409, "no_account")
    people.proved.clear()
    me = await whose(people, await enter(people, contact, code, new_account=True))

    assert me["email" if "@" in contact else "phone"] == contact
    assert me["email_verified" if "@" in contact else "phone_verified"] is True
    assert people.proved == [me["id"]], "earlier bookings are looked for"


@pytest.mark.parametrize("contact", [PHONE, EMAIL])
async def test_who_only_claimed_a_contact_is_not_who_its_owner_becomes(
    people: PeopleApi, contact: str
) -> None:
    """Somebody registers with a stranger's contact and waits for the stranger to move in."""
    await people.registered("evil@example.com" if contact == PHONE else EMAIL, phone=PHONE)
    code = await code_to(people, contact)

    refused = await enter(people, contact, code)

    assert (refused.status_code, refused.json()["code"]) == (409, "account_exists")
    me = await whose(people, await enter(people, contact, code, new_account=True))
    assert me["email"] != "evil@example.com"
    again = await whose(people, await enter(people, contact, await code_to(people, contact)))
    assert again["id"] == me["id"], "and from now on it is the owner's"


async def test_a_number_proved_by_several_opens_none_of_them(people: PeopleApi) -> None:
    for name in ("Анна", "Мария"):
        await user(people, phone=PHONE, phone_verified_at=EARLIER, name=name)

    refused = await enter(people, PHONE, await code_to(people, PHONE))

    assert refused.json()["code"] == "account_exists"


async def test_asking_is_answered_and_done_alike_whoever_is_there(people: PeopleApi) -> None:
    await user(people, email=EMAIL, email_verified_at=EARLIER)
    known = await post(people, "request", email=EMAIL)
    unknown = await post(people, "request", email="nobody@example.com")

    assert (known.status_code, known.json()) == (unknown.status_code, unknown.json())
    assert await people.send_messages() == 2
    wrong = [
        await enter(people, contact, "000000") for contact in (EMAIL, "nobody@example.com", "x@example.com")
    ]
    assert {(one.status_code, one.json()["code"]) for one in wrong} == {(400, "wrong_code")}


async def test_a_code_used_again_in_time_opens_the_same_account_once_more(people: PeopleApi) -> None:
    code = await code_to(people, PHONE)
    first = await whose(people, await enter(people, PHONE, code, new_account=True))

    again = await whose(people, await enter(people, PHONE, code, new_account=True))
    without = await whose(people, await enter(people, PHONE, code))

    assert first["id"] == again["id"] == without["id"]
    people.pass_time(minutes=1, seconds=1)
    assert (await enter(people, PHONE, code)).status_code == 400, "but not who sees it later"


@pytest.mark.parametrize("is_used", [False, True])
async def test_a_code_of_a_clock_that_was_hours_ahead_opens_nothing(people: PeopleApi, is_used: bool) -> None:
    """By its stored times it would live, or be taken again, for hours. A new one is good at once."""
    people.pass_time(hours=3)
    code = await code_to(people, PHONE)
    if is_used:
        await whose(people, await enter(people, PHONE, code, new_account=True))
    people.pass_time(hours=-3)

    assert (await enter(people, PHONE, code, new_account=True)).status_code == 400

    answer = await enter(people, PHONE, await code_to(people, PHONE), new_account=True)
    assert answer.status_code == 200


@pytest.mark.parametrize("how", ["used", "asked for anew"])
async def test_a_code_that_is_over_is_not_guessed_at_without_end(people: PeopleApi, how: str) -> None:
    """From many addresses: each has its five tries, and all together have thirty, as with a live code."""
    code = await code_to(people, PHONE)
    await whose(people, await enter(people, PHONE, code, new_account=True))
    if how == "asked for anew":
        code = await code_to(people, PHONE)
        await code_to(people, PHONE)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"
    for number in range(30):
        with pytest.raises(ProblemError, match=r"400 wrong_code|429"):
            await service.enter(
                people.people,
                Contact(Channel.PHONE, PHONE),
                wrong,
                language="ru",
                address=f"203.0.113.{number}",
                now=people.now,
            )

    assert (await enter(people, PHONE, code)).status_code in (400, 429)


async def test_a_used_code_makes_no_second_account(people: PeopleApi) -> None:
    code = await code_to(people, PHONE)
    me = await whose(people, await enter(people, PHONE, code, new_account=True))
    await erase_oneself(people.people, int(str(me["id"])), now=people.now)

    answer = await enter(people, PHONE, code, new_account=True)

    assert answer.status_code == 409
    async with people.pool.connection() as conn:
        rows = await (await conn.execute("select from users where phone is not null")).fetchall()
    assert rows == []


@pytest.mark.parametrize("typed", ["{0} {1}", "{0}-{1}", " {0}\u00a0{1} "])
async def test_spaces_and_dashes_in_a_code_cost_nothing(people: PeopleApi, typed: str) -> None:
    code = await code_to(people, PHONE)

    answer = await enter(people, PHONE, typed.format(code[:3], code[3:]), new_account=True)

    assert answer.status_code == 200


async def test_five_wrong_tries_from_an_address_are_all_for_known_and_unknown_alike(
    people: PeopleApi,
) -> None:
    code = await code_to(people, PHONE)
    wrong = f"{(int(code) + 1) % 1_000_000:06}"

    for contact in (PHONE, "+79990000000"):
        assert [(await enter(people, contact, wrong)).status_code for _ in range(5)] == [400] * 5
        assert (await enter(people, contact, code)).status_code == 429


async def test_a_right_code_is_no_try(people: PeopleApi) -> None:
    for _ in range(8):
        answer = await enter(people, EMAIL, await code_to(people, EMAIL), new_account=True)
        assert answer.status_code == 200


async def test_one_code_a_minute_counted_with_those_of_proving_and_resetting(people: PeopleApi) -> None:
    assert (await post(people, "request", email=EMAIL)).status_code == 202
    async with people.api.client() as client:
        reset = await client.post("/auth/password/reset/request", json={"email": EMAIL})

    assert (await post(people, "request", email=EMAIL)).status_code == 429
    assert reset.status_code == 429


async def test_codes_of_one_purpose_open_nothing_of_another(people: PeopleApi) -> None:
    _, client = await people.registered(EMAIL)
    await people.prove(client, "email")
    people.pass_time(minutes=1, seconds=1)
    await client.post("/auth/password/reset/request", json={"email": EMAIL})
    await people.send_messages()
    to_reset = people.senders[Channel.EMAIL].code_for(EMAIL)

    assert (await enter(people, EMAIL, to_reset)).status_code == 400
    to_enter = await code_to(people, EMAIL)
    body = {"email": EMAIL, "code": to_enter, "password": "another password"}
    assert (await client.post("/auth/password/reset/confirm", json=body)).status_code == 400
    assert (await people.log_in(EMAIL, PASSWORD)).status_code == 200


async def test_nothing_of_who_asks_stays_in_clear(people: PeopleApi) -> None:
    for contact in ("nobody@example.com", "+79990000001"):
        await code_to(people, contact)

    async with people.pool.connection() as conn:
        rows = await (
            await conn.execute(
                "select contact from verification_codes union all select recipient from outbox"
            )
        ).fetchall()

    assert not [text for (text,) in rows if text and ("nobody" in text or "0000001" in text)]


async def test_a_message_on_its_way_goes_with_the_account(people: PeopleApi) -> None:
    user_id = await user(people, email=EMAIL, email_verified_at=EARLIER)
    await post(people, "request", email=EMAIL)

    await erase_oneself(people.people, user_id, now=people.now)

    assert await people.send_messages() == 0


@pytest.mark.parametrize("body", [{}, {"email": EMAIL, "phone": PHONE}, {"phone": "12"}, {"email": "none"}])
async def test_a_contact_is_named_once_and_readably(people: PeopleApi, body: dict[str, str]) -> None:
    assert (await post(people, "request", **body)).status_code == 422
    assert (await post(people, "confirm", **body, code="123456")).status_code == 422


async def test_an_account_of_a_phone_alone_keeps_a_contact(people: PeopleApi) -> None:
    code = await code_to(people, PHONE)
    answer = await enter(people, PHONE, code, new_account=True)
    client = people.api.client(answer.json()["access_token"])
    people.pass_time(minutes=1, seconds=1)
    assert (await client.post("/auth/verify/request", json={"channel": "phone"})).status_code == 202
    await people.send_messages()
    fresh = people.senders[Channel.PHONE].code_for(PHONE)

    refused = await client.patch("/auth/me", json={"phone": None, "code": fresh})
    changed = await client.patch("/auth/me", json={"email": EMAIL, "code": fresh})

    assert (refused.status_code, refused.json()["code"]) == (422, "contact_missing")
    assert (changed.status_code, changed.json()["email"]) == (200, EMAIL)


async def test_a_first_password_is_set_by_a_proved_email_after_which_an_sms_opens_nothing(
    people: PeopleApi,
) -> None:
    user_id = await user(
        people, phone=PHONE, phone_verified_at=EARLIER, email=EMAIL, email_verified_at=EARLIER
    )
    async with people.api.client() as client:
        await client.post("/auth/password/reset/request", json={"email": EMAIL})
        await people.send_messages()
        code = people.senders[Channel.EMAIL].code_for(EMAIL)
        body = {"email": EMAIL, "code": code, "password": PASSWORD}
        assert (await client.post("/auth/password/reset/confirm", json=body)).status_code == 204

    assert (await enter(people, PHONE, await code_to(people, PHONE))).json()["code"] == "account_exists"
    assert (await whose(people, await enter(people, EMAIL, await code_to(people, EMAIL))))["id"] == user_id


async def test_who_mistyped_her_email_signs_in_by_sms_once_its_owner_has_proved_it(people: PeopleApi) -> None:
    """Her password opens nothing without the e-mail, and would keep the SMS from opening her account."""
    anna, her = await people.registered(EMAIL, phone=PHONE)
    assert (await people.prove(her, "phone")).status_code == 200
    people.senders[Channel.PHONE].sent.clear()

    owner = await whose(people, await enter(people, EMAIL, await code_to(people, EMAIL), new_account=True))
    await people.send_messages()

    assert owner["id"] != anna
    ((to, _, told),) = people.senders[Channel.PHONE].sent
    assert (to, "по коду" in told) == (PHONE, True)
    me = (await her.get("/auth/me")).json()
    assert (me["id"], me["email"], me["phone_verified"]) == (anna, None, True), "she stays signed in"
    again = await whose(people, await enter(people, PHONE, await code_to(people, PHONE)))
    assert again["id"] == anna
    async with people.pool.connection() as conn:
        hers = await read_user(conn, anna)
    assert hers is not None
    assert (hers.has_password, hers.is_in_use) == (False, True)


async def test_an_account_whose_password_ended_is_not_the_desks_to_hand_out(people: PeopleApi) -> None:
    desk = await user(people, role="receptionist")
    anna = await user(people, email=EMAIL, phone=PHONE, phone_verified_at=EARLIER, password_hash="x")
    await whose(people, await enter(people, EMAIL, await code_to(people, EMAIL), new_account=True))

    await edit_user(
        people.people,
        anna,
        email=None,
        phone="+79990000001",
        name="",
        note="",
        admin_id=desk,
        language="ru",
        now=people.now,
    )

    with pytest.raises(ProblemError, match="signs in"):
        await invite_client(people.people, anna, by=desk, language="ru", now=people.now)
    entered = await enter(people, "+79990000001", await code_to(people, "+79990000001"))
    assert entered.json()["code"] == "account_exists", "a claim of the desk's opens nothing"


@pytest.mark.parametrize(
    "why", ["staff", "unproved phone", "shared phone", "no SMS", "no SMS to its country", "no password"]
)
async def test_a_password_stays_where_no_sms_opens_the_account(people: PeopleApi, why: str) -> None:
    """It waits for the next e-mail, which the owner of the session or the desk can enter."""
    sms = people.senders[Channel.PHONE]
    role = "receptionist" if why == "staff" else None
    hash_ = None if why == "no password" else "x"
    proved_at = None if why == "unproved phone" else EARLIER
    phone = "+4915112345678" if why == "no SMS to its country" else PHONE
    anna = await user(
        people, email=EMAIL, phone=phone, phone_verified_at=proved_at, password_hash=hash_, role=role
    )
    if why == "shared phone":
        await user(people, phone=PHONE, phone_verified_at=EARLIER)
    if why == "no SMS":
        people = people_api(people.pool, senders={Channel.EMAIL: people.senders[Channel.EMAIL]})

    await whose(people, await enter(people, EMAIL, await code_to(people, EMAIL), new_account=True))
    await people.send_messages()

    async with people.pool.connection() as conn:
        hers = await read_user(conn, anna)
    assert hers is not None
    assert (hers.email, hers.has_password) == (None, why != "no password")
    assert hers.signed_in_by_code_at is None
    told = [body for to, _, body in sms.sent if to == phone]
    assert ["войти с ним больше нельзя" in body for body in told] == (
        [True] if why in ("staff", "shared phone") else []
    )
