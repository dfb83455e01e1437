"""The branches of the salon in PostgreSQL: what YCLIENTS says of each, and how far it has been read."""

from collections.abc import Collection
from datetime import datetime

from psycopg.rows import class_row

from zerkalo.companies.model import Company
from zerkalo.companies.zones import rezone_fact
from zerkalo.db.pool import Connection

_COMPANY = """
    select id, title, timezone_name, known_since, last_run_started_at, last_complete_read_at, history_read_at,
        changes_read_until, problem
    from companies
"""


async def know_companies(conn: Connection, ids: Collection[int], *, now: datetime) -> None:
    """Make a row for each company of the settings that has none yet."""
    sql = """
        insert into companies (id, known_since) select unnest(%s::bigint[]), %s
        on conflict (id) do nothing
    """
    known = await conn.execute("select count(*) from companies where id = any(%s)", [list(ids)])
    row = await known.fetchone()
    if row is None or row[0] < len(set(ids)):
        await conn.execute(sql, [sorted(set(ids)), now])


async def companies(conn: Connection, ids: Collection[int]) -> list[Company]:
    """What is known of these companies, by id; one that has no row is not in the answer."""
    async with conn.cursor(row_factory=class_row(Company)) as cursor:
        await cursor.execute(_COMPANY + " where id = any(%s) order by id", [list(ids)])
        return await cursor.fetchall()


async def company(conn: Connection, company_id: int) -> Company | None:
    """What is known of one company; None: nothing yet."""
    found = await companies(conn, [company_id])
    return found[0] if found else None


async def put_company(conn: Connection, company_id: int, *, title: str, timezone_name: str | None) -> bool:
    """Keep what YCLIENTS says of a branch; returns whether its zone is another than before.

    A changed zone leaves the fact `rezone:<id>` in the same transaction: the rows are still to be recomputed.
    """
    sql = """
        update companies c set title = %(title)s, timezone_name = coalesce(%(zone)s, c.timezone_name)
        from (select id, timezone_name from companies where id = %(id)s for update) as old
        where c.id = old.id
            and (c.title, c.timezone_name) is distinct from (%(title)s, coalesce(%(zone)s, c.timezone_name))
        returning c.timezone_name is distinct from old.timezone_name
    """
    cursor = await conn.execute(sql, {"id": company_id, "title": title, "zone": timezone_name})
    row = await cursor.fetchone()
    if row is None or not row[0]:
        return False
    fact = """
        insert into facts (name, value, updated_at) values (%s, 'true', clock_timestamp())
        on conflict (name) do nothing
    """
    await conn.execute(fact, [rezone_fact(company_id)])
    return True


async def windows_read(conn: Connection, ids: Collection[int], *, since: datetime) -> int:
    """How many of these companies had a run that began after `since` and read their whole window."""
    sql = "select count(*) from companies where id = any(%s) and last_complete_read_at > %s"
    row = await (await conn.execute(sql, [list(ids), since])).fetchone()
    return row[0] if row else 0


async def owing_history(conn: Connection, ids: Collection[int]) -> frozenset[int]:
    """Those of these companies whose whole history is still to be read."""
    sql = "select id from companies where id = any(%s) and history_read_at is null"
    cursor = await conn.execute(sql, [list(ids)])
    return frozenset(row[0] for row in await cursor.fetchall())


async def note_problem(conn: Connection, company_id: int, problem: str, *, now: datetime) -> None:
    """Remember why YCLIENTS refuses us at this company, and since when."""
    sql = "update companies set problem = %s, problem_since = coalesce(problem_since, %s) where id = %s"
    await conn.execute(sql, [problem, now, company_id])
