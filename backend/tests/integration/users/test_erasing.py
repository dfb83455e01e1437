"""A user's right to have everything gone that is held about them."""

import json
import subprocess
from datetime import timedelta
from pathlib import Path
from typing import Any

import anyio
import pytest
from msgspec import structs
from psycopg.errors import RaiseException

from embedded_postgres import clean_environment, program
from tests.integration.users.test_entering import code_to, enter, whose
from tests.support.anna import (
    CODE,
    EMAIL,
    NAME,
    PHONE,
    THEN,
    add_delivery,
    anna_everywhere,
    annas_visit,
    record,
)
from tests.support.people import PASSWORD, PeopleApi, people_api
from tests.support.rows import add_booking, add_user
from zerkalo.db.pool import Pool
from zerkalo.users.erasing import store as erasing
from zerkalo.users.erasing.journal import store as journal
from zerkalo.users.erasing.model import Erasure
from zerkalo.users.erasing.service import erase_again, erase_user, sweep_erased
from zerkalo.users.importing.rules import ImportedPerson
from zerkalo.users.importing.service import import_people


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


async def erase(people: PeopleApi, user_id: int) -> None:
    await erase_user(
        people.pool, user_id, settle_bookings=people.people.ports.settle_bookings, now=people.now
    )


async def sweep(people: PeopleApi) -> int:
    """What the worker does every ten minutes."""
    return await sweep_erased(
        people.pool, settle_bookings=people.people.ports.settle_bookings, now=people.now
    )


def dumped(dsn: str) -> str:
    """The whole database as text, bodies too."""
    done = subprocess.run(
        [program("pg_dump"), "--data-only", "--inserts", "--restrict-key=test", dsn],
        env=clean_environment(),
        capture_output=True,
        check=True,
        text=True,
    )
    # Bodies are dumped as hex: show them as text too.
    hex_bodies = [part.split("'")[0] for part in done.stdout.split(r"'\x")[1:]]
    return done.stdout + "".join(bytes.fromhex(part).decode(errors="replace") for part in hex_bodies)


def traces(dump: str) -> list[str]:
    """What of Anna is in it."""
    digits = "".join(letter for letter in dump if letter.isdigit())
    needles = [EMAIL, "anna.petrova", NAME, "Петрова", CODE + "'", "9991234567", json.dumps(NAME)[1:-1]]
    lowered = dump.lower()
    return [needle for needle in needles if needle.lower() in lowered] + (
        ["the phone, digit by digit"] if "9991234567" in digits else []
    )


async def test_nothing_of_her_is_left_anywhere(people: PeopleApi, dsn: str) -> None:
    anna = await anna_everywhere(people)
    client = await people.api.as_user(anna)
    assert len(traces(dumped(dsn))) == 8, "the test sees her while she is there"

    assert (await client.request("DELETE", "/auth/me", json={"password": PASSWORD})).status_code == 204

    left = traces(dumped(dsn))
    # Her code stays as a number that is never given again, and names nobody.
    assert left == [CODE + "'"]
    assert (await client.get("/auth/me")).status_code == 401
    async with people.pool.connection() as conn:
        retired = await (
            await conn.execute("select code, user_id from retired_codes order by code")
        ).fetchall()
    assert retired == [("ANNA0000", None), (CODE, None)]


async def test_what_the_salon_counts_stays(people: PeopleApi) -> None:
    anna = await anna_everywhere(people)

    await erase(people, anna)

    async with people.pool.connection() as conn:
        bookings = await (
            await conn.execute(
                "select yclients_record_id, user_id, service_price, notes, erased_at from bookings order by id"
            )
        ).fetchall()
        ledger = await (
            await conn.execute("select user_id, amount, reason from bonus_entries order by id")
        ).fetchall()
        deliveries = await (
            await conn.execute("select body, outcome, reason, handled_at from deliveries order by id")
        ).fetchall()
        form = await (await conn.execute("select user_id, record_id, answer from form_bookings")).fetchall()
    assert bookings[0] == (7, None, 250_000, "YClients. ID: 7", people.now)
    assert bookings[1] == (8, None, 250_000, "YClients. ID: 8", people.now)
    assert bookings[2][3:] == ("YClients. ID: 9\nвсё", None), "somebody else's is not touched"
    assert ledger == [(anna, 125, ""), (anna, -25, ""), (anna, -125, "not_earned")], (
        "nobody's booking earns nothing"
    )
    assert [
        json.loads(body)["erased"] for body in (deliveries[0][0], deliveries[2][0], deliveries[3][0])
    ] == [True] * 3
    assert "Другая" in json.loads(deliveries[1][0])["data"]["client"]["name"]
    assert deliveries[3][1:] == ("quarantined", "not JSON", None), (
        "row and reason stay, a replay asks YCLIENTS"
    )
    assert form == [(None, 7, None)]


async def test_erasing_twice_is_erasing_once(people: PeopleApi, dsn: str) -> None:
    anna = await anna_everywhere(people)
    await erase(people, anna)
    once = dumped(dsn)

    await erase(people, anna)

    assert sorted(dumped(dsn).splitlines()) == sorted(once.splitlines())


async def test_the_ledger_gives_up_words_only_and_only_of_the_erased(people: PeopleApi) -> None:
    anna = await anna_everywhere(people)
    async with people.pool.connection() as conn:
        for change in ("reason = ''", "reason = 'x'", "amount = 1"):
            with pytest.raises(RaiseException, match="only grows"):
                await conn.execute(f"update bonus_entries set {change} where user_id = %s", [anna])
        await conn.execute("update users set erased_at = now() where id = %s", [anna])
        for change in ("reason = 'x'", "amount = 1", "reason = '', amount = 1"):
            with pytest.raises(RaiseException, match="only grows"):
                await conn.execute(f"update bonus_entries set {change} where user_id = %s", [anna])


async def test_a_booking_that_was_being_linked_meanwhile_is_stripped_too(people: PeopleApi, dsn: str) -> None:
    anna = await anna_everywhere(people)
    async with people.pool.connection() as conn, anyio.create_task_group() as tasks, conn.transaction():
        await add_booking(conn, user_id=anna, yclients_record_id=20, comment=NAME)
        tasks.start_soon(lambda: erase(people, anna))
        await anyio.sleep(0.3)

    async with people.pool.connection() as conn:
        # And one whose batch had read her before she was gone, and wrote after.
        await add_booking(conn, user_id=anna, yclients_record_id=21, comment=NAME)
    assert await sweep(people) == 1
    assert await sweep(people) == 0

    assert traces(dumped(dsn)) == [CODE + "'"]


async def test_her_code_is_never_given_again(people: PeopleApi) -> None:
    anna = await anna_everywhere(people)
    await erase(people, anna)

    from zerkalo.db.transaction import transaction
    from zerkalo.users.model import NewUser
    from zerkalo.users.service import CodeTaken, add_user

    async with transaction(people.pool) as conn:
        with pytest.raises(CodeTaken):
            await add_user(conn, NewUser(unique_code=CODE), now=people.now, new_code=lambda: CODE)


async def test_an_import_that_names_an_erased_person_says_so(people: PeopleApi) -> None:
    """The contacts are known again by keyed digests; who came back by themselves is imported as ever."""
    await anna_everywhere(people)
    anna, client = await people.registered("second@example.com")
    await people.prove(client, "email")
    assert (await client.request("DELETE", "/auth/me", json={"password": PASSWORD})).status_code == 204
    lines = [
        ImportedPerson(2, "new@example.com", None, "", None),
        ImportedPerson(3, "second@example.com", None, "", None),
    ]
    key = people.people.proof_key

    refused = await import_people(people.pool, lines, now=people.now, contact_key=key)
    assert [found.line for found in refused.bad] == [3]
    assert "second" not in refused.bad[0].problem

    back, client = await people.registered("second@example.com")
    await people.prove(client, "email")
    report = await import_people(people.pool, lines, now=people.now, contact_key=key)
    assert (report.bad, report.added, report.unchanged) == ((), 1, 1)
    assert back != anna


async def test_she_may_come_back_as_a_new_person(people: PeopleApi) -> None:
    anna = await anna_everywhere(people)
    await erase(people, anna)

    user_id, client = await people.registered(EMAIL)

    assert user_id != anna
    assert (await people.prove(client, "email")).status_code == 200


def card(number: int, **fields: str) -> bytes:
    """A webhook about a client's card."""
    body = {"company_id": 1, "resource": "client", "resource_id": number, "status": "update"}
    return json.dumps({**body, "data": {"id": number, **fields}}).encode()


@pytest.mark.parametrize("is_given", [True, False])
async def test_a_card_goes_where_an_admin_gave_it_and_else_only_the_own_visits(
    people: PeopleApi, dsn: str, is_given: bool
) -> None:
    async with people.pool.connection() as conn:
        anna = await add_user(conn, unique_code=CODE)
        other = await add_user(conn)
        await conn.execute(
            "insert into clients (company_id, client_id, name, user_id) values (1, 9001, 'Анна', %s), (1, 9002, 'Вера', null)",
            [anna if is_given else None],
        )
        for record_id, user_id in ((6, None), (7, anna), (8, other)):
            await add_booking(
                conn, user_id=user_id, yclients_record_id=record_id, client_id=9001, comment="остаётся"
            )
        await add_delivery(conn, card(9001, name="Анна"), resource="client", resource_id=9001)
        await add_delivery(conn, card(9002, name="Вера"), resource="client", resource_id=9002)
        await add_delivery(conn, card(9001, name="Ольга"), resource="client", resource_id=9001, company_id=2)

    await erase(people, anna)

    async with people.pool.connection() as conn:
        kept = await (
            await conn.execute("select yclients_record_id, comment from bookings order by 1")
        ).fetchall()
        names = await (await conn.execute("select name from clients order by client_id")).fetchall()
        bodies = await (await conn.execute("select body from deliveries order by id")).fetchall()
    assert kept == [(6, "" if is_given else "остаётся"), (7, ""), (8, "остаётся")]
    assert names == [("" if is_given else "Анна",), ("Вера",)]
    assert ["erased" in json.loads(body) for (body,) in bodies] == [is_given, False, False]


@pytest.mark.parametrize("first", ["the new holder", "Olga"])
async def test_the_card_of_a_number_that_changed_hands_goes_with_whose_visits_are_there(
    people: PeopleApi, first: str
) -> None:
    """Neither erasure takes what is the other's: the new holder has proved the number, and was never the card's client."""
    async with people.pool.connection() as conn:
        olga = await add_user(conn, name="Ольга", phone=PHONE, phone_verified_at=THEN, password_hash="x")
        await add_card(conn, "Ольга", email="olga@example.com")
        await add_booking(
            conn, user_id=olga, matched_by="phone", client_id=9, phone=PHONE, comment="её", **BY_PHONE
        )
    answer = await enter(people, PHONE, await code_to(people, PHONE), new_account=True)
    new = (await whose(people, answer))["id"]
    assert isinstance(new, int)

    if first == "the new holder":
        await erase(people, new)
        assert await cards_and_comments(people) == [("Ольга", PHONE, "аллергия", "её")]
    await erase(people, olga)

    assert await cards_and_comments(people) == [("", None, "", "")]


@pytest.mark.parametrize("evidence", ["phone", "code", "form"])
async def test_the_card_whose_number_is_proved_goes_with_the_visits_of_its_holder(
    people: PeopleApi, evidence: str
) -> None:
    """The number changed hands and its new holder comes to the salon too, or a stranger booked with it and their own code."""
    async with people.pool.connection() as conn:
        other = await add_user(conn, phone=PHONE if evidence == "phone" else None)
        anna = await add_user(conn, phone=PHONE, phone_verified_at=THEN)
        await add_card(conn, NAME)
        await add_booking(conn, user_id=other, matched_by=evidence, client_id=9, comment="чужой", **BY_PHONE)
        if evidence == "phone":
            await add_booking(conn, user_id=anna, matched_by="phone", client_id=9, **BY_PHONE)

    await erase(people, other)
    assert {row[0] for row in await cards_and_comments(people)} == {NAME}
    await erase(people, anna)

    assert {row[:3] for row in await cards_and_comments(people)} == {("", None, "")}


@pytest.mark.parametrize("is_hers", [True, False])
async def test_an_erasure_takes_the_card_of_a_lost_proof_only_while_it_names_the_contact(
    people: PeopleApi, is_hers: bool
) -> None:
    async with people.pool.connection() as conn:
        anna = await add_user(conn, phone=PHONE if is_hers else "+79990000001", password_hash="x")
        await add_card(conn, NAME)
        await add_booking(conn, user_id=anna, matched_by="phone", client_id=9, comment="её", **BY_PHONE)

    await erase(people, anna)

    left = ("", None, "", "") if is_hers else (NAME, PHONE, "аллергия", "")
    assert await cards_and_comments(people) == [left]


BY_PHONE: dict[str, Any] = {"match_phone10": PHONE[-10:]}


async def add_card(conn: Any, name: str, email: str | None = None) -> None:
    """Card 9, with Anna's phone and a note of the salon's."""
    await conn.execute(
        "insert into clients (company_id, client_id, name, phone, email, first_email, note)"
        " values (1, 9, %(name)s, %(phone)s, %(email)s, coalesce(%(email)s, ''), 'аллергия')",
        {"name": name, "phone": PHONE, "email": email},
    )


async def cards_and_comments(people: PeopleApi) -> list[tuple[Any, ...]]:
    """(name, phone and note of a card, comment of a visit), by visit."""
    async with people.pool.connection() as conn:
        cursor = await conn.execute(
            "select c.name, c.phone, c.note, b.comment from bookings b, clients c order by b.id"
        )
        return await cursor.fetchall()


async def test_a_card_given_to_her_at_the_same_moment_is_stripped_too(
    people: PeopleApi, monkeypatch: pytest.MonkeyPatch
) -> None:
    async with people.pool.connection() as conn:
        anna = await add_user(conn, name=NAME)
        await conn.execute(
            "insert into clients (company_id, client_id, name, phone) values (1, 9, %s, %s)", [NAME, PHONE]
        )
        await add_booking(conn, client_id=9, client_name=NAME)
    search = erasing.booking_ids_of

    async def found(conn: Any, *args: Any, **more: Any) -> list[int]:
        ids = await search(conn, *args, **more)
        async with people.pool.connection() as desk:
            await desk.execute("update clients set user_id = %s where erased_at is null", [anna])
        return ids

    monkeypatch.setattr(erasing, "booking_ids_of", found)
    await erase(people, anna)

    async with people.pool.connection() as conn:
        cursor = await conn.execute(
            "select c.name, c.user_id, b.client_name from clients c, bookings b where c.client_id = 9"
        )
        assert await cursor.fetchall() == [("", None, None)]


async def test_a_quarantined_call_that_a_fast_clock_dated_is_emptied_too(people: PeopleApi) -> None:
    anna = await anna_everywhere(people)
    async with people.pool.connection() as conn:
        await conn.execute(
            "update deliveries set received_at = %s where outcome = 'quarantined'",
            [people.now + timedelta(hours=3)],
        )

    await erase(people, anna)

    async with people.pool.connection() as conn:
        cursor = await conn.execute("select body from deliveries where outcome = 'quarantined'")
        bodies = [bytes(body) for (body,) in await cursor.fetchall()]
    assert bodies
    assert all(b'"erased"' in body for body in bodies)


async def test_sixty_thousand_bodies_are_emptied_in_steps_and_nobody_waits(people: PeopleApi) -> None:
    """A delivery that somebody holds is passed over and emptied by the next sweep; a killed erasure goes on."""
    async with people.pool.connection() as conn:
        anna = await add_user(conn, unique_code=CODE)
        booking = await annas_visit(conn, anna)
        await conn.execute(
            "insert into deliveries (received_at, company_id, resource, resource_id, event, body, outcome, finished_at, booking_id)"
            " select %s, 1, 'record', 7, 'update', convert_to(%s, 'UTF8'), 'applied', %s, %s from generate_series(1, 60000)",
            [THEN, json.dumps({"data": {"client": {"name": NAME}}}), THEN, booking],
        )
    async with people.pool.connection() as holder, holder.transaction():
        await holder.execute("select from deliveries order by id limit 1 for update")
        await erase(people, anna)
        async with people.pool.connection() as conn:
            assert await count_with_name(conn) == 1
            unfinished = await (await conn.execute("select finished_at from erasures")).fetchall()
        assert unfinished == [(None,)]

    await sweep(people)

    async with people.pool.connection() as conn:
        assert await count_with_name(conn) == 0
        (row,) = await (await conn.execute("select finished_at from erasures")).fetchall()
    assert row[0] is not None


async def count_with_name(conn: Any) -> int:
    row = await (
        await conn.execute(
            "select count(*) from deliveries where position(convert_to('client', 'UTF8') in body) > 0"
        )
    ).fetchone()
    return row[0]


async def test_a_restored_backup_erases_again_by_the_journal(people: PeopleApi, tmp_path: Path) -> None:
    """The backup holds Anna, and the booking that she made after it comes by a sync."""
    anna = await anna_everywhere(people)
    written: list[Erasure] = []
    await erase_user(
        people.pool,
        anna,
        settle_bookings=people.people.ports.settle_bookings,
        now=people.now,
        write=written.extend,
    )
    path = journal.journal_beside(tmp_path / "data")
    (erasure,) = written
    erasure = structs.replace(erasure, bookings=(*erasure.bookings, (1, 555)))
    assert journal.append(path, [erasure]) == 1
    assert journal.append(path, [erasure]) == 0
    assert NAME not in path.read_text()
    async with people.pool.connection() as conn:
        assert await erasing.count_lacking(conn, written) == 0
        await conn.execute("delete from erasures")
        assert await erasing.count_lacking(conn, journal.read(path)) == 0, "nothing of hers is back"
        await conn.execute(
            "update users set email = %s, phone = %s, name = %s, erased_at = null, created_at = %s where id = %s",
            [EMAIL, PHONE, NAME, THEN, anna],
        )
        await conn.execute(
            "update bookings set user_id = %s, comment = %s, erased_at = null where yclients_record_id = 7",
            [anna, NAME],
        )
        await conn.execute("update users set email_verified_at = %s where id = %s", [THEN, anna])
        await conn.execute("delete from erased_contacts")
        assert await erasing.count_lacking(conn, journal.read(path)) == 1
        assert await erasing.count_lacking(conn, [structs.replace(erasure, user_id=None)]) == 1
        assert await erasing.count_lacking(conn, [structs.replace(erasure, bookings=())]) == 1
        long_ago = structs.replace(erasure, bookings=(), at=THEN - timedelta(days=1))
        assert await erasing.count_lacking(conn, [long_ago]) == 0, "another user had the number then"

    back = await erase_again(
        people.pool,
        journal.read(path),
        settle_bookings=people.people.ports.settle_bookings,
        contact_key=people.people.proof_key,
        now=people.now,
    )

    assert back == 1
    async with people.pool.connection() as conn:
        assert await erasing.count_lacking(conn, journal.read(path)) == 0
    report = await import_people(
        people.pool,
        [ImportedPerson(2, EMAIL, None, "", None)],
        now=people.now,
        contact_key=people.people.proof_key,
    )
    assert [found.line for found in report.bad] == [2], "an import knows again whom the backup had forgotten"
    async with people.pool.connection() as conn:
        await add_booking(conn, yclients_record_id=555, comment=NAME)
    await sweep(people)
    async with people.pool.connection() as conn:
        names = await (await conn.execute("select name from users where id = %s", [anna])).fetchone()
        comments = await (
            await conn.execute("select comment from bookings where yclients_record_id in (7, 555)")
        ).fetchall()
    assert names == ("",)
    assert comments == [("",), ("",)]


async def test_a_visit_she_booked_here_that_shows_up_after_her_erasure_is_stripped(
    people: PeopleApi, dsn: str
) -> None:
    async with people.pool.connection() as conn:
        anna = await add_user(conn, unique_code=CODE)
        other = await add_user(conn)
        for api_id, user_id, record_id in (
            ("hers", anna, None),
            ("other's", other, 8),
            ("a guest's", None, 9),
        ):
            await conn.execute(
                "insert into form_bookings (api_id, user_id, company_id, record_id, request_digest, created_at)"
                " values (%s, %s, 1, %s, '\\x01', %s)",
                [api_id, user_id, record_id, THEN],
            )
    await erase(people, anna)

    async with people.pool.connection() as conn:
        # What the next webhook or sync writes: nobody's, for the form has forgotten whose it was.
        await conn.execute("update form_bookings set record_id = 7 where api_id = 'hers'")
        late = await annas_visit(conn, other)
        await conn.execute("update bookings set user_id = null, matched_by = null where id = %s", [late])
        for record_id in (8, 9):
            await add_booking(conn, yclients_record_id=record_id, comment="остаётся")
        await add_delivery(conn, record(7, name=NAME, phone=PHONE), resource_id=7, booking_id=late)
    await sweep(people)

    assert traces(dumped(dsn)) == [CODE + "'"]
    async with people.pool.connection() as conn:
        kept = await (
            await conn.execute("select yclients_record_id, comment, erased_at from bookings order by id")
        ).fetchall()
    assert kept == [(7, "", people.now), (8, "остаётся", None), (9, "остаётся", None)]


async def test_a_visit_she_asked_for_in_our_form_while_she_was_erased_is_stripped(
    people: PeopleApi, dsn: str
) -> None:
    """The request had read her session before; what it wrote after the erasure names her shell, with its digests."""
    async with people.pool.connection() as conn:
        anna = await add_user(conn, unique_code=CODE)
        other = await add_user(conn)
        merged = await add_user(conn, erased_at=THEN, merged_into=other)
    await erase(people, anna)
    async with people.pool.connection() as conn:
        for record_id, user_id in ((7, anna), (8, merged)):
            await conn.execute(
                "insert into form_bookings (api_id, user_id, company_id, record_id, status, request_digest,"
                " comment_digest, idempotency_key, created_at)"
                " values (%(n)s::text, %(user)s, 1, %(n)s, 'booked', '\\x01', '\\x01', %(n)s::text, %(at)s)",
                {"n": record_id, "user": user_id, "at": THEN},
            )
        visit = await annas_visit(conn, other)
        await conn.execute("update bookings set user_id = null, matched_by = null where id = %s", [visit])
        await add_booking(conn, yclients_record_id=8, comment="остаётся")

    await sweep(people)

    assert traces(dumped(dsn)) == [CODE + "'"]
    async with people.pool.connection() as conn:
        kept = await (await conn.execute("select comment, erased_at from bookings order by id")).fetchall()
        forms = await (
            await conn.execute(
                "select user_id, num_nonnulls(request_digest, comment_digest, idempotency_key) from form_bookings"
                " order by record_id"
            )
        ).fetchall()
    assert kept == [("", people.now), ("остаётся", None)]
    assert forms == [(None, 0), (merged, 3)]
    assert (await rows_naming(people, anna)).keys() <= STAYING


HERS = {
    "users": "account",
    "merges": "merged_accounts",
    "retired_codes": "codes_of_merged_accounts",
    "bookings": "bookings",
    "match_candidates": "possible_bookings",
    "deliveries": "deliveries",
    "form_bookings": "form_bookings",
    "bonus_entries": "bonus_entries",
    "refresh_tokens": "sessions",
    "verification_codes": "codes_sent",
    "outbox": "messages",
    "audit_entries": "what_admins_did",
    "invitations": "invitations",
    **dict.fromkeys(("told_visits", "told_points", "notice_choices", "telegram_codes"), "notices"),
    "calendar_tokens": "calendar_subscription",
    "clients": "client_cards",
}
"""Every table that can hold something about a person, and where her export tells it."""
NOBODYS = {
    "absences",
    "companies",
    "refetches",
    "sync_runs",
    "comparisons",
    "task_failures",
    "notice_state",
    "card_balances",
    "balance_looks",
    "rate_limits",
    "facts",
    "attempts",
    "erased_contacts",
    "erasures",
    "booking_events",
    "origins",
    "report_visits",
    "report_sums",
    "report_progress",
}
"""The other tables: the salon's, and numbers. `attempts` holds keyed digests, for two days; `comparisons` names
records and fields, never a value."""
STAYING = {
    ("bonus_entries", "user_id"),
    ("bonus_entries", "created_by"),
    ("audit_entries", "admin_id"),
    ("invitations", "created_by"),
    ("invitations", "used_by"),
    ("users", "merged_into"),
    ("booking_events", "by_user_id"),
}
"""What may name her shell after all: the ledger, the audit, an account that was merged into hers."""


REFERENCES = """
    select c.conrelid::regclass::text, a.attname from pg_constraint c
    join pg_attribute a on a.attrelid = c.conrelid and a.attnum = c.conkey[1]
    where c.contype = 'f' and c.confrelid = 'users'::regclass
"""
"""Every (table, column) that names a user."""


async def rows_naming(people: PeopleApi, user_id: int) -> dict[tuple[str, str], int]:
    """How many rows of every column that references `users` name this one; columns that name her nowhere are absent."""
    found: dict[tuple[str, str], int] = {}
    async with people.pool.connection() as conn:
        for table, column in await (await conn.execute(REFERENCES)).fetchall():
            sql = f"select count(*) from {table} where {column} = %s"
            (count,) = await (await conn.execute(sql.encode(), [user_id])).fetchone() or (0,)
            if count:
                found[table, column] = count
    return found


async def test_every_table_is_weighed_told_and_given_up(people: PeopleApi) -> None:
    anna = await anna_everywhere(people)
    client = await people.api.as_user(anna)
    async with people.pool.connection() as conn:
        tables = await (
            await conn.execute(
                "select tablename from pg_tables where schemaname = 'zerkalo'"
                " and tablename not like 'procrastinate%' and tablename <> 'alembic_version'"
            )
        ).fetchall()
        references = await (await conn.execute(REFERENCES)).fetchall()
        shell = await add_user(conn, erased_at=THEN, merged_into=anna)
        await conn.execute(
            "insert into audit_entries (at, admin_id, action, subject) values (%s, %s, 'user.add', 'user 9'),"
            " (%s, null, 'user.make_admin', 'user ' || %s::bigint)",
            [THEN, anna, THEN, anna],
        )

    assert {name for (name,) in tables} == HERS.keys() | NOBODYS, "a new table: is it told, is it erased?"
    named = await rows_naming(people, anna)
    assert {table for table, _ in references} == {table for table, _ in named}, "the test puts her everywhere"
    told = (await client.get("/auth/me/export")).json()
    for table, part in HERS.items():
        assert told[part], f"{table} is not told"
    assert [one["id"] for one in told["merged_accounts"]] == [shell]
    assert [one["action"] for one in told["done_as_an_admin"]] == ["user.add"]

    await erase(people, anna)

    assert (await rows_naming(people, anna)).keys() <= STAYING
