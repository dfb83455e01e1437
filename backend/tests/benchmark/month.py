"""What grows while a busy salon works: its days are played one after another, and the tables are weighed at the end of each week.

Every part is the production code's own: calls are taken in as the webhook does, pages as the sync, people sign in, messages
leave, and the periodic tasks run at the end of the day, on a clock that is put forward. What autovacuum would have done by
itself in a day is done once a day, where PostgreSQL's own thresholds say so: the minutes of this run are too few for it. The
engine's own worker does the jobs, a part of those that a day has.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import psycopg
import uvloop
from procrastinate import App
from procrastinate.tasks import Task

from tests.benchmark.bodies import COMPANY_ID, USERS, changed_event, event
from tests.benchmark.pages import apply_page, bodies_from
from tests.benchmark.stage import Stage, settings_of
from tests.benchmark.told import Told
from zerkalo.auth.model import Limit
from zerkalo.auth.service import Auth
from zerkalo.composition import Parts, assembled
from zerkalo.engine.registry import periodic_tasks
from zerkalo.inbox.model import Delivery
from zerkalo.mirror.model import Item, OutcomeStatus
from zerkalo.outbox import store as outbox
from zerkalo.outbox.model import Message
from zerkalo.outbox.service import send_due
from zerkalo.refetches import store as refetches
from zerkalo.refetches.model import Refetch
from zerkalo.settings import load_settings
from zerkalo.webhook.rules import read_delivery

BOOKINGS = 20_000
DAYS = 35
WEEK = 7
INBOX_DAYS = 7
"""So that the month shows the inbox full, and pruned."""
VISITS_A_DAY = 100
BATCH = 14
TOLD_AGAIN_OF_TEN = 3
ASKED_AGAIN_A_DAY = 30
LOG_INS_A_DAY = 40
MESSAGES_A_DAY = 60
JOBS_A_DAY = 1_000
"""Ticks of periodic tasks, which leave most jobs. A worker does some forty thousand a day, one after another as here."""
JOBS_AT_ONCE = 20
BEGINS_AT = datetime(2026, 1, 5, 6, 0, tzinfo=UTC)
QUEUE = "month"
FIRST_RECORD_ID = 5 * 10**11
NIGHTLY = ("settle_sweep", "sweep_erased", "count_reports", "prune")
ENGINE = (
    "procrastinate_jobs",
    "procrastinate_events",
    "procrastinate_periodic_defers",
    "procrastinate_workers",
)
STEADY = ("deliveries", "refetches", "attempts", "outbox", *ENGINE)
"""What is deleted again."""
GROWING = (
    "refresh_tokens",
    "bookings",
    "booking_events",
    "bonus_entries",
    "clients",
    "report_visits",
    "report_sums",
)
"""What stays, and sessions, which last longer than this month."""
AUTOVACUUM = """
    select s.relname from pg_stat_user_tables s join pg_class c on c.oid = s.relid
    where s.schemaname = 'zerkalo' and s.n_dead_tup > 50 + coalesce(
        (select option_value::float from pg_options_to_table(c.reloptions) where option_name = 'autovacuum_vacuum_scale_factor'),
        0.2) * c.reltuples
"""
WEIGHED = """
    select relname, pg_total_relation_size(relid) / 1024.0, n_live_tup, n_dead_tup
    from pg_stat_user_tables where schemaname = 'zerkalo' and relname = any (%s)
"""


class Calendar:
    """The clock of the whole salon."""

    def __init__(self) -> None:
        self.now = BEGINS_AT

    def __call__(self) -> datetime:
        return self.now


class Nowhere:
    """A gateway that takes every message."""

    async def send(self, recipient: str, subject: str, body: str) -> None:
        del recipient, subject, body


def measure(stage: Stage, told: Told) -> None:
    """Note size and dead rows of each table at the end of each week, and how much the steady ones still grow."""
    told.title(f"{DAYS} days of {VISITS_A_DAY} visits, deliveries kept for {INBOX_DAYS}")
    with stage.database("month", bookings=BOOKINGS, deliveries=0) as dsn:
        uvloop.run(_play(dsn, stage.folder, told))


async def _play(dsn: str, folder: Path, told: Told) -> None:
    clock = Calendar()
    environ = settings_of(dsn) | {"INBOX_DAYS": str(INBOX_DAYS), "LOYALTY_ENABLED": "True"}
    weeks: list[dict[str, tuple[float, int, int]]] = []
    async with assembled(load_settings(environ=environ, cwd=folder), dsn, name="bench", clock=clock) as parts:
        tasks = {task.name: task for task in periodic_tasks(parts)}
        ticks = [parts.bells.app.task(name=f"month {name}", queue=QUEUE)(_look) for name in tasks]
        for day in range(DAYS):
            await _day(parts, clock, day)
            await _do_jobs(parts.bells.app, ticks, day)
            for name in NIGHTLY:
                await tasks[name].work()
            _vacuum(dsn)
            clock.now = BEGINS_AT + timedelta(days=day + 1)
            if (day + 1) % WEEK == 0:
                weeks.append(_weighed(dsn))
    for table in (*STEADY, *GROWING):
        for number, week in enumerate(weeks, 1):
            size, live, dead = week[table]
            told.figure(f"{table}, week {number}", size, "kB", f"{live:,} rows, {dead:,} dead")
        # Of two weeks each, for autovacuum comes by turns and a table at rest goes up and down with it.
        before, last = (max(week[table][0] for week in pair) for pair in (weeks[-4:-2], weeks[-2:]))
        told.ratio(
            f"{table}, last two weeks to the two before",
            last / before,
            "aim: 1.1 at most" if table in STEADY else "",
        )


async def _day(parts: Parts, clock: Calendar, day: int) -> None:
    """Records come, change and are told again; people sign in; messages leave; the sync sees what it knows."""
    first = FIRST_RECORD_ID + day * 10**6
    made = [event(record_id) for record_id in range(first, first + VISITS_A_DAY)]
    earlier = first - 10**6 * min(day, 3)
    changed = [changed_event(record_id) for record_id in range(earlier, earlier + VISITS_A_DAY)]
    again = [body for number, body in enumerate(made) if number % 10 < TOLD_AGAIN_OF_TEN]
    for bodies in (made, again, changed):
        await _taken(parts, clock, bodies)
    (page,) = bodies_from(first + 5 * 10**5, 1)
    await apply_page(parts.applier, page, OutcomeStatus.APPLIED)
    await apply_page(parts.applier, page, OutcomeStatus.UNCHANGED)
    now = clock()
    wanted = [
        Refetch(COMPANY_ID, first + number, "same_time_other_content", generation=1)
        for number in range(ASKED_AGAIN_A_DAY)
    ]
    auth = Auth(parts.pool, parts.secret_key)
    async with parts.pool.connection() as conn:
        async with conn.transaction():
            await refetches.ask(conn, wanted, now=now)
            await refetches.settle(conn, wanted, now=now)
            for number in range(MESSAGES_A_DAY):
                message = Message(
                    "email",
                    f"user{number}@example.com",
                    "A visit",
                    "Tomorrow at noon",
                    now + timedelta(hours=1),
                )
                await outbox.put(conn, message, now=now)
        for number in range(LOG_INS_A_DAY):
            async with conn.transaction():
                pair = await auth.new_session(conn, 1 + (day * LOG_INS_A_DAY + number) % USERS, 0, now=now)
            await auth.count([(Limit("log_in", 10, timedelta(hours=1)), f"somebody {number}")], now=now)
            await auth.refresh(pair.refresh_token, now=now)
    await send_due(parts.pool, {"email": Nowhere()}, clock=clock)


async def _look(timestamp: int) -> None:
    """The work of a job that finds nothing to do."""
    del timestamp


async def _do_jobs(app: App, ticks: Sequence[Task[..., Any, Any]], day: int) -> None:
    """A day's jobs as the worker has them: each is deferred by its tick, fetched, done and deleted."""
    for at in range(0, JOBS_A_DAY, JOBS_AT_ONCE):
        for number in range(at, at + JOBS_AT_ONCE):
            timestamp = day * JOBS_A_DAY + number
            job = ticks[number % len(ticks)].configure(task_kwargs={"timestamp": timestamp}).job
            await app.job_manager.defer_periodic_job(job, "", timestamp)
        await app.run_worker_async(
            queues=[QUEUE],
            wait=False,
            listen_notify=False,
            install_signal_handlers=False,
            delete_jobs="successful",
        )


async def _taken(parts: Parts, clock: Calendar, bodies: Sequence[bytes]) -> None:
    items = [read_delivery(Delivery(body, clock()), [COMPANY_ID]) for body in bodies]
    for at in range(0, len(items), BATCH):
        batch = [item for item in items[at : at + BATCH] if isinstance(item, Item)]
        outcomes = await parts.applier.apply_items(batch)
        assert not {one.status for one in outcomes} & {OutcomeStatus.QUARANTINED, OutcomeStatus.QUEUED}


def _vacuum(dsn: str) -> None:
    with psycopg.connect(dsn, autocommit=True) as conn:
        conn.execute("select pg_stat_force_next_flush()")
        for (table,) in conn.execute(AUTOVACUUM).fetchall():
            conn.execute(f"vacuum analyze {table}".encode())


def _weighed(dsn: str) -> dict[str, tuple[float, int, int]]:
    with psycopg.connect(dsn) as conn:
        rows = conn.execute(WEIGHED, [[*STEADY, *GROWING]]).fetchall()
    return {table: (float(kilobytes), live, dead) for table, kilobytes, live, dead in rows}
