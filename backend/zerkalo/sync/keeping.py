"""What of a batch goes into the inbox: its deliveries, and records of a page that could not be taken in."""

from collections.abc import Sequence
from datetime import datetime

from zerkalo.db.pool import Connection
from zerkalo.inbox import store as inbox
from zerkalo.inbox.model import Delivery, Finished
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
) -> list[Outcome]:
    """Put the deliveries into the inbox; an unsigned flood leaves no bodies beyond its share.

    Returns what is to be answered: what could not be understood and is not kept either is not told to be in quarantine.
    """
    room: dict[int | None, int] = {}
    finished: list[Finished] = []
    told = list(outcomes)
    for index, (item, outcome) in enumerate(zip(items, outcomes, strict=True)):
        delivery = item.delivery
        if delivery is None:
            if outcome.status is OutcomeStatus.QUARANTINED and item.observation is not None:
                await quarantine(conn, item.observation, outcome.reason or "", now)
        elif outcome.reason != HINT_LIMIT:
            if delivery.trusted or await _has_room(conn, delivery, room, now):
                finished.append(Finished(delivery, outcome.status, outcome.reason, outcome.booking_id))
            elif outcome.status is OutcomeStatus.QUARANTINED:
                told[index] = Outcome(OutcomeStatus.QUEUED, reason=HINT_LIMIT)
    await inbox.put(conn, finished, now=now)
    return told


async def _has_room(conn: Connection, delivery: Delivery, room: dict[int | None, int], now: datetime) -> bool:
    """Take a place for the body of an unsigned call, if there is one."""
    company_id = delivery.company_id
    if len(delivery.body) > inbox.HINT_BODY_BYTES_MAX:
        return False
    if company_id not in room:
        room[company_id] = await inbox.hint_bodies_room(conn, company_id, now=now) if company_id else 0
    room[company_id] -= 1
    return room[company_id] >= 0
