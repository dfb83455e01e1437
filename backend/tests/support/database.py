"""The test database: a real PostgreSQL, migrated once, and a fresh copy for every test that asks for one.

By default each worker of pytest-xdist starts the embedded server in a folder of its own (no sync to disk).
`ZERKALO_TEST_DATABASE_URL=postgresql://…` names a server of one's own instead, 15 or newer, whose user may create
databases; only databases called `zerkalo_test_…` are made there, and dropped again.
"""

import os
import shutil
import tempfile
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg
from psycopg import sql
from psycopg.conninfo import make_conninfo

from zerkalo.db.address import in_schema
from zerkalo.db.database import embedded_database
from zerkalo.db.migrate import upgrade

OWN_SERVER = os.environ.get("ZERKALO_TEST_DATABASE_URL")
IN_MEMORY, ON_DISK = "/dev/shm", "/tmp"
ROOM_BYTES = 8 * 2**30


class TestServer:
    """A server on which tests make their databases; `template` is the migrated one that they are copied from."""

    __test__ = False  # not a test case, whatever its name looks like to pytest

    def __init__(self, dsn: str) -> None:
        self.maintenance_dsn = make_conninfo(dsn, dbname="postgres")
        self.run_id = uuid.uuid4().hex[:8]
        self.template = f"zerkalo_test_{self.run_id}_template"
        self.made = 0

    def make_template(self) -> None:
        self._execute("create database {}", self.template)
        upgrade(self.dsn_of(self.template))

    @contextmanager
    def database(self, *, migrated: bool = True) -> Iterator[str]:
        """Yields the address of a fresh database; drops it at the end, whoever is still connected."""
        self.made += 1
        name = f"zerkalo_test_{self.run_id}_{self.made}"
        if migrated:
            self._execute("create database {} template {}", name, self.template)
        else:
            self._execute("create database {}", name)
        try:
            yield self.dsn_of(name)
        finally:
            self.drop(name)

    def drop(self, name: str) -> None:
        self._execute("drop database if exists {} with (force)", name)

    def dsn_of(self, database: str) -> str:
        return in_schema(make_conninfo(self.maintenance_dsn, dbname=database))

    def _execute(self, statement: str, *names: str) -> None:
        with psycopg.connect(self.maintenance_dsn, autocommit=True) as conn:
            conn.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))  # pyright: ignore[reportArgumentType]  literals above


@contextmanager
def test_server() -> Iterator[TestServer]:
    """Yields the server of this test run with its template made."""
    if OWN_SERVER:
        server = TestServer(OWN_SERVER)
        try:
            server.make_template()
            yield server
        finally:
            server.drop(server.template)
        return
    with open_folder(_roomy_memory()) as folder, embedded_database(folder, durable=False) as dsn:
        server = TestServer(dsn)
        server.make_template()
        yield server


test_server.__test__ = False  # pyright: ignore[reportFunctionMemberAccess]  pytest looks for it there


def _roomy_memory() -> str:
    """Where a server that may lose all keeps its data: in memory if there is room for a million bookings, else on the disk.

    Each test makes and drops a database of some nine hundred files, and a disk's file system (ext4 without a journal, for
    one) may take ten times as long for each of them.
    """
    try:
        held = os.statvfs(IN_MEMORY)
    except OSError:
        return ON_DISK
    return IN_MEMORY if held.f_bavail * held.f_frsize >= ROOM_BYTES else ON_DISK


@contextmanager
def open_folder(parent: str = ON_DISK) -> Iterator[Path]:
    """Yields a new folder that other users may walk through, unlike pytest's own: root lends the server one."""
    folder = Path(tempfile.mkdtemp(prefix="zerkalo-test-", dir=parent))
    folder.chmod(0o711)
    try:
        yield folder
    finally:
        shutil.rmtree(folder, ignore_errors=True)
