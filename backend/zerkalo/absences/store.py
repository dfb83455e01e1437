"""The rows of `absences`: what answered 404, until it is cancelled or shown again, and for a day after."""

from collections.abc import Collection
from datetime import datetime, timedelta

from psycopg.rows import class_row

from zerkalo.absences.model import Absence
from zerkalo.db.pool import Connection
from zerkalo.db.sql import scalar

COUNTED = timedelta(days=1)
"""How long a cancelled one counts with those that come after it."""


async def note(conn: Connection, company_id: int, record_id: int, *, observation: int, now: datetime) -> bool:
    """Note that YCLIENTS does not know the record; returns False where no booking of ours could be cancelled for it."""
    sql = """
        insert into absences as a (company_id, record_id, observation, noted_at)
        select company_id, yclients_record_id, %(observation)s, %(now)s from bookings
        where company_id = %(company_id)s and yclients_record_id = %(record_id)s
            and cancel_reason is distinct from 'deleted'
        on conflict (company_id, record_id) do update
            set observation = excluded.observation,
                noted_at = case when a.applied_at is null then a.noted_at else excluded.noted_at end,
                accepted_at = case when a.applied_at is null then a.accepted_at end,
                applied_at = null
    """
    values = {"company_id": company_id, "record_id": record_id, "observation": observation, "now": now}
    return (await conn.execute(sql, values)).rowcount == 1


async def waiting(conn: Connection, company_id: int) -> list[Absence]:
    """The company's absent records that are not cancelled yet, by id."""
    sql = """
        select record_id, observation, accepted_at is not null as is_accepted from absences
        where company_id = %s and applied_at is null order by record_id
    """
    async with conn.cursor(row_factory=class_row(Absence)) as cursor:
        await cursor.execute(sql, [company_id])
        return await cursor.fetchall()


async def count_of_day(conn: Connection, company_id: int, *, now: datetime) -> int:
    """How many of the company's records wait, or were cancelled within a day, but for those that a person accepted."""
    sql = """
        select count(*) from absences
        where company_id = %s and accepted_at is null and (applied_at is null or applied_at > %s)
    """
    return await scalar(conn, sql, [company_id, now - COUNTED])


async def bookings_since(conn: Connection, company_id: int, since: datetime) -> int:
    """How many of the company's bookings are not deleted and have a visit at `since` or later."""
    sql = """
        select count(*) from bookings
        where company_id = %s and appointment_datetime >= %s and cancel_reason is distinct from 'deleted'
    """
    return await scalar(conn, sql, [company_id, since])


async def accept(conn: Connection, company_id: int, *, now: datetime) -> int:
    """Note that a person says that the company's waiting records are gone. Returns how many."""
    sql = """
        update absences set accepted_at = %s where company_id = %s and applied_at is null and accepted_at is null
    """
    return (await conn.execute(sql, [now, company_id])).rowcount


async def applied(conn: Connection, company_id: int, record_ids: Collection[int], *, now: datetime) -> None:
    """Note that these are cancelled, and forget those that were a day ago."""
    sql = "update absences set applied_at = %s where company_id = %s and record_id = any(%s)"
    await conn.execute(sql, [now, company_id, list(record_ids)])
    sql = "delete from absences where company_id = %s and applied_at <= %s"
    await conn.execute(sql, [company_id, now - COUNTED])


async def forget(conn: Connection, company_id: int, record_ids: Collection[int]) -> None:
    """YCLIENTS knows these records again: nobody waits for a word about them."""
    sql = "delete from absences where company_id = %s and record_id = any(%s) and applied_at is null"
    await conn.execute(sql, [company_id, list(record_ids)])
