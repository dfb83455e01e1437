"""Every periodic task of Zerkalo in one table. Add background work here."""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Protocol

from zerkalo.auth import store as auth
from zerkalo.checkup.rules import problems_of
from zerkalo.checkup.service import examine
from zerkalo.checkup.texts.rules import text_of
from zerkalo.companies import store as companies
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import transaction
from zerkalo.engine.jobs import (
    Work,
    forget_finished_jobs,
    retry_stalled_jobs,
    ring_for_runs,
    ring_for_what_waits,
)
from zerkalo.engine.model import EVERY_HOUR, EVERY_MINUTE, EVERY_TEN_MINUTES, EVERY_TEN_SECONDS, PeriodicTask
from zerkalo.engine.service import SEND_OUTBOX, Bells
from zerkalo.inbox import store as inbox
from zerkalo.kit.clock import Clock
from zerkalo.kit.few_at_once import FewAtOnce
from zerkalo.kit.zones import zone_of
from zerkalo.loyalty import service as loyalty
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.mirror.balances.model import Cards
from zerkalo.mirror.balances.service import write_balances
from zerkalo.mirror.context import SyncContext
from zerkalo.mirror.refetching.service import Refetcher
from zerkalo.mirror.service import Applier
from zerkalo.notices import service as notices
from zerkalo.notices import store as notice_store
from zerkalo.notices.model import Kind, NoticePolicy
from zerkalo.notices.service import Notices
from zerkalo.notices.telegram import service as telegram
from zerkalo.outbox import store as outbox
from zerkalo.outbox.gateways.service import bot_of, senders_of
from zerkalo.outbox.model import Channel
from zerkalo.outbox.service import send_due
from zerkalo.reports.sums.service import sweep as sweep_reports
from zerkalo.runs import store as run_store
from zerkalo.runs.service import Runs
from zerkalo.settings import Settings
from zerkalo.users.erasing.service import sweep_erased
from zerkalo.users.merging import store as merging
from zerkalo.users.merging.service import UNDO_SPAN
from zerkalo.users.proving import store as proving
from zerkalo.users.service import People, may_send
from zerkalo.users.staff import store as staff_store

ALARMING = frozenset(
    {
        "sync_failed",
        "sync_late",
        "yclients_refuses",
        "yclients_silent",
        "quarantine",
    }
)
"""Problems of the check-up that are sent to the salon's group in Telegram."""


WEBHOOK_SILENT = timedelta(days=1)


class TaskParts(Protocol):
    """The parts that background work needs of the composition."""

    @property
    def settings(self) -> Settings: ...
    @property
    def pool(self) -> Pool: ...
    @property
    def clock(self) -> Clock: ...
    @property
    def policy(self) -> LoyaltyPolicy: ...
    @property
    def client(self) -> Cards: ...
    @property
    def sync(self) -> SyncContext: ...
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
    """The parts that jobs work with."""
    return Work(parts.pool, parts.runs, parts.refetcher, parts.applier.rematcher.rematch)


def periodic_tasks(parts: TaskParts) -> tuple[PeriodicTask, ...]:
    """The table: name, schedule, time limit in seconds, work."""
    senders = senders_of(parts.settings, is_demo=parts.is_demo)
    work, bells = work_of(parts), parts.bells

    sending = FewAtOnce()

    async def send() -> None:
        await send_due(parts.pool, senders, clock=parts.clock, sending=sending)

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

    told = notices_of(parts)

    async def tell() -> None:
        if await notices.tell(told, now=parts.clock()):
            await bells.outbox()

    return (
        *telegram_tasks(parts),
        *balance_tasks(parts),
        PeriodicTask("notices", EVERY_MINUTE, 300, tell),
        PeriodicTask("tick", EVERY_MINUTE, 60, tick),
        PeriodicTask("sweep", EVERY_TEN_SECONDS, 60, lambda: ring_for_what_waits(work, bells)),
        PeriodicTask("retry_stalled", EVERY_TEN_SECONDS, 60, lambda: retry_stalled_jobs(bells.app)),
        PeriodicTask(SEND_OUTBOX, EVERY_TEN_SECONDS, 600, send, parts_itself=True),
        PeriodicTask("rematch_users", EVERY_TEN_SECONDS, 3600, parts.applier.rematcher.rematch_waiting_users),
        PeriodicTask("rematch_cards", EVERY_MINUTE, 600, parts.applier.rematcher.rematch_waiting_cards),
        PeriodicTask("settle_sweep", EVERY_TEN_MINUTES, 3600, settle),
        PeriodicTask("sweep_erased", EVERY_TEN_MINUTES, 3600, strip_erased),
        PeriodicTask("count_reports", EVERY_TEN_MINUTES, 3600, lambda: sweep_reports(parts.pool)),
        PeriodicTask("prune", EVERY_HOUR, 3600, lambda: prune(parts)),
        PeriodicTask("forget_jobs", EVERY_HOUR, 600, lambda: forget_finished_jobs(bells.app)),
    )


def notices_of(parts: TaskParts) -> Notices:
    """The tasks of notices to clients, by the settings."""
    settings = parts.settings
    remind = settings.remind_hours_before

    async def may_send_now(conn: Connection, channel: Channel, contact: str, now: datetime) -> bool:
        return await may_send(parts.people, conn, channel, contact, now)

    async def burning(
        conn: Connection, now: datetime, ahead: timedelta, after_user_id: int
    ) -> tuple[Mapping[int, int], int]:
        days = parts.policy.expire_days
        return await loyalty.burning(conn, days, now=now, ahead=ahead, after_user_id=after_user_id)

    async def zone(conn: Connection) -> tzinfo:
        known = await companies.branches(conn, settings.yclients_company_ids)
        return next((found for one in known if (found := zone_of(one.timezone_name)) is not None), UTC)

    begins, _, ends = settings.quiet_hours.partition("-")
    policy = NoticePolicy(
        kinds=frozenset(map(Kind, settings.notices)),
        remind_before=timedelta(hours=remind) if remind is not None else None,
        quiet=(int(begins), int(ends)),
    )
    return Notices(
        parts.pool, policy, zone, may_send_now, burning, has_telegram=settings.telegram_bot_token is not None
    )


def balance_tasks(parts: TaskParts) -> tuple[PeriodicTask, ...]:
    """The task that writes balances to YCLIENTS's cards; none without a field for them."""
    field = parts.settings.yclients_balance_field
    if field is None:
        return ()

    async def write() -> None:
        companies = parts.sync.company_ids
        await write_balances(parts.pool, parts.client, field, companies=companies, clock=parts.clock)

    return (PeriodicTask("balances", EVERY_MINUTE, 300, write),)


def telegram_tasks(parts: TaskParts) -> tuple[PeriodicTask, ...]:
    """The tasks of the bot: reading messages of clients, and alerts to the salon's group; none without a bot."""
    bot, chat = bot_of(parts.settings), parts.settings.telegram_alert_chat
    if bot is None:
        return ()

    async def read() -> None:
        if await telegram.take_updates(parts.pool, bot, now=parts.clock()):
            await parts.bells.outbox()

    async def alert(group: str) -> None:
        now = parts.clock()
        facts = await examine(parts.pool, parts.settings, now=now)
        alarming = {one.code: text_of(one, "ru") for one in problems_of(facts) if one.code in ALARMING}
        if facts.last_webhook_at is not None and now - facts.last_webhook_at > WEBHOOK_SILENT:
            alarming["webhook_silent"] = "Сутки не было ни одного вебхука."
        if await telegram.alert(parts.pool, group, alarming, now=now):
            await parts.bells.outbox()

    tasks = [PeriodicTask("telegram", EVERY_TEN_SECONDS, 60, read)]
    if chat is not None:
        tasks.append(PeriodicTask("alerts", EVERY_TEN_MINUTES, 120, lambda: alert(chat)))
    return tuple(tasks)


async def prune(parts: TaskParts) -> None:
    """Delete old deliveries, attempts, tokens, codes, sent messages and runs."""
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
        await notice_store.prune(conn, now=now)
        await merging.forget_merges(conn, before=now - UNDO_SPAN)
