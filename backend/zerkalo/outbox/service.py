"""Send the messages that are due."""

import asyncio
from collections.abc import Awaitable, Mapping, Sequence
from datetime import timedelta
from functools import partial
from typing import TypeVar

import anyio
import structlog

from zerkalo.db.pool import Pool
from zerkalo.kit.clock import Clock
from zerkalo.kit.few_at_once import FewAtOnce
from zerkalo.metrics.counts import MESSAGES, MESSAGES_EXPIRED
from zerkalo.outbox import store
from zerkalo.outbox.model import DueMessage, Sender, SendFailed
from zerkalo.outbox.rules import pause_after

CLAIM_SPAN = timedelta(minutes=3)
"""How long a claim lasts; then another process may send the message. Longer than a whole batch may take."""
SEND_SECONDS_MAX = 30.0
"""Total for one message. The senders' own time-outs apply to each read: a gateway that sends a byte now and then would
block all other messages forever."""
BATCH = 20
AT_ONCE_MAX = 4

T = TypeVar("T")

_log = structlog.get_logger("zerkalo.outbox")


async def send_due(
    pool: Pool,
    senders: Mapping[str, Sender],
    *,
    clock: Clock,
    seconds_max: float = SEND_SECONDS_MAX,
    sending: FewAtOnce | None = None,
) -> int:
    """Send every message that is due and return how many their gateways accepted.

    Safe to run in several processes at once. No transaction is open during a call to a gateway. A message that fails,
    or has no answer within `seconds_max`, is retried with growing pauses and finally given up; an expired one is
    dropped, and so is a notice to a contact that its user has lost. If a process dies after sending and before recording
    it, the message is sent twice. Messages of a channel without a sender wait until they expire.

    No channel waits for another one, and one whose gateway takes nothing of a batch is left until the next call. `sending`:
    the channels that other calls of this process are at, which are left out.
    """
    async with pool.connection() as conn:
        dropped = await store.drop_expired(conn, now=clock())
        # A number that was given up, say, may be a stranger's by now.
        await store.drop_lost(conn, now=clock())
    if dropped:
        MESSAGES_EXPIRED.add(by=dropped)
        _log.warning("messages could not be sent in time", count=dropped)
    sending = sending or FewAtOnce()
    taken: list[int] = []

    async def send_all(channel: str, sender: Sender) -> None:
        while True:
            now = clock()
            async with pool.connection() as conn:
                due = await store.claim_due(conn, [channel], now=now, until=now + CLAIM_SPAN, limit=BATCH)
            taken.append(await _send_batch(pool, sender, due, clock, seconds_max))
            if not taken[-1]:
                return

    await _each_to_its_end(
        [sending.run(channel, partial(send_all, channel, sender)) for channel, sender in senders.items()]
    )
    return sum(taken)


async def _send_batch(
    pool: Pool, sender: Sender, due: list[DueMessage], clock: Clock, seconds_max: float
) -> int:
    limiter = anyio.CapacityLimiter(AT_ONCE_MAX)

    async def send_one(message: DueMessage) -> bool:
        async with limiter:
            return await _send(pool, sender, message, clock, seconds_max)

    return sum(await _each_to_its_end([send_one(message) for message in due]))


async def _each_to_its_end(works: Sequence[Awaitable[T]]) -> list[T]:
    """The results of works done beside each other. One that fails ends no other, as a message that was taken would not be
    noted and be sent again; it is raised when all have ended.
    """
    results = await asyncio.gather(*works, return_exceptions=True)
    ended: list[T] = []
    for one in results:
        if isinstance(one, BaseException):
            raise one
        ended.append(one)
    return ended


async def _send(pool: Pool, sender: Sender, message: DueMessage, clock: Clock, seconds_max: float) -> bool:
    try:
        with anyio.fail_after(seconds_max):
            await sender.send(message.recipient, message.subject, message.body)
        failure = None
    except SendFailed as error:
        failure = error
    except TimeoutError:
        failure = SendFailed("no answer in time")
    except Exception as error:  # noqa: BLE001 - one message that breaks its sender must not block the others
        failure = SendFailed(f"unexpected {type(error).__name__}")
    now = clock()
    pause = pause_after(message.attempts)
    async with pool.connection() as conn:
        if failure is None:
            await store.finish(conn, message.id, error=None, now=now)
            MESSAGES.add(message.channel, "sent")
            return True
        if failure.is_final or pause is None:
            await store.finish(conn, message.id, error=failure.reason, now=now)
            MESSAGES.add(message.channel, "given_up")
        else:
            await store.put_off(conn, message.id, error=failure.reason, next_attempt_at=now + pause)
            MESSAGES.add(message.channel, "put_off")
    _log.warning(
        "a message was not taken",
        outbox_id=message.id,
        channel=str(message.channel),
        attempt=message.attempts,
        reason=failure.reason,
    )
    return False
