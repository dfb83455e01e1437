"""Read the gauges: one statement over small tables and partial indexes, and one for the branches. Reads only."""

from collections.abc import Sequence
from datetime import datetime

from zerkalo.checkup.gauges.model import Gauges
from zerkalo.checkup.store import TASK_FAILURES, companies
from zerkalo.db.pool import Connection

COUNTED_MAX = 10_000
"""Unmatched bookings are counted up to this: a scrape must not read a large table."""

READ = """
    select
        (select count(*) from (
            select from bookings where user_id is null and status <> 'CANCELLED' limit %(most)s) as unmatched),
        (select count(*) from (select distinct booking_id from match_candidates limit %(most)s) as candidates),
        (select count(*) from deliveries where outcome = 'quarantined' and handled_at is null),
        (select count(*) from refetches),
        (select extract(epoch from %(now)s - min(requested_at))::float8 from refetches),
        (select count(*) from absences
            where left_as is not null and accepted_at is null and applied_at is null),
        (select count(*) from sync_runs where status = 'running'),
        (select count(*) from companies where problem is not null and id = any(%(companies)s)),
        (select (select count(*) from jsonb_array_elements(c.differences) as one where (one -> 'is_owed')::boolean)
            from comparisons c),
        (select extract(epoch from %(now)s - at)::float8 from comparisons),
        (select count(*) from outbox where finished_at is null),
        (select extract(epoch from %(now)s - min(created_at))::float8 from outbox where finished_at is null),
        (select count(*) from task_failures
            where failures >= %(failures)s and failed_at > clock_timestamp() - interval '1 day'),
        (select extract(epoch from %(now)s - max(updated_at))::float8 from facts where name = 'worker'),
        (select extract(epoch from %(now)s - received_at)::float8
            from deliveries order by received_at desc, id desc limit 1)
"""
SLOTS = """
    select case split_part(egress, '#', 2) when 'unsigned' then 'unsigned' when 'others' then 'people' else 'all' end,
        greatest(extract(epoch from max(greatest(next_slot_at, paused_until)) - clock_timestamp())::float8, 0)
    from rate_limits where split_part(egress, '#', 1) = %s group by 1
"""


async def read_gauges(
    conn: Connection, company_ids: Sequence[int], egress: str, *, now: datetime, since: datetime
) -> Gauges:
    """Read all gauges at `now`. `since`: when this server started; `egress`: whose rate limit to read."""
    values = {
        "now": now,
        "most": COUNTED_MAX,
        "companies": list(company_ids),
        "failures": TASK_FAILURES,
    }
    row = await (await conn.execute(READ, values)).fetchone()
    assert row is not None, "an aggregate has a row"
    slots = await (await conn.execute(SLOTS, [egress])).fetchall()
    sync_age = await _sync_age(conn, company_ids, now, since)
    return Gauges(*row, sync_age=sync_age, slot_seconds=dict(slots))


async def _sync_age(conn: Connection, company_ids: Sequence[int], now: datetime, since: datetime) -> float:
    """Return the largest age; a company with a live run is left out, as the first full history may take long."""
    found = await companies(conn, company_ids)
    ages = [
        (now - max(company.last_success_at or since, since)).total_seconds()
        for company in found
        if not company.is_running
    ]
    return max(ages, default=0.0)
