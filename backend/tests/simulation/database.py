"""PostgreSQL as a simulated process reaches it: one transaction at a time, and broken where the seed says.

The transactions of all processes go over one real connection, one after another in the order of the seed; what two
transactions do to each other's locks is not simulated here (the integration tests and `make chaos` have that).
"""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from dataclasses import dataclass, field
from typing import Any, Protocol, cast

import psycopg
import psycopg.waiting
import psycopg_pool
from psycopg import AsyncConnection, AsyncTransaction
from psycopg.rows import TupleRow, dict_row

from tests.simulation.loop import Gate
from zerkalo.db.pool import Connection, Pool

SILENT_SECONDS_MAX = 60.0
"""Real seconds after which a database that says nothing fails the seed: somebody waits for a lock that nobody returns."""
LOCK_TIMEOUT = "10ms"
"""Real time. Transactions go one by one, so a lock is never had in a moment but where the seed lets somebody hold it."""
WAIT_SECONDS = 10.0
"""How long the real pool waits for a connection before it says `PoolTimeout`."""


class SimulatedCrash(BaseException):
    """The process is gone: no handler of it may do anything any more."""


class Caller(Protocol):
    """The process that calls the database."""

    name: str
    is_dead: bool

    def die(self) -> None:
        """End at this very point."""
        ...


@dataclass
class Fuse:
    """What is to happen to one process at its `points`-th step from now: it is killed, or loses its connection."""

    points: int
    kind: str


@dataclass
class Database:
    """The one database of a seed."""

    gate: Gate
    conn: "SimulatedConnection"
    counted: Counter[str]
    is_away: bool = False
    fuses: dict[str, Fuse] = field(default_factory=dict[str, Fuse])

    def pool_of(self, caller: Caller, *, is_spared: bool = False) -> Pool:
        """A pool for one process; quacks as far as the production code looks. `is_spared`: no outage hits it."""
        return cast("Pool", SimulatedPool(self, caller, is_spared=is_spared))

    def pass_point(self, caller: Caller, place: str) -> None:
        """A step of a process at which it may be killed or lose the database. Raises what happens."""
        if caller.is_dead:
            raise SimulatedCrash(caller.name)
        fuse = self.fuses.get(caller.name)
        if fuse is None:
            return
        fuse.points -= 1
        if fuse.points > 0:
            return
        del self.fuses[caller.name]
        self.counted[f"process: {fuse.kind} {place}"] += 1
        if fuse.kind == "crash":
            caller.die()
            raise SimulatedCrash(f"{caller.name} {place}")
        raise psycopg.OperationalError("server closed the connection unexpectedly")


class SimulatedPool:
    """What production code calls of a pool: `connection()` and `check()`."""

    def __init__(self, database: Database, caller: Caller, *, is_spared: bool) -> None:
        self._database = database
        self._caller = caller
        self._is_spared = is_spared

    @asynccontextmanager
    async def connection(self, timeout: float | None = None) -> AsyncIterator["SimulatedConnection"]:
        database, caller = self._database, self._caller
        if caller.is_dead:
            raise SimulatedCrash(caller.name)
        await self._wait_for_server()
        await database.gate.enter()
        try:
            database.conn.caller = caller
            database.pass_point(caller, "before a transaction")
            yield database.conn
            database.pass_point(caller, "after a commit")
        finally:
            database.conn.caller = None
            try:
                await database.conn.rollback()  # as a pool does with what comes back in the middle of one
            finally:
                database.gate.leave()

    async def check(self) -> None:
        """Try every connection: the next one that is handed out lives."""

    async def _wait_for_server(self) -> None:
        if self._database.is_away and not self._is_spared:
            self._database.counted["database: refused while away"] += 1
            await asyncio.sleep(WAIT_SECONDS)
            if self._database.is_away:
                raise psycopg_pool.PoolTimeout("couldn't get a connection")


class SimulatedConnection(AsyncConnection[TupleRow]):
    """The real connection; its transactions have points before and after the commit."""

    database: Database | None = None
    caller: Caller | None = None

    async def wait(self, gen: Any, interval: float = 0.0, timeout: float | None = None) -> Any:
        """Wait in one go: while PostgreSQL works no time passes and nobody else begins anything.

        A way over the event loop costs more than most answers.
        """
        return psycopg.waiting.wait(gen, self.pgconn.socket, interval=1.0, timeout=SILENT_SECONDS_MAX)

    async def execute(self, query: Any, params: Any = None, **options: Any) -> Any:
        """Where production waits seconds for a lock, wait a moment: whoever holds one lets go in simulated time only."""
        if params and (
            b"lock_timeout" in query if isinstance(query, bytes) else "lock_timeout" in str(query)
        ):
            # The settings of `zerkalo.db.transaction`: statement, lock, idle; or the lock's alone.
            params = [*params[:-2], LOCK_TIMEOUT, params[-1]] if len(params) > 1 else [LOCK_TIMEOUT]
        return await super().execute(query, params, **options)

    @asynccontextmanager
    async def transaction(
        self, savepoint_name: str | None = None, force_rollback: bool = False
    ) -> AsyncIterator[AsyncTransaction]:
        async with super().transaction(savepoint_name, force_rollback) as inner:
            yield inner
            self._pass_point("before a commit")
        self._pass_point("right after a commit")

    def _pass_point(self, place: str) -> None:
        if self.database is not None and self.caller is not None:
            self.database.pass_point(self.caller, place)


async def connect(dsn: str) -> SimulatedConnection:
    """The connection of a seed, set up as the real pool sets its own up."""
    conn = await SimulatedConnection.connect(dsn, autocommit=True)
    await conn.execute("set timezone to 'UTC'")
    await conn.execute(f"set lock_timeout to '{LOCK_TIMEOUT}'")
    # Nothing here outlives its seed, and a plan made for an empty table is a bad one for a full one.
    await conn.execute("set synchronous_commit to off")
    return conn


async def fetch(conn: Connection, sql: str, *values: Any) -> list[dict[str, Any]]:
    """Rows of a question of the simulation's own."""
    async with conn.cursor(row_factory=dict_row) as cursor:
        await cursor.execute(sql, values)  # pyright: ignore[reportArgumentType]  literals of the simulation
        return await cursor.fetchall()
