"""What a booking and a delivery take on disk, indexes included, written the way they are: for the arithmetic of `scale`."""

import psycopg
import uvloop

from tests.benchmark.bodies import COMPANY_ID
from tests.benchmark.pages import PAGE, applier_of, apply_pages, bodies_from
from tests.benchmark.stage import Stage, load, server
from tests.benchmark.told import Told
from zerkalo.db.pool import open_pool
from zerkalo.mirror.model import OutcomeStatus

PAGES = 100
LOAD_SECONDS = 3
CONNECTIONS = 64
FIRST_PAGED_ID = 10**11
FIRST_EVENT_ID = 2 * 10**11


def measure(stage: Stage, told: Told) -> None:
    """Note both."""
    told.title("On disk, indexes included")
    with stage.database("disk", bookings=0) as dsn:
        with psycopg.connect(dsn, autocommit=True) as conn:
            conn.execute(
                "insert into companies (id, timezone_name) values (%s, 'Europe/Moscow')", [COMPANY_ID]
            )
        uvloop.run(_apply(dsn))
        told.figure(f"a booking, of {PAGES * PAGE:,}", _bytes_each(dsn, "bookings"), "bytes")
        with server(dsn) as port:
            load(port, CONNECTIONS, LOAD_SECONDS, FIRST_EVENT_ID)
        told.figure("a delivery in the inbox", _bytes_each(dsn, "deliveries"), "bytes")


async def _apply(dsn: str) -> None:
    async with open_pool(dsn, name="bench") as pool:
        await apply_pages(applier_of(pool), bodies_from(FIRST_PAGED_ID, PAGES), OutcomeStatus.APPLIED)


def _bytes_each(dsn: str, table: str) -> float:
    with psycopg.connect(dsn) as conn:
        row = conn.execute(
            f"select pg_total_relation_size('{table}') / count(*)::float from {table}".encode()
        ).fetchone()
    assert row is not None
    return row[0]
