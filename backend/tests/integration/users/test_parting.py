"""Two accounts that were merged are parted again within a day: each has its own, and what came since stays."""

from dataclasses import replace
from datetime import datetime
from typing import Any, LiteralString

import anyio
import pytest

from tests.support.api import NOW
from tests.support.merging import PROVED, an_admin, merge_id_of, rows, two_accounts
from tests.support.people import PASSWORD, PeopleApi, people_api
from tests.support.rows import add_booking, add_user
from tests.support.salon import BONUSES
from zerkalo.auth.passwords.rules import hash_password
from zerkalo.bookings.calendar.store import make_calendar_token, user_of_calendar_token
from zerkalo.db.pool import Connection, Pool
from zerkalo.kit.problem import ProblemError
from zerkalo.loyalty.rules import points_for
from zerkalo.mirror.rematching.service import Rematcher
from zerkalo.notices.store import connect_chat
from zerkalo.users.erasing.service import erase_user, sweep_erased
from zerkalo.users.merging.service import undo_merge
from zerkalo.users.store import read_user

PHONE = "+79991234567"
WAITING: LiteralString = (
    "select count(*) from pg_stat_activity where wait_event_type = 'Lock' and datname = current_database()"
)


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


async def state(people: PeopleApi) -> list[Any]:
    """Everything of both accounts that a merge touches."""
    return [
        await rows(
            people,
            "select id, email, phone, name, note, unique_code, password_hash, email_verified_at, phone_verified_at,"
            " erased_at, merged_into from users order by id",
        ),
        await rows(people, "select id, user_id, user_code, notes from bookings order by id"),
        await rows(people, "select company_id, client_id, user_id from clients order by 1, 2"),
        await rows(people, "select booking_id, user_id, step, reason from match_candidates order by 1, 2"),
        await rows(people, "select code, user_id from retired_codes order by 1"),
        await rows(people, "select source, ref, user_id from origins order by 1, 2"),
        await rows(
            people,
            "select user_id, booking_id, sum(amount)::int from bonus_entries group by 1, 2 having sum(amount) <> 0 order by 1, 2",
        ),
    ]


async def test_a_merge_undone_within_the_day_leaves_everything_as_it_was(people: PeopleApi) -> None:
    admin = await an_admin(people)
    old, kept = await two_accounts(people)
    before = await state(people)
    assert (await admin.post(f"/admin/users/{old}/merge", json={"into": kept})).status_code == 200
    merged = await state(people)
    assert merged != before
    assert [row[4] for row in merged[0] if row[0] == kept] == ["Аллергия\nЛюбит тишину"]

    user = await undo_merge(people.people, await merge_id_of(people), admin_id=1, now=NOW)

    assert user.id == old
    assert await state(people) == before
    assert sorted(people.proved[-2:]) == sorted([old, kept]), "what came meanwhile is looked for again"
    assert await rows(people, "select before, after from merges") == [({}, {})], "what is told of her is gone"
    assert [row[0] for row in await rows(people, "select action from audit_entries order by id")] == [
        "user.merge",
        "user.unmerge",
    ]
    again = await admin.post(f"/admin/users/{old}/merge", json={"into": kept})
    assert again.status_code == 200
    assert (await state(people))[0] == merged[0], "merged and undone, it can be merged once more"


async def test_undoing_a_merge_again_changes_nothing(people: PeopleApi) -> None:
    """The answer to the first time was lost; the restored account may have been merged into a third one since."""
    admin = await an_admin(people)
    old, kept = await two_accounts(people)
    third, _ = await people.api.new_user()
    await admin.post(f"/admin/users/{old}/merge", json={"into": kept})
    merge_id = await merge_id_of(people)

    for _ in range(2):
        user = await undo_merge(people.people, merge_id, admin_id=1, now=NOW)
        assert (user.id, user.merged_into) == (old, None)
    await admin.post(f"/admin/users/{old}/merge", json={"into": third})
    before = await state(people)
    await undo_merge(people.people, merge_id, admin_id=1, now=NOW)

    assert await state(people) == before
    assert [row[0] for row in await rows(people, "select action from audit_entries order by id")] == [
        "user.merge",
        "user.unmerge",
        "user.merge",
    ]


@pytest.mark.parametrize("channel", ["email", "phone"])
async def test_a_proof_that_the_account_which_stayed_has_earned_since_is_kept(
    people: PeopleApi, channel: str
) -> None:
    admin = await an_admin(people)
    old, _ = await people.api.new_user(email="old@example.com", email_verified_at=PROVED)
    kept, client = await people.registered("new@example.com", phone=PHONE)
    assert (await admin.post(f"/admin/users/{old}/merge", json={"into": kept})).status_code == 200
    assert (await people.prove(client, channel)).status_code == 200

    await undo_merge(people.people, await merge_id_of(people), admin_id=1, now=people.now)

    proved = await rows(
        people, "select id, email_verified, phone_verified from users where role is null order by id"
    )
    assert proved == [(old, True, False), (kept, channel == "email", channel == "phone")]


async def test_an_account_that_was_taken_over_by_its_phone_can_be_parted_again(people: PeopleApi) -> None:
    """Whoever was talked into reading the code out, or lost the number, had all they had in it."""
    async with people.pool.connection() as conn:
        old = await add_user(
            conn, phone=PHONE, phone_verified_at=PROVED, signed_in_by_code_at=PROVED, password_hash=None
        )
        await add_booking(conn, user_id=old, matched_by="phone", yclients_record_id=5)
    taker, client = await people.registered("taker@example.com", phone=PHONE)
    assert (await people.prove(client, "phone")).status_code == 200
    assert await rows(people, "select user_id from bookings") == [(taker,)]

    await undo_merge(people.people, await merge_id_of(people), admin_id=taker, now=people.now)

    assert await rows(people, "select user_id from bookings") == [(old,)]
    assert await rows(
        people,
        "select phone, phone_verified, signed_in_by_code_at from users where signed_in_by_code_at is not null and email is null",
    ) == [(PHONE, True, PROVED)]


async def test_what_came_since_stays_and_what_was_spent_is_a_debt_of_who_spent_it(people: PeopleApi) -> None:
    admin = await an_admin(people)
    old, kept = await two_accounts(people)
    await admin.post(f"/admin/users/{old}/merge", json={"into": kept})
    async with people.pool.connection() as conn:
        await add_booking(conn, user_id=kept, matched_by="code", yclients_record_id=4)
        await conn.execute(
            "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
            " values (%s, -150, 'redemption', 'spent', now(), now())",
            [kept],
        )

    await undo_merge(people.people, await merge_id_of(people), admin_id=1, now=NOW)

    assert await rows(people, "select user_id from bookings where yclients_record_id = 4") == [(kept,)]
    assert await rows(
        people, "select user_id, sum(amount)::int from bonus_entries group by 1 order by 1"
    ) == [
        (old, 100),
        (kept, -50),
    ]


@pytest.mark.parametrize("directions", ["there and back", "there twice and back", "back and there"])
async def test_however_often_two_accounts_are_merged_and_parted_each_has_its_own(
    people: PeopleApi, directions: str
) -> None:
    """Whoever clicked the wrong way parts the two and merges them the other way round."""
    admin = await an_admin(people)
    two = await two_accounts(people)
    ways = {"there": two, "back": two[::-1]}
    for way in directions.replace("twice and", "there and").replace(" and", "").split():
        before = await state(people)
        one, other = ways[way]
        assert (await admin.post(f"/admin/users/{one}/merge", json={"into": other})).status_code == 200
        ((merge_id,),) = await rows(people, "select id from merges where undone_at is null")

        await undo_merge(people.people, merge_id, admin_id=1, now=people.now)

        assert await state(people) == before


async def test_visits_by_a_card_that_goes_back_go_with_it(people: PeopleApi) -> None:
    """The account that stayed has no claim to them: a link by a card stands as long as the card is its own."""
    admin = await an_admin(people)
    old, kept = await two_accounts(people)
    async with people.pool.connection() as conn:
        await conn.execute("insert into clients (company_id, client_id, user_id) values (1, 8, %s)", [kept])
    assert (await admin.post(f"/admin/users/{old}/merge", json={"into": kept})).status_code == 200
    async with people.pool.connection() as conn:
        for client in (8, 9):
            await add_booking(
                conn,
                yclients_record_id=70 + client,
                client_id=client,
                status="COMPLETED",
                service_price=200_000,
            )
    rematcher = Rematcher(people.pool, clock=people.clock, policy=BONUSES)
    for client in (8, 9):
        await rematcher.rematch_card((1, client))
    since = (
        "select b.user_id, b.matched_by, (select sum(e.amount)::int from bonus_entries e"
        " where e.booking_id = b.id and e.user_id = b.user_id) from bookings b where yclients_record_id > 70 order by b.id"
    )
    points = points_for(200_000, BONUSES.percent)
    assert await rows(people, since) == [(kept, "card", points)] * 2

    await undo_merge(people.people, await merge_id_of(people), admin_id=1, now=people.now)

    theirs = [(kept, "card", points), (old, "card", points)]
    assert await rows(people, since) == theirs
    for user in (old, kept):
        await rematcher.rematch(user)
    assert await rows(people, since) == theirs
    balances = "select user_id, sum(amount)::int from bonus_entries group by 1 order by 1"
    assert await rows(people, balances) == [(old, 100 + points), (kept, 100 + points)]
    codes = "select user_code from bookings where yclients_record_id > 70 order by id"
    assert await rows(people, codes) == [("BBBB1111",), ("AAAA1111",)]


async def test_a_visit_booked_in_our_form_that_shows_up_while_two_accounts_are_one_goes_back(
    people: PeopleApi,
) -> None:
    admin = await an_admin(people)
    old, kept = await two_accounts(people)
    async with people.pool.connection() as conn:
        for user in (old, kept):
            await conn.execute(
                "insert into form_bookings (api_id, user_id, company_id, record_id, created_at) values (%s, %s, 1, %s, %s)",
                [f"of {user}", user, 70 + user, PROVED],
            )
    assert (await admin.post(f"/admin/users/{old}/merge", json={"into": kept})).status_code == 200
    async with people.pool.connection() as conn:
        for user in (old, kept):
            await add_booking(conn, yclients_record_id=70 + user)
    rematcher = Rematcher(people.pool, clock=people.clock, policy=BONUSES)
    await rematcher.rematch_bookings([(1, 70 + old), (1, 70 + kept)])
    since = "select user_id, matched_by from bookings where yclients_record_id > 70 order by id"
    assert await rows(people, since) == [(kept, "form")] * 2

    await undo_merge(people.people, await merge_id_of(people), admin_id=1, now=people.now)

    assert await rows(people, since) == [(old, "form"), (kept, "form")]


async def test_an_account_restored_while_the_sweep_looked_at_it_keeps_what_it_has(people: PeopleApi) -> None:
    """A visit was linked to the account as it ended; the sweep that hands it on waits for whoever parts the two."""
    admin = await an_admin(people)
    old, kept = await two_accounts(people)
    before = await state(people)
    assert (await admin.post(f"/admin/users/{old}/merge", json={"into": kept})).status_code == 200
    async with people.pool.connection() as conn:
        late = await add_booking(conn, user_id=old, matched_by="code", yclients_record_id=7)
    ports = people.people.ports

    async def sweep() -> None:
        await sweep_erased(people.pool, settle_bookings=ports.settle_bookings, now=NOW)

    async def let_a_sweep_begin(conn: Connection, one: int, other: int, now: datetime) -> None:
        tasks.start_soon(sweep)
        async with people.pool.connection() as beside:
            while await (await beside.execute(WAITING)).fetchone() == (0,):
                await anyio.sleep(0.01)
        await ports.return_ledger(conn, one, other, now)

    parting = replace(people.people, ports=replace(ports, return_ledger=let_a_sweep_begin))
    async with anyio.create_task_group() as tasks:
        await undo_merge(parting, await merge_id_of(people), admin_id=1, now=NOW)

    async with people.pool.connection() as conn:
        assert await (
            await conn.execute("delete from bookings where id = %s returning user_id", [late])
        ).fetchone() == (old,)
    assert await state(people) == before


async def test_parting_two_accounts_ends_what_the_one_opened_of_the_other(people: PeopleApi) -> None:
    """Whoever signed in to the account that stayed, by the password it had got, would read another's visits on."""
    admin = await an_admin(people)
    async with people.pool.connection() as conn:
        hers = await add_user(conn, name="Анна", unique_code="ANNA2345")
        old = await add_user(
            conn, email="eve@example.com", email_verified_at=PROVED, password_hash=hash_password(PASSWORD)
        )
    assert (await admin.post(f"/admin/users/{old}/merge", json={"into": hers})).status_code == 200
    eve = await people.signed_in("eve@example.com")
    assert (await eve.get("/auth/me")).json()["id"] == hers
    async with people.pool.connection() as conn:
        calendar = await make_calendar_token(conn, hers, now=people.now)
        await connect_chat(conn, hers, 77)

    await undo_merge(people.people, await merge_id_of(people), admin_id=1, now=people.now)

    assert (await eve.get("/auth/me")).status_code == 401
    async with people.pool.connection() as conn:
        assert await user_of_calendar_token(conn, calendar) is None
    assert await rows(people, "select chat_id from notice_choices where chat_id is not null") == []


@pytest.mark.parametrize("has_own", [True, False])
async def test_after_parting_a_password_stays_only_where_there_was_one(
    people: PeopleApi, has_own: bool
) -> None:
    """One that came with the other account opens this one to a stranger, and shuts its owner's way in by a code."""
    admin = await an_admin(people)
    old, _ = await people.api.new_user(email="old@example.com", password_hash="old")
    kept, _ = await people.api.new_user(
        email=None, phone=PHONE, phone_verified_at=PROVED, password_hash="own" if has_own else None
    )
    assert (await admin.post(f"/admin/users/{old}/merge", json={"into": kept})).status_code == 200
    async with people.pool.connection() as conn:
        await conn.execute("update users set password_hash = 'since' where id = %s", [kept])

    await undo_merge(people.people, await merge_id_of(people), admin_id=1, now=NOW)

    assert await rows(people, "select password_hash from users where role is null order by id") == [
        ("old",),
        ("since" if has_own else None,),
    ]


@pytest.mark.parametrize("is_entered_since", [True, False])
async def test_after_parting_nobody_signs_in_to_an_account_that_the_desk_had_entered(
    people: PeopleApi, is_entered_since: bool
) -> None:
    admin = await an_admin(people)
    async with people.pool.connection() as conn:
        old = await add_user(conn, phone=PHONE, phone_verified_at=PROVED, signed_in_by_code_at=PROVED)
        kept = await add_user(conn, name="Анна")
    assert (await admin.post(f"/admin/users/{old}/merge", json={"into": kept})).status_code == 200
    if is_entered_since:
        people.pass_time(minutes=1)
        await people.api.as_user(kept)

    await undo_merge(people.people, await merge_id_of(people), admin_id=1, now=people.now)

    async with people.pool.connection() as conn:
        parted = await read_user(conn, kept)
    assert parted is not None
    assert parted.is_in_use == is_entered_since


@pytest.mark.parametrize(("before", "since"), [("receptionist", None), (None, "owner")])
async def test_parting_two_accounts_gives_no_role_back_and_takes_none(
    people: PeopleApi, before: str | None, since: str | None
) -> None:
    admin = await an_admin(people)
    old, kept = await two_accounts(people)
    async with people.pool.connection() as conn:
        await conn.execute("update users set role = %s where id = %s", [before, kept])
    assert (await admin.post(f"/admin/users/{old}/merge", json={"into": kept})).status_code == 200
    async with people.pool.connection() as conn:
        await conn.execute("update users set role = %s where id = %s", [since, kept])

    await undo_merge(people.people, await merge_id_of(people), admin_id=1, now=NOW)

    assert await rows(people, "select role from users where unique_code = 'BBBB1111'") == [(since,)]


async def test_a_contact_that_somebody_has_proved_since_comes_back_as_a_claim(people: PeopleApi) -> None:
    admin = await an_admin(people)
    old, kept = await two_accounts(people)
    await admin.post(f"/admin/users/{old}/merge", json={"into": kept})
    await people.api.new_user(email="old@example.com", email_verified_at=PROVED)

    await undo_merge(people.people, await merge_id_of(people), admin_id=1, now=NOW)

    found = await rows(
        people, "select id, email_verified_at from users where email = 'old@example.com' order by id"
    )
    assert found[0] == (old, None)


@pytest.mark.parametrize(
    ("meanwhile", "refusal"),
    [
        ("update merges set at = at - interval '25 hours'", (404, "not_found")),
        (
            "update users set email = 'third@example.com' where email = 'new@example.com'",
            (409, "merge_changed"),
        ),
        ("update users set erased_at = now() where email = 'new@example.com'", (409, "merge_changed")),
    ],
)
async def test_a_merge_that_cannot_be_undone_any_more(
    people: PeopleApi, meanwhile: LiteralString, refusal: tuple[int, str]
) -> None:
    admin = await an_admin(people)
    old, kept = await two_accounts(people)
    await admin.post(f"/admin/users/{old}/merge", json={"into": kept})
    merge_id = await merge_id_of(people)
    async with people.pool.connection() as conn:
        await conn.execute(meanwhile)
    before = await state(people)

    with pytest.raises(ProblemError) as refused:
        await undo_merge(people.people, merge_id, admin_id=1, now=NOW)

    assert (refused.value.status, refused.value.code) == refusal
    assert await state(people) == before


async def test_an_erasure_forgets_what_could_undo_a_merge(people: PeopleApi, pool: Pool) -> None:
    admin = await an_admin(people)
    old, kept = await two_accounts(people)
    await admin.post(f"/admin/users/{old}/merge", json={"into": kept})

    await erase_user(pool, kept, settle_bookings=people.people.ports.settle_bookings, now=NOW)

    assert await rows(people, "select * from merges") == []
