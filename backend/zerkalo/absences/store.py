"""The rows of `absences`: records that answered 404, until a day after they are cancelled, or until they are found again."""

from collections.abc import Collection
from datetime import datetime, timedelta

from psycopg.rows import class_row

from zerkalo.absences.model import Absence
from zerkalo.db.pool import Connection
from zerkalo.db.sql import scalar

COUNTED = timedelta(days=1)
"""How long a cancelled record counts towards the limits."""


async def note(conn: Connection, company_id: int, record_id: int, *, observation: int, now: datetime) -> bool:
    """Record that YCLIENTS does not know the record; return False where we have no booking to cancel for it."""
    sql = """
        insert into absences as a (company_id, record_id, observation, noted_at)
        select company_id, yclients_record_id, %(observation)s, %(now)s from bookings
        where company_id = %(company_id)s and yclients_record_id = %(record_id)s
            and cancel_reason is distinct from 'deleted'
        on conflict (company_id, record_id) do update
            set observation = excluded.observation,
                noted_at = case when a.applied_at is null then a.noted_at else excluded.noted_at end,
                left_as = case when a.applied_at is null then a.left_as end,
                accepted_at = case when a.applied_at is null then a.accepted_at end,
                applied_at = null
    """
    values = {"company_id": company_id, "record_id": record_id, "observation": observation, "now": now}
    return (await conn.execute(sql, values)).rowcount == 1


async def waiting(conn: Connection, company_id: int) -> list[Absence]:
    """Return the company's absent records that are not cancelled for their absence yet, by id.

    One that YCLIENTS has told to be deleted since needs no person's word any more.
    """
    sql = """
        select record_id, observation, left_as is not null and accepted_at is null and not is_deleted as is_left,
            accepted_at is not null or is_deleted as is_accepted, noted_at
        from absences a cross join lateral (
            select exists (select from bookings b where b.company_id = a.company_id
                and b.yclients_record_id = a.record_id and b.cancel_reason = 'deleted') as is_deleted) as b
        where company_id = %s and applied_at is null order by record_id
    """
    async with conn.cursor(row_factory=class_row(Absence)) as cursor:
        await cursor.execute(sql, [company_id])
        return await cursor.fetchall()


async def count_of_day(conn: Connection, company_id: int, *, now: datetime) -> int:
    """Count the company's records that wait or were cancelled within a day, except those accepted by a person."""
    sql = """
        select count(*) from absences
        where company_id = %s and accepted_at is null and (applied_at is null or applied_at > %s)
    """
    return await scalar(conn, sql, [company_id, now - COUNTED])


async def bookings_since(conn: Connection, company_id: int, since: datetime) -> int:
    """Count the company's bookings that are not deleted and have a visit at `since` or later."""
    sql = """
        select count(*) from bookings
        where company_id = %s and appointment_datetime >= %s and cancel_reason is distinct from 'deleted'
    """
    return await scalar(conn, sql, [company_id, since])


async def leave_to_a_person(conn: Connection, company_id: int, record_ids: Collection[int]) -> None:
    """Mark these as left to a person; those so marked already keep their number."""
    sql = """
        update absences set left_as = nextval('observations')
        where company_id = %s and record_id = any(%s) and left_as is null and applied_at is null
    """
    await conn.execute(sql, [company_id, list(record_ids)])


async def accept(conn: Connection, company_id: int, *, shown: int | None, now: datetime) -> list[int]:
    """Record that a person confirmed that the company's records left to a person are deleted. Return their ids.

    `shown`: the newest number that the person saw; None: all that were left so far.
    """
    sql = """
        update absences set accepted_at = %(now)s
        where company_id = %(company_id)s and applied_at is null and accepted_at is null
            and left_as <= coalesce(%(shown)s, left_as)
        returning record_id
    """
    rows = await (await conn.execute(sql, {"now": now, "company_id": company_id, "shown": shown})).fetchall()
    return [row[0] for row in rows]


async def applied(conn: Connection, company_id: int, record_ids: Collection[int], *, now: datetime) -> None:
    """Mark these as cancelled, and delete those cancelled a day ago or earlier."""
    sql = "update absences set applied_at = %s where company_id = %s and record_id = any(%s)"
    await conn.execute(sql, [now, company_id, list(record_ids)])
    sql = "delete from absences where company_id = %s and applied_at <= %s"
    await conn.execute(sql, [company_id, now - COUNTED])


async def forget(conn: Connection, company_id: int, record_ids: Collection[int]) -> None:
    """Delete the waiting absences of records that YCLIENTS knows again."""
    sql = "delete from absences where company_id = %s and record_id = any(%s) and applied_at is null"
    await conn.execute(sql, [company_id, list(record_ids)])
