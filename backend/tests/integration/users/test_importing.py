"""Imports: the whole file or nothing, twice is once, and never a contact for who is there."""

from datetime import UTC, datetime
from typing import Any

import pytest
from psycopg import AsyncConnection
from psycopg_pool import AsyncConnectionPool

from tests.support.people import PeopleApi, people_api
from tests.support.rows import add_booking, add_user
from tests.support.salon import NO_BONUSES
from zerkalo.auth.passwords.rules import hash_password
from zerkalo.codes.rules import canonical_code
from zerkalo.db.pool import Pool
from zerkalo.mirror.service import Applier
from zerkalo.users.importing.rules import ImportedPerson, read_people
from zerkalo.users.importing.service import ImportReport, import_people

HEADER = "email,phone,name,unique_code\n"
PROVED = datetime(2025, 1, 1, tzinfo=UTC)


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


async def run(people: PeopleApi, text: str) -> ImportReport:
    found, bad = read_people((HEADER + text).encode(), canonical_code=canonical_code)
    assert bad == []
    return await import_people(people.pool, found, now=people.now)


async def users(people: PeopleApi) -> list[Any]:
    async with people.pool.connection() as conn:
        cursor = await conn.execute(
            "select email, phone, name, unique_code, email_verified_at is not null, phone_verified_at is not null"
            " from users order by id"
        )
        return await cursor.fetchall()


class CountingConnection(AsyncConnection[Any]):
    """Counts the barriers that it takes."""

    barriers = 0

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        if isinstance(params, dict) and params.get("purpose") == "matching":
            CountingConnection.barriers += 1
        return await super().execute(query, params, **options)


async def test_however_many_are_imported_all_batches_are_waited_for_once(dsn: str) -> None:
    async def configure(conn: Any) -> None:
        await conn.set_autocommit(True)

    pool: Any = AsyncConnectionPool(dsn, connection_class=CountingConnection, open=False, configure=configure)
    async with pool, pool.connection() as conn:
        booking = await add_booking(conn, match_email="p1200@example.com")
        lines, bad = read_people(
            (HEADER + "".join(f"p{n}@example.com,,,\n" for n in range(1500))).encode(),
            canonical_code=canonical_code,
        )
        await import_people(pool, lines, now=PROVED)
        CountingConnection.barriers = 0

        applier = Applier(pool, clock=lambda: PROVED, policy=NO_BONUSES)
        await applier.rematcher.rematch_waiting_users()

        cursor = await conn.execute("select u.email, b.id from bookings b join users u on u.id = b.user_id")
        assert await cursor.fetchall() == [("p1200@example.com", booking)]
        cursor = await conn.execute("select count(*) from users where rematch_wanted_at is not null")
        assert await cursor.fetchall() == [(0,)]
        assert (bad, CountingConnection.barriers) == ([], 1)


FILE = "anna@example.com,89991234567,Анна,CARD0001\n,89997654321,Ольга,\nonly@example.com,,,\n,,Без контактов,CARD0002\n"


async def test_contacts_of_an_import_count_as_proved(people: PeopleApi) -> None:
    assert await run(people, FILE) == ImportReport(added=4)

    assert await users(people) == [
        ("anna@example.com", "+79991234567", "Анна", "CARD0001", True, True),
        (None, "+79997654321", "Ольга", None, False, True),
        ("only@example.com", None, "", None, True, False),
        (None, None, "Без контактов", "CARD0002", False, False),
    ]


async def test_the_same_file_again_changes_nothing(people: PeopleApi) -> None:
    await run(people, FILE)
    before = await users(people)

    assert await run(people, FILE) == ImportReport(unchanged=4)
    assert await users(people) == before


async def test_a_code_that_is_given_stands_in_the_notes_of_past_visits_too(people: PeopleApi) -> None:
    async with people.pool.connection() as conn:
        anna = await add_user(conn, email="anna@example.com", email_verified_at=PROVED)
        await add_booking(conn, user_id=anna, matched_by="email")

    await run(people, "anna@example.com,,Анна,CARD0001\n")

    async with people.pool.connection() as conn:
        row = await (await conn.execute("select user_code from bookings")).fetchone()
    assert row == ("CARD0001",)


async def test_who_is_known_gets_a_name_and_a_code_but_never_a_contact(people: PeopleApi) -> None:
    async with people.pool.connection() as conn:
        await add_user(conn, email="anna@example.com", email_verified_at=PROVED)

    report = await run(people, "anna@example.com,89991234567,Анна,CARD0001\n")

    assert report == ImportReport(completed=1)
    assert await users(people) == [("anna@example.com", None, "Анна", "CARD0001", True, False)]
    assert await run(people, "anna@example.com,,Другая,CARD0009\n") == ImportReport(unchanged=1)


async def test_a_password_comes_only_beside_an_email(people: PeopleApi) -> None:
    """Nobody could sign in by it, and an SMS opens no account that has one: its owner would be shut out."""
    async with people.pool.connection() as conn:
        await add_user(conn, phone="+79991234567", phone_verified_at=PROVED)
    hashed = hash_password("correct horse battery")
    people_of_file = [
        ImportedPerson(2, None, "+79991234567", "Анна", None, hashed),
        ImportedPerson(3, None, "+79997654321", "Ольга", None, hashed),
        ImportedPerson(4, "b@example.com", None, "Борис", None, hashed),
    ]

    await import_people(people.pool, people_of_file, now=people.now)

    async with people.pool.connection() as conn:
        cursor = await conn.execute("select name from users where password_hash is not null")
        assert await cursor.fetchall() == [("Борис",)]
    report = await import_people(people.pool, people_of_file, now=people.now)
    assert report == ImportReport(unchanged=3)


async def test_who_registered_and_proved_nothing_is_not_known(people: PeopleApi) -> None:
    _, client = await people.registered("anna@example.com", phone="+79991234567")

    assert await run(people, "anna@example.com,89991234567,Анна,CARD0001\n") == ImportReport(added=1)

    me = (await client.get("/auth/me")).json()
    assert (me["email_verified"], me["phone_verified"]) == (False, False)
    taken_over = (await people.prove(client, "email")).json()
    assert (taken_over["unique_code"], taken_over["phone_verified"]) == ("CARD0001", True)


async def test_one_bad_line_leaves_everything_as_it_was(people: PeopleApi) -> None:
    async with people.pool.connection() as conn:
        await add_user(conn, email="a@example.com", email_verified_at=PROVED)
        await add_user(conn, unique_code="CARD0005")
        await conn.execute("insert into retired_codes (code) values ('GONE0001')")
    before = await users(people)

    report = await run(people, "new@example.com,,,\na@example.com,,,CARD0005\n,,,GONE0001\n")

    assert [found.line for found in report.bad] == [3, 4]
    assert report.added == 0
    assert await users(people) == before


async def test_a_phone_alone_names_who_has_it(people: PeopleApi) -> None:
    async with people.pool.connection() as conn:
        await add_user(conn, phone="+79991234567", phone_verified_at=PROVED, email="a@example.com")

    assert await run(people, ",89991234567,Анна,\n") == ImportReport(completed=1)
    assert await run(people, "b@example.com,89991234567,Мать,\n") == ImportReport(added=1, phone_shared=1)


async def test_phones_that_somebody_else_has_proved_are_counted(people: PeopleApi) -> None:
    async with people.pool.connection() as conn:
        await add_user(conn, phone="+79991234567", phone_verified_at=PROVED, email="a@example.com")
        await add_user(conn, phone="+79990000001", email="claims@example.com")

    report = await run(
        people,
        "b@example.com,89991234567,,\n"
        "c@example.com,89990000001,,\n"
        "d@example.com,89990000002,,\ne@example.com,89990000002,,\n",
    )

    assert report == ImportReport(added=4, phone_shared=3)


async def test_many_are_written_in_sets(people: PeopleApi) -> None:
    text = "".join(f"user{number}@example.com,,,\n" for number in range(2500))
    told: list[int] = []
    found, _ = read_people((HEADER + text).encode(), canonical_code=canonical_code)

    report = await import_people(people.pool, found, now=people.now, on_progress=told.append)

    assert report == ImportReport(added=2500)
    assert told == [1000, 2000, 2500]


FAMILY = "a@example.com,89991234567,Мать,\n", ",89991234567,Ребёнок,\n"


@pytest.mark.parametrize("lines", [FAMILY, FAMILY[::-1]])
async def test_a_family_on_one_phone_may_be_imported_again(people: PeopleApi, lines: tuple[str, str]) -> None:
    first = await run(people, "".join(lines))
    before = await users(people)

    assert (first.added, first.bad) == (2, ())
    assert await run(people, "".join(lines)) == ImportReport(unchanged=2)
    assert await users(people) == before


@pytest.mark.parametrize("between", [0, 1500])
@pytest.mark.parametrize("child_first", [False, True])
async def test_a_child_completes_no_mother(people: PeopleApi, between: int, child_first: bool) -> None:
    """Also where many lines are written between the two."""
    mother = ImportedPerson(8000 if child_first else 3, "a@example.com", "+79991234567", "", None)
    child_line = 2 if child_first else 9000
    hashed = hash_password("correct horse battery")
    child = ImportedPerson(child_line, None, "+79991234567", "Ребёнок", None, hashed)
    others = [ImportedPerson(4 + n, f"user{n}@example.com", None, "", None) for n in range(between)]
    lines = [child, *others, mother] if child_first else [mother, *others, child]

    for _ in range(2):
        report = await import_people(people.pool, lines, now=people.now)

        assert report.bad == ()
        async with people.pool.connection() as conn:
            cursor = await conn.execute(
                "select email, name, password_hash from users where phone is not null order by email"
            )
            assert await cursor.fetchall() == [("a@example.com", "", None), (None, "Ребёнок", None)]


async def test_a_mended_line_still_finds_the_child(people: PeopleApi) -> None:
    await run(people, "a@example.com,89991234567,Мать,\n,89991234567,,\n")

    assert await run(people, "".join(FAMILY)) == ImportReport(completed=1, unchanged=1)
    assert [name for _, _, name, *_ in await users(people)] == ["Мать", "Ребёнок"]


async def test_a_phone_of_several_names_nobody(people: PeopleApi) -> None:
    async with people.pool.connection() as conn:
        await add_user(conn, phone="+79991234567", phone_verified_at=PROVED, email="a@example.com")
        await add_user(conn, phone="+79991234567", phone_verified_at=PROVED)
    before = await users(people)

    assert await run(people, ",89991234567,Анна,\n") == ImportReport(unchanged=1)
    assert await users(people) == before
