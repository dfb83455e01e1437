"""The inbox in PostgreSQL."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import Any, LiteralString

import msgspec
from psycopg.rows import dict_row, scalar_row

from zerkalo.db.pool import Connection
from zerkalo.db.sql import as_json
from zerkalo.inbox.model import IGNORED, READ, Delivery, Finished, Kept, envelope_of

PRUNE_BATCH = 5000

Key = tuple[int, int]
"""(company, YCLIENTS's id of a record or a client)."""

# The next webhook must not bring an erased person's data back: only the envelope is kept, and a replay asks YCLIENTS.
# Not `exists`: with it PostgreSQL reads all bookings instead of looking up one for each body.
_BODY = """
    case when x.resource = 'record' and (
        select true from bookings b
        where b.company_id = x.company_id and b.yclients_record_id = x.resource_id and b.erased_at is not null
        limit 1
    ) is not null then convert_to(json_build_object('company_id', x.company_id, 'resource', x.resource,
        'resource_id', x.resource_id, 'status', x.event, 'erased', true)::text, 'UTF8')
    else x.body end
"""

# The bodies are a separate binary parameter, in the order of the JSON rows.
_PUT = f"""
    insert into deliveries (id, received_at, company_id, resource, resource_id, event, body, outcome, reason,
        booking_id, finished_at) overriding system value
    select coalesce(x.id, nextval('deliveries_id_seq')), x.received_at, x.company_id, x.resource, x.resource_id, x.event, {_BODY},
        x.outcome, x.reason, x.booking_id, %(now)s
    from rows from (
        jsonb_to_recordset(%(rows)s::jsonb) as (received_at timestamptz, company_id bigint, resource text,
            resource_id bigint, event text, outcome text, reason text, booking_id bigint, id bigint),
        unnest(%(bodies)b::bytea[])
    ) as x (received_at, company_id, resource, resource_id, event, outcome, reason, booking_id, id, body)
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

# An envelope without content: replaying it makes us ask YCLIENTS, and the booking stays masked.
_ENVELOPE: LiteralString = """
    convert_to(json_build_object('company_id', d.company_id, 'resource', d.resource, 'resource_id', d.resource_id,
        'status', d.event, 'erased', true)::text, 'UTF8')
"""

_KEPT = """
    select id, received_at, company_id, resource, resource_id, event, body, outcome, reason, booking_id,
        finished_at, handled_at
    from deliveries
"""


async def put(conn: Connection, finished: Sequence[Finished], *, now: datetime) -> None:
    """Write deliveries with their outcomes, in the transaction that applied them; of ignored ones only the envelope."""
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
            "id": one.id,
        }
        for one in finished
    ]
    bodies = [envelope_of(one.delivery) if one.outcome == IGNORED else one.delivery.body for one in finished]
    await conn.execute(_PUT, {"rows": msgspec.json.encode(rows).decode(), "bodies": bodies, "now": now})


async def quarantine_record(
    conn: Connection, *, company_id: int, record_id: int | None, raw: bytes, reason: str, now: datetime
) -> None:
    """Quarantine a record from an API read that could not be applied, in the form of a webhook, so it can be replayed.

    The same bytes are kept once while they wait: every sync, each half hour, reads them again.
    """
    # null: a replay takes the id from the data, once they can be read.
    named = b"null" if record_id is None else b"%d" % record_id
    body = b'{"company_id":%d,"resource":"record","resource_id":%s,"status":"update","data":%s}' % (
        company_id,
        named,
        raw or b"null",
    )
    values = {"company_id": company_id, "record_id": record_id, "body": body, "reason": reason, "now": now}
    await conn.execute(_QUARANTINE, values)


async def get(conn: Connection, delivery_id: int) -> Kept | None:
    """Return one delivery, or None."""
    kept = await _kept(conn, _KEPT + " where id = %(id)s", {"id": delivery_id})
    return kept[0] if kept else None


async def waiting_in_quarantine(conn: Connection, *, after_id: int, limit: int) -> list[Kept]:
    """Return unhandled quarantined deliveries with an id above `after_id`, oldest first."""
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
    """Write the outcome of a replay; a delivery that stays quarantined is not marked as handled.

    `booking_id` None keeps the booking found earlier: a second replay only asks YCLIENTS.
    """
    sql = """
        update deliveries set outcome = %(outcome)s, reason = %(reason)s,
            booking_id = coalesce(%(booking_id)s, booking_id), finished_at = %(now)s,
            handled_at = case when %(outcome)s = 'quarantined' then null else %(now)s::timestamptz end,
            body = case when %(outcome)s = 'ignored' then convert_to(json_build_object('company_id', company_id,
                'resource', resource, 'resource_id', resource_id, 'status', event)::text, 'UTF8') else body end
        where id = %(id)s
    """
    values = {"id": delivery_id, "outcome": outcome, "reason": reason, "booking_id": booking_id, "now": now}
    await conn.execute(sql, values)


async def set_aside(conn: Connection, delivery_id: int, *, now: datetime) -> bool:
    """Mark a waiting quarantined delivery as handled by an admin's decision; return whether there was one."""
    sql = "update deliveries set handled_at = %s where id = %s and outcome = 'quarantined' and handled_at is null"
    return (await conn.execute(sql, [now, delivery_id])).rowcount == 1


async def about(
    conn: Connection, *, records: Sequence[Key], clients: Sequence[Key], until: datetime, now: datetime
) -> list[int]:
    """Return ids of deliveries that still have a body: about these records and clients by id, and quarantined ones.

    The quarantined ones, received up to `until`, are of these companies or of an unreadable one: they may name anybody.
    So may those that a wrong clock dated after `now`.
    """
    sql: LiteralString = (
        """
        select d.id from jsonb_to_recordset(%(records)s::jsonb) as k (c bigint, k bigint)
        join deliveries d on d.resource = 'record' and d.company_id = k.c and d.resource_id = k.k
        where d.body <> """
        + _ENVELOPE
        + """
        union select d.id from jsonb_to_recordset(%(clients)s::jsonb) as k (c bigint, k bigint)
        join deliveries d on d.resource = 'client' and d.company_id = k.c and d.resource_id = k.k
        where d.body <> """
        + _ENVELOPE
        + """
        union select d.id from deliveries d
        where d.outcome = 'quarantined' and (d.received_at <= %(until)s or d.received_at > %(now)s) and d.body <> """
        + _ENVELOPE
        + """
            and (d.company_id is null or d.company_id = any(%(companies)s))
        order by 1
    """
    )
    values = {
        "records": _pairs(records),
        "clients": _pairs(clients),
        "companies": sorted({company_id for company_id, _ in (*records, *clients)}),
        "until": until,
        "now": now,
    }
    async with conn.cursor(row_factory=scalar_row) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchall()


async def empty_bodies(conn: Connection, ids: Collection[int]) -> int:
    """Reduce these deliveries to the envelope; outcome and reason stay. Skip locked rows. Return how many."""
    sql: LiteralString = (
        "update deliveries d set body = "
        + _ENVELOPE
        + """
        where d.id = any (array(select id from deliveries where id = any(%s) order by id for update skip locked))
    """
    )
    return (await conn.execute(sql, [list(ids)])).rowcount


async def prune(conn: Connection, *, before: datetime) -> int:
    """Delete up to `PRUNE_BATCH` deliveries received before; quarantined ones stay until handled. Return how many."""
    sql = """
        delete from deliveries where id = any (array(
            select id from deliveries
            where received_at < %s and not (outcome = 'quarantined' and handled_at is null)
            order by received_at, id limit %s
        ))
    """
    return (await conn.execute(sql, [before, PRUNE_BATCH])).rowcount


async def _kept(conn: Connection, sql: LiteralString, values: dict[str, Any]) -> list[Kept]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, values)
        return [_kept_of(row) for row in await cursor.fetchall()]


def _kept_of(row: dict[str, Any]) -> Kept:
    names = ("body", "received_at", "company_id", "resource", "resource_id", "event")
    delivery = Delivery(**{name: row.pop(name) for name in names})
    return Kept(delivery=delivery, **row)


def _pairs(keys: Sequence[Key]) -> str:
    return as_json([{"c": company_id, "k": number} for company_id, number in keys])
