"""What of a batch goes into the inbox: its deliveries, and records that an API read showed and that made no row."""

from collections.abc import Sequence
from datetime import datetime

from msgspec import UNSET

from zerkalo.db.pool import Connection
from zerkalo.inbox import store as inbox
from zerkalo.inbox.model import Delivery, Finished
from zerkalo.matching.rules import codes_in
from zerkalo.mirror.model import HINT_LIMIT, Item, Observation, Outcome, OutcomeStatus


async def keep_read(conn: Connection, observation: Observation, outcome: Outcome, now: datetime) -> None:
    """Keep a record that the API showed: one that we could not take in, or that may yet say whose booking it is."""
    await inbox.keep_read(
        conn,
        company_id=observation.company_id,
        record_id=observation.record_id,
        raw=observation.record.raw if observation.record else b"",
        outcome=outcome.status.value,
        reason=outcome.reason or "",
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
            if item.observation is not None and _is_to_be_kept(item.observation, outcome):
                await keep_read(conn, item.observation, outcome, now)
        elif outcome.reason != HINT_LIMIT:
            if delivery.trusted or await _has_room(conn, delivery, room, now):
                finished.append(Finished(delivery, outcome.status, outcome.reason, outcome.booking_id))
            elif outcome.status is OutcomeStatus.QUARANTINED:
                told[index] = Outcome(OutcomeStatus.QUEUED, reason=HINT_LIMIT)
    await inbox.put(conn, finished, now=now)
    return told


def _is_to_be_kept(observation: Observation, outcome: Outcome) -> bool:
    """Whether an API read is kept. One of a block with a client's code is: it may become her booking (`overheard`)."""
    if outcome.status is not OutcomeStatus.IGNORED:
        return outcome.status is OutcomeStatus.QUARANTINED
    comment = observation.record.comment if observation.record else UNSET
    return isinstance(comment, str) and bool(codes_in(comment))


async def _has_room(conn: Connection, delivery: Delivery, room: dict[int | None, int], now: datetime) -> bool:
    """Take a place for the body of an unsigned call, if there is one."""
    company_id = delivery.company_id
    if len(delivery.body) > inbox.HINT_BODY_BYTES_MAX:
        return False
    if company_id not in room:
        room[company_id] = await inbox.hint_bodies_room(conn, company_id, now=now) if company_id else 0
    room[company_id] -= 1
    return room[company_id] >= 0
