"""The inbox in PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

import msgspec
from psycopg.rows import dict_row

from zerkalo.db.pool import Connection
from zerkalo.inbox.model import IGNORED, READ, Delivery, Finished, Kept, envelope_of

PRUNE_BATCH = 5000

# An erased person must not come back with the next webhook: only the envelope is kept, which makes a replay ask YCLIENTS.
# No `exists`: PostgreSQL would rather read all bookings than look up one for each body.
_BODY = """
    case when x.resource = 'record' and (
        select true from bookings b
        where b.company_id = x.company_id and b.yclients_record_id = x.resource_id and b.erased_at is not null
        limit 1
    ) is not null then convert_to(json_build_object('company_id', x.company_id, 'resource', x.resource,
        'resource_id', x.resource_id, 'status', x.event, 'erased', true)::text, 'UTF8')
    else x.body end
"""

# The bodies travel as they are beside the small JSON, in its order.
_PUT = f"""
    insert into deliveries (received_at, company_id, resource, resource_id, event, body, outcome, reason,
        booking_id, finished_at)
    select x.received_at, x.company_id, x.resource, x.resource_id, x.event, {_BODY},
        x.outcome, x.reason, x.booking_id, %(now)s
    from rows from (
        jsonb_to_recordset(%(rows)s::jsonb) as (received_at timestamptz, company_id bigint, resource text,
            resource_id bigint, event text, outcome text, reason text, booking_id bigint),
        unnest(%(bodies)b::bytea[])
    ) as x (received_at, company_id, resource, resource_id, event, outcome, reason, booking_id, body)
"""

_QUARANTINE = f"""
    with x as (
        select x.company_id, x.resource, x.resource_id, x.event, {_BODY} as body
        from (select %(company_id)s::bigint as company_id, 'record' as resource, %(record_id)s::bigint as resource_id,
            '{READ}' as event, %(body)s::bytea as body) as x
    )
    insert into deliveries (received_at, company_id, resource, resource_id, event, body, outcome, reason, finished_at)
    select %(now)s, x.company_id, x.resource, x.resource_id, x.event, x.body, 'quarantined', %(reason)s, %(now)s
    from x
    where not exists (
        select from deliveries d where d.company_id = x.company_id and d.resource = 'record'
        and d.resource_id is not distinct from x.resource_id and d.outcome = 'quarantined' and d.handled_at is null
        and d.body = x.body
    )
"""

_KEPT = """
    select id, received_at, company_id, resource, resource_id, event, body, outcome, reason, booking_id,
        finished_at, handled_at
    from deliveries
"""


async def put(conn: Connection, finished: Sequence[Finished], *, now: datetime) -> None:
    """Keep deliveries with what they did; part of the transaction that did it. Of what was ignored only the envelope."""
    if not finished:
        return
    rows = [
        {
            "received_at": one.delivery.received_at,
            "company_id": one.delivery.company_id,
            "resource": one.delivery.resource,
            "resource_id": one.delivery.resource_id,
            "event": one.delivery.event,
            "outcome": one.outcome,
            "reason": one.reason,
            "booking_id": one.booking_id,
        }
        for one in finished
    ]
    bodies = [envelope_of(one.delivery) if one.outcome == IGNORED else one.delivery.body for one in finished]
    await conn.execute(_PUT, {"rows": msgspec.json.encode(rows).decode(), "bodies": bodies, "now": now})


async def quarantine_record(
    conn: Connection, *, company_id: int, record_id: int | None, raw: bytes, reason: str, now: datetime
) -> None:
    """Keep a record that an API read showed and we could not take in, in the form of a webhook, to be replayed.

    The same bytes are kept once while they wait: a sync shows them every half hour.
    """
    # null: the data's own id counts, once it can be read
    named = b"null" if record_id is None else b"%d" % record_id
    body = b'{"company_id":%d,"resource":"record","resource_id":%s,"status":"update","data":%s}' % (
        company_id,
        named,
        raw or b"null",
    )
    values = {"company_id": company_id, "record_id": record_id, "body": body, "reason": reason, "now": now}
    await conn.execute(_QUARANTINE, values)


async def get(conn: Connection, delivery_id: int) -> Kept | None:
    """One delivery, or None."""
    kept = await _kept(conn, _KEPT + " where id = %(id)s", {"id": delivery_id})
    return kept[0] if kept else None


async def waiting_in_quarantine(conn: Connection, *, after_id: int, limit: int) -> list[Kept]:
    """Quarantined deliveries that nobody has handled, oldest first, from `after_id` on."""
    sql = (
        _KEPT
        + " where outcome = 'quarantined' and handled_at is null and id > %(after_id)s order by id limit %(limit)s"
    )
    return await _kept(conn, sql, {"after_id": after_id, "limit": limit})


async def finish_again(
    conn: Connection,
    delivery_id: int,
    *,
    outcome: str,
    reason: str | None,
    booking_id: int | None,
    now: datetime,
) -> None:
    """Mark a delivery with what a replay of it did; one that stays in quarantine is not handled."""
    sql = """
        update deliveries set outcome = %(outcome)s, reason = %(reason)s, booking_id = %(booking_id)s, finished_at = %(now)s,
            handled_at = case when %(outcome)s = 'quarantined' then null else %(now)s::timestamptz end,
            body = case when %(outcome)s = 'ignored' then convert_to(json_build_object('company_id', company_id,
                'resource', resource, 'resource_id', resource_id, 'status', event)::text, 'UTF8') else body end
        where id = %(id)s
    """
    values = {"id": delivery_id, "outcome": outcome, "reason": reason, "booking_id": booking_id, "now": now}
    await conn.execute(sql, values)


async def set_aside(conn: Connection, delivery_id: int, *, now: datetime) -> bool:
    """Mark a quarantined delivery as handled because an admin says so; whether there was one that waited."""
    sql = "update deliveries set handled_at = %s where id = %s and outcome = 'quarantined' and handled_at is null"
    return (await conn.execute(sql, [now, delivery_id])).rowcount == 1


async def prune(conn: Connection, *, before: datetime) -> int:
    """Drop up to `PRUNE_BATCH` deliveries received before; those in quarantine stay until handled. Returns how many."""
    sql = """
        delete from deliveries where id in (
            select id from deliveries
            where received_at < %s and not (outcome = 'quarantined' and handled_at is null)
            order by received_at, id limit %s
        )
    """
    return (await conn.execute(sql, [before, PRUNE_BATCH])).rowcount


async def _kept(conn: Connection, sql: str, values: dict[str, Any]) -> list[Kept]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql.encode(), values)
        return [_kept_of(row) for row in await cursor.fetchall()]


def _kept_of(row: dict[str, Any]) -> Kept:
    names = ("body", "received_at", "company_id", "resource", "resource_id", "event")
    delivery = Delivery(**{name: row.pop(name) for name in names})
    return Kept(delivery=delivery, **row)
