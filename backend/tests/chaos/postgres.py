"""A PostgreSQL that may be treated badly: from the wheel's programs, on a small disk of its own where root may mount one."""

import asyncio
import contextlib
import os
import signal
import subprocess
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import psutil
import psycopg

from embedded_postgres import clean_environment
from embedded_postgres.account import Account, account_for, server_folder
from tests.chaos.charges import Charge, descendants
from zerkalo.db.address import in_schema

DISK_MEBIBYTES = 320
CHUNK_BYTES = 1024 * 1024
START_SECONDS_MAX = 60
OPTIONS = {
    "listen_addresses": "",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "shared_buffers": "64MB",
    "logging_collector": "off",
    "restart_after_crash": "on",
}


class Postgres:
    """The server and its data. Durable, as a salon's own is: every answer 200 stands on its fsync."""

    def __init__(
        self, folder: Path, account: Account, programs: Path, mark: Mapping[str, str], *, has_own_disk: bool
    ) -> None:
        self.data = folder / "disk" / "data"
        self.has_own_disk = has_own_disk
        self._ballast = folder / "disk" / "ballast"
        self._programs = programs
        self._lent = {"cwd": "/", **account.popen_options()}
        self._environment = clean_environment(**mark)
        self._prepare(account)
        options = [part for name, value in OPTIONS.items() for part in ("-c", f"{name}={value}")]
        self.charge = Charge(
            "postgres",
            [programs / "bin" / "postgres", "-D", self.data, "-k", self.data, *options],
            self._environment,
            folder,
            **self._lent,
        )

    @property
    def dsn(self) -> str:
        return in_schema(f"postgresql://postgres@/postgres?host={self.data}")

    def connect(self) -> psycopg.Connection[tuple[Any, ...]]:
        """A connection of the onlooker's."""
        return psycopg.connect(self.dsn, autocommit=True, connect_timeout=10, application_name="chaos")

    async def ready(self) -> None:
        """Wait until it answers."""
        deadline = time.monotonic() + START_SECONDS_MAX
        while True:
            try:
                await asyncio.to_thread(lambda: self.connect().close())
                return
            except psycopg.OperationalError:
                assert time.monotonic() < deadline, "PostgreSQL did not come back"
                await asyncio.sleep(0.1)

    async def stop_hard(self) -> None:
        """What `pg_ctl stop -m immediate` does: no checkpoint, every session cut; it stays down."""
        code, _ = await self.charge.stop(signal.SIGQUIT, seconds_max=20)
        assert code is not None, "an immediate stop is immediate"

    async def kill(self) -> None:
        """Kill -9 of the first process, and wait for the others to notice."""
        others = descendants(self.charge.pid)
        await self.charge.stop(signal.SIGKILL, seconds_max=20)
        psutil.wait_procs(others, timeout=20)

    def kill_a_session(self) -> bool:
        """Kill -9 of one session of a server of ours: PostgreSQL then ends all sessions and recovers."""
        with self.connect() as conn:
            row = conn.execute(
                "select pid from pg_stat_activity where application_name = 'zerkalo server' limit 1"
            ).fetchone()
        if row is None:
            return False
        os.kill(row[0], signal.SIGKILL)
        return True

    @contextmanager
    def frozen(self) -> Iterator[None]:
        """Every process of it stopped: connections stay open and nobody answers, as behind a dead network."""
        stopped = descendants(self.charge.pid)
        for process in stopped:
            with contextlib.suppress(psutil.NoSuchProcess):
                process.suspend()
        try:
            yield
        finally:
            for process in stopped:
                with contextlib.suppress(psutil.NoSuchProcess):
                    process.resume()

    def fill_disk(self) -> None:
        """Leave not a byte on its disk."""
        assert self.has_own_disk, "only a disk of its own is ever filled"
        with contextlib.suppress(OSError), self._ballast.open("ab", buffering=0) as ballast:
            for size in (CHUNK_BYTES, 4096):
                with contextlib.suppress(OSError):
                    while True:
                        ballast.write(bytes(size))

    def free_disk(self) -> None:
        self._ballast.unlink()

    def _prepare(self, account: Account) -> None:
        self.data.mkdir(mode=0o700)
        os.chown(self.data, account.uid, account.gid)
        subprocess.run(
            [
                *(self._programs / "bin" / "initdb", "-D", self.data, "-U", "postgres", "-A", "trust"),
                *("-E", "UTF8", "--locale=C", "--no-sync", "--wal-segsize=1"),
            ],
            check=True,
            capture_output=True,
            env=self._environment,
            **self._lent,
        )


@contextmanager
def postgres_in(folder: Path, mark: Mapping[str, str]) -> Iterator[Postgres]:
    """Yields the server, made and not started, in a folder that others may walk through; ends it and its disk."""
    account = account_for(folder)
    disk = folder / "disk"
    disk.mkdir(mode=0o711)
    with _small_disk(disk) as has_own_disk:
        database = Postgres(folder, account, server_folder(folder, account), mark, has_own_disk=has_own_disk)
        try:
            yield database
        finally:
            database.charge.is_held = True
            others = descendants(database.charge.pid) if database.charge.is_alive else []
            database.charge.tell(signal.SIGQUIT)
            psutil.wait_procs(others, timeout=20)


@contextmanager
def _small_disk(place: Path) -> Iterator[bool]:
    """Mounts a disk of bounded size in memory there; yields whether it could be done. Nobody else's disk is filled."""
    options = f"size={DISK_MEBIBYTES}m,mode=0711"
    mounted = os.geteuid() == 0 and (
        subprocess.run(
            ["mount", "-t", "tmpfs", "-o", options, "zerkalo-chaos", place], capture_output=True, check=False
        ).returncode
        == 0
    )
    try:
        yield mounted
    finally:
        if mounted:
            subprocess.run(["umount", "-l", place], check=True, capture_output=True)
