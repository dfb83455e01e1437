"""Bookings matched anew by what is stored of them, in transactions of `REMATCH_BATCH`; YCLIENTS is not asked."""

from collections.abc import Awaitable, Callable, Collection, Sequence
from functools import partial

import psycopg
import structlog

from zerkalo.bookings.model import Cause
from zerkalo.clients import store as clients
from zerkalo.clients.model import Key as CardKey
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import LOCK_TIMEOUT_SECONDS, in_transaction, transaction
from zerkalo.kit.clock import Clock
from zerkalo.kit.phone import TAIL_DIGITS
from zerkalo.loyalty.model import LoyaltyPolicy
from zerkalo.matching import store as matching
from zerkalo.mirror.batch import rematch_batch
from zerkalo.mirror.model import Key
from zerkalo.mirror.rematching import store
from zerkalo.users import store as users
from zerkalo.users.matching.store import users_for_matching

log = structlog.get_logger(__name__)

REMATCH_BATCH = 500
"""Bookings matched anew in one transaction, and so many while a user who proves a contact waits."""
REMATCH_USERS_MAX = 100_000
"""Users in one round of the periodic task; their ids are held in memory."""

Find = Callable[[Connection, int, int], Awaitable[list[tuple[int, Key]]]]
"""(id, key) of bookings to match anew, by id: from behind an id on, at most so many."""


class Rematcher:
    """Finds the bookings whose user may be another one now, and matches them anew. Safe for concurrent use."""

    def __init__(
        self, pool: Pool, *, clock: Clock, policy: LoyaltyPolicy, email_counts_alone: bool = True
    ) -> None:
        """`email_counts_alone`: the setting `MATCH_EMAIL_ALONE`."""
        self._pool = pool
        self._clock = clock
        self._policy = policy
        self._email_counts_alone = email_counts_alone

    async def rematch(self, user_id: int, *, limit: int | None = None) -> bool:
        """Match anew the bookings that a user's code, proved contacts and cards name, and those the user has.

        Call it after the change to the user is committed. `limit`: at most so many bookings. Returns whether all were
        matched.
        """
        return await self._rematch_all(partial(_keys_of_user, user_id=user_id), limit)

    async def rematch_card(
        self,
        card: CardKey,
        *,
        limit: int | None = None,
        lock_seconds: float = LOCK_TIMEOUT_SECONDS,
        cause: Cause = "person",
    ) -> bool:
        """Match the bookings of a card (company, client id) anew; at most `limit`. Returns whether all were matched."""

        async def found(conn: Connection, after_id: int, most: int) -> list[tuple[int, Key]]:
            return await store.keys_of_card(conn, card, after_id=after_id, limit=most)

        return await self._rematch_all(found, limit, lock_seconds=lock_seconds, cause=cause)

    async def rematch_card_safely(
        self, card: CardKey, *, limit: int | None = None, lock_seconds: float = LOCK_TIMEOUT_SECONDS
    ) -> bool:
        """`rematch_card` for a card that YCLIENTS changed; where that fails, as where a lock is held, False.

        The batch that wants it is committed, and the want stays with the card until it is fulfilled. So a lock makes no
        caller's answer an error, and keeps no other card waiting.
        """
        try:
            return await self.rematch_card(card, limit=limit, lock_seconds=lock_seconds, cause="card")
        except psycopg.OperationalError as error:
            log.warning("the bookings of a card wait to be matched again", error=type(error).__name__)
        except Exception:  # a fault of this card alone: the cards behind it must not wait for it
            log.exception("the bookings of a card can't be matched again", card=card)
        return False

    async def rematch_bookings(self, keys: Collection[Key]) -> None:
        """Match these bookings anew. Call it after the new evidence is committed."""
        await in_transaction(self._pool, partial(self._rematch, keys=list(keys)))

    async def rematch_waiting_cards(self) -> None:
        """Match anew the bookings of the cards that have changed. Called by a periodic task."""
        async with self._pool.connection() as conn:
            waiting = await clients.to_rematch(conn, limit=REMATCH_BATCH)
        for key, wanted_at in waiting:
            if await self.rematch_card_safely(key):
                async with transaction(self._pool) as conn:
                    await clients.finish_rematch(conn, key, wanted_at=wanted_at)

    async def rematch_waiting_users(self) -> None:
        """Match anew the bookings of all users who may have more. Called by a periodic task.

        However many users wait, as after an import, open batches are waited for only once.
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
        """Match a user's bookings anew after `_wait_for_batches`; whether all were matched."""
        try:
            return await self._rematch_found(partial(_keys_of_user, user_id=user_id), None)
        except psycopg.errors.LockNotAvailable:
            log.warning("the bookings of a user wait to be matched again", user_id=user_id)
        except psycopg.OperationalError:
            raise  # the database is away: for all others too
        except Exception:  # a fault of this user alone, likewise
            log.exception("the bookings of a user can't be matched again", user_id=user_id)
        return False

    async def _rematch_all(
        self,
        find: Find,
        limit: int | None,
        *,
        lock_seconds: float = LOCK_TIMEOUT_SECONDS,
        cause: Cause = "person",
    ) -> bool:
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
        """Match anew the bookings that `find` finds, at most `limit` in all; whether that was all of them."""
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

    async def _rematch(self, conn: Connection, *, keys: Sequence[Key], cause: Cause = "person") -> int:
        return await rematch_batch(
            conn,
            keys,
            policy=self._policy,
            now=self._clock(),
            email_counts_alone=self._email_counts_alone,
            cause=cause,
        )


async def _keys_of_user(
    conn: Connection, after_id: int, limit: int, *, user_id: int
) -> list[tuple[int, Key]]:
    """(id, key) of the bookings that a user's code, proved contacts and cards name, or that the user has."""
    (user,) = await users_for_matching(conn, ids=(user_id,)) or (None,)
    codes = (*((user.unique_code,) if user.unique_code else ()), *user.also_codes) if user else ()
    email = user.email_proved if user else None
    phone10 = user.phone_proved[-TAIL_DIGITS:] if user and user.phone_proved else None
    cards = await clients.keys_of_user(conn, user_id, email=email, phone10=phone10)
    return await store.keys_of_evidence(
        conn,
        user_id=user_id,
        codes=codes,
        email=email,
        phone10=phone10,
        cards=cards,
        after_id=after_id,
        limit=limit,
    )
