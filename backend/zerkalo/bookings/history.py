"""What happened to a booking: one row a change, written by the transaction that changes it.

Values that name a person are left out: of a comment only that it changed, of a link the user's number.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from datetime import datetime
from typing import Any, Literal, LiteralString

from msgspec import Struct
from psycopg.rows import class_row

from zerkalo.bookings.model import Row
from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json

Cause = Literal["call", "sync", "read", "person", "import", "form"]


class Change(Struct, frozen=True):
    """A change of one kind, with what stood there before and after."""

    kind: str
    before: dict[str, Any] | None = None
    after: dict[str, Any] | None = None


class Event(Struct, frozen=True):
    """A row of `booking_events` to be written. `by_user_id`: the admin who did it."""

    booking_id: int
    change: Change
    cause: Cause
    by_user_id: int | None = None


_KINDS: tuple[tuple[str, tuple[str, ...]], ...] = (
    ("moved", ("appointment_datetime",)),
    ("price", ("service_price",)),
    ("status", ("status", "cancel_reason")),
    ("services", ("service_name",)),
    ("staff", ("staff_name",)),
    ("link", ("user_id", "matched_by")),
)
_CREATED = ("appointment_datetime", "service_price", "status", "service_name", "user_id")


def changes_between(before: Row | None, after: Row) -> tuple[Change, ...]:
    """Name what differs between two states of a booking, for a person to read. Pure."""
    if before is None:
        return (Change("created", after=_values(after, _CREATED)),)
    changes = [
        Change(kind, _values(before, names), _values(after, names))
        for kind, names in _KINDS
        if _values(before, names) != _values(after, names)
    ]
    return (*changes, Change("comment")) if before.comment != after.comment else tuple(changes)


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
            "o": one.change.before,
            "n": one.change.after,
        }
        for one in events
    ]
    sql = """
        insert into booking_events (booking_id, at, kind, cause, delivery_id, by_user_id, before, after)
        select x.b, %(now)s, x.k, x.c, case when x.c = 'call' then (
                select d.id from bookings b join deliveries d on d.resource = 'record'
                    and d.company_id = b.company_id and d.resource_id = b.yclients_record_id and d.outcome = 'applied'
                where b.id = x.b order by d.id desc limit 1
            ) end, x.u, x.o, x.n
        from jsonb_to_recordset(%(rows)s::jsonb) as x (b bigint, k text, c text, u bigint, o jsonb, n jsonb)
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


class Happened(Struct, frozen=True):
    """A row of `booking_events` as it is read."""

    id: int
    at: datetime
    kind: str
    cause: str
    delivery_id: int | None
    by_user_id: int | None
    before: dict[str, Any] | None
    after: dict[str, Any] | None


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


def _values(row: Row, names: Iterable[str]) -> dict[str, Any]:
    return {name: getattr(row, name) for name in names}
