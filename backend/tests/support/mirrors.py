"""Two mirrors of one record for the laws: the pure rules folded in memory, and the same through `Applier` on PostgreSQL."""

from collections.abc import Sequence
from datetime import datetime, timedelta
from typing import Protocol
from zoneinfo import ZoneInfo

from msgspec.structs import replace

from tests.support.vendor import COMPANY_ID, EPOCH, RECORD_ID, next_number
from zerkalo.bookings import store as bookings
from zerkalo.bookings.model import Row
from zerkalo.bookings.reading.store import read_raw_record
from zerkalo.db.pool import Pool
from zerkalo.db.transaction import transaction
from zerkalo.mirror import rules
from zerkalo.mirror.links import Cards, Linker, people_of
from zerkalo.mirror.model import Key, Observation
from zerkalo.mirror.service import Applier
from zerkalo.refetches import store as refetch_store
from zerkalo.refetches.model import Refetch
from zerkalo.users.model import MatchUser

KEY = (COMPANY_ID, RECORD_ID)
MOSCOW = ZoneInfo("Europe/Moscow")
OUR_TIME = EPOCH + timedelta(days=30)
"""Our clock while a history is played: later than every change time."""


class Mirror(Protocol):
    """What plays a history: takes showings in, tells what it wants to ask."""

    async def apply(self, observations: Sequence[Observation]) -> None: ...
    async def row(self) -> Row | None: ...
    async def wants(self) -> int | None:
        """The generation of the waiting question, None where there is none."""
        ...

    async def settle(self, generation: int) -> None: ...


class PureMirror:
    """The batch's own decisions without a database: what `mirror.batch` does between its reads and its writes."""

    def __init__(
        self, users: Sequence[MatchUser] = (), zone: ZoneInfo | None = MOSCOW, now: datetime = OUR_TIME
    ) -> None:
        self._users = list(users)
        self._zone = zone
        self._now = now
        self._row: Row | None = None
        self._generation: int | None = None
        self._asked = 0
        self._writes = 0

    async def apply(self, observations: Sequence[Observation]) -> None:
        booking = rules.Booking(before=self._row, row=self._row)
        work = rules.Work(
            now=self._now,
            order_now=self._now,
            number=next_number(),
            zones={COMPANY_ID: self._zone},
            bookings={KEY: booking},
        )
        for observation in observations:
            rules.observe(work, observation)
        if booking.row is not None and booking.row != self._row:
            booking.row = self._linked(booking.row)
        self._store(booking.row)
        if KEY in work.refetches:
            self._asked += 1
            self._generation = self._asked

    def _linked(self, row: Row) -> Row:
        rows: dict[Key, Row] = {KEY: row}
        cards = Cards({})
        return Linker(rows, people_of(rows, cards), {}, self._users, cards).linked(KEY, self._row)

    def _store(self, row: Row | None) -> None:
        if row == self._row:
            return
        self._writes += 1
        if row is None or row.id is None:
            self._row = row and replace(row, id=self._writes, revision=1)
        else:
            assert self._row is not None, "only a row that is there has an id"
            kept = None if row.erased_at else row.raw_record or self._row.raw_record
            self._row = replace(row, revision=self._row.revision + 1, raw_record=kept)

    async def row(self) -> Row | None:
        return self._row

    async def wants(self) -> int | None:
        return self._generation

    async def settle(self, generation: int) -> None:
        if self._generation == generation:
            self._generation = None


class StoredMirror:
    """The same through `Applier` and the tables."""

    def __init__(self, pool: Pool, applier: Applier) -> None:
        self._pool = pool
        self._applier = applier

    async def apply(self, observations: Sequence[Observation]) -> None:
        async with self._pool.connection() as conn:
            await conn.execute("select setval('observations', %s, false)", [next_number()])
        await self._applier.apply(observations)

    async def row(self) -> Row | None:
        async with transaction(self._pool) as conn:
            row = (await bookings.rows_for_update(conn, [KEY])).get(KEY)
            raw = row and row.id and await read_raw_record(conn, row.id)
        return row and replace(row, raw_record=raw.encode() if raw else None)

    async def wants(self) -> int | None:
        async with self._pool.connection() as conn:
            cursor = await conn.execute(
                "select generation from refetches where (company_id, record_id) = (%s, %s)", KEY
            )
            found = await cursor.fetchone()
        return found[0] if found else None

    async def settle(self, generation: int) -> None:
        question = Refetch(*KEY, "a test", generation=generation)
        async with transaction(self._pool) as conn:
            await refetch_store.settle(conn, [question], now=OUR_TIME)
