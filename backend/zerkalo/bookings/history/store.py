"""`booking_events`: written by the transaction that changes the booking."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row

from zerkalo.bookings.history.model import Event, Happened
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json


async def write_events(conn: Connection, events: Sequence[Event], *, now: datetime) -> None:
    """Write what happened, in one statement."""
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
