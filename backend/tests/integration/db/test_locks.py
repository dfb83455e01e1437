"""Advisory locks: a space for each purpose and schema, so that no chosen id meets another lock."""

import psycopg
import pytest

from zerkalo.db.locks import lock, lock_beside
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction

pytestmark = pytest.mark.integration

SOON = 0.2


async def test_a_record_whose_number_is_the_barriers_meets_no_barrier(pool: Pool) -> None:
    """Before: ids of records and the barrier shared one space, and a record could be chosen that held it."""
    async with (
        transaction(pool) as barrier,
        transaction(pool, lock_timeout_seconds=SOON) as batch,
    ):
        await lock(barrier, "matching")

        await lock(batch, "booking", [()])

        with pytest.raises(psycopg.errors.LockNotAvailable):
            await lock_beside(batch, "matching", "booking", [(1, 2)])


async def test_another_schema_in_the_database_has_locks_of_its_own(pool: Pool) -> None:
    async with (
        transaction(pool) as ours,
        transaction(pool, lock_timeout_seconds=SOON) as theirs,
    ):
        await lock(ours, "booking", [(1, 2)])
        await theirs.execute("set local search_path = pg_catalog")

        await lock(theirs, "booking", [(1, 2)])


async def test_keys_in_any_order_are_locked_in_one(pool: Pool) -> None:
    async with transaction(pool) as conn:
        await lock(conn, "booking", [(1, 2), (1, 1), (1, 2)])
        cursor = await conn.execute(
            "select count(*) from pg_locks where locktype = 'advisory' and pid = pg_backend_pid()"
        )
        assert await cursor.fetchone() == (2,), "each key once"
