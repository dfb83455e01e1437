"""The composition root: assembles the parts of a process from the settings.

Used by `main` (the server), `worker` and the commands; nothing below imports it.
"""

import asyncio
from collections.abc import AsyncGenerator, Callable, Sequence
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial

import structlog
from psycopg.errors import UndefinedTable

from zerkalo.auth.service import Auth
from zerkalo.booking_form.form import BookingForm, booking_form_of
from zerkalo.bookings.calendar.store import revoke_calendar_token
from zerkalo.checkup.model import Answer
from zerkalo.checkup.service import webhook_url
from zerkalo.codes.rules import new_code
from zerkalo.db.database import database
from zerkalo.db.migrate import see_that_it_is_ours, upgrade
from zerkalo.db.pool import Pool, open_pool
from zerkalo.db.reach import see_that_it_answers
from zerkalo.engine.service import Bells, open_bells
from zerkalo.kit.clock import Clock, utc_now
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.loyalty.programme.service import policy_of, since_switched_on
from zerkalo.loyalty.service import move_ledger, return_ledger, settler_of
from zerkalo.mirror.context import Limits, SyncContext
from zerkalo.mirror.refetching.service import Refetcher
from zerkalo.mirror.rematching.service import REMATCH_BATCH, Rematcher
from zerkalo.mirror.service import Applier
from zerkalo.outbox.gateways.service import senders_of
from zerkalo.outbox.model import Channel
from zerkalo.runs.service import Runs
from zerkalo.secret_key import secret_key
from zerkalo.settings import Settings, SettingsError, load_settings
from zerkalo.users.erasing.journal import store as journal
from zerkalo.users.erasing.model import Erasure
from zerkalo.users.ports import Ports
from zerkalo.users.proving.model import SmsBounds
from zerkalo.users.service import People, people_of
from zerkalo.users.store import finish_rematches, read_user, renew_password_hash
from zerkalo.yclients.client import YclientsClient
from zerkalo.yclients.errors import AccessDenied, NotFound, RequestRefused, VendorError
from zerkalo.yclients.limiter import DatabaseLimiter

log = structlog.get_logger(__name__)

POOL_SIZE = 10
BATCH_POOL_SIZE = 5
"""Batches have a pool of their own: two of the webhook's committer at once, two for pages of a sync, one of refetches."""
OWN_DATABASE_SECONDS_MAX = 10.0
"""How long the start of a server or a worker waits for the server of DATABASE_URL to answer."""


@dataclass(frozen=True)
class Parts:
    """The parts of one process. `is_demo`: codes are logged instead of sent."""

    settings: Settings
    dsn: str
    pool: Pool
    batch_pool: Pool
    clock: Clock
    policy: LoyaltyPolicy
    secret_key: str = field(repr=False)
    auth: Auth
    people: People
    bells: Bells
    client: YclientsClient
    applier: Applier
    sync: SyncContext
    refetcher: Refetcher
    runs: Runs
    booking_form: BookingForm
    is_demo: bool = False
    started_at: datetime = field(default_factory=utc_now)

    @property
    def pools(self) -> dict[str, Pool]:
        """The pools by their names in metrics."""
        return {"main": self.pool, "batches": self.batch_pool}

    async def ask_yclients(self, company_id: int) -> Answer:
        """Whether YCLIENTS answers for a company."""
        try:
            await self.client.company(company_id)
        except (AccessDenied, RequestRefused) as error:
            return Answer("yclients_refuses", str(error))
        except NotFound as error:
            return Answer("company_unknown", str(error))
        except VendorError as error:
            return Answer("yclients_silent", str(error))
        return Answer()


@asynccontextmanager
async def assembled(
    settings: Settings,
    dsn: str,
    *,
    name: str,
    is_demo: bool = False,
    clock: Clock = utc_now,
    limits: Limits | None = None,
) -> AsyncGenerator[Parts]:
    """Yield the parts on a migrated database; close them at the end. `name`: the application name of its sessions."""
    async with (
        open_pool(dsn, max_size=POOL_SIZE, name=name) as pool,
        open_pool(dsn, max_size=BATCH_POOL_SIZE, name=f"{name} batches", is_tried=False) as batch_pool,
        open_bells(pool) as bells,
        _client(settings, pool) as client,
    ):
        policy = await _policy(settings, pool, clock)
        applier = Applier(
            pool,
            clock=clock,
            policy=policy,
            ring=bells.refetch,
            batch_pool=batch_pool,
            order_clock=None if clock is utc_now else clock,
            email_counts_alone=settings.match_email_alone,
        )
        sync = SyncContext(
            pool=pool,
            clock=clock,
            vendor=client,
            applier=applier,
            # With YCLIENTS off nothing is due and nothing is asked, whatever else is set.
            company_ids=settings.yclients_company_ids if settings.yclients_enabled else (),
            interval=timedelta(minutes=settings.yclients_sync_interval_minutes),
            window_days=settings.yclients_sync_window_days,
            limits=limits or Limits(),
            seconds_per_request=max(
                1 / settings.yclients_requests_per_second, 60 / settings.yclients_requests_per_minute
            ),
        )
        refetcher = Refetcher(sync)
        key = secret_key(settings)
        auth = Auth(pool, key, renew_hash=renew_password_hash)
        people = people_of(
            auth,
            key,
            _ports(settings, policy, applier, bells, pool, is_demo=is_demo),
            sms=SmsBounds(settings.sms_per_hour, settings.sms_per_day, settings.sms_countries),
            public_url=settings.public_url,
            email_counts_alone=settings.match_email_alone,
        )
        yield Parts(
            settings=settings,
            dsn=dsn,
            pool=pool,
            batch_pool=batch_pool,
            clock=clock,
            policy=policy,
            secret_key=key,
            auth=auth,
            people=people,
            bells=bells,
            client=client,
            applier=applier,
            sync=sync,
            refetcher=refetcher,
            runs=Runs(sync, refetcher),
            booking_form=booking_form(settings, sync, client, refetcher, applier.rematcher, bells, auth, key),
            is_demo=is_demo,
        )


def booking_form(
    settings: Settings,
    sync: SyncContext,
    client: YclientsClient,
    refetcher: Refetcher,
    rematcher: Rematcher,
    bells: Bells,
    auth: Auth,
    key: str,
) -> BookingForm:
    """The booking form; a booking is read into the mirror at once."""

    async def follow(company_id: int, record_id: int, *, is_deleted: bool = False) -> None:
        if not await refetcher.read_now(company_id, record_id, is_deleted=is_deleted):
            await bells.refetch(company_id)

    return booking_form_of(
        sync.pool,
        sync.clock,
        client,
        settings,
        auth=auth,
        secret_key=key,
        hook_url=webhook_url(settings),
        mirror_now=follow,
        rematch=rematcher.rematch_bookings,
    )


async def _policy(settings: Settings, pool: Pool, clock: Clock) -> LoyaltyPolicy:
    """The loyalty programme with its start date; without one where the tables are missing, which `check` reports."""
    policy = policy_of(settings)
    try:
        async with pool.connection() as conn:
            return await since_switched_on(conn, policy, clock())
    except UndefinedTable:
        return policy


def journal_writer(settings: Settings) -> Callable[[Sequence[Erasure]], None]:
    """Write erasures into the journal beside DATA_DIR; after a failure a periodic task writes them from `erasures`."""
    path = journal.journal_beside(settings.data_dir)

    def write(erasures: Sequence[Erasure]) -> None:
        try:
            journal.append(path, erasures)
        except OSError as error:
            log.warning("the journal of erasures can't be written", path=str(path), reason=error.strerror)

    return write


def _ports(
    settings: Settings, policy: LoyaltyPolicy, applier: Applier, bells: Bells, pool: Pool, *, is_demo: bool
) -> Ports:
    async def give_bookings(user_id: int) -> None:
        """Match earlier bookings: at once as many as fit into a request, the rest by a job."""
        async with pool.connection() as conn:
            user = await read_user(conn, user_id)
        if user is None or user.rematch_wanted_at is None:
            return
        if not await applier.rematcher.rematch(user_id, limit=REMATCH_BATCH):
            await bells.rematch(user_id)
            return
        async with pool.connection() as conn:
            await finish_rematches(conn, [(user_id, user.rematch_wanted_at)])

    return Ports(
        new_code=new_code,
        move_ledger=partial(move_ledger, expire_days=settings.loyalty_expire_days),
        return_ledger=partial(return_ledger, expire_days=settings.loyalty_expire_days),
        settle_bookings=settler_of(policy),
        end_calendar=revoke_calendar_token,
        write_erasures=journal_writer(settings),
        open_channels=frozenset(set(Channel) & senders_of(settings, is_demo=is_demo).keys()),
        on_contact_proved=give_bookings,
        on_outbox=bells.outbox,
    )


def _client(settings: Settings, pool: Pool) -> YclientsClient:
    limiter = DatabaseLimiter(
        pool,
        settings.yclients_egress,
        per_second=settings.yclients_requests_per_second,
        per_minute=settings.yclients_requests_per_minute,
    )
    return YclientsClient(
        settings.yclients_api_url,
        settings.yclients_partner_token or "",
        settings.yclients_user_token or "",
        limiter,
        ca_file=settings.yclients_ca_file,
    )


async def prepare_database(
    settings: Settings, dsn: str, *, wait_seconds: float = OWN_DATABASE_SECONDS_MAX, needs_tables: bool = True
) -> None:
    """Migrate the embedded database; for DATABASE_URL only check that it answers in `wait_seconds` and is up to date.

    Raises `DatabaseUnreachable`, `MigrationError` for tables that are not ours, or, where `needs_tables`, `SettingsError`.
    """
    if settings.database_url is None:
        await asyncio.to_thread(upgrade, dsn)
        return
    await asyncio.to_thread(see_that_it_answers, dsn, wait_seconds=wait_seconds)
    async with open_pool(dsn, name="start") as pool, pool.connection() as conn:
        if not await see_that_it_is_ours(conn, settings.database_schema) and needs_tables:
            raise SettingsError("DATABASE_URL: the tables are missing or out of date; run `zerkalo migrate`")


@asynccontextmanager
async def command_parts(*, needs_tables: bool = True) -> AsyncGenerator[Parts]:
    """Yield the parts for one command, on the database in use; starts and migrates the embedded one if needed.

    `needs_tables`: raise where tables are missing or out of date; `check` works without them.
    """
    settings = load_settings()
    async with database(settings) as dsn:
        await prepare_database(settings, dsn, wait_seconds=0, needs_tables=needs_tables)
        async with assembled(settings, dsn, name="command") as parts:
            yield parts
