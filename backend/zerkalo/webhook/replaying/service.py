"""Replay: stored deliveries are applied again by the same code. A replay is as harmless as any repetition.

But it is an old one: later changes, whose deliveries we may lack, may supersede it. So every record whose delivery
is replayed is refetched from YCLIENTS.
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
"""Quarantined deliveries read at once; a body may be a megabyte."""

_CHECKED = "a replayed call is checked with the API"


@dataclass(frozen=True, slots=True)
class Replayed:
    """A delivery and its outcome this time."""

    delivery_id: int
    outcome: Outcome


class Replay:
    """Apply stored deliveries again and mark them with the outcome. One that can't be applied stays in quarantine.

    Each replay writes an audit entry. `admin_id`: the admin; None: run at the console.
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
        """Replay one delivery, quarantined or not; None: it is not stored, or no longer."""
        async with self._pool.connection() as conn:
            kept = await inbox.get(conn, delivery_id)
        return None if kept is None else await self._again(kept)

    async def quarantined(self, after_id: int = 0) -> AsyncIterator[Replayed]:
        """Replay every waiting quarantined delivery, oldest first, from `after_id` on, and yield each outcome."""
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
            # A delivery that was decided once may have been superseded since by a differing read, whatever its change
            # time; and a bare deletion without a change time may have been undone.
            outcome = Outcome(OutcomeStatus.QUEUED, reason=_CHECKED)
        else:
            (outcome,) = await self._applier.apply([observation])
        # After it is applied: an earlier refetch would find nothing to correct.
        async with transaction(self._pool) as conn:
            await refetches.ask(conn, [Refetch(*observation.key, reason=_CHECKED)], now=self._clock())
        return outcome
