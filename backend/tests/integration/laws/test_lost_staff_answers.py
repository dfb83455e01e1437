"""Each write of the staff's pages and of the notices, with the answer to one of its commits lost, then done again.

As `test_lost_answers` does it with the API, below the pages: whoever is told 503 sends the same form once more, and a
periodic job comes again.
"""

import asyncio
from collections.abc import AsyncIterator, Awaitable, Callable
from datetime import timedelta

import psycopg
import pytest

from tests.support.lost_answers import Losing, losing_pool
from tests.support.notices import Desk, may_send, nothing_burns, zone
from tests.support.people import BONUSES, PeopleApi, people_api
from tests.support.rows import add_booking, add_user
from tests.support.telegram import running_telegram
from zerkalo.auth.model import Role
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty.by_hand import service as by_hand
from zerkalo.loyalty.model import HandEntry, Reason
from zerkalo.loyalty.till.service import undo_redemption
from zerkalo.notices.model import Kind, NoticePolicy
from zerkalo.notices.service import Notices
from zerkalo.notices.telegram.service import new_link, take_updates
from zerkalo.outbox.telegram.service import Bot
from zerkalo.users.desk.service import edit_user, enter_user
from zerkalo.users.staff import service as staff

COMMITS_MAX = 3
ADDRESS, PASSWORD = "203.0.113.7", "a password of their own"

Call = Callable[[], Awaitable[object]]
Counts = dict[str, object]
"""SQL of one value -> what it must be in the end."""
Scene = Callable[[PeopleApi], Awaitable[tuple[Call, Counts]]]


@pytest.fixture
async def lossy(dsn: str) -> AsyncIterator[tuple[PeopleApi, Losing]]:
    async with losing_pool(dsn) as (pool, losing):
        yield people_api(pool), losing


async def somebody(people: PeopleApi, **columns: object) -> int:
    async with people.pool.connection() as conn:
        return await add_user(conn, **columns)


async def entering(people: PeopleApi) -> tuple[Call, Counts]:
    desk = await somebody(people, role="receptionist")

    async def call() -> None:
        try:
            await enter_user(
                people.people, email="anna@mail.test", phone=None, name="Анна", admin_id=desk, now=people.now
            )
        except ProblemError as problem:
            if problem.code != "email_taken":  # the desk is shown whose it is
                raise

    return call, {"select count(*) from users where email = 'anna@mail.test'": 1}


async def editing(people: PeopleApi) -> tuple[Call, Counts]:
    desk = await somebody(people, role="receptionist")
    anna = await somebody(people, email="anna@mail.test", email_verified_at=people.now)

    async def call() -> None:
        await edit_user(
            people.people,
            anna,
            email="new@mail.test",
            phone=None,
            name="Анна",
            note="",
            admin_id=desk,
            language="ru",
            now=people.now,
        )

    return call, {
        f"select email from users where id = {anna}": "new@mail.test",
        "select count(*) from outbox": 1,
    }


async def giving_a_role(people: PeopleApi) -> tuple[Call, Counts]:
    owner = await somebody(people, role="owner", email="owner@mail.test", email_verified_at=people.now)
    olga = await somebody(people)

    async def call() -> None:
        await staff.give_role(people.people, olga, Role.RECEPTIONIST, by=owner, now=people.now)

    return call, {
        "select count(*) from audit_entries where action = 'staff.role'": 1,
        "select count(*) from outbox": 1,
    }


async def joining_the_staff(people: PeopleApi) -> tuple[Call, Counts]:
    owner, olga = await somebody(people, role="owner"), await somebody(people)
    link = await staff.invite_staff(
        people.people, Role.RECEPTIONIST, email=None, by=owner, language="ru", now=people.now
    )

    async def call() -> None:
        await staff.join_staff(people.people, link.partition("code=")[2], user_id=olga, now=people.now)

    return call, {
        f"select role from users where id = {olga}": "receptionist",
        "select count(*) from audit_entries where action = 'staff.role'": 1,
    }


async def joining_an_account(people: PeopleApi) -> tuple[Call, Counts]:
    desk, anna = await somebody(people, role="receptionist"), await somebody(people, name="Анна")
    link = await staff.invite_client(people.people, anna, by=desk, language="ru", now=people.now)
    assert link is not None, "there is no contact to send it to"

    async def call() -> None:
        pair = await staff.join_account(
            people.people,
            link.partition("code=")[2],
            email="anna@mail.test",
            password=PASSWORD,
            address=ADDRESS,
            now=people.now,
        )
        assert pair.refresh_token

    return call, {f"select email from users where id = {anna}": "anna@mail.test"}


async def inviting_a_client(people: PeopleApi) -> tuple[Call, Counts]:
    desk, anna = await somebody(people, role="receptionist"), await somebody(people)

    async def call() -> None:
        await staff.invite_client(people.people, anna, by=desk, language="ru", now=people.now)

    return call, {"select count(*) from invitations where revoked_at is null": 1}


async def spending(people: PeopleApi) -> tuple[Call, Counts]:
    desk, anna = await somebody(people, role="receptionist"), await somebody(people)
    await give(people, anna, 100)
    visit = await visit_of(people, anna)

    async def call() -> None:
        entry = await spend(people, anna, visit, desk)
        assert entry.balance_after == 70

    return call, {
        f"select sum(amount) from bonus_entries where user_id = {anna}": 70,
        "select count(*) from audit_entries where action = 'loyalty.redemption'": 1,
    }


async def undoing(people: PeopleApi) -> tuple[Call, Counts]:
    desk, anna = await somebody(people, role="receptionist"), await somebody(people)
    await give(people, anna, 100)
    spent = await spend(people, anna, await visit_of(people, anna), desk)

    async def call() -> None:
        await undo_redemption(people.pool, spent.id, admin_id=desk, policy=BONUSES, now=people.now)

    return call, {
        f"select sum(amount) from bonus_entries where user_id = {anna}": 100,
        "select count(*) from audit_entries where action = 'loyalty.reversal'": 1,
    }


async def telling(people: PeopleApi) -> tuple[Call, Counts]:
    anna = await somebody(people, email="anna@mail.test", email_verified_at=people.now)
    policy = NoticePolicy(kinds=frozenset(Kind), remind_before=timedelta(hours=24), quiet=None)
    desk = Desk(people.pool, Notices(people.pool, policy, zone, may_send, nothing_burns), anna, people.now)
    await desk.tell()
    await desk.book(appointment_datetime=people.now + timedelta(days=2))
    return desk.tell, {"select count(*) from outbox": 1}


SCENES = [
    entering,
    editing,
    giving_a_role,
    joining_the_staff,
    joining_an_account,
    inviting_a_client,
    spending,
    undoing,
    telling,
]


@pytest.mark.parametrize("at", range(1, COMMITS_MAX + 1))
@pytest.mark.parametrize("scene", SCENES)
async def test_what_staff_do_is_done_once_though_an_answer_was_lost(
    lossy: tuple[PeopleApi, Losing], scene: Scene, at: int
) -> None:
    people, losing = lossy
    call, counts = await scene(people)
    losing.lose(at)

    try:
        await call()
    except psycopg.OperationalError:
        losing.lose(0)
        await call()
    losing.lose(0)

    assert await seen(people, counts) == counts


@pytest.mark.parametrize("pause_seconds", [0.0, 0.2])
@pytest.mark.parametrize("scene", SCENES)
async def test_a_button_of_the_staff_pressed_thrice_at_once_does_it_once(
    lossy: tuple[PeopleApi, Losing], scene: Scene, pause_seconds: float
) -> None:
    """`pause_seconds`: before each commit, so that all have read by then."""
    people, losing = lossy
    call, counts = await scene(people)
    losing.pause_seconds = pause_seconds

    await asyncio.gather(*(call() for _ in range(3)))

    assert await seen(people, counts) == counts


@pytest.mark.parametrize("at", range(1, COMMITS_MAX + 1))
async def test_a_chat_is_connected_once_though_an_answer_was_lost(
    lossy: tuple[PeopleApi, Losing], at: int
) -> None:
    people, losing = lossy
    anna = await somebody(people)
    with running_telegram() as telegram:
        bot = Bot("token-of-the-bot", telegram.url)
        _, _, code = (await new_link(people.pool, bot, anna, now=people.now)).partition("?start=")
        telegram.write(77, f"/start {code}")
        losing.lose(at)
        try:
            await take_updates(people.pool, bot, now=people.now)
        except psycopg.OperationalError:
            losing.lose(0)
            await take_updates(people.pool, bot, now=people.now)
        losing.lose(0)

    counts: Counts = {"select chat_id from notice_choices": 77, "select count(*) from outbox": 1}
    assert await seen(people, counts) == counts


async def seen(people: PeopleApi, counts: Counts) -> Counts:
    found: Counts = {}
    async with people.pool.connection() as conn:
        for sql in counts:
            row = await (await conn.execute(sql.encode())).fetchone()
            found[sql] = row[0] if row else None
    return found


async def give(people: PeopleApi, user_id: int, points: int) -> None:
    async with people.pool.connection() as conn:
        await conn.execute(
            "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
            " values (%s, %s, 'adjustment', 'gift', %s, %s)",
            [user_id, points, people.now, people.now],
        )


async def visit_of(people: PeopleApi, user_id: int) -> int:
    async with people.pool.connection() as conn:
        return await add_booking(conn, user_id=user_id, matched_by="code")


async def spend(people: PeopleApi, user_id: int, visit_id: int, desk: int) -> HandEntry:
    return await by_hand.redeem(
        people.pool,
        user_id=user_id,
        points=30,
        reason=Reason.TILL,
        idempotency_key="once",
        admin_id=desk,
        policy=BONUSES,
        now=people.now,
        visit_id=visit_id,
    )
