"""The rows of `sync_runs`.

Leases are measured by one clock for all machines: the database's, unless a simulation supplies its own instant. Every
write of a run names its owner, so that a process that lost the lease changes nothing.
"""

from collections.abc import Collection
from datetime import date, datetime, timedelta
from typing import Any, LiteralString

import msgspec
from psycopg.rows import dict_row

from zerkalo.companies import store as companies
from zerkalo.db.pool import Connection
from zerkalo.db.sql import scalar
from zerkalo.kit.clock import CLOCKS_APART_MAX
from zerkalo.runs.model import Counts, Progress, Run, RunStatus, Slice

LEASE_SECONDS = 30.0
"""How long a lease lasts without an extension."""

KEPT = timedelta(days=90)
KEPT_OF_COMPANY = 100
"""Runs of a company that are never deleted: a branch that was switched off still shows its last ones."""

_COUNTS: tuple[LiteralString, ...] = (
    "fetched",
    "created",
    "updated",
    "unchanged",
    "stale",
    "cancelled",
    "failed",
)
_RUN_COLUMNS = (
    "id, company_id, status, full_history, window_start, progress::text as progress, expected, "
    + ", ".join(_COUNTS)
    + ", error, started_at, finished_at"
)
_LEASE_CLOCK = "coalesce(%(lease_now)s::timestamptz, clock_timestamp())"
_UNCARRIED = f"(lease_until is null or lease_until < {_LEASE_CLOCK} or lease_until > {_LEASE_CLOCK} + 2 * %(lease)s::interval)"
"""A lease farther ahead than possible was given by a wrong clock, and does not count."""
_HELD = "id = %(run_id)s and status = 'running' and lease_owner = %(owner)s"


class LeaseLost(Exception):
    """Another process has taken the run: this one must not write for it any more."""


async def expected_records(conn: Connection, ids: Collection[int]) -> int:
    """How many records the windows of these companies hold, by their last finished runs."""
    sql = """
        select coalesce(sum(last.expected), 0)
        from unnest(%s::bigint[]) as c (id), lateral (
            select expected from sync_runs
            where company_id = c.id and status = 'finished' and expected is not null and not full_history
            order by id desc limit 1
        ) as last
    """
    row = await (await conn.execute(sql, [list(ids)])).fetchone()
    return int(row[0]) if row else 0


async def open_run(conn: Connection, company_id: int, *, full_history: bool, now: datetime) -> Run | None:
    """Insert a run without an owner; None where one is running. The company's period begins again.

    Atomic over all machines: one running run a company is a unique index.
    """
    sql = f"""
        insert into sync_runs (company_id, status, full_history, started_at)
        select id, 'running', history_read_at is null or %(full)s, %(now)s from companies where id = %(id)s
        on conflict (company_id) where status = 'running' do nothing
        returning {_RUN_COLUMNS}
    """
    opened = await _one_run(conn, sql, {"id": company_id, "full": full_history, "now": now})
    if opened is not None:
        await companies.note_run(conn, company_id, now=now)
    return opened


async def claim_run(
    conn: Connection, company_id: int, owner: str, *, lease_now: datetime | None = None
) -> Run | None:
    """Take the lease of the company's running run if it has none (any more); None where there is none to take.

    `lease_now` None: by the database's clock. A run that had an owner before counts as resumed.
    """
    sql = f"""
        update sync_runs set
            lease_owner = %(owner)s, lease_until = {_LEASE_CLOCK} + %(lease)s,
            progress = case when lease_owner is null then progress
                else jsonb_set(progress, '{{resumed}}', to_jsonb(coalesce((progress->>'resumed')::int, 0) + 1)) end
        where company_id = %(id)s and status = 'running' and {_UNCARRIED}
        returning {_RUN_COLUMNS}
    """
    return await _one_run(conn, sql, {"id": company_id, "owner": owner, **_lease(lease_now)})


async def take_history(conn: Connection, run_id: int, owner: str) -> Run:
    """Make a run that is not planned yet read the whole history; return it. Raises `LeaseLost`."""
    sql = f"update sync_runs set full_history = true where {_HELD} returning {_RUN_COLUMNS}"
    run = await _one_run(conn, sql, {"run_id": run_id, "owner": owner})
    if run is None:
        raise LeaseLost(f"run {run_id}")
    return run


async def keep_lease(conn: Connection, run_id: int, owner: str, *, lease_now: datetime | None = None) -> bool:
    """Extend the lease; False: another process has it, or the run has ended."""
    sql = f"update sync_runs set lease_until = {_LEASE_CLOCK} + %(lease)s where {_HELD}"
    return await _wrote(conn, sql, {"run_id": run_id, "owner": owner, **_lease(lease_now)})


async def release_lease(conn: Connection, run_id: int, owner: str) -> bool:
    """Release a run so that another process may continue it at once; False: it was not ours."""
    # A past date and not null: taking it counts as resuming, so that a run can't be passed on for ever.
    sql = f"update sync_runs set lease_until = '-infinity' where {_HELD}"
    return await _wrote(conn, sql, {"run_id": run_id, "owner": owner})


async def save_progress(
    conn: Connection,
    run_id: int,
    owner: str,
    *,
    progress: Progress | None = None,
    counts: Counts | None = None,
    expected: int | None = None,
    window_start: date | None = None,
) -> Run:
    """Add to the counts of a run and write its progress; None changes nothing. Return it. Raises `LeaseLost`."""
    sql = f"""
        update sync_runs set
            progress = coalesce(%(progress)s::jsonb, progress),
            expected = coalesce(%(expected)s, expected),
            window_start = coalesce(%(window_start)s, window_start),
            {", ".join(f"{name} = {name} + %({name})s" for name in _COUNTS)}
        where {_HELD}
        returning {_RUN_COLUMNS}
    """
    added = counts or Counts()
    values = {
        "run_id": run_id,
        "owner": owner,
        "progress": msgspec.json.encode(progress).decode() if progress else None,
        "expected": expected,
        "window_start": window_start,
        **{name: getattr(added, name) for name in _COUNTS},
    }
    run = await _one_run(conn, sql, values)
    if run is None:
        raise LeaseLost(f"run {run_id}")
    return run


async def finish_run(conn: Connection, run: Run, owner: str, *, read_until: datetime, now: datetime) -> None:
    """Finish a run that has read everything, and move the company's watermark. Raises `LeaseLost`.

    `read_until`: every change before it is applied. The watermark moves back only from a time written by a wrong clock.
    """
    sql = f"""
        update sync_runs set status = 'finished', finished_at = %(now)s, error = null,
            lease_owner = null, lease_until = null
        where {_HELD}
    """
    if not await _wrote(conn, sql, {"run_id": run.id, "owner": owner, "now": now}):
        raise LeaseLost(f"run {run.id}")
    await companies.note_read(
        conn,
        run.company_id,
        read_until=read_until,
        whole_window_at=min(run.started_at, now) if run.progress.full_window else None,
        whole_history=run.full_history,
        latest=now + CLOCKS_APART_MAX,
        now=now,
    )


async def fail_run(
    conn: Connection, run: Run, owner: str, *, error: str, refused: bool, now: datetime
) -> None:
    """Fail a run that could not read everything. `refused`: YCLIENTS denies us access, which is stored with the company.

    Raises `LeaseLost`. Neither the watermark nor any booking is touched.
    """
    sql = f"""
        update sync_runs set status = 'failed', finished_at = %(now)s, error = %(error)s,
            lease_owner = null, lease_until = null
        where {_HELD}
    """
    if not await _wrote(conn, sql, {"run_id": run.id, "owner": owner, "error": error, "now": now}):
        raise LeaseLost(f"run {run.id}")
    if refused:
        await companies.note_problem(conn, run.company_id, error, now=now)


async def run_by_id(conn: Connection, run_id: int) -> Run | None:
    """One run, or None."""
    return await _one_run(conn, f"select {_RUN_COLUMNS} from sync_runs where id = %(id)s", {"id": run_id})


async def running_run(conn: Connection, company_id: int) -> Run | None:
    """The company's run that has not ended, with or without an owner."""
    sql = f"select {_RUN_COLUMNS} from sync_runs where company_id = %(id)s and status = 'running'"
    return await _one_run(conn, sql, {"id": company_id})


async def latest_runs(conn: Connection, *, before_id: int | None, limit: int) -> list[Run]:
    """Runs of all companies, newest first; `before_id`: only those older than it."""
    sql = f"""
        select {_RUN_COLUMNS} from sync_runs
        where %(before)s::bigint is null or id < %(before)s order by id desc limit %(limit)s
    """
    return await _runs(conn, sql, {"before": before_id, "limit": limit})


async def uncarried_companies(
    conn: Connection, ids: Collection[int], *, limit: int, lease_now: datetime | None = None
) -> list[int]:
    """Companies among `ids` with a run without an owner, oldest run first."""
    sql = f"""
        select company_id from sync_runs
        where status = 'running' and company_id = any(%(ids)s)
            and {_UNCARRIED}
        order by id limit %(limit)s
    """
    values = {"ids": list(ids), "limit": limit, **_lease(lease_now)}
    return [row[0] for row in await (await conn.execute(sql, values)).fetchall()]


async def newest_booking_id(conn: Connection) -> int:
    """The highest id of any booking; 0 where there is none. Rows made later have a higher one."""
    return await scalar(conn, "select coalesce(max(id), 0) from bookings")


async def not_shown(
    conn: Connection, company_id: int, part: Slice, *, up_to_id: int, shown: Collection[int]
) -> list[int]:
    """Record ids of the company's believed bookings with a visit in `part` that are not among `shown`.

    Without rows that are deleted already, and those made after `up_to_id`, which the read could not have shown.
    """
    # The wall clock decides, as at YCLIENTS; the instants only let the index find rows near it.
    sql = """
        select yclients_record_id from bookings
        where company_id = %(company_id)s
            and appointment_datetime >= %(first)s::date::timestamp at time zone 'UTC' - interval '15 hours'
            and (%(end)s::date is null
                or appointment_datetime < %(end)s::date::timestamp at time zone 'UTC' + interval '15 hours')
            and coalesce(appointment_local, appointment_datetime at time zone 'UTC') >= %(first)s::date
            and (%(end)s::date is null
                or coalesce(appointment_local, appointment_datetime at time zone 'UTC') < %(end)s::date)
            and id <= %(up_to_id)s and cancel_reason is distinct from 'deleted'
            and yclients_record_id is not null
        except
        select record_id::bigint from jsonb_array_elements_text(%(shown)s::jsonb) as s (record_id)
        order by yclients_record_id
    """
    values = {
        "company_id": company_id,
        "first": part.first,
        "end": part.last + timedelta(days=1) if part.last else None,
        "up_to_id": up_to_id,
        "shown": msgspec.json.encode(list(shown)).decode(),
    }
    return [row[0] for row in await (await conn.execute(sql, values)).fetchall()]


def _lease(lease_now: datetime | None) -> dict[str, Any]:
    return {"lease": timedelta(seconds=LEASE_SECONDS), "lease_now": lease_now}


async def _wrote(conn: Connection, sql: LiteralString, values: dict[str, Any]) -> bool:
    return (await conn.execute(sql, values)).rowcount == 1


async def _one_run(conn: Connection, sql: LiteralString, values: dict[str, Any]) -> Run | None:
    found = await _runs(conn, sql, values)
    return found[0] if found else None


async def _runs(conn: Connection, sql: LiteralString, values: dict[str, Any]) -> list[Run]:
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, values)
        return [_run_of(row) for row in await cursor.fetchall()]


def _run_of(row: dict[str, Any]) -> Run:
    counts = Counts(**{name: row.pop(name) for name in _COUNTS})
    progress = msgspec.json.decode(row.pop("progress"), type=Progress)
    return Run(counts=counts, progress=progress, status=RunStatus(row.pop("status")), **row)


async def prune(conn: Connection, *, now: datetime) -> int:
    """Delete runs that ended longer ago than `KEPT`, but for each company's last ones; return how many."""
    sql = """
        delete from sync_runs r
        using (select c.id as company_id, (select s.id from sync_runs s where s.company_id = c.id
                                           order by s.id desc offset %(last)s - 1 limit 1) as first_kept_id
               from companies c) as k
        where r.company_id = k.company_id and r.id < k.first_kept_id and r.status <> 'running'
            and r.finished_at < %(before)s
    """
    return (await conn.execute(sql, {"last": KEPT_OF_COMPANY, "before": now - KEPT})).rowcount
