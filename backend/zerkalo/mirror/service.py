"""The one write path: webhooks, sync pages, refetches and replays all end in `Applier`."""

import traceback
from collections.abc import Awaitable, Callable, Sequence
from functools import partial
from pathlib import Path

import psycopg
import structlog
from msgspec.structs import replace

from zerkalo.bookings import store as bookings
from zerkalo.bookings.model import Source
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_pipeline, transaction
from zerkalo.kit.clock import Clock
from zerkalo.kit.problem import OWN_FAULT
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.metrics.counts import CALL_LAG_SECONDS, READ_LAG_SECONDS
from zerkalo.mirror.batch import Applied, apply_batch, keep_read
from zerkalo.mirror.model import HELD, Item, Observation, Outcome, OutcomeStatus
from zerkalo.mirror.rematching.service import Rematcher
from zerkalo.refetches.model import Refetch

log = structlog.get_logger(__name__)

CARDS_AT_ONCE = 20
CARD_BOOKINGS_AT_ONCE = 50
"""Cards that a batch changed, and bookings of each, that are matched anew before its callers are answered; a periodic
task does the rest. Otherwise a card that every call changes would cost each of them all the bookings of that card."""

REFUSED = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.RaiseException,
)
"""What PostgreSQL raises for values it can't store: a fault of one item, never of the others in its batch."""
STUMBLED = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, AssertionError)
"""What our own code raises for a value that it was not written for: a fault of one item as well."""

LOCK_SECONDS_MAX = 1.5
"""How long a batch waits for a lock before it is split: longer than PostgreSQL needs to find a deadlock."""
LOCK_SECONDS_PART = 0.1
"""The same for a part of a batch that has been split."""
Ring = Callable[[int], Awaitable[None]]
"""Defers the job that asks YCLIENTS about a company's records. Losing the call harms nothing: a sweep looks anyway."""


async def _ring_nobody(company_id: int) -> None:
    del company_id


class Applier:
    """Applies observations of bookings, wherever they come from. One for a process; safe for concurrent use."""

    def __init__(
        self,
        pool: Pool,
        *,
        clock: Clock,
        policy: LoyaltyPolicy,
        ring: Ring = _ring_nobody,
        batch_pool: Pool | None = None,
        order_clock: Clock | None = None,
        email_counts_alone: bool = True,
    ) -> None:
        """`batch_pool`: connections of its own for batches, which need not be tried before use; None: those of `pool`.

        `order_clock` judges change times; None: the database's, one for all machines.

        `email_counts_alone`: the setting `MATCH_EMAIL_ALONE`.
        """
        self._pool = pool
        self._batch_pool = batch_pool or pool
        self._clock = clock
        self._policy = policy
        self._ring = ring
        self._order_clock = order_clock
        self._email_counts_alone = email_counts_alone
        self.rematcher = Rematcher(pool, clock=clock, policy=policy, email_counts_alone=email_counts_alone)
        """Matches bookings anew, for batches that change cards and for whoever changes users."""

    async def apply(
        self, observations: Sequence[Observation], *, on_cards_held: Callable[[], None] | None = None
    ) -> list[Outcome]:
        """Apply observations in one transaction, retried on a deadlock; return outcomes in the same order.

        Where one of them can't be applied, it alone is quarantined and the others are written. Pass some hundreds at a
        time. `on_cards_held` is called when the cards are read and held that the transaction changes; again where it is retried,
        and perhaps never where it fails.
        """
        return await self.apply_items(
            [Item(observation) for observation in observations], on_cards_held=on_cards_held
        )

    async def apply_items(
        self, items: Sequence[Item], *, on_cards_held: Callable[[], None] | None = None
    ) -> list[Outcome]:
        """Apply items (observations, deliveries) as `apply` does; deliveries are kept with what they did."""
        applied = await self._apply(items, on_cards_held=on_cards_held)
        self._observe_lag(items, applied.outcomes)
        for company_id in sorted(applied.companies_to_ring):
            await self._ring_safely(company_id)
        for key in sorted(applied.cards_to_rematch)[:CARDS_AT_ONCE]:
            await self.rematcher.rematch_card_safely(
                key, limit=CARD_BOOKINGS_AT_ONCE, lock_seconds=LOCK_SECONDS_PART
            )
        return list(applied.outcomes)

    async def _apply(
        self, items: Sequence[Item], *, is_part: bool = False, on_cards_held: Callable[[], None] | None = None
    ) -> Applied:
        """Apply all in one transaction; where one item makes that fail, split until that item stands alone."""
        try:
            return await in_pipeline(
                self._batch_pool,
                partial(self._apply_batch, items=items, on_cards_held=on_cards_held),
                lock_timeout_seconds=LOCK_SECONDS_PART if is_part else LOCK_SECONDS_MAX,
            )
        except psycopg.errors.LockNotAvailable:
            if len(items) == 1:
                return await self._put_off(items[0])
        except (*REFUSED, *STUMBLED) as error:
            if len(items) == 1:
                return await self._quarantine(items[0], error)
        half = len(items) // 2
        first = await self._apply(items[:half], is_part=True)
        second = await self._apply(items[half:], is_part=True)
        return Applied(
            first.outcomes + second.outcomes,
            first.companies_to_ring | second.companies_to_ring,
            first.cards_to_rematch | second.cards_to_rematch,
        )

    async def _apply_batch(
        self, conn: Connection, *, items: Sequence[Item], on_cards_held: Callable[[], None] | None
    ) -> Applied:
        return await apply_batch(
            conn,
            items,
            policy=self._policy,
            now=self._clock(),
            order_now=self._order_clock() if self._order_clock else None,
            email_counts_alone=self._email_counts_alone,
            on_cards_held=on_cards_held,
        )

    def _observe_lag(self, items: Sequence[Item], outcomes: Sequence[Outcome]) -> None:
        """Measure how old the changes were when they were written; a change time in the future counts as now."""
        now = self._clock()
        for item, outcome in zip(items, outcomes, strict=True):
            observation = item.observation
            if (
                outcome.status is not OutcomeStatus.APPLIED
                or observation is None
                or observation.record is None
            ):
                continue
            changed_at = observation.record.version
            if changed_at is not None:
                lag = CALL_LAG_SECONDS if observation.source is Source.WEBHOOK else READ_LAG_SECONDS
                lag.observe(max((now - changed_at).total_seconds(), 0.0))

    async def _put_off(self, item: Item) -> Applied:
        """Keep the one item whose booking, card or user is locked, and have its record asked for later.

        Not one that YCLIENTS does not know: it waits among the `absences`, or its question is asked again.
        """
        observation = item.observation
        if item.client is not None:
            return await self._put_off_card(item, item.client.client_id)
        if observation is None:
            raise psycopg.errors.LockNotAvailable("an item without a booking or a card waits for a lock")
        outcome = Outcome(OutcomeStatus.QUEUED, reason=HELD)
        wish = None if observation.gone else Refetch(*observation.key, reason=HELD)
        applied = await self._apply([Item(delivery=item.delivery, verdict=outcome, refetch=wish)])
        log.warning("webhook or record put off: held by somebody", **_named(observation, applied.outcomes[0]))
        return applied

    async def _put_off_card(self, item: Item, client_id: object) -> Applied:
        """Keep the `client` event whose card is locked; a read of one of its bookings brings the same contacts."""
        company_id = item.delivery.company_id if item.delivery else None
        record_id = None
        if company_id is not None and isinstance(client_id, int):
            async with self._pool.connection() as conn:
                record_id = await bookings.newest_record_of_card(conn, company_id, client_id)
        if company_id is None or record_id is None:
            return await self._apply([replace(item, client=None)])  # its first booking will bring them
        held = Outcome(OutcomeStatus.QUEUED, reason=HELD)
        wish = Refetch(company_id, record_id, reason=HELD)
        log.warning("card put off: held by somebody", company_id=company_id, client_id=client_id)
        return await self._apply([Item(delivery=item.delivery, verdict=held, refetch=wish)])

    async def _quarantine(self, item: Item, error: Exception) -> Applied:
        """Keep the one item that can't be applied, with the reason; the reason never quotes its content."""
        reason = _reason(error)
        outcome = Outcome(OutcomeStatus.QUARANTINED, reason=reason)
        observation = item.observation
        if observation is None:
            raise error  # storing the delivery itself failed: then there is nowhere to keep it
        if item.delivery is not None:
            applied = await self._apply([replace(item, observation=None, verdict=outcome)])
            log.error(
                "webhook or record quarantined", reason=reason, **_named(observation, applied.outcomes[0])
            )
            return applied
        log.error("webhook or record quarantined", reason=reason, **_named(observation, outcome))
        async with transaction(self._pool) as conn:
            await keep_read(conn, observation, outcome, self._clock())
        return Applied((outcome,), frozenset())

    async def _ring_safely(self, company_id: int) -> None:
        try:
            await self._ring(company_id)
        except psycopg.Error as error:
            # The record to ask for stands in `refetches`; the sweep finds it.
            log.warning("webhook: the bell did not ring", company_id=company_id, error=type(error).__name__)


def _named(observation: Observation, outcome: Outcome) -> dict[str, int | None]:
    """The ids that a log line names an item by."""
    return {"yclients_record_id": observation.record_id, "delivery_id": outcome.delivery_id}


def _reason(error: Exception) -> str:
    """Why an item can't be applied: what failed and where, never a value."""
    if isinstance(error, psycopg.Error):
        return f"the database refused it: {type(error).__name__} {error.sqlstate}"
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{OWN_FAULT}{type(error).__name__} in {at.name}, line {at.lineno} of {Path(at.filename).name}"
