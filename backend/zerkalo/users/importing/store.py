"""Imports in sets: who is known already, and who is written."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime

import msgspec
from psycopg.rows import class_row

from zerkalo.db.locks import lock
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json
from zerkalo.users.importing.rules import ImportedPerson, Known

# An e-mail or a phone names who has proved it; a claim is nobody's proof. A phone alone counts only where the line has
# nothing better: families share one.
_KNOWN = """
    select p.line,
        array(select u.id from users u where u.unique_code = p.unique_code
              union select r.user_id from retired_codes r where r.code = p.unique_code and r.user_id is not null)
            as by_code,
        array(select u.id from users u where lower(u.email) = p.email and u.email_verified_at is not null) as by_email,
        array(select u.id from users u where p.email is null and p.unique_code is null and u.phone10 = p.phone10 and u.phone = p.phone
                and u.phone_verified_at is not null order by u.id limit 10) as by_phone,
        exists (select from retired_codes r where r.code = p.unique_code and r.user_id is null) as is_code_retired
    from jsonb_to_recordset(%s::jsonb)
        as p (line integer, email text, phone text, phone10 text, unique_code text)
"""

_INSERT = """
    insert into users (email, phone, name, unique_code, password_hash, email_verified_at, phone_verified_at, created_at,
        updated_at, rematch_wanted_at)
    select p.email, p.phone, p.name, p.unique_code, p.password_hash,
        case when p.email is not null then %(now)s::timestamptz end,
        case when p.phone is not null then %(now)s::timestamptz end, %(now)s, %(now)s, %(now)s
    from jsonb_to_recordset(%(people)s::jsonb) as p (line integer, email text, phone text, name text, unique_code text,
        password_hash text)
    order by p.line
"""

_COMPLETE = """
    update users u set name = case when u.name = '' then p.name else u.name end,
        unique_code = coalesce(u.unique_code, p.unique_code),
        password_hash = coalesce(u.password_hash, p.password_hash), updated_at = %(now)s, rematch_wanted_at = %(now)s
    from jsonb_to_recordset(%(people)s::jsonb) as p (id bigint, name text, unique_code text, password_hash text)
    where u.id = p.id and u.erased_at is null
        and ((u.name = '' and p.name <> '') or (u.unique_code is null and p.unique_code is not null)
            or (u.password_hash is null and p.password_hash is not null))
"""


async def lock_imports(conn: Connection) -> None:
    """One import at a time: two that bring the same people would each find them missing."""
    await lock(conn, "import")


async def known_people(conn: Connection, people: Sequence[ImportedPerson]) -> list[Known]:
    """What each line names, by line."""
    async with conn.cursor(row_factory=class_row(Known)) as cursor:
        await cursor.execute(_KNOWN, [_encoded(people)])
        return sorted(await cursor.fetchall(), key=lambda known: known.line)


async def insert_people(conn: Connection, people: Sequence[ImportedPerson], *, now: datetime) -> int:
    """Writes new people, their contacts proved; returns how many. `UniqueViolation` where one came in meanwhile."""
    cursor = await conn.execute(_INSERT, {"people": _encoded(people), "now": now})
    return cursor.rowcount


async def complete_people(conn: Connection, people: Mapping[int, ImportedPerson], *, now: datetime) -> int:
    """Gives name and code to known users who have none; never a contact. Returns how many got something."""
    rows = [
        {
            "id": user_id,
            "name": person.name,
            "unique_code": person.unique_code,
            "password_hash": person.password_hash,
        }
        for user_id, person in people.items()
    ]
    cursor = await conn.execute(_COMPLETE, {"people": msgspec.json.encode(rows).decode(), "now": now})
    return cursor.rowcount


@dataclass(frozen=True, slots=True)
class MovedIn:
    """A person whom another program's account stands for. Contacts are canonical; None: there is none."""

    id: int
    """Of the user: reserved by `reserve_ids`, or that of a user who is known."""
    email: str | None
    phone: str | None
    name: str
    unique_code: str | None
    password_hash: str | None
    email_proved: bool
    phone_proved: bool
    created_at: datetime | None


async def reserve_ids(conn: Connection, count: int) -> list[int]:
    """Ids for users who are about to be written."""
    cursor = await conn.execute(
        "select nextval(pg_get_serial_sequence('users', 'id')) from generate_series(1, %s)", [count]
    )
    return [row[0] for row in await cursor.fetchall()]


async def insert_moved_in(
    conn: Connection, people: Sequence[MovedIn], *, earns_from: date, now: datetime
) -> None:
    """Write new users with what their program knew of them. Raises `UniqueViolation` where a contact came in meanwhile.

    `earns_from`: visits before this day earn nothing, for they did in that program.
    """
    await conn.execute(
        """
        insert into users (id, email, phone, name, unique_code, password_hash, email_verified_at, phone_verified_at,
            earns_from, created_at, updated_at, rematch_wanted_at)
        select p.id, p.email, p.phone, p.name, p.unique_code, p.password_hash,
            case when p.email_proved then %(now)s::timestamptz end,
            case when p.phone_proved then %(now)s::timestamptz end,
            %(earns_from)s, coalesce(p.created_at, %(now)s), %(now)s, %(now)s
        from jsonb_to_recordset(%(people)s::jsonb) as p (id bigint, email text, phone text, name text, unique_code text,
            password_hash text, email_proved boolean, phone_proved boolean, created_at timestamptz)
        order by p.id
        """,
        {"people": as_json(people), "earns_from": earns_from, "now": now},
    )


async def complete_moved_in(
    conn: Connection, people: Sequence[MovedIn], *, earns_from: date, now: datetime
) -> None:
    """Give known users what they lack of name, code and password; never a contact, never over what is there."""
    await conn.execute(
        """
        update users u set name = case when u.name = '' then p.name else u.name end,
            unique_code = coalesce(u.unique_code, p.unique_code),
            password_hash = coalesce(u.password_hash, p.password_hash),
            earns_from = %(earns_from)s, updated_at = %(now)s, rematch_wanted_at = %(now)s
        from jsonb_to_recordset(%(people)s::jsonb) as p (id bigint, name text, unique_code text, password_hash text)
        where u.id = p.id and u.erased_at is null
        """,
        {"people": as_json(people), "earns_from": earns_from, "now": now},
    )


def _encoded(people: Sequence[ImportedPerson]) -> str:
    rows = [
        {
            "line": person.line,
            "email": person.email,
            "phone": person.phone,
            "phone10": person.phone10,
            "name": person.name,
            "unique_code": person.unique_code,
            "password_hash": person.password_hash,
        }
        for person in people
    ]
    return msgspec.json.encode(rows).decode()
