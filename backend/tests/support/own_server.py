"""Servers of a salon's own: whichever PostgreSQL of 15 to 18 this machine has installed, started for a test."""

import os
import shutil
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psycopg

from embedded_postgres.account import account_for
from embedded_postgres.binaries import MAJOR, clean_environment, wheel_folder
from tests.support.database import open_folder
from zerkalo.db.address import in_schema
from zerkalo.db.backup import SERVER_MAJORS

START_SECONDS_MAX = 30


def installed_servers() -> dict[int, Path]:
    """Major version -> folder of its programs: the wheel's, and what Debian's packages installed."""
    folders = {major: Path(f"/usr/lib/postgresql/{major}/bin") for major in SERVER_MAJORS}
    found = {major: folder for major, folder in folders.items() if (folder / "postgres").exists()}
    return {**found, MAJOR: wheel_folder() / "bin"}


@contextmanager
def own_server(programs: Path) -> Iterator[str]:
    """Yields the address of a running server of those programs, with an empty database; ends it afterwards."""
    with open_folder() as folder:
        account = account_for(folder)
        data = folder / "data"
        data.mkdir(mode=0o700)
        os.chown(data, account.uid, account.gid)
        lent = {"cwd": "/", "env": clean_environment(), **account.popen_options()}
        subprocess.run(
            [
                programs / "initdb",
                "-D",
                data,
                "-U",
                "postgres",
                "-A",
                "trust",
                "-E",
                "UTF8",
                "--locale=C",
                "--no-sync",
            ],
            check=True,
            capture_output=True,
            **lent,
        )
        server = subprocess.Popen(
            [programs / "postgres", "-D", data, "-k", data, "-c", "listen_addresses=", "-c", "fsync=off"],
            stderr=subprocess.DEVNULL,
            **lent,
        )
        try:
            dsn = in_schema(f"postgresql://postgres@/postgres?host={data}")
            deadline = time.monotonic() + START_SECONDS_MAX
            while True:
                try:
                    psycopg.connect(dsn).close()
                    break
                except psycopg.OperationalError:
                    assert time.monotonic() < deadline, "the server did not start"
                    time.sleep(0.05)
            yield dsn
        finally:
            server.terminate()
            server.wait()
            shutil.rmtree(data, ignore_errors=True)
