"""The branches of the salon in PostgreSQL: what YCLIENTS says of each, and how far it has been read."""

from collections.abc import Collection, Sequence
from datetime import datetime
from typing import LiteralString
from zoneinfo import ZoneInfo

from psycopg.rows import class_row

from zerkalo.companies.model import Branch, Company, Told
from zerkalo.companies.rules import reads_by_other_rules
from zerkalo.db.pool import Connection
from zerkalo.db.sql import scalar
from zerkalo.kit.zones import rules_of

_COMPANY: LiteralString = """
    select id, title, timezone_name, zone_rules, zone_data_version, known_since, last_run_started_at, last_complete_read_at, history_read_at,
        changes_read_until, problem
    from companies
"""

_TOLD_NAMES = (
    *("title", "address", "phone", "may_move", "may_delete"),
    *("move_seconds_before", "delete_seconds_before"),
)
_TOLD: LiteralString = """
    update companies set title = %(title)s, address = %(address)s, phone = %(phone)s, may_move = %(may_move)s,
        may_cancel = %(may_delete)s, move_seconds_before = %(move_seconds_before)s,
        cancel_seconds_before = %(delete_seconds_before)s
    where id = %(id)s and (title, address, phone, may_move, may_cancel, move_seconds_before, cancel_seconds_before)
        is distinct from (%(title)s::text, %(address)s::text, %(phone)s::text, %(may_move)s::boolean,
            %(may_delete)s::boolean, %(move_seconds_before)s::bigint, %(delete_seconds_before)s::bigint)
"""


async def know_companies(conn: Connection, ids: Collection[int], *, now: datetime) -> None:
    """Insert a row for each company of the settings that has none yet."""
    sql = """
        insert into companies (id, known_since) select unnest(%s::bigint[]), %s
        on conflict (id) do nothing
    """
    known = await conn.execute("select count(*) from companies where id = any(%s)", [list(ids)])
    row = await known.fetchone()
    if row is None or row[0] < len(set(ids)):
        await conn.execute(sql, [sorted(set(ids)), now])


async def companies(conn: Connection, ids: Collection[int]) -> list[Company]:
    """Return these companies by id; those without a row are left out."""
    async with conn.cursor(row_factory=class_row(Company)) as cursor:
        await cursor.execute(_COMPANY + " where id = any(%s) order by id", [list(ids)])
        return await cursor.fetchall()


async def company(conn: Connection, company_id: int) -> Company | None:
    """Return one company; None: it has no row yet."""
    return await _one(conn, _COMPANY + " where id = %s", [company_id])


async def put_company(conn: Connection, company_id: int, *, told: Told, zone: ZoneInfo | None) -> bool:
    """Write what YCLIENTS says of a branch (`zone` None: unknown); return whether its visits must be read again.

    If its zone or the zone's rules have changed, the whole history must be read again: the rules are part of a
    snapshot's digest (see `mirror.snapshots.digest_of`), so the normal write path corrects every row.
    """
    known = await _one(conn, _COMPANY + " where id = %s for update", [company_id])
    if known is None:
        return False
    await conn.execute(_TOLD, {"id": company_id, **{name: getattr(told, name) for name in _TOLD_NAMES}})
    if zone is None or not reads_by_other_rules(known, zone.key, rules_of(zone)):
        return False
    rules = rules_of(zone)
    sql = """
        update companies set timezone_name = %s, zone_rules = %s, zone_data_version = %s, history_read_at = null
        where id = %s
    """
    await conn.execute(sql, [zone.key, rules.fingerprint, rules.version, company_id])
    return True


async def branches(conn: Connection, ids: Sequence[int]) -> tuple[Branch, ...]:
    """Return the branches in the order given; those not known yet are empty."""
    async with conn.cursor(row_factory=class_row(Branch)) as cursor:
        await cursor.execute(
            "select id as company_id, title, timezone_name, address, phone, may_move, may_cancel, move_seconds_before,"
            " cancel_seconds_before from companies where id = any(%s)",
            [list(ids)],
        )
        found = {branch.company_id: branch for branch in await cursor.fetchall()}
    return tuple(found.get(company_id, Branch(company_id, "", None)) for company_id in ids)


async def windows_read(conn: Connection, ids: Collection[int], *, since: datetime) -> int:
    """Count these companies that had a run that began after `since` and read their whole window."""
    sql = "select count(*) from companies where id = any(%s) and last_complete_read_at > %s"
    return await scalar(conn, sql, [list(ids), since])


async def owing_history(conn: Connection, ids: Collection[int]) -> frozenset[int]:
    """Return the ids among these whose whole history is still to be read."""
    sql = "select id from companies where id = any(%s) and history_read_at is null"
    cursor = await conn.execute(sql, [list(ids)])
    return frozenset(row[0] for row in await cursor.fetchall())


async def note_run(conn: Connection, company_id: int, *, now: datetime) -> None:
    """Record that a run was started, which restarts the company's interval."""
    await conn.execute("update companies set last_run_started_at = %s where id = %s", [now, company_id])


async def note_read(
    conn: Connection,
    company_id: int,
    *,
    read_until: datetime,
    whole_window_at: datetime | None,
    whole_history: bool,
    latest: datetime,
    now: datetime,
) -> None:
    """Move the watermark to `read_until`, before which every change is applied, and record what was read completely.

    `whole_window_at`: when the read of the whole window began; None: it was not read. Times never move back, except
    those later than `latest`, which a wrong clock wrote.
    """
    sql = """
        update companies set
            changes_read_until = greatest(
                case when changes_read_until <= %(latest)s then changes_read_until end, %(read_until)s),
            last_complete_read_at = case when %(window_at)s::timestamptz is null then last_complete_read_at else greatest(
                case when last_complete_read_at <= %(latest)s then last_complete_read_at end, %(window_at)s) end,
            history_read_at = case when %(whole_history)s then coalesce(history_read_at, %(now)s)
                else history_read_at end,
            problem = null, problem_since = null
        where id = %(company_id)s
    """
    values = {
        "company_id": company_id,
        "read_until": read_until,
        "window_at": whole_window_at,
        "whole_history": whole_history,
        "latest": latest,
        "now": now,
    }
    await conn.execute(sql, values)


async def note_problem(conn: Connection, company_id: int, problem: str, *, now: datetime) -> None:
    """Record why YCLIENTS refuses us at this company, and since when."""
    sql = "update companies set problem = %s, problem_since = coalesce(problem_since, %s) where id = %s"
    await conn.execute(sql, [problem, now, company_id])


async def _one(conn: Connection, sql: LiteralString, values: Sequence[int]) -> Company | None:
    async with conn.cursor(row_factory=class_row(Company)) as cursor:
        await cursor.execute(sql, values)
        return await cursor.fetchone()
