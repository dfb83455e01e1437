"""Fixtures that every test may ask for. The database ones live in `support/database.py`."""

from collections.abc import AsyncIterator, Iterator

import psycopg
import pytest
from hypothesis import HealthCheck, settings

from tests.support.database import TestServer, test_server
from tests.support.million import fill_million
from zerkalo.db.pool import Connection, Pool, open_pool

# No test fails because a machine was slow: neither an example nor the making of one has a time to keep.
settings.register_profile("zerkalo", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("zerkalo")


@pytest.fixture(scope="session")
def anyio_backend() -> str:
    """Async tests run on asyncio, as the server does."""
    return "asyncio"


@pytest.fixture(scope="session")
def database_server() -> Iterator[TestServer]:
    """The PostgreSQL of this run, started by the first test that needs one."""
    with test_server() as server:
        yield server


@pytest.fixture
def dsn(database_server: TestServer) -> Iterator[str]:
    """The address of a fresh, migrated database, for tests that commit or open several connections."""
    with database_server.database() as address:
        yield address


@pytest.fixture
async def pool(dsn: str) -> AsyncIterator[Pool]:
    """A pool on a fresh, migrated database."""
    async with open_pool(dsn, max_size=8, name="test") as opened:
        yield opened


@pytest.fixture(scope="session")
def million(database_server: TestServer) -> Iterator[str]:
    """A database with a million bookings, to be read only."""
    with database_server.database() as address:
        fill_million(address)
        yield address


@pytest.fixture(scope="session")
def shared_dsn(database_server: TestServer) -> Iterator[str]:
    """The database on which `conn` works; nothing is ever committed there."""
    with database_server.database() as address:
        yield address


@pytest.fixture
async def conn(shared_dsn: str) -> AsyncIterator[Connection]:
    """A connection inside a transaction that is rolled back after the test: the cheapest database there is."""
    async with await psycopg.AsyncConnection.connect(shared_dsn, autocommit=True) as connection:
        await connection.execute("set timezone to 'UTC'")
        async with connection.transaction(force_rollback=True):
            yield connection
