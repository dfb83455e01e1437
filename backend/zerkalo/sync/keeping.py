"""What of a batch goes into the inbox: its deliveries, and records of a page that could not be taken in."""

from collections.abc import Sequence
from datetime import datetime

from zerkalo.db.pool import Connection
from zerkalo.inbox import store as inbox
from zerkalo.inbox.model import Finished
from zerkalo.sync.model import HINT_LIMIT, Item, Observation, Outcome, OutcomeStatus


async def quarantine(conn: Connection, observation: Observation, reason: str, now: datetime) -> None:
    """Keep a record that the API showed and we could not take in."""
    await inbox.quarantine_record(
        conn,
        company_id=observation.company_id,
        record_id=observation.record_id,
        raw=observation.record.raw if observation.record else b"",
        reason=reason,
        now=now,
    )


async def keep_deliveries(
    conn: Connection, items: Sequence[Item], outcomes: Sequence[Outcome], now: datetime
) -> None:
    """Put the deliveries into the inbox; an unsigned flood leaves no bodies beyond its share."""
    room: dict[int | None, int] = {}
    finished: list[Finished] = []
    for item, outcome in zip(items, outcomes, strict=True):
        delivery = item.delivery
        if delivery is None:
            if outcome.status is OutcomeStatus.QUARANTINED and item.observation is not None:
                await quarantine(conn, item.observation, outcome.reason or "", now)
            continue
        if outcome.reason == HINT_LIMIT:
            continue
        if not delivery.trusted:
            company_id = delivery.company_id
            if company_id not in room:
                room[company_id] = (
                    await inbox.hint_bodies_room(conn, company_id, now=now) if company_id else 0
                )
            if room[company_id] <= 0:
                continue
            room[company_id] -= 1
        finished.append(Finished(delivery, outcome.status, outcome.reason, outcome.booking_id))
    await inbox.put(conn, finished, now=now)
