"""`booking_events`: written by the transaction that changes the booking."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row

from zerkalo.bookings.history.model import Event, Happened
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json


async def write_events(conn: Connection, events: Sequence[Event], *, now: datetime) -> None:
    """Write what happened, in one statement. Of a call the delivery is told, which stands in the inbox already."""
    if not events:
        return
    rows = [
        {
            "b": one.booking_id,
            "k": one.change.kind,
            "c": one.cause,
            "u": one.by_user_id,
            "r": one.run_id,
            "o": one.change.before,
            "n": one.change.after,
        }
        for one in events
    ]
    sql = """
        insert into booking_events (booking_id, at, kind, cause, delivery_id, by_user_id, run_id, before, after)
        select x.b, %(now)s, x.k, x.c, case when x.c = 'call' then (
                select d.id from bookings b join deliveries d on d.resource = 'record'
                    and d.company_id = b.company_id and d.resource_id = b.yclients_record_id and d.outcome = 'applied'
                where b.id = x.b order by d.id desc limit 1
            ) end, x.u, x.r, x.o, x.n
        from jsonb_to_recordset(%(rows)s::jsonb) as x (b bigint, k text, c text, u bigint, r bigint, o jsonb, n jsonb)
    """
    await conn.execute(sql, {"rows": as_json(rows), "now": now})


async def write_imported_links(conn: Connection, wanted: LiteralString, values: Mapping[str, object]) -> None:
    """Write that an import links these bookings: `wanted` gives their id, link and `to_user_id`, before they change."""
    sql = f"""
        insert into booking_events (booking_id, at, kind, cause, before, after)
        select id, %(now)s, 'link', 'import', jsonb_build_object('user_id', user_id, 'matched_by', matched_by),
            jsonb_build_object('user_id', to_user_id, 'matched_by', 'import')
        from ({wanted}) w where (user_id, matched_by) is distinct from (to_user_id, 'import') order by id
    """
    await conn.execute(sql, values)


async def strip_events(conn: Connection, booking_ids: Collection[int]) -> None:
    """Leave of what happened to these bookings that it happened, and when."""
    await conn.execute(
        "update booking_events set before = null, after = null where booking_id = any(%s)",
        [list(booking_ids)],
    )


async def read_events(
    conn: Connection, booking_id: int, *, before_id: int | None, limit: int
) -> list[Happened]:
    """What happened to a booking, newest first; `before_id`: only what came before that."""
    sql = """
        select id, at, kind, cause, delivery_id, by_user_id, before, after from booking_events
        where booking_id = %(booking_id)s and (%(before_id)s::bigint is null or id < %(before_id)s)
        order by id desc limit %(limit)s
    """
    async with conn.cursor(row_factory=class_row(Happened)) as cursor:
        await cursor.execute(sql, {"booking_id": booking_id, "before_id": before_id, "limit": limit})
        return await cursor.fetchall()
