"""A first history of many records: all of them arrive, in memory that does not grow with their count."""

import tracemalloc

import pytest

from tests.support.sync import COMPANY_ID, open_salon
from yclients_emulator import desk
from zerkalo.db.pool import Pool

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(600)]

GROWTH_BYTES_MAX = 32 * 1024 * 1024
"""One slice's ids, one page and the remembered hashes; all the records held at once would be far over it."""


async def test_memory_does_not_grow_with_the_history(pool: Pool):
    count = 20_000
    async with open_salon(pool) as salon:
        desk.load_bulk(salon.emulator, COMPANY_ID, count, days=900)
        salon.emulator.requests = type(salon.emulator.requests)(maxlen=10)
        tracemalloc.start()
        try:
            before, _ = tracemalloc.get_traced_memory()
            run = await salon.sync()
            _, peak = tracemalloc.get_traced_memory()
        finally:
            tracemalloc.stop()

        (stored,) = await salon.fetch("select count(*) as n from bookings")
        assert run.status == "finished", run.error
        assert run.counts.created == stored["n"] >= count
        assert peak - before < GROWTH_BYTES_MAX
