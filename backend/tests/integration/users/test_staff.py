"""Roles and invitations: who may give them, who hears of it, and that nothing of it can be used twice."""

import asyncio
import re
from collections.abc import Collection
from dataclasses import replace
from datetime import timedelta
from typing import Any

import pytest

from tests.support.people import PeopleApi, people_api
from tests.support.rows import add_user
from zerkalo.auth.model import Role
from zerkalo.db.pool import Connection, Pool
from zerkalo.kit.problem import ProblemError
from zerkalo.outbox.model import Channel
from zerkalo.users import store as users
from zerkalo.users.desk.service import edit_user
from zerkalo.users.erasing.service import erase_oneself, erase_user
from zerkalo.users.model import User
from zerkalo.users.staff import service

PASSWORD = "a password of their own"
WAITING = (
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
)


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


async def staff(people: PeopleApi, role: str | None = "owner", **columns: object) -> int:
    async with people.pool.connection() as conn:
        return await add_user(conn, role=role, **columns)


async def role_of(people: PeopleApi, user_id: int) -> str | None:
    async with people.pool.connection() as conn:
        cursor = await conn.execute("select role from users where id = %s", [user_id])
        (role,) = await cursor.fetchone() or (None,)
    return role


async def log(people: PeopleApi) -> list[tuple[object, ...]]:
    async with people.pool.connection() as conn:
        cursor = await conn.execute(
            "select admin_id, action, subject, details from audit_entries order by id"
        )
        return await cursor.fetchall()


async def give(people: PeopleApi, user_id: int, role: Role | None, by: int) -> None:
    await service.give_role(people.people, user_id, role, by=by, now=people.now)


async def invite(people: PeopleApi, by: int, role: Role = Role.RECEPTIONIST, email: str | None = None) -> str:
    link = await service.invite_staff(people.people, role, email=email, by=by, language="ru", now=people.now)
    return link.partition("code=")[2]


async def join(people: PeopleApi, token: str, user_id: int) -> Role:
    return await service.join_staff(people.people, token, user_id=user_id, now=people.now)


async def test_a_role_is_given_noted_and_told_to_every_owner(people: PeopleApi) -> None:
    first = await staff(people, email="first@example.com", email_verified_at=people.now)
    await staff(people, email="second@example.com", email_verified_at=people.now)
    olga = await staff(people, None)

    await give(people, olga, Role.RECEPTIONIST, first)

    assert await role_of(people, olga) == "receptionist"
    assert await log(people) == [
        (first, "staff.role", f"user {olga}", {"before": None, "after": "receptionist"})
    ]
    async with people.pool.connection() as conn:
        told = await (await conn.execute("select recipient from outbox order by 1")).fetchall()
    assert told == [("first@example.com",), ("second@example.com",)]


async def test_the_last_owner_stays(people: PeopleApi) -> None:
    owner = await staff(people)
    with pytest.raises(ProblemError, match="409 last_owner"):
        await give(people, owner, Role.READ_ONLY, owner)
    with pytest.raises(ProblemError, match="409 last_owner"):
        await service.check_may_leave(people.pool, owner)

    second = await staff(people)
    await service.check_may_leave(people.pool, owner)
    await give(people, owner, None, second)
    assert await role_of(people, owner) is None


async def test_two_owners_who_end_each_other_at_once_leave_one(people: PeopleApi) -> None:
    first, second = await staff(people), await staff(people)

    await asyncio.gather(
        give(people, first, None, second), give(people, second, None, first), return_exceptions=True
    )

    assert sorted([str(await role_of(people, first)), str(await role_of(people, second))]) == [
        "None",
        "owner",
    ]


async def test_of_two_owners_who_erase_themselves_at_once_one_stays(people: PeopleApi) -> None:
    first, second = await staff(people), await staff(people)

    done = await asyncio.gather(
        *(erase_oneself(people.people, one, now=people.now) for one in (first, second)),
        return_exceptions=True,
    )

    assert sorted(str(one)[:14] for one in done) == ["409 last_owner", "None"]
    assert sorted([str(await role_of(people, first)), str(await role_of(people, second))]) == [
        "None",
        "owner",
    ]


async def erase_unless_last(people: PeopleApi, user_id: int) -> None:
    await erase_user(
        people.pool,
        user_id,
        settle_bookings=people.people.ports.settle_bookings,
        keep_last_owner=True,
        now=people.now,
    )


async def test_an_owner_who_erases_themself_holds_nothing_while_waiting_for_another_owner(
    people: PeopleApi,
) -> None:
    """Otherwise each of two would wait for the other, until PostgreSQL ends one as a deadlock."""
    first, second = await staff(people), await staff(people)

    async with (
        people.pool.connection() as looking,
        people.pool.connection() as conn,
        asyncio.TaskGroup() as tasks,
        conn.transaction(),
    ):
        await conn.execute("select from users where id = %s for no key update", [first])
        erasing = tasks.create_task(erase_unless_last(people, second))
        while await (await looking.execute(WAITING)).fetchone() == (0,):
            await asyncio.sleep(0.01)
        free = await looking.execute("select from users where id = %s for update skip locked", [second])
        assert free.rowcount == 1
        assert not erasing.done()

    assert (await role_of(people, first), await role_of(people, second)) == ("owner", None)


async def test_who_is_made_the_only_owner_while_they_are_erased_stays(
    people: PeopleApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    olga = await staff(people, None)
    lock = users.lock_users

    async def made_owner(conn: Connection, user_ids: Collection[int]) -> dict[int, User]:
        monkeypatch.setattr(users, "lock_users", lock)
        async with people.pool.connection() as other:
            await other.execute("update users set role = 'owner' where id = %s", [olga])
        return await lock(conn, user_ids)

    monkeypatch.setattr(users, "lock_users", made_owner)
    with pytest.raises(ProblemError, match="409 last_owner"):
        await erase_unless_last(people, olga)

    assert await role_of(people, olga) == "owner"


async def test_who_is_no_owner_gives_nothing(people: PeopleApi) -> None:
    await staff(people)
    receptionist = await staff(people, "receptionist")
    with pytest.raises(ProblemError, match="403 role_too_low"):
        await give(people, receptionist, Role.OWNER, receptionist)
    with pytest.raises(ProblemError, match="403 role_too_low"):
        await invite(people, receptionist)


async def test_an_invitation_works_once_and_its_token_is_kept_nowhere(people: PeopleApi) -> None:
    owner, olga, eve = await staff(people), await staff(people, None), await staff(people, None)
    token = await invite(people, owner)

    assert await join(people, token, olga) is Role.RECEPTIONIST
    assert await join(people, token, olga) is Role.RECEPTIONIST, "asked again: the first answer was lost"
    with pytest.raises(ProblemError, match="404 invitation_over"):
        await join(people, token, eve)

    assert (await role_of(people, olga), await role_of(people, eve)) == ("receptionist", None)
    async with people.pool.connection() as conn:
        kept = await (await conn.execute("select t::text from invitations t")).fetchall()
        sent = await (
            await conn.execute("select 1 from outbox where position(%s in body) > 0", [token])
        ).fetchall()
    assert (token in str(kept), sent) == (False, [])


async def test_one_token_in_many_hands_at_once_makes_one_receptionist(people: PeopleApi) -> None:
    owner = await staff(people)
    token = await invite(people, owner)
    users = [await staff(people, None) for _ in range(4)]

    await asyncio.gather(*(join(people, token, one) for one in users), return_exceptions=True)

    assert sorted([str(await role_of(people, one)) for one in users]) == ["None"] * 3 + ["receptionist"]


async def test_an_invitation_ends_by_time_by_hand_and_with_the_owner_who_made_it(people: PeopleApi) -> None:
    owner, second, olga = await staff(people), await staff(people), await staff(people, None)
    late, revoked, orphaned = [await invite(people, owner) for _ in range(3)]
    async with people.pool.connection() as conn:
        await conn.execute("update invitations set expires_at = %s where id = 1", [people.now])
    await service.revoke_invitation(people.people, 2, by=owner, now=people.now)
    await give(people, owner, None, second)

    for token in (late, revoked, orphaned, "made up", ""):
        with pytest.raises(ProblemError, match="404 invitation_over"):
            await join(people, token, olga)


async def test_an_invitation_never_takes_a_role_away(people: PeopleApi) -> None:
    owner, second = await staff(people), await staff(people)
    await join(people, await invite(people, owner, Role.READ_ONLY), second)
    assert await role_of(people, second) == "owner"


async def test_a_client_of_the_desk_gets_their_account_by_a_link(people: PeopleApi) -> None:
    desk = await staff(people, "receptionist")
    async with people.pool.connection() as conn:
        anna = await add_user(conn, name="Анна", unique_code="ANNA2345")

    link = await service.invite_client(people.people, anna, by=desk, language="ru", now=people.now)
    assert link is not None, "no contact to write to: the desk hands it over"
    token = link.partition("code=")[2]
    joining: dict[str, Any] = {"password": PASSWORD, "address": "203.0.113.7", "now": people.now}
    with pytest.raises(ProblemError, match="422 no_email"):
        await service.join_account(people.people, token, email=None, **joining)
    pair = await service.join_account(people.people, token, email="anna@example.com", **joining)

    assert pair.refresh_token
    assert (await people.log_in("anna@example.com", PASSWORD)).status_code == 200
    again = await service.join_account(people.people, token, email="anna@example.com", **joining)
    assert again.refresh_token, "asked again: the first answer was lost"
    guessed: dict[str, Any] = {**joining, "password": "a password of Eve's"}
    with pytest.raises(ProblemError, match="404 invitation_over"):
        await service.join_account(people.people, token, email="eve@example.com", **guessed)
    with pytest.raises(ProblemError, match="409 account_in_use"):
        await service.invite_client(people.people, anna, by=desk, language="ru", now=people.now)


async def test_a_clients_invitation_ends_with_the_role_of_who_made_it(people: PeopleApi) -> None:
    owner, desk = await staff(people), await staff(people, "receptionist")
    async with people.pool.connection() as conn:
        anna = await add_user(conn, name="Анна", unique_code="ANNA2345")
    link = await service.invite_client(people.people, anna, by=desk, language="ru", now=people.now)
    token = (link or "").partition("code=")[2]
    assert (await service.look_at_invitation(people.pool, token, now=people.now)).user_id == anna

    await give(people, desk, Role.READ_ONLY, owner)

    with pytest.raises(ProblemError, match="404 invitation_over"):
        await service.join_account(
            people.people,
            token,
            email="anna@example.com",
            password=PASSWORD,
            address="203.0.113.7",
            now=people.now,
        )


@pytest.mark.parametrize("how", ["the desk corrects it", "its owner proves it"])
async def test_a_clients_invitation_ends_with_the_contact_it_was_sent_to(people: PeopleApi, how: str) -> None:
    """The message may have come to a stranger, whose number was mistaken for the client's."""
    desk, stranger = await staff(people, "receptionist"), "+79991234567"
    async with people.pool.connection() as conn:
        anna = await add_user(
            conn,
            email="anna@example.com",
            email_verified_at=people.now,
            phone=stranger,
            phone_verified_at=people.now,
            unique_code="ANNA2345",
        )
    people.people = replace(people.people, ports=replace(people.people.ports, open_channels={Channel.PHONE}))
    assert await service.invite_client(people.people, anna, by=desk, language="ru", now=people.now) is None
    async with people.pool.connection() as conn:
        cursor = await conn.execute("select recipient, body from outbox")
        ((recipient, body),) = await cursor.fetchall()
    assert recipient == stranger
    token = re.findall(r"/join\?code=([\w-]{43})", body)[0]
    assert (await service.look_at_invitation(people.pool, token, now=people.now)).user_id == anna

    if how == "the desk corrects it":
        await edit_user(
            people.people,
            anna,
            email="anna@example.com",
            phone="+79997654321",
            name="Анна",
            note="",
            admin_id=desk,
            language="ru",
            now=people.now,
        )
    else:
        _, client = await people.registered("stranger@example.com", phone=stranger)
        await people.prove(client, "phone", resolve="take")

    with pytest.raises(ProblemError, match="404 invitation_over"):
        await service.look_at_invitation(people.pool, token, now=people.now)


async def test_a_made_up_link_costs_no_hash(people: PeopleApi, monkeypatch: pytest.MonkeyPatch) -> None:
    """A hash is what a log-in costs, whose tries are counted; those of links nobody counts."""
    hashed: list[str] = []

    async def hash_(password: str, *, address: str) -> str:
        hashed.append(address)
        return password

    monkeypatch.setattr(people.people.auth.passwords, "hash", hash_)
    with pytest.raises(ProblemError, match="404 invitation_over"):
        await service.join_account(
            people.people,
            "made up",
            email="eve@example.com",
            password=PASSWORD,
            address="203.0.113.7",
            now=people.now,
        )
    assert hashed == []


async def test_nobody_at_the_desk_sees_a_link_that_can_be_sent(people: PeopleApi) -> None:
    """A receptionist could open it themselves, and spend the client's points."""
    desk = await staff(people, "receptionist")
    async with people.pool.connection() as conn:
        anna = await add_user(conn, email="anna@example.com", email_verified_at=people.now)

    assert await service.invite_client(people.people, anna, by=desk, language="ru", now=people.now) is None

    async with people.pool.connection() as conn:
        cursor = await conn.execute("select recipient, body, expires_at from outbox")
        ((recipient, body, expires_at),) = await cursor.fetchall()
    assert recipient == "anna@example.com"
    assert re.search(r"/join\?code=[\w-]{43}", body)
    assert expires_at == people.now + timedelta(days=7)


async def test_no_invitation_opens_an_account_of_staff_or_one_that_somebody_signs_in_to(
    people: PeopleApi,
) -> None:
    owner = await staff(people)
    other = await staff(people, "read_only")
    with pytest.raises(ProblemError, match="409 account_in_use"):
        await service.invite_client(people.people, other, by=owner, language="ru", now=people.now)
