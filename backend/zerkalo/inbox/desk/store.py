"""Lists of deliveries, newest first. For one delivery with its body see `inbox.store.get`."""

from collections.abc import Mapping
from datetime import datetime
from typing import LiteralString

from psycopg.rows import class_row

from zerkalo.db.pool import Connection
from zerkalo.db.sql import scalar
from zerkalo.inbox.desk.model import Event
from zerkalo.inbox.model import READ, TEST_RESOURCE

ID_END = 2**63 - 1


_COLUMNS = """
    d.id, d.received_at, d.company_id, d.resource, d.resource_id, d.event, d.outcome, d.reason, d.booking_id,
    d.finished_at, d.handled_at, octet_length(d.body) as body_bytes
"""

# With a record id only, every company of ours is tried: the index of records begins with the company.
DELIVERIES = f"""
    select {_COLUMNS} from deliveries d
    where d.id < %(before_id)s
        and (%(company_id)s::bigint is null or d.company_id = %(company_id)s)
        and (%(outcome)s::text is null or d.outcome = %(outcome)s)
    order by d.id desc limit %(limit)s
"""
DELIVERIES_OF_RECORD = f"""
    select {_COLUMNS} from deliveries d
    where d.company_id in (select c.id from companies c where %(company_id)s::bigint is null or c.id = %(company_id)s)
        and d.resource = 'record' and d.resource_id = %(record_id)s and d.id < %(before_id)s
        and (%(outcome)s::text is null or d.outcome = %(outcome)s)
    order by d.id desc limit %(limit)s
"""
QUARANTINED = f"""
    select {_COLUMNS} from deliveries d
    where d.outcome = 'quarantined' and d.handled_at is null and d.id < %(before_id)s
    order by d.id desc limit %(limit)s
"""


async def read_deliveries(
    conn: Connection,
    *,
    company_id: int | None = None,
    record_id: int | None = None,
    outcome: str | None = None,
    before_id: int | None,
    limit: int,
) -> list[Event]:
    """Return deliveries with an id below `before_id` (None: all), newest first; a filter of None is not applied."""
    values = {"company_id": company_id, "record_id": record_id, "outcome": outcome}
    sql = DELIVERIES if record_id is None else DELIVERIES_OF_RECORD
    return await _summaries(conn, sql, values, before_id, limit)


async def read_quarantined(conn: Connection, *, before_id: int | None, limit: int) -> list[Event]:
    """Return deliveries that wait in quarantine, newest first."""
    return await _summaries(conn, QUARANTINED, {}, before_id, limit)


async def last_received_at(conn: Connection) -> datetime | None:
    """Return when YCLIENTS last called, an admin's tests excluded; None: never, or it has been pruned."""
    return await scalar(
        conn,
        "select received_at from deliveries where resource is distinct from %s and event is distinct from %s"
        " order by received_at desc, id desc limit 1",
        [TEST_RESOURCE, READ],
    )


async def _summaries(
    conn: Connection, sql: LiteralString, values: Mapping[str, object], before_id: int | None, limit: int
) -> list[Event]:
    async with conn.cursor(row_factory=class_row(Event)) as cursor:
        page = {"before_id": ID_END if before_id is None else before_id, "limit": limit}
        await cursor.execute(sql, {**values, **page})
        return await cursor.fetchall()
