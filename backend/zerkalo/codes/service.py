"""Give a code to every user who has none."""

from collections.abc import Callable
from datetime import datetime

from psycopg.errors import UniqueViolation

from zerkalo.auth.audit.service import audit
from zerkalo.bookings import store as bookings
from zerkalo.codes import store
from zerkalo.codes.rules import new_code
from zerkalo.db.pool import Connection, Pool
from zerkalo.db.transaction import in_transaction
from zerkalo.users import store as users

BATCH = 500


async def give_missing_codes(
    pool: Pool,
    *,
    now: datetime,
    make_code: Callable[[], str] = new_code,
    on_progress: Callable[[int], None] = lambda _given: None,
    admin_id: int | None = None,
) -> int:
    """Give a new code to every user without one and return how many got one; each batch is its own transaction.

    Safe to stop and run again, and to run in several processes at once: existing codes are kept. `on_progress` gets the
    total after each batch. `admin_id`: the admin who started it, written to the audit log with each batch.
    """
    given = after_id = 0
    while True:
        async with pool.connection() as conn:
            ids = await store.users_without_code(conn, after_id=after_id, limit=BATCH)
        if not ids:
            return given

        async def give(conn: Connection, ids: tuple[int, ...] = tuple(ids)) -> int:
            codes = await _free_codes(conn, len(ids), make_code)
            given = await users.give_codes(conn, dict(zip(ids, codes, strict=True)), now=now)
            await bookings.write_codes_of(conn, ids, now=now)
            if admin_id is not None and given:
                await audit(conn, admin_id, "user.give_codes", "users", {"count": given}, now)
            return given

        try:
            given += await in_transaction(pool, give)
        except UniqueViolation:
            # Another process took one of these codes just now: draw again.
            continue
        after_id = ids[-1]
        on_progress(given)


async def _free_codes(conn: Connection, count: int, make_code: Callable[[], str]) -> list[str]:
    """Return so many distinct codes that never belonged to a user."""
    free: set[str] = set()
    while len(free) < count:
        drawn = {make_code() for _ in range(count - len(free))} - free
        free |= drawn - await store.taken_codes(conn, drawn)
    return sorted(free)
