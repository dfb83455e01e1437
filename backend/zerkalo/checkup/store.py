"""The facts of a check-up, read from the database. Reads only."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import datetime
from typing import Any, LiteralString

from psycopg.rows import class_row

from zerkalo.checkup.model import CompanyFacts, Counts, Facts, FailingTask, SyncedBooking
from zerkalo.db.migrate import current_revision, is_current
from zerkalo.db.pool import Connection
from zerkalo.db.sql import scalar
from zerkalo.inbox.desk.store import last_received_at
from zerkalo.kit.problem import OWN_FAULT
from zerkalo.loyalty.programme.service import policy_of, programme_of
from zerkalo.settings import SECRET_FIELDS, SETTING_NAMES, Settings

LAST_BOOKINGS = 5
OUTBOX_ATTEMPTS = 3
"""A message that failed so often is reported."""

TASK_FAILURES = 3
"""A periodic task that failed so often in a row is reported: fewer failures may be a restart or a network outage."""

SHORT_CODE = 6
"""A code of fewer characters is easily written by mistake."""

_COMPANIES = """
    select c.id, c.title, c.timezone_name, last.status as last_status, last.started_at as last_started_at,
        last.finished_at as last_finished_at, last.error as last_error,
        (select max(r.started_at) from sync_runs r where r.company_id = c.id and r.status = 'finished') as last_success_at,
        c.problem, c.zone_rules, c.zone_data_version,
        absent.waiting as absent_waiting, absent.newest as absent_newest,
        (select count(*) from refetches f where f.company_id = c.id and f.refused is not null) as refused_records,
        coalesce(last.status = 'running' and last.lease_until > clock_timestamp()
            and last.lease_until < clock_timestamp() + interval '1 minute', false) as is_running
    from companies c left join lateral (
        select status, started_at, finished_at, error, lease_until from sync_runs r where r.company_id = c.id order by id desc limit 1
    ) as last on true cross join lateral (
        select count(*) as waiting, max(left_as) as newest from absences a
        where a.company_id = c.id and left_as is not null and accepted_at is null and applied_at is null
    ) as absent
    where c.id = any(%s) order by c.id
"""

# A task that last failed over a day ago was switched off since; if no task runs at all, `worker_silent` reports it.
_FAILING_TASKS = """
    select name, failures, error from task_failures
    where failures >= %s and failed_at > clock_timestamp() - interval '1 day' order by name
"""

# Those that are tried again: a card that was given up, since its content was refused, waits for nobody here.
_REFUSED_CARDS = """
    select count(*) from card_balances where company_id = any(%s) and error is not null and due_at is not null
"""

_LAST_BOOKINGS = """
    select id, company_id, yclients_record_id, service_name, appointment_datetime, appointment_local, status, matched_by,
        updated_at
    from bookings order by updated_at desc, id desc limit %s
"""


def shown_settings(settings: Settings) -> dict[str, str]:
    """Return settings as printable text by name: secrets masked, unset ones empty."""
    return {name: _shown(name, field, settings) for name, field in SETTING_NAMES.items()}


async def read_facts(
    conn: Connection,
    settings: Settings,
    *,
    webhook_url: str,
    now: datetime,
    since: datetime | None = None,
    counts: Counts | None = None,
) -> Facts:
    """Read everything but YCLIENTS's own answer. `since`: when this server started.

    `counts`: counts read a moment ago; None: read them now, which scans the indexes of `bookings`.
    """
    known = _known(settings, webhook_url, now, since)
    if not await is_current(conn):
        has_tables = await current_revision(conn) is not None
        return Facts(**known, schema_is_current=False, has_tables=has_tables)
    counted = asdict(counts or await read_counts(conn))
    return Facts(
        **known,
        **counted,
        schema_is_current=True,
        programme=await programme_of(conn, policy_of(settings)),
        last_bookings=await _last_bookings(conn),
        companies=await companies(conn, settings.yclients_company_ids),
        last_webhook_at=await last_received_at(conn),
        quarantine=await scalar(
            conn, "select count(*) from deliveries where outcome = 'quarantined' and handled_at is null"
        ),
        own_faults=await scalar(
            conn,
            "select count(*) from deliveries where outcome = 'quarantined' and handled_at is null and reason like %s",
            [f"{OWN_FAULT}%"],
        ),
        waiting_refetches=await scalar(conn, "select count(*) from refetches"),
        worker_seen_at=await scalar(conn, "select max(updated_at) from facts where name = 'worker'"),
        outbox_failing=await scalar(
            conn,
            # Where the channel has sent another one since, the fault is the recipient's, not the gateway's.
            "select count(*) from outbox o where finished_at is null and attempts >= %s and not exists (select from"
            " outbox s where s.channel = o.channel and s.finished_at > o.created_at and s.error is null)",
            [OUTBOX_ATTEMPTS],
        ),
        refused_cards=await scalar(conn, _REFUSED_CARDS, [list(settings.yclients_company_ids)])
        if settings.yclients_balance_field is not None
        else 0,
        failing_tasks=await _failing_tasks(conn),
    )


def facts_without_database(settings: Settings, *, webhook_url: str, now: datetime) -> Facts:
    """Return the facts where there is no database yet, as for one without our tables."""
    return Facts(**_known(settings, webhook_url, now, None), schema_is_current=False, has_tables=False)


def _known(settings: Settings, webhook_url: str, now: datetime, since: datetime | None) -> dict[str, Any]:
    return {
        "now": now,
        "settings": shown_settings(settings),
        "enabled": settings.yclients_enabled,
        "has_tokens": bool(settings.yclients_partner_token and settings.yclients_user_token),
        "has_secret": settings.yclients_webhook_secret is not None,
        "webhook_url": webhook_url,
        "interval_minutes": settings.yclients_sync_interval_minutes,
        "can_send_email": settings.smtp_url is not None,
        "can_send_sms": settings.sms_url is not None,
        "since": since,
    }


async def read_counts(conn: Connection) -> Counts:
    """Count bookings and users by what a check-up reports of them."""
    matched, unmatched, by_status = await _bookings(conn)
    with_code, without_code = await _pair(
        conn,
        "select count(*) filter (where unique_code is not null), count(*) filter (where unique_code is null)"
        " from users where erased_at is null",
    )
    short = "select count(*) from users where erased_at is null and length(unique_code) < %s"
    return Counts(
        by_status=by_status,
        matched=matched,
        unmatched=unmatched,
        ambiguous=await scalar(conn, "select count(distinct booking_id) from match_candidates"),
        users_with_code=with_code,
        users_without_code=without_code,
        users_with_short_code=await scalar(conn, short, [SHORT_CODE]),
    )


async def companies(conn: Connection, company_ids: Sequence[int]) -> tuple[CompanyFacts, ...]:
    """Return our branches by id, including those that no run has read yet."""
    async with conn.cursor(row_factory=class_row(CompanyFacts)) as cursor:
        await cursor.execute(_COMPANIES, [list(company_ids)])
        known = {company.id: company for company in await cursor.fetchall()}
    return tuple(known.get(id_) or _unseen(id_) for id_ in sorted(company_ids))


def _unseen(company_id: int) -> CompanyFacts:
    return CompanyFacts(company_id, "", None, None, None, None, None, None, None)


async def _bookings(conn: Connection) -> tuple[int, int, dict[str, int]]:
    """Count matched and unmatched bookings, and those of every status."""
    by_status: dict[str, int] = dict.fromkeys(("PENDING", "CONFIRMED", "COMPLETED", "CANCELLED"), 0)
    matched = unmatched = 0
    cursor = await conn.execute("select status, user_id is not null, count(*) from bookings group by 1, 2")
    for status, is_matched, count in await cursor.fetchall():
        by_status[status] += count
        matched += count if is_matched else 0
        unmatched += 0 if is_matched else count
    return matched, unmatched, by_status


async def _last_bookings(conn: Connection) -> tuple[SyncedBooking, ...]:
    async with conn.cursor(row_factory=class_row(SyncedBooking)) as cursor:
        await cursor.execute(_LAST_BOOKINGS, [LAST_BOOKINGS])
        return tuple(await cursor.fetchall())


async def _failing_tasks(conn: Connection) -> tuple[FailingTask, ...]:
    async with conn.cursor(row_factory=class_row(FailingTask)) as cursor:
        await cursor.execute(_FAILING_TASKS, [TASK_FAILURES])
        return tuple(await cursor.fetchall())


async def _pair(conn: Connection, sql: LiteralString) -> tuple[int, int]:
    row = await (await conn.execute(sql)).fetchone()
    return (row[0], row[1]) if row else (0, 0)


def _shown(name: str, field: str, settings: Settings) -> str:
    value = getattr(settings, field)
    if value is None or value == ():
        return ""
    if field in SECRET_FIELDS:
        return "***"
    if name in ("YCLIENTS_COMPANY_ID", "LOYALTY_TIERS"):
        return ", ".join(str(part) for part in value)
    return str(value)
