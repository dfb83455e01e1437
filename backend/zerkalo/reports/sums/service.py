"""Bring the sums up to date in bounded parts, each in a transaction of its own."""

from collections.abc import Callable
from dataclasses import dataclass, replace
from time import monotonic

from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.reports.sums import store

PART = 5_000
"""Bookings counted in one transaction."""
SWEPT_AT_ONCE = 100_000
"""Bookings compared in one transaction."""
READER_SECONDS_MAX = 5.0
"""How long a request for a report may spend counting when many bookings were never counted."""
TASK_SECONDS_MAX = 300.0


@dataclass(frozen=True, slots=True)
class _Done:
    is_up_to_date: bool
    is_round_over: bool
    swept_id: int


async def bring_up_to_date(
    pool: Pool,
    *,
    seconds_max: float = READER_SECONDS_MAX,
    part: int = PART,
    clock: Callable[[], float] = monotonic,
) -> int:
    """Count the bookings that changed since the last call. Return how many are still to be counted.

    Recently written bookings are found at once by their time; `sweep` compares all others, part by part. Until the
    first full round is complete, this function does that too, as far as the time allows.
    """
    until = clock() + seconds_max
    while True:
        done = await in_transaction(pool, lambda conn: _count(conn, part))
        if done.is_up_to_date:
            return 0
        if clock() >= until:
            async with pool.connection() as conn:
                return await store.waiting_count(conn, done.swept_id)


async def sweep(pool: Pool, *, clock: Callable[[], float] = monotonic) -> None:
    """Count what changed, and compare the next part of all bookings, to find changes that a wrong clock has hidden."""
    await bring_up_to_date(pool, seconds_max=TASK_SECONDS_MAX, clock=clock)
    await in_transaction(pool, lambda conn: _count(conn, PART, sweeps=True))


async def _count(conn: Connection, part: int, *, sweeps: bool = False) -> _Done:
    """Count one part."""
    progress, until = await store.hold_progress(conn)
    is_round_over = False
    if progress.is_whole:
        ids = await store.changed(conn, progress.looked_until, part)
        if len(ids) < part:
            progress = replace(progress, looked_until=until)
    else:
        ids = []
    if sweeps or not progress.is_whole:
        width = SWEPT_AT_ONCE if progress.is_whole else part
        found, last_id = await store.differing(conn, progress.swept_id, width)
        ids = sorted({*ids, *found})
        is_round_over = last_id is None
        progress = replace(progress, swept_id=last_id or 0, is_whole=progress.is_whole or is_round_over)
    if ids:
        await store.recount(conn, ids)
    await store.put_progress(conn, progress)
    is_up_to_date = progress.is_whole and not is_round_over and len(ids) < part
    return _Done(is_up_to_date, is_round_over, progress.swept_id)
