"""Every periodic task of Zerkalo in one table. Whoever adds background work adds a line here."""

from datetime import timedelta
from typing import Protocol

from zerkalo.auth import store as auth
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.engine.bells import SEND_OUTBOX, Bells
from zerkalo.engine.jobs import (
    Work,
    forget_finished_jobs,
    retry_stalled_jobs,
    ring_for_runs,
    ring_for_what_waits,
)
from zerkalo.engine.model import EVERY_HOUR, EVERY_MINUTE, EVERY_TEN_MINUTES, EVERY_TEN_SECONDS, PeriodicTask
from zerkalo.inbox import store as inbox
from zerkalo.kit.clock import Clock
from zerkalo.loyalty import service as loyalty
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.mirror.refetch import Refetcher
from zerkalo.mirror.service import Applier
from zerkalo.outbox import store as outbox
from zerkalo.outbox.clients import senders_of
from zerkalo.outbox.service import send_due
from zerkalo.runs import store as run_store
from zerkalo.runs.service import Runs
from zerkalo.settings import Settings
from zerkalo.users.erasing.service import sweep_erased
from zerkalo.users.merging import store as merging
from zerkalo.users.merging.service import UNDO_SPAN
from zerkalo.users.proving import store as proving
from zerkalo.users.service import People
from zerkalo.users.staff import store as staff_store


class TaskParts(Protocol):
    """What the background work needs of the composition."""

    @property
    def settings(self) -> Settings: ...
    @property
    def pool(self) -> Pool: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def policy(self) -> LoyaltyPolicy: ...
    @property
    def applier(self) -> Applier: ...
    @property
    def refetcher(self) -> Refetcher: ...
    @property
    def runs(self) -> Runs: ...
    @property
    def bells(self) -> Bells: ...
    @property
    def people(self) -> People: ...
    @property
    def is_demo(self) -> bool: ...


def work_of(parts: TaskParts) -> Work:
    """What the jobs that bells announce do their work with."""
    return Work(parts.pool, parts.runs, parts.refetcher, parts.applier.rematch)


def periodic_tasks(parts: TaskParts) -> tuple[PeriodicTask, ...]:
    """The table: name, how often, how many seconds at most, what."""
    senders = senders_of(parts.settings, is_demo=parts.is_demo)
    work, bells = work_of(parts), parts.bells

    async def tick() -> None:
        await ring_for_runs(parts.runs, bells, await parts.runs.due())

    async def settle() -> None:
        await loyalty.sweep(parts.pool, parts.policy, parts.clock())

    async def strip_erased() -> None:
        settle_bookings = loyalty.settler_of(parts.policy)
        await sweep_erased(
            parts.pool,
            settle_bookings=settle_bookings,
            now=parts.clock(),
            write=parts.people.ports.write_erasures,
        )

    return (
        PeriodicTask("tick", EVERY_MINUTE, 60, tick),
        PeriodicTask("sweep", EVERY_TEN_SECONDS, 60, lambda: ring_for_what_waits(work, bells)),
        PeriodicTask("retry_stalled", EVERY_TEN_SECONDS, 60, lambda: retry_stalled_jobs(bells.app)),
        PeriodicTask(
            SEND_OUTBOX, EVERY_TEN_SECONDS, 600, lambda: send_due(parts.pool, senders, clock=parts.clock)
        ),
        PeriodicTask("rematch_cards", EVERY_MINUTE, 600, parts.applier.rematch_waiting_cards),
        PeriodicTask("settle_sweep", EVERY_TEN_MINUTES, 3600, settle),
        PeriodicTask("sweep_erased", EVERY_TEN_MINUTES, 3600, strip_erased),
        PeriodicTask("prune", EVERY_HOUR, 3600, lambda: prune(parts)),
        PeriodicTask("forget_jobs", EVERY_HOUR, 600, lambda: forget_finished_jobs(bells.app)),
    )


async def prune(parts: TaskParts) -> None:
    """Delete what is not needed any more: old deliveries, attempts, tokens, codes, sent messages, runs long ended."""
    now = parts.clock()
    before = now - timedelta(days=parts.settings.inbox_days)
    while True:
        async with transaction(parts.pool) as conn:
            if await inbox.prune(conn, before=before) < inbox.PRUNE_BATCH:
                break
    async with transaction(parts.pool) as conn:
        await auth.prune(conn, now=now)
        await proving.prune(conn, now=now)
        await outbox.prune(conn, now=now)
        await run_store.prune(conn, now=now)
        await staff_store.prune(conn, now=now)
        await merging.forget_merges(conn, before=now - UNDO_SPAN)
