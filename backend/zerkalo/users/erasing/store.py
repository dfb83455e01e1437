"""What we hold about a person, whole: to show it to her, and to strip it of her.

Reads and writes the tables of every domain, in one place on purpose: spread over eight stores, the ninth would be
forgotten. A test dumps the whole database after an erasure and looks for her in it.
"""

import asyncio
import json
import re
from collections.abc import Collection
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import dict_row, scalar_row

from zerkalo.bookings import store as bookings
from zerkalo.db.pool import Connection
from zerkalo.users.erasing.rules import body_is_of, card_is_of, client_id_in, names_code

# What is left is an envelope without content: replayed, it makes us ask YCLIENTS, and the booking's mask stands.
_STRIP_DELIVERIES: LiteralString = """
    update deliveries d set reason = case when d.outcome = 'quarantined' then 'erased' else d.reason end,
        handled_at = case when d.outcome = 'quarantined' then coalesce(d.handled_at, %(now)s) else d.handled_at end,
        body = convert_to(json_build_object('company_id', d.company_id, 'resource', d.resource,
            'resource_id', d.resource_id, 'status', d.event, 'erased', true)::text, 'UTF8')
"""


async def booking_ids_of(conn: Connection, user_id: int, *, lock: bool = False) -> list[int]:
    """The bookings linked to a user, by id; with `lock`, held: the first of the locks (bookings, users, ledger)."""
    sql: LiteralString = "select id from bookings where user_id = %s order by id"
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql + (" for update" if lock else ""), [user_id])
        return await cursor.fetchall()


async def nobodys_booking_ids(
    conn: Connection, *, email: str | None, phone10: str | None, but: int
) -> list[int]:
    """Bookings that are nobody's and carry a contact which she alone has proved, by id and held.

    An admin may have unlinked them, or two users fitted. A phone that another user has proved too tells nothing.
    """
    sql = """
        select id from bookings
        where user_id is null and erased_at is null
            and (match_email = %(email)s
                or (match_phone10 = %(phone10)s
                    and not exists (select from users where phone10 = %(phone10)s
                                    and phone_verified_at is not null and id <> %(but)s)))
        order by id for update
    """
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, {"email": email, "phone10": phone10, "but": but})
        return await cursor.fetchall()


async def strip_bookings(conn: Connection, ids: Collection[int], *, now: datetime) -> None:
    """Unlinks bookings and takes out what names her; the salon keeps when, what and how much. Marked as `erased_at`."""
    await bookings.erase(conn, ids, now=now)
    await conn.execute("delete from match_candidates where booking_id = any(%s)", [list(ids)])


async def strip_deliveries_of_bookings(conn: Connection, ids: Collection[int], *, now: datetime) -> None:
    """Empties the kept deliveries about these bookings' records."""
    sql = (
        _STRIP_DELIVERIES
        + """
        from bookings b where b.id = any(%(ids)s) and d.resource = 'record'
            and d.company_id = b.company_id and d.resource_id = b.yclients_record_id
    """
    )
    await conn.execute(sql, {"ids": list(ids), "now": now})


async def clients_of_bookings(conn: Connection, ids: Collection[int]) -> list[tuple[int, int]]:
    """(company, YCLIENTS's number of the client) that these bookings' records and kept deliveries name, each once."""
    sql = """
        select b.company_id, convert_to(b.raw_record, 'UTF8') from bookings b
        where b.id = any(%(ids)s) and b.company_id is not null and b.raw_record is not null
        union all
        select d.company_id, d.body from bookings b
        join deliveries d on d.resource = 'record' and d.company_id = b.company_id and d.resource_id = b.yclients_record_id
        where b.id = any(%(ids)s)
    """
    named = {
        (company_id, client_id_in(text))
        async for company_id, text in await conn.execute(sql, {"ids": list(ids)})
    }
    return sorted((company_id, client_id) for company_id, client_id in named if client_id is not None)


async def strip_deliveries_of_clients(
    conn: Connection, clients: Collection[tuple[int, int]], *, now: datetime
) -> None:
    """Empties the kept deliveries about these clients' cards, sales and payments, whatever contacts stand in them."""
    sql = (
        _STRIP_DELIVERIES
        + r"""
        from unnest(%(companies)s::bigint[], %(clients)s::bigint[]) as c (company_id, client_id)
        where d.resource <> 'record' and d.company_id = c.company_id
            and (d.resource = 'client' and d.resource_id = c.client_id
                or encode(d.body, 'escape') ~ ('"client"\s*:\s*\{\s*"id"\s*:\s*' || c.client_id || '[^0-9]'))
    """
    )
    if clients:
        companies, numbers = zip(*clients, strict=True)
        await conn.execute(sql, {"companies": list(companies), "clients": list(numbers), "now": now})


async def codes_of(conn: Connection, user_id: int) -> list[str]:
    """Her codes, those of accounts that were merged into hers too."""
    sql = """
        select unique_code from users where id = %(id)s and unique_code is not null
        union select code from retired_codes where user_id = %(id)s
    """
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, {"id": user_id})
        return await cursor.fetchall()


BODIES_AT_ONCE = 20
_IS_NO_BOOKINGS: LiteralString = (
    "(d.resource is distinct from 'record' or d.booking_id is null or d.outcome = 'quarantined')"
)


async def strip_deliveries_naming(
    conn: Connection, contacts: Collection[str], codes: Collection[str], *, now: datetime
) -> None:
    """Empties the deliveries that carry one of these contacts or codes and are not some other booking's.

    Looks into every kept body that is no understood record: clients, sales, what is quarantined. A phone is found with
    any signs between its digits, a code in every spelling that would link a booking to her. Bodies that carry her
    contact in somebody else's record stay: that is not hers.
    """
    if contacts:
        naming = f"{_IS_NO_BOOKINGS} and encode(d.body, 'escape') ~* %(pattern)s"
        values = {"pattern": "|".join(map(_pattern, contacts)), "now": now}
        await conn.execute(f"{_STRIP_DELIVERIES} where {naming}", values)
    ids: list[int] = []
    if codes:
        # A few at once: there may be a month of bodies, and one may be a megabyte, which takes a tenth of a second.
        async with conn.cursor(name="bodies") as cursor:
            cursor.itersize = BODIES_AT_ONCE
            await cursor.execute(f"select d.id, d.body from deliveries d where {_IS_NO_BOOKINGS}")
            async for id_, body in cursor:
                if names_code(body, codes):
                    ids.append(id_)
                await asyncio.sleep(0)  # whoever else is served in this process gets a turn
    if ids:
        await conn.execute(f"{_STRIP_DELIVERIES} where d.id = any(%(ids)s)", {"ids": ids, "now": now})


async def strip_people_tables(conn: Connection, user_id: int) -> None:
    """Deletes what is only hers, and takes her out of what must stay."""
    for table in ("match_candidates", "refresh_tokens", "verification_codes", "outbox", "calendar_tokens"):
        await conn.execute(f"delete from {table} where user_id = %s", [user_id])
    await conn.execute(
        "update form_bookings set user_id = null, answer = null, request_digest = null, idempotency_key = null"
        " where user_id = %s",
        [user_id],
    )


async def make_shell(conn: Connection, user_id: int, *, now: datetime) -> None:
    """Empties the account, and the accounts that were merged into it stay empty; no code of hers is given again."""
    await conn.execute(
        "insert into retired_codes (code, retired_at)"
        " select unique_code, %(now)s from users where id = %(id)s and unique_code is not null"
        " on conflict (code) do nothing",
        {"id": user_id, "now": now},
    )
    # As of now they are nobody's, also those that a merge retired long ago.
    await conn.execute(
        "update retired_codes set user_id = null, retired_at = %s where user_id = %s", [now, user_id]
    )
    sql = """
        update users set email = null, phone = null, name = '', unique_code = null, password_hash = null,
            is_admin = false, email_verified_at = null, phone_verified_at = null, token_epoch = token_epoch + 1,
            rematch_wanted_at = null, erased_at = %(now)s, updated_at = %(now)s
        where id = %(id)s
    """
    await conn.execute(sql, {"id": user_id, "now": now})


async def strip_ledger_reasons(conn: Connection, user_id: int) -> None:
    """Takes out what admins wrote beside her points, hers and those of accounts merged into hers.

    The movements stay. The ledger's trigger allows just this, and only for a shell: so after `make_shell`.
    """
    await conn.execute(
        "update bonus_entries set reason = '' where reason <> '' and created_by is not null and user_id in"
        " (select id from users where id = %(id)s or (merged_into = %(id)s and erased_at is not null))",
        {"id": user_id},
    )


async def bookings_of_erased_forms(conn: Connection, *, limit: int) -> list[int]:
    """Bookings that are nobody's and were made in our form by somebody who was erased before their record showed up.

    Her form bookings are told by their missing digest: every other one has one.
    """
    sql = """
        select b.id from form_bookings f
        join bookings b on b.company_id = f.company_id and b.yclients_record_id = f.record_id
        where f.user_id is null and f.request_digest is null and b.user_id is null and b.erased_at is null
        order by b.id limit %s
    """
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, [limit])
        return await cursor.fetchall()


async def hold_nobodys(conn: Connection, ids: Collection[int]) -> list[int]:
    """Those of these bookings that are still nobody's, by id and held."""
    sql = "select id from bookings where id = any(%s) and user_id is null and erased_at is null order by id for update"
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, [list(ids)])
        return await cursor.fetchall()


async def erased_users_with_bookings(conn: Connection, *, limit: int) -> list[int]:
    """Shells that bookings are linked to: a batch that had read her just before she was erased."""
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(
            "select u.id from users u where u.erased_at is not null"
            " and exists (select from bookings b where b.user_id = u.id) order by u.id limit %s",
            [limit],
        )
        return await cursor.fetchall()


_EXPORTS: dict[str, LiteralString] = {
    "codes_of_merged_accounts": "select code, retired_at from retired_codes where user_id = %s order by code",
    "bookings": """
        select b.id, b.company_id, b.yclients_record_id, b.matched_by, b.service_name, b.service_price,
            b.service_duration, b.appointment_datetime, b.appointment_local, b.status, b.cancel_reason, b.cancelled_at,
            case when p.is_theirs then b.phone end as phone, b.staff_name, b.notes, b.comment,
            case when p.is_theirs then b.match_email end as match_email,
            case when p.is_theirs then b.match_phone10 end as match_phone10,
            case when p.is_theirs then b.raw_record end as raw_record, b.created_at, b.updated_at
        from bookings b join users u on u.id = b.user_id
        left join clients c on c.company_id = b.company_id and c.client_id = b.client_id,
            -- The card's phone, or an e-mail that no stranger can have written on it: what is proved the user's.
            lateral (select coalesce(u.phone_verified_at is not null and u.phone = coalesce(c.phone, b.phone), false)
                or coalesce(u.email_verified_at is not null and lower(u.email) = coalesce(c.email, b.match_email)
                    and not coalesce(c.email_came_late, false), false)) as p (is_theirs)
        where b.user_id = %s order by b.appointment_datetime, b.id
    """,
    "bookings_that_may_be_hers": """
        select booking_id, step, created_at from match_candidates where user_id = %s order by booking_id
    """,
    "bookings_made_in_our_form": """
        select company_id, record_id, status, answer, created_at from form_bookings where user_id = %s
        order by created_at
    """,
    "bonus_entries": """
        select id, booking_id, amount, kind, reason, percent, created_at from bonus_entries where user_id = %s
        order by id
    """,
    "deliveries": """
        select d.received_at, d.event, d.outcome, d.body, b.match_email, b.match_phone10, b.comment from deliveries d
        join bookings b on b.company_id = d.company_id and b.yclients_record_id = d.resource_id
        where b.user_id = %s and d.resource = 'record' order by d.id
    """,
    "sessions": """
        select min(issued_at) as signed_in_at, max(issued_at) as last_used_at, bool_or(revoked_at is not null) as ended
        from refresh_tokens where user_id = %s group by family order by 1
    """,
    "codes_sent": """
        select purpose, channel, contact, created_at, used_at from verification_codes where user_id = %s order by id
    """,
    "messages": """
        select channel, recipient, subject, created_at, finished_at, error from outbox where user_id = %s order by id
    """,
    "calendar_subscription": "select created_at from calendar_tokens where user_id = %s",
    "what_admins_did": """
        select at, action, details from audit_entries where subject = 'user ' || %s::bigint order by id
    """,
    "what_admins_did_to_bookings": """
        select a.at, a.action, a.subject from audit_entries a
        where a.subject in (select 'booking ' || id from bookings where user_id = %s) order by a.id
    """,
    "what_she_did_as_an_admin": """
        select at, action, subject from audit_entries where admin_id = %s order by id
    """,
    "accounts_merged_into_hers": "select id, erased_at as merged_at from users where merged_into = %s order by id",
    "nobodys_bookings_with_her_contact": """
        select b.id, b.company_id, b.yclients_record_id
        from users u join bookings b on b.user_id is null and b.erased_at is null
            and (b.match_email = case when u.email_verified_at is not null then lower(u.email) end
                or b.match_phone10 = case when u.phone_verified_at is not null then u.phone10 end)
        where u.id = %s and not exists (
            select from users o where o.id <> u.id and o.phone_verified_at is not null and o.phone10 = b.match_phone10)
        order by b.id
    """,
}


async def export_rows(conn: Connection, user_id: int) -> dict[str, list[dict[str, Any]]]:
    """Everything we hold about a user outside her account's own row, by subject. Hashes and tokens are left out.

    A record may have been another client's before, so of a delivery the body is told only where it names the client
    and has the comment that the booking has today; None otherwise. The codes seen in older comments are left out too.
    """
    exported: dict[str, list[dict[str, Any]]] = {}
    async with conn.cursor(row_factory=dict_row) as cursor:
        for subject, sql in _EXPORTS.items():
            await cursor.execute(sql, [user_id])
            exported[subject] = [
                {
                    name: value.decode(errors="replace") if isinstance(value, bytes) else value
                    for name, value in row.items()
                }
                for row in await cursor.fetchall()
            ]
    exported["deliveries"] = [_told_delivery(row) for row in exported["deliveries"]]
    exported["client_cards"] = await _told_cards(conn, user_id, exported["bookings"])
    return exported


async def _told_cards(
    conn: Connection, user_id: int, bookings: Collection[dict[str, Any]]
) -> list[dict[str, Any]]:
    """The kept deliveries about cards of clients whom her bookings name; the body only where a contact proves it hers."""
    named = {(row["company_id"], client_id_in(row["raw_record"] or "")) for row in bookings}
    clients = [(company_id, client_id) for company_id, client_id in named if company_id and client_id]
    if not clients:
        return []
    sql = """
        select d.received_at, d.event, d.outcome, d.body, case when u.email_verified_at is not null then lower(u.email) end,
            case when u.phone_verified_at is not null then u.phone10 end
        from deliveries d
        join unnest(%(companies)s::bigint[], %(clients)s::bigint[]) as c (company_id, client_id)
            on d.company_id = c.company_id and d.resource_id = c.client_id
        join users u on u.id = %(user_id)s
        where d.resource = 'client' order by d.id
    """
    companies, numbers = zip(*clients, strict=True)
    values = {"companies": list(companies), "clients": list(numbers), "user_id": user_id}
    cards: list[dict[str, Any]] = []
    async for received_at, event, outcome, body, email, phone10 in await conn.execute(sql, values):
        text = body.decode(errors="replace")
        told = text if card_is_of(text, email=email, phone10=phone10) else None
        cards.append({"received_at": received_at, "event": event, "outcome": outcome, "body": told})
    return cards


def _told_delivery(row: dict[str, Any]) -> dict[str, Any]:
    email, phone10, comment = (row.pop(name) for name in ("match_email", "match_phone10", "comment"))
    is_hers = body_is_of(row["body"], email=email, phone10=phone10, comment=comment)
    return row | {"body": row["body"] if is_hers else None}


def _pattern(contact: str) -> str:
    """A regular expression of PostgreSQL's for a contact in a body as `encode(…, 'escape')` shows it.

    Ten digits with any signs between them, or an e-mail, whose letters beyond ASCII JSON may write in two ways.
    """
    if contact.isdigit():
        return r"[^0-9]{0,3}".join(contact)
    return "|".join(re.escape(_escaped(text.encode())) for text in {contact, json.dumps(contact)[1:-1]})


def _escaped(text: bytes) -> str:
    """Bytes as PostgreSQL's escape format writes them."""
    return "".join("\\\\" if byte == 0x5C else chr(byte) if byte < 0x80 else f"\\{byte:03o}" for byte in text)
