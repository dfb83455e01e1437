"""Which imported people are known already, and `origins`: what an import brought."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime
from types import MappingProxyType

from psycopg.rows import class_row

from zerkalo.db.locks import lock
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json, scalar
from zerkalo.users.importing.rules import ImportedPerson, Known

# An e-mail or a phone names who has proved it; a claim proves nothing. A phone alone counts only where the line has
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


async def reserve_ids(conn: Connection, count: int) -> list[int]:
    """Ids for users who are about to be written."""
    cursor = await conn.execute(
        "select nextval(pg_get_serial_sequence('users', 'id')) from generate_series(1, %s)", [count]
    )
    return [row[0] for row in await cursor.fetchall()]


async def lock_imports(conn: Connection) -> None:
    """Allow one import at a time: two with the same people would each find them missing."""
    await lock(conn, "import")


async def known_people(conn: Connection, people: Sequence[ImportedPerson]) -> list[Known]:
    """The users whom each line names, by line."""
    async with conn.cursor(row_factory=class_row(Known)) as cursor:
        await cursor.execute(_KNOWN, [_encoded(people)])
        return sorted(await cursor.fetchall(), key=lambda known: known.line)


async def count_sharing_phone(conn: Connection, ids: Sequence[int]) -> int:
    """How many of these users have a phone that another user has proved."""
    return await scalar(
        conn,
        "select count(*) from users u where u.id = any(%s) and exists (select from users o where o.phone10 = u.phone10"
        " and o.phone = u.phone and o.phone_verified_at is not null and o.id <> u.id)",
        [list(ids)],
    )


async def phone_holders(conn: Connection, phones: Sequence[str]) -> dict[str, list[int]]:
    """Ids of the users who have proved these phones (E.164), by phone."""
    sql = (
        "select phone, array_agg(id order by id) from users"
        " where phone10 = any(%s) and phone = any(%s) and phone_verified_at is not null group by phone"
    )
    values = [[phone[-10:] for phone in phones], list(phones)]
    return {phone: ids async for phone, ids in await conn.execute(sql, values)}


async def people_brought(conn: Connection, source: str) -> dict[str, int]:
    """The users whom this source brought before, by the person's reference."""
    sql = "select ref, user_id from origins where source = %s and kind = 'person' and user_id is not null"
    return {ref: user_id async for ref, user_id in await conn.execute(sql, [source])}


async def erased_brought(conn: Connection, source: str) -> frozenset[str]:
    """References of people whom this source brought, and who were erased since."""
    sql = "select ref from origins where source = %s and kind = 'person' and user_id is null"
    return frozenset([ref async for (ref,) in await conn.execute(sql, [source])])


async def visits_brought(conn: Connection, source: str) -> frozenset[str]:
    """References of the visits that this source brought before."""
    sql = "select ref from origins where source = %s and kind = 'visit'"
    return frozenset([ref async for (ref,) in await conn.execute(sql, [source])])


async def put_origins(
    conn: Connection,
    source: str,
    *,
    people: Mapping[str, int] = MappingProxyType({}),
    visits: Iterable[tuple[str, int]] = (),
    now: datetime,
) -> None:
    """Remember which user each person became and which booking each visit is."""
    rows = [
        *({"kind": "person", "ref": ref, "user_id": user_id} for ref, user_id in people.items()),
        *({"kind": "visit", "ref": ref, "booking_id": booking_id} for ref, booking_id in visits),
    ]
    await conn.execute(
        """
        insert into origins (source, kind, ref, user_id, booking_id, imported_at)
        select %(source)s, x.kind, x.ref, x.user_id, x.booking_id, %(now)s
        from jsonb_to_recordset(%(rows)s::jsonb) as x (kind text, ref text, user_id bigint, booking_id bigint)
        on conflict (source, kind, ref) do nothing
        """,
        {"source": source, "rows": as_json(rows), "now": now},
    )


async def hand_on(
    conn: Connection, *, from_id: int, into_id: int, only: Sequence[Sequence[str]] | None = None
) -> None:
    """Move this account's origins to another account: all, or `only` some as (source, kind, reference)."""
    await conn.execute(
        "update origins o set user_id = %(into)s where o.user_id = %(from)s and (%(only)s::jsonb is null or exists ("
        " select from jsonb_array_elements(%(only)s::jsonb) as k"
        " where o.source = k ->> 0 and o.kind = k ->> 1 and o.ref = k ->> 2))",
        {"from": from_id, "into": into_id, "only": None if only is None else as_json(only)},
    )


async def forget_user(conn: Connection, user_id: int) -> None:
    """Keep only the source's reference of an erased user's origins, so that no import brings the person back."""
    await conn.execute("update origins set user_id = null where user_id = %s", [user_id])


def _encoded(people: Sequence[ImportedPerson]) -> str:
    rows = [
        {
            "line": person.line,
            "email": person.email,
            "phone": person.phone,
            "phone10": person.phone10,
            "unique_code": person.unique_code,
        }
        for person in people
    ]
    return as_json(rows)
