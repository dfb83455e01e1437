"""Move a company's bookings to its zone, when YCLIENTS tells another one than before."""

from collections.abc import Callable
from datetime import datetime, tzinfo
from functools import partial

from zerkalo.bookings import store as bookings
from zerkalo.companies import zones as zone_store
from zerkalo.db.pool import Connection
from zerkalo.db.transaction import in_transaction, transaction
from zerkalo.mirror.context import SyncContext
from zerkalo.mirror.snapshots import instant_of

BATCH = 1_000
"""Rows in one transaction."""


async def rezone(context: SyncContext, company_id: int, zone: tzinfo, *, check: Callable[[], None]) -> None:
    """Recompute the instant of every booking from its wall clock; the rows it does not change are not written.

    `check` is called before each batch and ends the work by raising; it is then still owed, and begun anew.
    """
    after_id: int | None = 0
    while after_id is not None:
        check()
        some = partial(_rezone_some, company_id=company_id, zone=zone, after_id=after_id, now=context.clock())
        after_id = await in_transaction(context.pool, some)
    async with transaction(context.pool) as conn:
        await zone_store.rezoned(conn, company_id)


async def _rezone_some(
    conn: Connection, *, company_id: int, zone: tzinfo, after_id: int, now: datetime
) -> int | None:
    """One batch by id; returns the last id seen, None at the end."""
    rows = await zone_store.wall_clocks(conn, company_id, after_id=after_id, limit=BATCH)
    instants = [(booking_id, instant_of(local, zone, at), at) for booking_id, local, at in rows]
    moved = [(booking_id, new) for booking_id, new, old in instants if new != old]
    if moved:
        await bookings.move_instants(conn, moved, now=now)
    return rows[-1][0] if rows else None
