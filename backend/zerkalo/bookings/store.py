"""The mirror's rows in PostgreSQL, read and written in sets, and `booking_events`, written by the same transactions."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg import AsyncCursor, sql
from psycopg.rows import TupleRow

from zerkalo.bookings.model import Change, Event, MatchedBy, Row
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json, scalar

Key = tuple[int, int]
"""(company, record)."""


_COLUMNS = tuple(name for name in Row.__struct_fields__ if name != "raw_record")
_WRITTEN = tuple(name for name in _COLUMNS if name not in ("id", "revision"))
_TYPES: Mapping[str, LiteralString] = {
    "company_id": "bigint",
    "yclients_record_id": "bigint",
    "client_id": "bigint",
    "handed_over": "boolean",
    "user_id": "bigint",
    "service_price": "bigint",
    "service_duration": "integer",
    "appointment_datetime": "timestamptz",
    "appointment_local": "timestamp",
    "cancelled_at": "timestamptz",
    "absent": "boolean",
    "staff_id": "bigint",
    "lines": "jsonb",
    "paid": "boolean",
    "prepaid": "boolean",
    "online": "boolean",
    "created_by": "bigint",
    "cancelled_at_ours": "boolean",
    "observation": "bigint",
    "vendor_changed_at": "timestamptz",
    "match_codes": "text[]",
    "erased_at": "timestamptz",
}


def _names(alias: str, names: Sequence[str]) -> sql.Composed:
    return sql.SQL(", ").join(sql.Identifier(alias, name) for name in names)


# The raw records are sent unparsed beside the small JSON, in its order.
_RECORDSET = sql.SQL("""
    rows from (
        jsonb_to_recordset(%(rows)s::jsonb) as (id bigint, {typed}),
        unnest(%(raws)b::bytea[])
    ) as x (id, {names}, raw)
""").format(
    typed=sql.SQL(", ").join(
        sql.Identifier(name) + sql.SQL(" ") + sql.SQL(_TYPES.get(name, "text")) for name in _WRITTEN
    ),
    names=sql.SQL(", ").join(map(sql.Identifier, _WRITTEN)),
)

# Each key is looked up separately (`offset 0`), then its row by id. With a join on the keys the generic plan reads the
# whole table as long as that is small: 5 ms a call at ten thousand bookings. One JSON value is returned and decoded
# straight into rows: the driver would decode forty columns of each one by one.
_READ = sql.SQL("""
    select coalesce(json_agg(found), '[]')::text from (
        select {columns} from bookings b where b.id = any (array(
            select o.id from jsonb_to_recordset(%s::jsonb) as k (c bigint, r bigint), lateral (
                select id from bookings where company_id = k.c and yclients_record_id = k.r offset 0
            ) as o
        ))
        order by b.id {locked}
    ) as found
""")
_READ_LOCKED = _READ.format(
    columns=_names("b", _COLUMNS), locked=sql.SQL("for no key update of b")
).as_bytes()
_READ_ONLY = _READ.format(columns=_names("b", _COLUMNS), locked=sql.SQL("")).as_bytes()
_ROWS = msgspec.json.Decoder(list[Row])

_INSERT = (
    sql.SQL("""
    insert into bookings (id, {names}, raw_record, revision, created_at, updated_at)
    select x.id, {values}, convert_from(x.raw, 'UTF8'), 1, %(now)s, %(now)s
    from {recordset}
""")
    .format(
        names=sql.SQL(", ").join(map(sql.Identifier, _WRITTEN)),
        values=_names("x", _WRITTEN),
        recordset=_RECORDSET,
    )
    .as_bytes()
)


def _write_sql(what: LiteralString) -> LiteralString:
    """Return an update of bookings (`b`) that also raises the revision and sets the time."""
    return f"update bookings b set revision = b.revision + 1, updated_at = %(now)s, {what}"


_UPDATE = (
    sql.SQL(
        _write_sql("""
    {changes}, raw_record = case when x.erased_at is null then coalesce(convert_from(x.raw, 'UTF8'), b.raw_record) end
    from {recordset}
    where b.id = x.id and b.id = any (%(ids)s::bigint[])
""")
    )
    .format(
        changes=sql.SQL(", ").join(
            sql.Identifier(name) + sql.SQL(" = ") + sql.Identifier("x", name) for name in _WRITTEN
        ),
        recordset=_RECORDSET,
    )
    .as_bytes()
)


async def ask_rows_for_update(conn: Connection, keys: Collection[Key]) -> AsyncCursor[TupleRow]:
    """Query the rows of these keys, locked; `rows_of` reads them. Lock the keys first (`mirror.store.hold`)."""
    return await conn.execute(_READ_LOCKED, [_encoded_keys(keys)])


async def rows_of(asked: AsyncCursor[TupleRow]) -> dict[Key, Row]:
    """Return the queried rows, by key; a key without a row is absent."""
    ((text,),) = await asked.fetchall()
    return {(row.company_id, row.yclients_record_id): row for row in _ROWS.decode(text)}


async def rows_for_update(conn: Connection, keys: Collection[Key]) -> dict[Key, Row]:
    """`ask_rows_for_update`, and wait for them."""
    return await rows_of(await ask_rows_for_update(conn, keys))


async def rows_as_they_are(conn: Connection, keys: Collection[Key]) -> dict[Key, Row]:
    """Return the rows of these keys without locking, for comparison only."""
    return await rows_of(await conn.execute(_READ_ONLY, [_encoded_keys(keys)]))


async def insert(conn: Connection, rows: Mapping[int, Row], *, now: datetime) -> None:
    """Write rows that are not there yet, by the ids reserved for them."""
    if rows:
        await conn.execute(_INSERT, {**_encoded(rows), "now": now})


async def update(conn: Connection, rows: Mapping[int, Row], *, now: datetime) -> None:
    """Overwrite rows by their id and raise their revision. The caller holds them locked."""
    if rows:
        # `ids` repeats which rows: without it a generic plan reads a small table whole, as above.
        await conn.execute(_UPDATE, {**_encoded(rows), "ids": list(rows), "now": now})


async def link(
    conn: Connection, booking_id: int, user_id: int | None, matched_by: MatchedBy, *, now: datetime
) -> None:
    """Write the user of one booking; `user_id` None with `MANUAL`: an admin marks it as no user's. The caller holds the lock."""
    statement = _write_sql("""
        user_id = %(user_id)s, matched_by = %(matched_by)s,
        user_code = (select u.unique_code from users u where u.id = %(user_id)s)
        where id = %(booking_id)s
    """)
    values = {"booking_id": booking_id, "user_id": user_id, "matched_by": matched_by, "now": now}
    await conn.execute(statement, values)


_LINKS = "jsonb_to_recordset(%(rows)s::jsonb) as x (id bigint, user_id bigint)"


async def link_imported(
    conn: Connection, links: Mapping[int, int], *, stronger: Collection[str], now: datetime
) -> None:
    """Link bookings (id -> user) from an import; the users' codes go into the notes. Locks bookings by id.

    A link by `stronger` evidence stays, whether older or newer.
    """
    rows = [{"id": booking_id, "user_id": user_id} for booking_id, user_id in sorted(links.items())]
    values = {"rows": as_json(rows), "stronger": list(stronger), "now": now}
    wanted = f"""
        select b.id, b.user_id, b.matched_by, u.id as to_user_id, u.unique_code
        from {_LINKS} join bookings b on b.id = x.id join users u on u.id = x.user_id
        where not coalesce(b.matched_by = any(%(stronger)s), false)
    """
    await conn.execute(
        f"select from bookings where id in (select x.id from {_LINKS}) order by id for no key update", values
    )
    await _write_imported_links(conn, wanted, values)
    await conn.execute(
        f"""
        update bookings b set user_id = w.to_user_id, matched_by = 'import', user_code = w.unique_code,
            revision = b.revision + 1, updated_at = %(now)s
        from ({wanted}) w where b.id = w.id
        """,
        values,
    )


async def hold(conn: Connection, booking_id: int) -> bool | None:
    """Lock one booking; return whether it is an erased person's, None where there is no such booking."""
    statement = "select erased_at is not null from bookings where id = %s for no key update"
    return await scalar(conn, statement, [booking_id])


async def hold_of(conn: Connection, user_ids: Collection[int]) -> None:
    """Lock the bookings of these users, by id: the first of the locks (bookings, users, ledger)."""
    await conn.execute(
        "select id from bookings where user_id = any(%s) order by id for update", [list(user_ids)]
    )


async def hand_on(
    conn: Connection, *, from_id: int, into_id: int, only: Sequence[int] | None = None, now: datetime
) -> None:
    """Move every booking of one account, or `only` some, to another. The caller holds both users and their bookings locked."""
    statement = _write_sql("""
        user_id = %(into_id)s
        where user_id = %(from_id)s and (%(only)s::bigint[] is null or id = any(%(only)s)) returning id
    """)
    cursor = await conn.execute(statement, {"from_id": from_id, "into_id": into_id, "only": only, "now": now})
    change = Change("link", {"user_id": from_id}, {"user_id": into_id})
    events = [Event(booking_id, change, "person") for (booking_id,) in sorted(await cursor.fetchall())]
    await write_events(conn, events, now=now)


async def ids_linked_by_what_is_of(conn: Connection, user_id: int, *, owner: int) -> list[int]:
    """A user's bookings that are linked by a card or by a form booking which is another user's, the `owner`'s; by id."""
    sql = """
        select b.id from bookings b join clients c on c.company_id = b.company_id and c.client_id = b.client_id
        where b.user_id = %(user)s and b.matched_by = 'card' and c.user_id = %(owner)s
        union select b.id from bookings b
        join form_bookings f on f.company_id = b.company_id and f.record_id = b.yclients_record_id
        where b.user_id = %(user)s and b.matched_by = 'form' and f.user_id = %(owner)s
        order by 1
    """
    cursor = await conn.execute(sql, {"user": user_id, "owner": owner})
    return [booking_id for (booking_id,) in await cursor.fetchall()]


async def write_codes_of(conn: Connection, user_ids: Collection[int], *, now: datetime) -> None:
    """Write these users' current codes into their bookings, for the notes."""
    statement = _write_sql("""
        user_code = u.unique_code from users u
        where u.id = b.user_id and u.id = any(%(user_ids)s) and b.user_code is distinct from u.unique_code
    """)
    await conn.execute(statement, {"user_ids": list(user_ids), "now": now})


async def erase(conn: Connection, ids: Collection[int], *, now: datetime) -> None:
    """Unlink bookings and remove personal data for good; times, services and prices stay.

    The same fields as `merging.rules.masked` clears in every later write.
    """
    statement = _write_sql("""
        user_id = null, matched_by = null, user_code = null, phone = null, comment = '', client_id = null,
        client_name = null, match_email = null, match_phone10 = null, match_codes = '{}', raw_record = null, raw_digest = null, erased_at = %(now)s
        where id = any(%(ids)s)
    """)
    await conn.execute(statement, {"ids": list(ids), "now": now})
    await _strip_events(conn, ids)
    events = [Event(booking_id, Change("erased"), "person") for booking_id in sorted(ids)]
    await write_events(conn, events, now=now)


async def write_events(conn: Connection, events: Sequence[Event], *, now: datetime) -> None:
    """Write events, in one statement."""
    if not events:
        return
    sql = """
        insert into booking_events (booking_id, at, kind, cause, delivery_id, by_user_id, run_id, before, after)
        select x.booking_id, %(now)s, x.change ->> 'kind', x.cause, x.delivery_id, x.by_user_id, x.run_id,
            x.change -> 'before', x.change -> 'after'
        from jsonb_to_recordset(%(events)s::jsonb) as x (booking_id bigint, change jsonb, cause text,
            delivery_id bigint, by_user_id bigint, run_id bigint)
    """
    await conn.execute(sql, {"events": as_json(events), "now": now})


async def _write_imported_links(
    conn: Connection, wanted: LiteralString, values: Mapping[str, object]
) -> None:
    """Write the events of an import's links, before the rows change: `wanted` selects id, link and `to_user_id`."""
    sql = f"""
        insert into booking_events (booking_id, at, kind, cause, before, after)
        select id, %(now)s, 'link', 'import', jsonb_build_object('user_id', user_id, 'matched_by', matched_by),
            jsonb_build_object('user_id', to_user_id, 'matched_by', 'import')
        from ({wanted}) w where (user_id, matched_by) is distinct from (to_user_id, 'import') order by id
    """
    await conn.execute(sql, values)


async def _strip_events(conn: Connection, booking_ids: Collection[int]) -> None:
    """Reduce the events of these bookings to their kind and time."""
    await conn.execute(
        "update booking_events set before = null, after = null where booking_id = any(%s)",
        [list(booking_ids)],
    )


async def next_observation(conn: Connection) -> int:
    """Reserve a number, before a request to YCLIENTS is sent or at a webhook's receipt. Later ones are higher."""
    row = await (await conn.execute("select nextval('observations')")).fetchone()
    assert row is not None, "a sequence has a next value"
    return row[0]


async def newest_record_of_card(conn: Connection, company_id: int, client_id: int) -> int | None:
    """The record of a card's booking that we have seen last, a deleted one only where it has no other; None without one.

    YCLIENTS answers 404 for a deleted record and so tells nothing of the card.
    """
    sql = """
        select yclients_record_id from bookings
        where company_id = %s and client_id = %s and erased_at is null
        order by (cancel_reason is not distinct from 'deleted'), id desc limit 1
    """
    return await scalar(conn, sql, [company_id, client_id])


async def digests(conn: Connection, company_id: int, record_ids: Collection[int]) -> dict[int, str]:
    """Return digests of the API bytes that left these rows of a company in their state, by record id; others are absent."""
    statement = """
        select b.yclients_record_id, b.raw_digest from bookings b
        left join clients c on c.company_id = b.company_id and c.client_id = b.client_id
        where b.company_id = %s and b.yclients_record_id = any(%s::bigint[]) and b.raw_digest is not null
            and (c.observation is null or c.observation <= b.observation) -- else the card may have been told otherwise
    """
    # The array as text: the driver would encode it item by item.
    wanted = "{" + ",".join(map(str, record_ids)) + "}"
    return dict(await (await conn.execute(statement, [company_id, wanted])).fetchall())


def _encoded(rows: Mapping[int, Row]) -> dict[str, Any]:
    small = [msgspec.structs.replace(row, id=id_, raw_record=None) for id_, row in rows.items()]
    return {"rows": as_json(small), "raws": [row.raw_record for row in rows.values()]}


def _encoded_keys(keys: Collection[Key]) -> str:
    return as_json([{"c": company_id, "r": record_id} for company_id, record_id in keys])
