"""Two accounts of one person become one, and how admins find people."""

from datetime import date

import pytest

from tests.support.api import NOW
from tests.support.merging import PROVED, an_admin, merge_id_of, rows, two_accounts
from tests.support.people import PeopleApi, people_api
from tests.support.rows import add_booking, add_user
from zerkalo.db.pool import Pool
from zerkalo.kit.problem import ProblemError
from zerkalo.users.erasing.service import erase_user
from zerkalo.users.matching.store import users_for_matching
from zerkalo.users.merging.service import merge_accounts, undo_merge


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


async def test_a_merge_gives_everything_of_the_one_to_the_other(people: PeopleApi) -> None:
    admin = await an_admin(people)
    old, olds_client = await people.api.new_user(
        email="old@example.com", email_verified_at=PROVED, unique_code="AAAA1111", name="Анна"
    )
    kept, _ = await people.api.new_user(email="new@example.com", unique_code="BBBB1111", phone="+79991234567")
    async with people.pool.connection() as conn:
        booking = await add_booking(conn, user_id=old, yclients_record_id=1, user_code="AAAA1111")
        open_ = await add_booking(conn, yclients_record_id=2)
        for user in (old, kept):
            await conn.execute(
                "insert into match_candidates values (%s, %s, 'phone', %s)", [open_, user, PROVED]
            )
        for key, points, of in (("a", 100, booking), ("b", -30, None)):
            await conn.execute(
                "insert into bonus_entries (user_id, booking_id, amount, kind, entry_key, effective_at, created_at)"
                " values (%s, %s, %s, %s, %s, %s, %s)",
                [old, of, points, "accrual" if of else "redemption", key, PROVED, PROVED],
            )

    answer = await admin.post(f"/admin/users/{old}/merge", json={"into": kept})

    assert answer.status_code == 200
    me = answer.json()
    assert (me["id"], me["name"], me["balance"]) == (kept, "Анна", 70)
    assert (me["email"], me["unique_code"], me["phone"]) == ("new@example.com", "BBBB1111", "+79991234567")
    assert await rows(people, "select user_id, notes from bookings where yclients_record_id = 1") == [
        (kept, "YClients. ID: 1\nКод клиента: BBBB1111")
    ]
    assert await rows(people, "select user_id from match_candidates") == [(kept,)]
    assert (await olds_client.get("/auth/me")).status_code == 401
    async with people.pool.connection() as conn:
        named = await users_for_matching(conn, codes=["AAAA1111"])
    assert [user.id for user in named] == [kept], "her old code in a comment names her"
    balances = await rows(
        people, "select user_id, sum(amount)::int from bonus_entries group by user_id order by user_id"
    )
    assert balances == [(old, 0), (kept, 70)]
    audit = await rows(people, "select action, subject, details from audit_entries")
    assert audit == [("user.merge", f"user {old}", {"into": kept})]
    assert people.proved[-1:] == [kept]


async def test_codes_of_a_chain_of_merges_name_who_is_left(people: PeopleApi) -> None:
    admin = await an_admin(people)
    users = [(await people.api.new_user(unique_code=f"AAAA000{n}"))[0] for n in range(3)]

    for one, other in ((users[0], users[1]), (users[1], users[2])):
        assert (await admin.post(f"/admin/users/{one}/merge", json={"into": other})).status_code == 200

    async with people.pool.connection() as conn:
        (left,) = await users_for_matching(conn, codes=["AAAA0000"])
    assert (left.id, left.unique_code, left.also_codes) == (users[2], "AAAA0002", ("AAAA0000", "AAAA0001"))


async def test_what_cannot_be_merged(people: PeopleApi) -> None:
    admin = await an_admin(people)
    user, _ = await people.api.new_user()
    gone, _ = await people.api.new_user(erased_at=PROVED)
    other_admin, _ = await people.api.new_user(is_admin=True)

    async def merge(one: object, into: object) -> tuple[int, str]:
        answer = await admin.post(f"/admin/users/{one}/merge", json={"into": into})
        return answer.status_code, answer.json()["code"]

    assert await merge(user, user) == (409, "same_user")
    assert await merge(user, 10**6) == (404, "user_not_found")
    assert await merge(10**6, user) == (404, "user_not_found")
    assert await merge(gone, user) == (404, "user_not_found")
    assert await merge(user, gone) == (404, "user_not_found")
    assert await merge(other_admin, user) == (409, "cannot_merge_admin")
    assert (await merge(user, 2**63))[0] == 422
    assert (await merge("x", user))[0] == 422
    assert await rows(people, "select 1 from audit_entries") == []


async def test_admins_find_people_by_a_part_of_what_they_know(people: PeopleApi) -> None:
    admin = await an_admin(people)
    async with people.pool.connection() as conn:
        anna = await add_user(
            conn, email="anna@example.com", phone="+79991234567", name="Анна Петрова", unique_code="ABCD9999"
        )
        for number in range(30):
            await add_user(conn, email=f"user{number}@other.ru", phone=f"+7900000{number:04}")
        await add_user(conn, erased_at=PROVED)
        await conn.execute("insert into retired_codes (code, user_id) values ('QQQQ1111', %s)", [anna])

    for search in (
        "ANNA@",
        "петров",
        "ПЕТРОВ",
        "Петрова",
        "abcd99",
        "999 123-45",
        "8 (999) 123-45-67",
        "qqqq1111",
    ):
        found = (await admin.get("/admin/users", params={"search": search})).json()["items"]
        assert [item["id"] for item in found] == [anna], search
    for search in ("%", "_", "nobody", "\x00", "+7 8"):
        found = (await admin.get("/admin/users", params={"search": search})).json()["items"]
        assert found == [], search


async def test_admins_see_who_owes_points(people: PeopleApi) -> None:
    admin = await an_admin(people)
    async with people.pool.connection() as conn:
        in_debt, rich, new = [await add_user(conn) for _ in range(3)]
        for number, (user, points) in enumerate(((in_debt, 100), (in_debt, -130), (rich, 70))):
            await conn.execute(
                "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
                " values (%s, %s, 'adjustment', %s, %s, %s)",
                [user, points, str(number), PROVED, PROVED],
            )

    listed = (await admin.get("/admin/users")).json()["items"]

    balances = {one["id"]: one["balance"] for one in listed}
    assert [balances[id_] for id_ in (in_debt, rich, new)] == [-30, 70, 0]


async def test_the_list_is_whole_page_by_page(people: PeopleApi) -> None:
    admin = await an_admin(people)
    async with people.pool.connection() as conn:
        for number in range(7):
            await add_user(conn, email=f"user{number}@example.com")
    seen: list[int] = []
    cursor: str | None = None
    while True:
        params = {"limit": 3} | ({"cursor": cursor} if cursor else {})
        page = (await admin.get("/admin/users", params=params)).json()
        seen += [item["id"] for item in page["items"]]
        cursor = page["next_cursor"]
        if cursor is None:
            break

    assert seen == sorted(seen, reverse=True)
    assert len(seen) == len(set(seen)) == 8
    assert (await admin.get("/admin/users", params={"cursor": "x"})).json()["code"] == "invalid_cursor"


async def test_people_are_for_admins_only(people: PeopleApi) -> None:
    user, client = await people.api.new_user()
    nobody = people.api.client()

    for path, method in (("/admin/users", "GET"), (f"/admin/users/{user}/merge", "POST")):
        body = {"into": user} if method == "POST" else None
        assert (await nobody.request(method, path, json=body)).status_code == 401
        assert (await client.request(method, path, json=body)).status_code == 403


async def test_who_earned_elsewhere_before_an_import_does_so_in_a_merged_account(people: PeopleApi) -> None:
    """An imported balance holds the points of the visits before: they would be given a second time."""
    admin = await an_admin(people)
    async with people.pool.connection() as conn:
        old, kept = await add_user(conn, earns_from=date(2026, 11, 1)), await add_user(conn)
    earns = "select id, earns_from from users where role is null order by id"
    before = await rows(people, earns)

    assert (await admin.post(f"/admin/users/{old}/merge", json={"into": kept})).status_code == 200
    assert await rows(people, f"{earns} desc limit 1") == [(kept, date(2026, 11, 1))]

    await undo_merge(people.people, await merge_id_of(people), admin_id=1, now=NOW)
    assert await rows(people, earns) == before


async def test_an_erasure_reaches_the_accounts_that_were_merged_one_into_another(
    people: PeopleApi, pool: Pool
) -> None:
    admin = await an_admin(people)
    first, second = await two_accounts(people)
    third, _ = await people.api.new_user()
    points = {"user_id": first, "points": 50, "reason": "Анне за терпение"}
    await admin.post("/admin/loyalty/adjust", json=points, headers={"Idempotency-Key": "k"})
    for one, other in ((first, second), (second, third)):
        assert (await admin.post(f"/admin/users/{one}/merge", json={"into": other})).status_code == 200

    await erase_user(pool, third, settle_bookings=people.people.ports.settle_bookings, now=NOW)

    assert await rows(people, "select id from bonus_entries where reason like '%Анне%'") == []
    assert await rows(people, "select * from merges") == []


async def test_who_got_a_role_meanwhile_is_not_merged(people: PeopleApi) -> None:
    """Whoever asks for the merge read the account before it was locked: that it is of the staff counts at the end."""
    async with people.pool.connection() as conn:
        staff, into = await add_user(conn, role="receptionist"), await add_user(conn)
    async with people.pool.connection() as conn:
        with pytest.raises(ProblemError, match="cannot_merge_admin"):
            await merge_accounts(
                conn,
                people.people.ports,
                from_id=staff,
                into_id=into,
                admin_id=None,
                keep_code_of_from=False,
                now=NOW,
            )
