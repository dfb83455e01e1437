"""A company's zone changed: which rows are still to be recomputed, and their wall clocks and instants in sets."""

from datetime import datetime

from zerkalo.db.pool import Connection


def rezone_fact(company_id: int) -> str:
    """The name of the fact that a company's rows are owed."""
    return f"rezone:{company_id}"


async def owes_rezone(conn: Connection, company_id: int) -> bool:
    """Whether the company's rows are still to be recomputed for its new zone."""
    cursor = await conn.execute("select 1 from facts where name = %s", [rezone_fact(company_id)])
    return await cursor.fetchone() is not None


async def rezoned(conn: Connection, company_id: int) -> None:
    """Note that every row of the company stands in its new zone."""
    await conn.execute("delete from facts where name = %s", [rezone_fact(company_id)])


async def wall_clocks(
    conn: Connection, company_id: int, *, after_id: int, limit: int
) -> list[tuple[int, datetime, datetime]]:
    """(booking id, naive wall clock, instant) of a company's rows by id, from `after_id` on; locked."""
    sql = """
        select id, appointment_local, appointment_datetime from bookings
        where company_id = %s and id > %s and appointment_local is not null
        order by id limit %s
        for update
    """
    return await (await conn.execute(sql, [company_id, after_id, limit])).fetchall()
