"""The one write path: webhooks, sync pages, refetches and replays all end in `Applier`."""

import traceback
from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial
from pathlib import Path

import psycopg
import structlog
from msgspec.structs import replace

from zerkalo.bookings import store as bookings
from zerkalo.bookings.history.model import Cause
from zerkalo.bookings.model import Source
from zerkalo.clients import store as clients
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import LOCK_TIMEOUT_SECONDS, in_pipeline, in_transaction, transaction
from zerkalo.kit.clock import Clock
from zerkalo.kit.phone import TAIL_DIGITS
from zerkalo.kit.problem import OWN_FAULT
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.matching import store as matching
from zerkalo.metrics.counts import CALL_LAG_SECONDS, READ_LAG_SECONDS
from zerkalo.mirror.batch import Taken, keep_read, rematch_batch, take_batch
from zerkalo.mirror.model import HELD, Item, Observation, Outcome, OutcomeStatus
from zerkalo.refetches.model import Refetch
from zerkalo.users import store as users
from zerkalo.users.matching.store import users_for_matching

log = structlog.get_logger(__name__)

REMATCH_BATCH = 500
"""Bookings looked at again in one transaction; so many a user who proves a contact waits for."""
REMATCH_USERS_MAX = 100_000
"""Users whom one look takes; their ids are held in memory."""

CARDS_AT_ONCE = 20
CARD_BOOKINGS_AT_ONCE = 50
"""Cards that a batch changed, and bookings of each, that are looked at again before its callers are answered; the others are
a periodic task's. A card that every call changes would else cost each of them all that the card ever had."""

REFUSED = (
    psycopg.DataError,
    psycopg.IntegrityError,
    psycopg.errors.ProgramLimitExceeded,
    psycopg.errors.RaiseException,
)
"""What PostgreSQL says of values it can't take: a fault of one item, never of its neighbours."""
STUMBLED = (ValueError, TypeError, ArithmeticError, LookupError, AttributeError, AssertionError)
"""What our own code raises over a value nobody thought of; the others of its batch must not pay for it."""

LOCK_SECONDS_MAX = 1.5
"""How long a batch waits for a lock that somebody else holds, before it is parted: longer than a deadlock takes to be found."""
LOCK_SECONDS_PART = 0.1
"""The same of a part, after the whole has waited."""

Find = Callable[[Connection, int, int], Awaitable[list[tuple[int, tuple[int, int]]]]]
"""(id, key) of bookings to look at again, by id: behind an id, at most so many."""

Ring = Callable[[int], Awaitable[None]]
"""Tells the engine that a company has records to ask for. A doorbell: losing it harms nothing."""


async def _silence(company_id: int) -> None:
    del company_id


class Applier:
    """Applies observations of bookings, whichever door they come through. One for a process; safe for concurrent use."""

    def __init__(
        self,
        pool: Pool,
        *,
        clock: Clock,
        policy: LoyaltyPolicy,
        ring: Ring = _silence,
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

    async def apply(self, observations: Sequence[Observation]) -> list[Outcome]:
        """Take observations in, in one transaction, retried on a deadlock; outcomes in the same order.

        Where the database can't take one of them, it alone is quarantined and the others stand. Give it some hundreds
        at a time.
        """
        return await self.take([Item(observation) for observation in observations])

    async def take(self, items: Sequence[Item]) -> list[Outcome]:
        """Take items (observations, deliveries) in as `apply` does; deliveries are kept with what they did."""
        taken = await self._take(items)
        self._observe_lag(items, taken.outcomes)
        for company_id in sorted(taken.companies_to_ring):
            await self._ring_safely(company_id)
        for key in sorted(taken.cards_to_rematch)[:CARDS_AT_ONCE]:
            await self._rematch_card_safely(key, limit=CARD_BOOKINGS_AT_ONCE, lock_seconds=LOCK_SECONDS_PART)
        return list(taken.outcomes)

    async def rematch_waiting_cards(self) -> None:
        """Look again at the bookings of the cards that say something else than before. Called by a periodic task."""
        async with self._pool.connection() as conn:
            waiting = await clients.to_rematch(conn, limit=REMATCH_BATCH)
        for key, wanted_at in waiting:
            if await self._rematch_card_safely(key):
                async with transaction(self._pool) as conn:
                    await clients.finish_rematch(conn, key, wanted_at=wanted_at)

    async def rematch_waiting_users(self) -> None:
        """Look again at the bookings of all users who may have more. Called by a periodic task.

        However many wait, as after an import, all batches are waited for once.
        """
        async with self._pool.connection() as conn:
            waiting = await users.users_to_rematch(conn, limit=REMATCH_USERS_MAX)
        if not waiting:
            return
        await self._wait_for_batches()
        for start in range(0, len(waiting), REMATCH_BATCH):
            some = waiting[start : start + REMATCH_BATCH]
            done = [(id_, wanted_at) for id_, wanted_at in some if await self._rematch_user_safely(id_)]
            async with transaction(self._pool) as conn:
                await users.finish_rematches(conn, done)

    async def _rematch_user_safely(self, user_id: int) -> bool:
        """Look again at a user's bookings, all batches having been waited for; whether all were looked at."""
        try:
            return await self._rematch_found(partial(_keys_of_user, user_id=user_id), None)
        except psycopg.errors.LockNotAvailable:
            log.warning("the bookings of a user wait to be matched again", user_id=user_id)
            return False

    async def rematch_card(
        self,
        card: tuple[int, int],
        *,
        limit: int | None = None,
        lock_seconds: float = LOCK_TIMEOUT_SECONDS,
        cause: Cause = "person",
    ) -> bool:
        """Look again whose the bookings of a card (company, client id) are; at most `limit`. Whether all were looked at."""

        async def found(conn: Connection, after_id: int, most: int) -> list[tuple[int, tuple[int, int]]]:
            return await bookings.keys_of_card(conn, card, after_id=after_id, limit=most)

        return await self._rematch_all(found, limit, lock_seconds=lock_seconds, cause=cause)

    async def rematch(self, user_id: int, *, limit: int | None = None) -> bool:
        """Look again at the bookings that a user's code and proved contacts speak for, and give the user what is theirs.

        To be called after the change to the user is committed. `limit`: at most so many bookings. Returns whether
        all were looked at.
        """
        return await self._rematch_all(partial(_keys_of_user, user_id=user_id), limit)

    async def rematch_bookings(self, keys: Collection[tuple[int, int]]) -> None:
        """Look again whose the bookings of these (company, record) are. To be called after new evidence is committed."""
        await in_transaction(self._pool, partial(self._rematch, keys=list(keys)))

    async def _rematch_all(
        self,
        find: Find,
        limit: int | None,
        *,
        lock_seconds: float = LOCK_TIMEOUT_SECONDS,
        cause: Cause = "person",
    ) -> bool:
        """Look again at the bookings that `find` finds, in transactions of `REMATCH_BATCH`, at most `limit` in all."""
        await self._wait_for_batches(lock_seconds)
        return await self._rematch_found(find, limit, lock_seconds=lock_seconds, cause=cause)

    async def _wait_for_batches(self, lock_seconds: float = LOCK_TIMEOUT_SECONDS) -> None:
        """Wait until every batch that read the users before now has committed."""
        async with transaction(self._pool, lock_timeout_seconds=lock_seconds) as conn:
            await matching.barrier(conn)

    async def _rematch_found(
        self,
        find: Find,
        limit: int | None,
        *,
        lock_seconds: float = LOCK_TIMEOUT_SECONDS,
        cause: Cause = "person",
    ) -> bool:
        after_id, seen = 0, 0
        while limit is None or seen < limit:
            most = REMATCH_BATCH if limit is None else min(REMATCH_BATCH, limit - seen)
            async with self._pool.connection() as conn:
                found = await find(conn, after_id, most)
            if not found:
                return True
            after_id, seen = found[-1][0], seen + len(found)
            keys = [key for _, key in found]
            await in_transaction(
                self._pool, partial(self._rematch, keys=keys, cause=cause), lock_timeout_seconds=lock_seconds
            )
        async with self._pool.connection() as conn:
            return not await find(conn, after_id, 1)

    async def _take(self, items: Sequence[Item], *, is_part: bool = False) -> Taken:
        """One transaction for all; where one item makes it fail, halves of it, until that item stands alone."""
        try:
            return await in_pipeline(
                self._batch_pool,
                partial(self._take_batch, items=items),
                lock_timeout_seconds=LOCK_SECONDS_PART if is_part else LOCK_SECONDS_MAX,
            )
        except psycopg.errors.LockNotAvailable:
            if len(items) == 1:
                return await self._put_off(items[0])
        except (*REFUSED, *STUMBLED) as error:
            if len(items) == 1:
                return await self._quarantine(items[0], error)
        half = len(items) // 2
        first = await self._take(items[:half], is_part=True)
        second = await self._take(items[half:], is_part=True)
        return Taken(
            first.outcomes + second.outcomes,
            first.companies_to_ring | second.companies_to_ring,
            first.cards_to_rematch | second.cards_to_rematch,
        )

    def _observe_lag(self, items: Sequence[Item], outcomes: Sequence[Outcome]) -> None:
        """How old the changes are that have just been written; what happened at a wrong clock's future counts as now."""
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

    async def _take_batch(self, conn: Connection, *, items: Sequence[Item]) -> Taken:
        return await take_batch(
            conn,
            items,
            policy=self._policy,
            now=self._clock(),
            order_now=self._order_clock() if self._order_clock else None,
            email_counts_alone=self._email_counts_alone,
        )

    async def _put_off(self, item: Item) -> Taken:
        """Keep the one item whose booking, card or user somebody holds for long, and ask for its record later."""
        observation = item.observation
        if item.client is not None:  # the next read of a booking of this card teaches it
            return await self._take([replace(item, client=None)])
        if observation is None:
            raise psycopg.errors.LockNotAvailable("nothing of a booking is needed, and yet somebody holds it")
        outcome = Outcome(OutcomeStatus.QUEUED, reason=HELD)
        wish = Refetch(*observation.key, reason=HELD)
        taken = await self._take([Item(delivery=item.delivery, verdict=outcome, refetch=wish)])
        log.warning("webhook or record put off: held by somebody", **_named(observation, taken.outcomes[0]))
        return taken

    async def _quarantine(self, item: Item, error: Exception) -> Taken:
        """Keep the one item that can't be applied, with the reason; never with its content."""
        reason = _reason(error)
        outcome = Outcome(OutcomeStatus.QUARANTINED, reason=reason)
        observation = item.observation
        if observation is None:
            raise error  # what needs no look at the rows failed at being kept: then there is nowhere to keep it
        if item.delivery is not None:
            taken = await self._take([replace(item, observation=None, verdict=outcome)])
            log.error(
                "webhook or record quarantined", reason=reason, **_named(observation, taken.outcomes[0])
            )
            return taken
        log.error("webhook or record quarantined", reason=reason, **_named(observation, outcome))
        async with transaction(self._pool) as conn:
            await keep_read(conn, observation, outcome, self._clock())
        return Taken((outcome,), frozenset())

    async def _rematch(
        self, conn: Connection, *, keys: Sequence[tuple[int, int]], cause: Cause = "person"
    ) -> int:
        return await rematch_batch(
            conn,
            keys,
            policy=self._policy,
            now=self._clock(),
            email_counts_alone=self._email_counts_alone,
            cause=cause,
        )

    async def _rematch_card_safely(
        self,
        key: tuple[int, int],
        *,
        limit: int | None = None,
        lock_seconds: float = LOCK_TIMEOUT_SECONDS,
    ) -> bool:
        """`rematch_card`, which may fail: the batch that wants it is committed, and the card stays wanted until it is done.

        So a booking that somebody holds makes no caller's answer an error, and keeps no other card waiting.
        """
        try:
            return await self.rematch_card(key, limit=limit, lock_seconds=lock_seconds, cause="card")
        except psycopg.OperationalError as error:
            log.warning("the bookings of a card wait to be matched again", error=type(error).__name__)
            return False

    async def _ring_safely(self, company_id: int) -> None:
        try:
            await self._ring(company_id)
        except psycopg.Error as error:
            # What is to be asked for stands in `refetches`; the sweep finds it.
            log.warning("webhook: the bell did not ring", company_id=company_id, error=type(error).__name__)


async def _keys_of_user(
    conn: Connection, after_id: int, limit: int, *, user_id: int
) -> list[tuple[int, tuple[int, int]]]:
    """(id, key) of the bookings that a user's code, proved contacts and cards speak for, or that are linked to them."""
    (user,) = await users_for_matching(conn, ids=(user_id,)) or (None,)
    codes = (*((user.unique_code,) if user.unique_code else ()), *user.also_codes) if user else ()
    email = user.email_proved if user else None
    phone10 = user.phone_proved[-TAIL_DIGITS:] if user and user.phone_proved else None
    cards = await clients.keys_of_user(conn, user_id, email=email, phone10=phone10)
    return await bookings.keys_of_user_evidence(
        conn,
        user_id=user_id,
        codes=codes,
        email=email,
        phone10=phone10,
        cards=cards,
        after_id=after_id,
        limit=limit,
    )


def _named(observation: Observation, outcome: Outcome) -> dict[str, int | None]:
    """What a line of the log names an item by."""
    return {"yclients_record_id": observation.record_id, "delivery_id": outcome.delivery_id}


def _reason(error: Exception) -> str:
    """Why an item can't be applied: what failed and where, never a value."""
    if isinstance(error, psycopg.Error):
        return f"the database refused it: {type(error).__name__} {error.sqlstate}"
    at = traceback.extract_tb(error.__traceback__)[-1]
    return f"{OWN_FAULT}{type(error).__name__} in {at.name}, line {at.lineno} of {Path(at.filename).name}"
