"""Replay: kept deliveries go through the same hallway once more. A replay is as harmless as any repetition.

It is an old repetition, though: what it tells may have been overtaken long ago, by something that nobody told us. So
YCLIENTS is asked about every record whose delivery is replayed.
"""

from collections.abc import AsyncIterator, Collection
from dataclasses import dataclass

from zerkalo.auth.audit.service import audit_first
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.inbox import store as inbox
from zerkalo.inbox.model import Kept
from zerkalo.kit.clock import Clock
from zerkalo.mirror.context import Applies
from zerkalo.mirror.model import Observation, Outcome, OutcomeStatus
from zerkalo.refetches import store as refetches
from zerkalo.refetches.model import Refetch
from zerkalo.webhook.rules import Refusal, read_delivery

BATCH = 100
"""Quarantined deliveries read at once; a body may have a megabyte."""

_CHECKED = "a replayed call is checked with the API"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A delivery and what it did this time."""

    delivery_id: int
    outcome: Outcome


class Replay:
    """Takes kept deliveries in again and marks them with what they did. One that stays quarantined waits on.

    Each replay leaves an audit entry. `admin_id`: whose; None: somebody's at the console.
    """

    def __init__(
        self,
        pool: Pool,
        clock: Clock,
        applier: Applies,
        company_ids: Collection[int],
        *,
        admin_id: int | None = None,
    ) -> None:
        self._pool = pool
        self._clock = clock
        self._applier = applier
        self._company_ids = company_ids
        self._admin_id = admin_id

    async def one(self, delivery_id: int) -> Replayed | None:
        """Replay one delivery, quarantined or not; None: it is not kept (any more)."""
        async with self._pool.connection() as conn:
            kept = await inbox.get(conn, delivery_id)
        return None if kept is None else await self._again(kept)

    async def quarantined(self, after_id: int = 0) -> AsyncIterator[Replayed]:
        """Replay every quarantined delivery that waits, oldest first, from `after_id` on, and yield what each did."""
        while True:
            async with self._pool.connection() as conn:
                waiting = await inbox.waiting_in_quarantine(conn, after_id=after_id, limit=BATCH)
            if not waiting:
                return
            for kept in waiting:
                yield await self._again(kept)
            after_id = waiting[-1].id

    async def _again(self, kept: Kept) -> Replayed:
        subject = f"event {kept.id}"
        await audit_first(self._pool, self._admin_id, "event.replay", subject, {}, self._clock())
        outcome = await self._take(kept)
        now = self._clock()
        async with transaction(self._pool) as conn:
            await inbox.finish_again(
                conn,
                kept.id,
                outcome=outcome.status,
                reason=outcome.reason,
                booking_id=outcome.booking_id,
                now=now,
            )
        return Replayed(kept.id, outcome)

    async def _take(self, kept: Kept) -> Outcome:
        read = read_delivery(kept.delivery, self._company_ids)
        if isinstance(read, Refusal):
            reason = (
                kept.reason if read.item is None or read.item.verdict is None else read.item.verdict.reason
            )
            return Outcome(OutcomeStatus.QUARANTINED, reason=reason or read.detail)
        if read.observation is None:
            assert read.verdict is not None, "an item carries an observation or a verdict"
            return read.verdict
        return await self._apply(read.observation, is_understood=kept.outcome != OutcomeStatus.QUARANTINED)

    async def _apply(self, observation: Observation, *, is_understood: bool) -> Outcome:
        if is_understood or observation.record is None or observation.record.version is None:
            # What was decided on once may have been overtaken since by a read that says otherwise, whatever its change
            # time; and where no time says how old it is, a bare deletion may have been taken back.
            outcome = Outcome(OutcomeStatus.QUEUED, reason=_CHECKED)
        else:
            (outcome,) = await self._applier.apply([observation])
        # After it is applied: an answer that comes before would find nothing to correct.
        async with transaction(self._pool) as conn:
            await refetches.ask(conn, [Refetch(*observation.key, reason=_CHECKED)], now=self._clock())
        return outcome
