"""Registering, and what it does not tell."""

import time

import pytest

from tests.support.people import PASSWORD, PeopleApi, people_api
from zerkalo.auth.model import AuthLimits
from zerkalo.auth.passwords.rules import hash_password
from zerkalo.auth.passwords.service import Passwords
from zerkalo.auth.service import Auth
from zerkalo.codes.rules import new_code
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.settings import Settings
from zerkalo.users.model import NewUser
from zerkalo.users.service import CodeTaken, EmailTaken, add_user, ensure_first_admin


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


OWNER = {"password": "the owner's own"}


async def proved_user(people: PeopleApi, email: str, phone: str | None = None) -> int:
    async with transaction(people.pool) as conn:
        new = NewUser(
            email=email,
            phone=phone,
            name="True owner",
            password_hash=hash_password("the owner's own"),
            email_proved=True,
            phone_proved=phone is not None,
        )
        return (await add_user(conn, new, now=people.now, new_code=new_code)).id


async def test_a_new_account_has_a_code_and_proved_nothing(people: PeopleApi) -> None:
    answer = await people.register("Anna@Example.com", phone="8 999 123-45-67", name=" Анна ")

    assert answer.status_code == 201
    me = answer.json()
    assert len(me.pop("unique_code")) == 8
    assert me == {
        "id": me["id"],
        "email": "anna@example.com",
        "phone": "+79991234567",
        "name": "Анна",
        "email_verified": False,
        "phone_verified": False,
        "is_admin": False,
        "balance": 0,
    }
    assert people.proved == [me["id"]], "a new code is told to matching"


async def test_a_known_contact_is_answered_like_an_unknown_one(people: PeopleApi) -> None:
    owner = await proved_user(people, "anna@example.com", "+79991234567")

    known = await people.register("anna@example.com", phone="+79991234567")
    unknown = await people.register("olga@example.com", phone="+79991112233")

    assert known.status_code == unknown.status_code == 201
    assert known.headers.keys() == unknown.headers.keys()
    differing = {key for key, value in known.json().items() if unknown.json()[key] != value}
    assert differing == {"id", "email", "phone", "unique_code"}, "only what she said, and what is new"
    assert known.json()["id"] != owner
    # Not even the log-in after it tells: it opens the new, empty account.
    assert (await people.log_in("anna@example.com")).status_code == 200
    client = await people.signed_in("anna@example.com")
    assert (await client.get("/auth/me")).json()["name"] == ""
    assert (await people.signed_in("anna@example.com", "the owner's own")) is not None


async def test_a_failed_log_in_takes_as_long_for_unknown_as_for_known(people: PeopleApi) -> None:
    await proved_user(people, "anna@example.com")

    async def seconds(email: str) -> float:
        spent: list[float] = []
        for _ in range(4):
            started = time.process_time()
            await people.log_in(email, "wrong password")
            spent.append(time.process_time() - started)
        return min(spent)

    known, unknown = await seconds("anna@example.com"), await seconds("nobody@example.com")

    assert 0.5 < known / unknown < 2


class CountedPasswords(Passwords):
    """Counts what takes the time of a log-in."""

    def __init__(self) -> None:
        super().__init__()
        self.compared = 0

    async def verify(self, password: str, password_hash: str | None, *, address: str) -> bool:
        self.compared += 1
        return await super().verify(password, password_hash, address=address)


@pytest.mark.parametrize("is_known", [False, True])
async def test_a_log_in_that_succeeds_compares_as_many_hashes_whoever_else_is_there(
    people: PeopleApi, is_known: bool
) -> None:
    if is_known:
        await proved_user(people, "anna@example.com")
    await people.register("anna@example.com", "the stranger's own")
    counted, limits = CountedPasswords(), AuthLimits(verifications_per_login=4)
    auth = Auth(people.pool, people.secret_key, limits=limits, passwords=counted)

    await auth.log_in("anna@example.com", "the stranger's own", address="192.0.2.1", now=people.now)

    assert counted.compared == limits.verifications_per_login


async def test_a_squatter_locks_nobody_out(people: PeopleApi) -> None:
    await people.register("anna@example.com", "the squatter's own")
    await people.register("anna@example.com", "the squatter's second")

    _, owner = await people.registered("anna@example.com")
    proved = await people.prove(owner, "email")

    assert proved.status_code == 200
    assert proved.json()["email_verified"] is True
    assert (await people.log_in("anna@example.com", "the squatter's own")).status_code == 401
    assert (await people.log_in("anna@example.com", "the squatter's second")).status_code == 401
    assert (await people.log_in("anna@example.com")).status_code == 200


async def test_who_came_first_keeps_her_log_in_though_others_claim_her_address(people: PeopleApi) -> None:
    await people.register("anna@example.com")
    for number in range(5):
        await people.register("anna@example.com", f"the attacker's {number}")

    assert (await people.log_in("anna@example.com")).status_code == 200


@pytest.mark.parametrize(
    "body",
    [
        {},
        {"email": "anna@example.com"},
        {"email": "anna", "password": PASSWORD},
        {"email": "anna@example.com", "password": "short"},
        {"email": "anna@example.com", "password": "x" * 1001},
        {"email": "anna@example.com", "password": PASSWORD, "phone": "123"},
        {"email": "anna@example.com", "password": PASSWORD, "name": "x" * 201},
        {"email": "anna@example.com\x00", "password": PASSWORD},
        {"email": ["anna@example.com"], "password": PASSWORD},
    ],
)
async def test_a_wrong_registration_is_refused(people: PeopleApi, body: dict[str, object]) -> None:
    answer = await people.api.client().post("/auth/register", json=body)

    assert (answer.status_code, answer.json()["code"]) == (422, "invalid_request")
    assert PASSWORD not in answer.text


async def test_a_hostile_name_is_stored_as_text(people: PeopleApi) -> None:
    answer = await people.register("anna@example.com", name="<b>\x00'; drop table users; --")

    assert answer.json()["name"] == "<b>\N{REPLACEMENT CHARACTER}'; drop table users; --"


async def test_me_is_for_who_is_signed_in(people: PeopleApi) -> None:
    client = people.api.client()

    for method, path in (("GET", "me"), ("PATCH", "me"), ("DELETE", "me"), ("GET", "me/export")):
        answer = await client.request(method, f"/auth/{path}", json={} if method == "PATCH" else None)
        assert answer.status_code == 401
        assert answer.headers["www-authenticate"] == "Bearer"


async def test_a_changed_contact_is_not_proved_any_more_and_an_unchanged_one_stays(
    people: PeopleApi,
) -> None:
    user_id = await proved_user(people, "anna@example.com", "+79991234567")
    client = await people.api.as_user(user_id)

    same = await client.patch(
        "/auth/me", json={"email": "ANNA@example.com", "phone": "8 999 123 45 67", "name": "A"}
    )
    changed = await client.patch(
        "/auth/me", json={"email": "new@example.com", "phone": "+79990000000", **OWNER}
    )
    without = await client.patch("/auth/me", json={"phone": None, **OWNER})

    assert (same.json()["email_verified"], same.json()["phone_verified"], same.json()["name"]) == (
        True,
        True,
        "A",
    )
    assert (changed.json()["email_verified"], changed.json()["phone_verified"]) == (False, False)
    assert without.json()["phone"] is None
    assert without.json()["name"] == "A"
    assert (await client.patch("/auth/me", json={"email": None})).status_code == 422


async def test_the_proved_address_that_is_replaced_gets_a_word(people: PeopleApi) -> None:
    from zerkalo.outbox.model import Channel

    user_id = await proved_user(people, "anna@example.com")
    client = await people.api.as_user(user_id)

    await client.patch("/auth/me", json={"email": "thief@example.com", **OWNER})
    await people.send_messages()

    assert [to for to, _, _ in people.senders[Channel.EMAIL].sent] == ["anna@example.com"]


async def test_an_admin_adds_nobody_twice(people: PeopleApi) -> None:
    await proved_user(people, "anna@example.com")
    async with transaction(people.pool) as conn:
        new = NewUser(email="anna@example.com", email_proved=True)
        with pytest.raises(EmailTaken):
            await add_user(conn, new, now=people.now, new_code=new_code)
        made = await add_user(conn, NewUser(unique_code="ABC12345"), now=people.now, new_code=new_code)
        with pytest.raises(CodeTaken):
            await add_user(conn, NewUser(unique_code="ABC12345"), now=people.now, new_code=new_code)

    assert made.unique_code == "ABC12345"


async def test_a_code_that_was_drawn_before_is_drawn_again(people: PeopleApi) -> None:
    drawn = iter(["CCCCCCCC", "CCCCCCCC", "RRRRRRRR", "DDDDDDDD"])
    async with transaction(people.pool) as conn:
        await conn.execute("insert into retired_codes (code) values ('RRRRRRRR')")
        first = await add_user(conn, NewUser(), now=people.now, new_code=lambda: next(drawn))
        second = await add_user(conn, NewUser(), now=people.now, new_code=lambda: next(drawn))

    assert (first.unique_code, second.unique_code) == ("CCCCCCCC", "DDDDDDDD")


async def test_the_first_admin_is_made_once_by_however_many_processes(people: PeopleApi) -> None:
    import anyio

    settings = Settings(admin_email="Boss@example.com", admin_password=PASSWORD)
    await people.register("boss@example.com", "a squatter's own")

    async with anyio.create_task_group() as tasks:
        for _ in range(4):
            tasks.start_soon(ensure_admin, people, settings)
    again = await ensure_admin(people, settings)

    client = await people.signed_in("boss@example.com")
    me = (await client.get("/auth/me")).json()
    assert (me["id"], me["is_admin"], me["email_verified"]) == (again, True, True)
    squatter = await people.signed_in("boss@example.com", "a squatter's own")
    assert (await squatter.get("/auth/me")).json()["is_admin"] is False
    async with people.pool.connection() as conn:
        assert await (await conn.execute("select count(*) from users where is_admin")).fetchone() == (1,)


async def ensure_admin(people: PeopleApi, settings: Settings) -> int | None:
    return await ensure_first_admin(people.pool, settings, now=people.now, new_code=new_code)


async def test_no_setting_makes_no_admin(people: PeopleApi) -> None:
    assert await ensure_admin(people, Settings()) is None
