"""Anna, with something of hers in every table that can hold it."""

import json
from datetime import UTC, datetime
from typing import Any

from tests.support.people import PASSWORD, PeopleApi
from tests.support.rows import add_booking, add_user
from zerkalo.auth.passwords.rules import hash_password

EMAIL, PHONE, NAME, CODE = "anna.petrova@example.com", "+79991234567", "Анна Петрова", "ANNA1234"


THEN = datetime(2025, 1, 1, tzinfo=UTC)


def record(number: int, **client: str) -> bytes:
    body = {"company_id": 1, "resource": "record", "resource_id": number, "status": "update"}
    return json.dumps({**body, "data": {"id": number, "client": client}}).encode()


async def add_delivery(conn: Any, body: bytes, **columns: Any) -> None:
    values = {
        "received_at": THEN,
        "company_id": 1,
        "resource": "record",
        "resource_id": None,
        "event": "update",
        "body": body,
        "outcome": "applied",
        "reason": None,
        "booking_id": None,
        "finished_at": THEN,
    } | columns
    marks = ", ".join(f"%({name})s" for name in values)
    await conn.execute(f"insert into deliveries ({', '.join(values)}) values ({marks})", values)


async def anna_everywhere(people: PeopleApi) -> int:
    """Anna with something of her in every table that can hold it, and somebody else beside her."""
    hash_ = hash_password(PASSWORD)
    async with people.pool.connection() as conn:
        anna = await add_user(
            conn,
            email=EMAIL,
            phone=PHONE,
            name=NAME,
            unique_code=CODE,
            password_hash=hash_,
            email_verified_at=THEN,
            phone_verified_at=THEN,
        )
        other = await add_user(conn, email="other@example.com", email_verified_at=THEN)
        await conn.execute("insert into retired_codes (code, user_id) values ('ANNA0000', %s)", [anna])
        await conn.execute(
            "insert into invitations (token_hash, role, user_id, created_by, used_by, created_at, expires_at) values"
            " ('a', null, %(anna)s, %(other)s, null, %(at)s, %(at)s), ('b', 'owner', null, %(anna)s, %(anna)s, %(at)s, %(at)s)",
            {"anna": anna, "other": other, "at": THEN},
        )
        await conn.execute(
            "insert into merges (at, from_id, into_id, admin_id, before, after)"
            """ values (%(at)s, %(other)s, %(anna)s, %(anna)s, %(kept)s::jsonb, '{}')""",
            {"anna": anna, "other": other, "at": THEN, "kept": json.dumps({"into": {"name": NAME}})},
        )
        linked = await add_booking(
            conn,
            user_id=anna,
            matched_by="code",
            yclients_record_id=7,
            phone=PHONE,
            comment=f"Код клиента: {CODE}, {NAME}",
            user_code=CODE,
            match_email=EMAIL,
            match_phone10=PHONE[-10:],
            match_codes=[CODE],
            raw_record=record(7, phone=PHONE, email=EMAIL, name=NAME).decode(),
        )
        await add_booking(
            conn, yclients_record_id=8, matched_by="manual", phone=PHONE, match_phone10=PHONE[-10:],
            comment=NAME, raw_record=NAME,
        )  # fmt: skip
        others = await add_booking(conn, user_id=other, yclients_record_id=9, comment="всё", raw_record="{}")
        await conn.execute("insert into told_visits values (%s, %s, %s, false)", [linked, anna, THEN])
        await conn.execute("insert into told_points (user_id) values (%s)", [anna])
        await conn.execute("insert into notice_choices (user_id, chat_id) values (%s, 77)", [anna])
        await conn.execute("insert into telegram_codes values (%s, 'c', %s)", [anna, THEN])
        await conn.execute("insert into match_candidates values (%s, %s, 'phone', %s)", [others, anna, THEN])
        await add_delivery(
            conn, record(7, phone="8 (999) 123-45-67", name=NAME), resource_id=7, booking_id=linked
        )
        await add_delivery(conn, record(9, name="Другая"), resource_id=9, booking_id=others)
        client_body = json.dumps(
            {"company_id": 1, "resource": "client", "data": {"phone": "79991234567", "name": NAME}}
        )
        await conn.execute(
            "insert into clients (company_id, client_id, name, phone, email, first_email, user_id, note)"
            " values (1, 3, %s, %s, %s, %s, %s, %s)",
            [NAME, PHONE, EMAIL, EMAIL, anna, f"{NAME} любит чай"],
        )
        await conn.execute(
            "insert into booking_events (booking_id, at, kind, cause, by_user_id, before) values (%s, %s, 'comment', 'call', %s, %s::jsonb)",
            [linked, THEN, anna, json.dumps({"comment": NAME})],
        )
        await add_delivery(conn, client_body.encode(), resource="client", resource_id=3)
        await add_delivery(
            conn, f"not json {EMAIL.upper()} {NAME}".encode(), resource=None, company_id=None,
            outcome="quarantined", reason="not JSON",
        )  # fmt: skip
        for number, code in ((11, CODE), (12, "ANNA0000"), (13, f"№{CODE}"), (14, " ".join(CODE))):
            body = json.dumps(
                {"data": {"date": "?", "comment": f"Код клиента:\n{code}", "client": {"name": NAME}}}
            )
            await add_delivery(
                conn, body.encode(), resource_id=number, outcome="quarantined", reason="date: not a date"
            )
        await conn.execute(
            "insert into form_bookings (api_id, user_id, company_id, record_id, status, answer, created_at)"
            " values ('a', %s, 1, 7, 'booked', %s::jsonb, %s)",
            [anna, json.dumps({"phone": PHONE, "name": NAME}), THEN],
        )
        for key, amount, of, by in (("k", 125, linked, None), ("h", -25, None, other)):
            await conn.execute(
                "insert into bonus_entries (user_id, booking_id, amount, kind, reason, entry_key, created_by,"
                " effective_at, created_at) values (%s, %s, %s, %s, %s, %s, %s, %s, %s)",
                [
                    anna,
                    of,
                    amount,
                    "accrual" if of else "redemption",
                    f"для {NAME}" if by else "",
                    key,
                    by,
                    THEN,
                    THEN,
                ],
            )
        await conn.execute(
            "insert into origins (source, kind, ref, user_id, imported_at) values ('app', 'person', '1', %s, %s)",
            [anna, THEN],
        )
        await conn.execute("insert into calendar_tokens values ('\\x01', %s, %s)", [anna, THEN])
        await conn.execute(
            "insert into verification_codes (user_id, purpose, channel, contact, code_hash, created_at, expires_at)"
            " values (%s, 'verify', 'email', %s, '\\x01', %s, %s)",
            [anna, EMAIL, THEN, THEN],
        )
        await conn.execute(
            "insert into outbox (user_id, channel, recipient, body, created_at, expires_at, next_attempt_at)"
            " values (%s, 'phone', %s, %s, %s, '2099-01-01', '2099-01-01')",
            [anna, PHONE, NAME, THEN],
        )
        await conn.execute(
            "insert into outbox (user_id, channel, body, created_at, expires_at, next_attempt_at, finished_at, kind, booking_id)"
            " values (%(u)s, 'email', '', %(t)s, %(t)s, %(t)s, %(t)s, 'moved', %(b)s)",
            {"u": anna, "t": THEN, "b": linked},
        )
    return anna


async def annas_visit(conn: Any, anna: int) -> int:
    """A visit that names Anna, client 9001, as YCLIENTS shows it; she has proved nothing, her code gave the link."""
    raw = {"id": 7, "client": {"id": 9001, "name": NAME, "phone": PHONE}, "comment": f"Код клиента: {CODE}"}
    return await add_booking(
        conn,
        user_id=anna,
        matched_by="code",
        yclients_record_id=7,
        phone=PHONE,
        match_phone10=PHONE[-10:],
        match_codes=[CODE],
        raw_record=json.dumps(raw),
    )
