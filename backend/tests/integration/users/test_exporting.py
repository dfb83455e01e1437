"""A user's right to see everything that is held about them."""

import json
from dataclasses import replace
from typing import Any

import pytest

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
)
from tests.support.people import PeopleApi, people_api
from tests.support.rows import add_booking, add_user
from zerkalo.clients import store as clients
from zerkalo.clients.model import Sight, card_after
from zerkalo.db.pool import Pool
from zerkalo.users.erasing.service import erase_oneself
from zerkalo.users.exporting.service import export_user
from zerkalo.users.store import read_user


@pytest.fixture
async def people(pool: Pool) -> PeopleApi:
    return people_api(pool)


async def test_the_export_holds_everything_and_nobody_else(people: PeopleApi) -> None:
    anna = await anna_everywhere(people)
    client = await people.api.as_user(anna)

    answer = await client.get("/auth/me/export")

    assert answer.status_code == 200
    assert "attachment" in answer.headers["content-disposition"]
    told = answer.json()
    assert told["account"]["email"] == EMAIL
    assert {row["yclients_record_id"] for row in told["bookings"]} == {7}
    (mirrored,) = [row for row in told["bookings"] if row["yclients_record_id"] == 7]
    assert mirrored["phone"] == PHONE
    assert [row["amount"] for row in told["bonus_entries"]] == [125, -25]
    assert len(told["deliveries"]) == 1
    assert told["codes_sent"][0]["contact"] == EMAIL
    assert len(told["sessions"]) == 1
    assert [row["code"] for row in told["codes_of_merged_accounts"]] == ["ANNA0000"]
    assert "other@example.com" not in answer.text
    assert "Другая" not in answer.text
    assert "argon2" not in answer.text


async def test_the_export_tells_of_a_visit_only_what_is_proved_to_be_the_users(people: PeopleApi) -> None:
    """Booked with a stranger's phone: the card's surname, birthday and the salon's note are the stranger's."""
    anna, client = await people.registered(EMAIL)
    async with people.pool.connection() as conn:
        await add_booking(
            conn, user_id=anna, matched_by="code", yclients_record_id=7, comment="чужое", phone="+79990000002",
            match_phone10="9990000002", raw_record=json.dumps({"client": {"name": "Борис", "phone": "79990000002"}}),
        )  # fmt: skip
        body = {
            "company_id": 1,
            "resource": "record",
            "resource_id": 7,
            "data": {"client": {"name": "Борис"}},
        }
        await add_delivery(conn, json.dumps(body).encode(), resource_id=7)
        await conn.execute(
            "insert into clients (company_id, client_id, name, phone) values (1, 3, 'Борис', '+79990000002')"
        )

    told = (await client.get("/auth/me/export")).text

    for secret in ("Борис", "9990000002", "чужое"):
        assert secret not in told


async def test_the_export_tells_of_cards_and_of_what_is_nobodys_no_more_than_is_hers(
    people: PeopleApi,
) -> None:
    async with people.pool.connection() as conn:
        anna = await add_user(conn, unique_code=CODE, phone=PHONE, phone_verified_at=THEN, email=EMAIL)
        visit = await annas_visit(conn, anna)
        await conn.execute(
            "insert into clients (company_id, client_id, name, phone, email) values"
            " (1, 9001, %s, %s, null), (1, 9002, 'Мать', null, %s), (1, 9003, 'Другая', null, null)",
            [NAME, PHONE, EMAIL],
        )
        unlinked = await add_booking(
            conn, yclients_record_id=8, matched_by="manual", match_phone10=PHONE[-10:], comment="секрет"
        )
        await add_booking(conn, yclients_record_id=9, match_email=EMAIL, comment="секрет")
        await conn.execute(
            "insert into audit_entries (at, action, subject, details) values (%s, 'booking.link', %s, '{\"before\": 99}')",
            [THEN, f"booking {visit}"],
        )
    client = await people.api.as_user(anna)

    answer = await client.get("/auth/me/export")

    told = answer.json()
    assert [one["name"] for one in told["client_cards"]] == [NAME]
    # Her e-mail is only claimed: what carries it may be another's.
    assert told["unmatched_bookings_with_own_contact"] == [
        {"id": unlinked, "company_id": 1, "yclients_record_id": 8}
    ]
    assert told["what_admins_did_to_bookings"] == [
        {"at": "2025-01-01T00:00:00Z", "action": "booking.link", "subject": f"booking {visit}"}
    ]
    for secret in ("секрет", "Другая", "Мать", "99}"):
        assert secret not in answer.text


@pytest.mark.parametrize("why", ["the phone is proved by another", "the salon does not trust e-mails alone"])
async def test_an_email_that_stood_on_a_strangers_card_tells_and_erases_nothing_of_it(
    people: PeopleApi, why: str
) -> None:
    """A guest had booked with Maria's phone before we first saw her card, which got the guest's e-mail by that."""
    guest, _ = await people.registered(EMAIL)
    async with people.pool.connection() as conn:
        await conn.execute("update users set email_verified_at = %s where id = %s", [THEN, guest])
        if why == "the phone is proved by another":
            await add_user(conn, phone=PHONE, phone_verified_at=THEN)
        await conn.execute(
            "insert into clients (company_id, client_id, name, phone, email, note, first_email)"
            " values (1, 900, 'Мария', %s, %s, 'аллергия', %s)",
            [PHONE, EMAIL, EMAIL],
        )
        about = {"client_id": 900, "phone": PHONE, "match_email": EMAIL, "match_phone10": PHONE[-10:]}
        await add_booking(conn, yclients_record_id=7, comment="её", **about)
        await add_booking(
            conn, user_id=guest, matched_by="form", yclients_record_id=8, comment="о ней", **about
        )
    trusted = replace(people.people, email_counts_alone=why == "the phone is proved by another")

    async with people.pool.connection() as conn:
        user = await read_user(conn, guest)
        assert user is not None
        told = await export_user(conn, user, email_counts_alone=trusted.email_counts_alone)
    await erase_oneself(trusted, guest, now=people.now)

    assert told["client_cards"] == []
    visits: Any = told["bookings"]
    assert [(row["phone"], row["comment"]) for row in visits] == [(None, None)]
    async with people.pool.connection() as conn:
        cards = await (await conn.execute("select name, note from clients")).fetchall()
        comments = await (
            await conn.execute("select comment from bookings order by yclients_record_id")
        ).fetchall()
    assert cards == [("Мария", "аллергия")]
    assert comments == [("её",), ("",)], "only the guest's own visit is stripped"


async def test_a_card_that_never_had_a_phone_is_told_and_erased_by_its_email(people: PeopleApi) -> None:
    """YCLIENTS showed it without a phone, so that no e-mail counts as its first one, and none as late."""
    anna, _ = await people.registered(EMAIL)
    card = card_after(
        None, Sight(company_id=1, client_id=5, observation=1, seen_at=THEN, name=NAME, phone="", email=EMAIL)
    )
    async with people.pool.connection() as conn:
        await conn.execute("update users set email_verified_at = %s where id = %s", [THEN, anna])
        await clients.make_missing(conn, [card.key], now=THEN)
        await clients.write(conn, [card], rematch=(), now=THEN)
        await clients.write_note(conn, card.key, "аллергия", now=THEN)
        user = await read_user(conn, anna)
        assert user is not None
        told = await export_user(conn, user, email_counts_alone=True)

    await erase_oneself(people.people, anna, now=people.now)

    cards: Any = told["client_cards"]
    assert [(row["name"], row["email"], row["note"]) for row in cards] == [(NAME, EMAIL, "аллергия")]
    async with people.pool.connection() as conn:
        left = await (await conn.execute("select name, email, note, erased_at from clients")).fetchall()
    assert left == [("", None, "", people.now)]


@pytest.mark.parametrize(
    "why", ["given to another", "its e-mail is another's", "the phone is another's too", "hers alone"]
)
async def test_a_card_of_a_number_that_changed_hands_is_not_told_to_the_new_holder(
    people: PeopleApi, why: str
) -> None:
    async with people.pool.connection() as conn:
        anna = await add_user(conn, phone=PHONE, phone_verified_at=THEN)
        olga = await add_user(conn, email="olga@example.com", email_verified_at=THEN)
        if why == "the phone is another's too":
            await conn.execute(
                "update users set phone = %s, phone_verified_at = %s where id = %s", [PHONE, THEN, olga]
            )
        email = "olga@example.com" if why == "its e-mail is another's" else ""
        await conn.execute(
            "insert into clients (company_id, client_id, name, phone, email, first_email, note, user_id)"
            " values (1, 9, 'Ольга', %s, nullif(%s, ''), %s, 'аллергия', %s)",
            [PHONE, email, email, olga if why == "given to another" else None],
        )
        user = await read_user(conn, anna)
        assert user is not None
        told = await export_user(conn, user, email_counts_alone=True)

    cards: Any = told["client_cards"]
    assert [row["name"] for row in cards] == (["Ольга"] if why == "hers alone" else [])


@pytest.mark.parametrize("evidence", ["phone", "code"])
@pytest.mark.parametrize("by", ["phone", "email"])
async def test_a_card_with_visits_of_another_is_not_told_to_who_proves_its_contact(
    people: PeopleApi, by: str, evidence: str
) -> None:
    """Olga has a password and proved the phone; her card's e-mail she only claims, and the number is given to another."""
    async with people.pool.connection() as conn:
        olga = await add_user(
            conn, phone=PHONE, email="olga@example.com", password_hash="x", phone_verified_at=THEN
        )
        await conn.execute(
            "insert into clients (company_id, client_id, name, phone, email, first_email, note)"
            " values (1, 9, 'Ольга', %s, %s, %s, 'аллергия')",
            [PHONE if by == "phone" else None, EMAIL, EMAIL],
        )
        await add_booking(conn, user_id=olga, matched_by=evidence, client_id=9, phone=PHONE, comment="тайна")
    contact = PHONE if by == "phone" else EMAIL
    new = await people.api.as_user(await entered(people, contact))

    answer = await new.get("/auth/me/export")

    assert (answer.json()["bookings"], answer.json()["client_cards"]) == ([], [])
    for secret in ("Ольга", "аллергия", "тайна"):
        assert secret not in answer.text
    async with people.pool.connection() as conn:
        await conn.execute("update bookings set user_id = null")
    (card,) = (await new.get("/auth/me/export")).json()["client_cards"]
    assert card["name"] == "Ольга", "nobody else has a visit there"


async def entered(people: PeopleApi, contact: str) -> int:
    """A new account, made by a code to this contact."""
    answer = await enter(people, contact, await code_to(people, contact), new_account=True)
    return int(str((await whose(people, answer))["id"]))
