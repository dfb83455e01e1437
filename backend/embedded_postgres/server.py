"""The embedded PostgreSQL: started by the first process that needs it, shared by all, stopped after the last (see `keeper`).

Three locks in the data folder coordinate this, and the kernel drops each with the process that holds it:
`postgres.users` (shared) means "I use the server", `postgres.lock` (exclusive, the keeper's) "the server may be
running", `postgres.server` (exclusive) "I serve: when I end, the database is stopped, even if others use it".
"""

import asyncio
import contextlib
import fcntl
import logging
import os
import re
import signal
import subprocess
import threading
import time
from collections.abc import Sequence
from pathlib import Path

import psycopg
from psycopg import sql

from embedded_postgres.account import LENT_USERS, Account, account_for, open_data_dir, server_folder
from embedded_postgres.binaries import DataFolderUnusable, EmbeddedError, clean_environment
from embedded_postgres.cluster import (
    Cluster,
    check_version,
    dsn,
    is_server_process,
    keeper_command,
    make_data,
    make_socket_folder,
    read_postmaster,
    write_access,
)
from embedded_postgres.locks import is_locked, open_lock, try_lock

START_SECONDS_MAX = 120.0
"""How long a start may take, including another process's stop and crash recovery."""
STOP_SECONDS_MAX = 75.0
"""Longer than the keeper gives a fast shutdown before it makes it an immediate one."""
PAUSE_SECONDS = 0.05
WATCH_SECONDS = 2.0
"""How often the serving process checks that its database still has a keeper."""
WATCH_SECONDS_MAX = 30.0
"""The longest pause between failed attempts."""
RESTART_SECONDS_MAX = 15.0
"""How long one such check may take; the next one continues where it ended."""

log = logging.getLogger(__name__)


class EmbeddedPostgres:
    """One use of the embedded server of `data_dir`: `with` or `async with` yields the address of `database`.

    The server is started and the database made if needed, by the first process only. At the end of the block the
    server is stopped if no other process uses it; with `serves` (for a process without which the others have
    nothing to do) it is always stopped. `durable=False` makes a throw-away one for tests: faster,
    and broken by a power cut. `users`: the users to run it as when root starts it, best first. Raises `EmbeddedError`
    with one line for the user. Can be entered only once.
    """

    def __init__(
        self,
        data_dir: Path,
        *,
        database: str = "postgres",
        serves: bool = False,
        durable: bool = True,
        users: Sequence[str] = LENT_USERS,
    ) -> None:
        self.cluster = Cluster(data_dir.absolute())
        self.database = database
        self.users = users
        self.serves = serves
        self.durable = durable
        self._users_lock: int | None = None
        self._server_lock: int | None = None
        self._keeper: subprocess.Popen[bytes] | None = None
        self._socket_folder: str | None = None
        self._ended = threading.Event()
        self._watch: threading.Thread | None = None

    def __enter__(self) -> str:
        try:
            return self._attach_or_start()
        except BaseException as error:
            self._let_go()
            if isinstance(error, PermissionError):
                raise DataFolderUnusable(
                    f"{error.filename}: permission denied; is it another user's? Run the command as that user,"
                    " or choose a data folder of your own"
                ) from error
            if isinstance(error, OSError):  # a full or a read-only disk, for example
                raise DataFolderUnusable(
                    f"{error.filename or self.cluster.data_dir}: {error.strerror}; mend that, or choose another data folder"
                ) from error
            raise

    def __exit__(self, *_: object) -> None:
        self._ended.set()
        if self._watch:
            self._watch.join()
        if self._server_lock is not None:
            self._stop()
        self._let_go()
        self._wait_if_last()
        if self._keeper:
            self._keeper.poll()  # reaps it if it has ended

    async def __aenter__(self) -> str:
        return await asyncio.to_thread(self.__enter__)

    async def __aexit__(self, *_: object) -> None:
        await asyncio.to_thread(self.__exit__)

    def _attach_or_start(self) -> str:
        cluster = self.cluster
        _make_data_dir(cluster.data_dir)
        account = account_for(cluster.data_dir, self.users)
        open_data_dir(cluster.data_dir, account)
        check_version(cluster)
        deadline = time.monotonic() + START_SECONDS_MAX
        self._users_lock = open_lock(cluster.users_lock)
        while not try_lock(self._users_lock, fcntl.LOCK_SH):  # the keeper is stopping the server
            _pause(deadline, cluster)
        if self.serves:
            self._server_lock = open_lock(cluster.server_lock)
            if not try_lock(self._server_lock, fcntl.LOCK_EX):  # a second server is a user like any other
                self._server_lock = _closed(self._server_lock)
        address = self._address(account, deadline)
        _make_database(address, self.database)
        if self._server_lock is not None:
            self._watch = threading.Thread(target=self._keep_kept, args=[account], daemon=True)
            self._watch.start()
        return address

    def _keep_kept(self, account: Account) -> None:
        """While serving, restart keeper and server if both were killed or stopped.

        The keeper restarts a server that crashes, but only this restarts a keeper: otherwise the serving process would
        go on without its database. A running server without a keeper gets a new one.
        """
        pause = WATCH_SECONDS
        while not self._ended.wait(pause):
            try:
                if is_locked(self.cluster.keeper_lock):
                    pause = WATCH_SECONDS
                    continue
                log.warning("the embedded database has nobody to keep it and is taken up again")
                if self._keeper:
                    self._keeper.poll()  # reaps it
                self._keeper = None
                self._address(account, time.monotonic() + RESTART_SECONDS_MAX)
            except (EmbeddedError, OSError) as error:
                pause = min(pause * 2, WATCH_SECONDS_MAX)
                log.error("the embedded database could not be taken up again: %s", error)  # noqa: TRY400  # the reason says it all

    def _address(self, account: Account, deadline: float) -> str:
        """Return the address of the running server, ours or another process's; start it if needed."""
        while True:
            keeper_lock = open_lock(self.cluster.keeper_lock)
            try:
                if try_lock(keeper_lock, fcntl.LOCK_EX):
                    self._start_keeper(account, keeper_lock, deadline)
            finally:
                os.close(keeper_lock)  # held by the keeper, or another process
            while self._keeper is None or self._keeper.poll() is None:
                folder = _living_socket_folder(self.cluster)
                if folder:
                    self._socket_folder = folder
                    return dsn(folder, self.database)
                _pause(deadline, self.cluster)
                if self._keeper is None and not is_locked(self.cluster.keeper_lock):
                    break  # the process that was starting or stopping it is gone: our turn
            else:
                raise EmbeddedError(_why_not_started(self.cluster))

    def _start_keeper(self, account: Account, keeper_lock: int, deadline: float) -> None:
        """Start the server under a keeper; give a running server without a keeper a new one."""
        cluster = self.cluster
        left = read_postmaster(cluster)
        server = server_folder(cluster.data_dir, account)
        if left and is_server_process(left.pid, cluster):
            while not _living_socket_folder(cluster):  # it is starting up or shutting down
                _pause(deadline, cluster)
                if not is_server_process(left.pid, cluster):
                    self._start_keeper(account, keeper_lock, deadline)
                    return
            adopted, folder = left.pid, left.socket_folder
        else:
            make_data(cluster, account, server, keeper_lock, durable=self.durable)
            write_access(cluster, account)
            adopted, folder = None, make_socket_folder(cluster, account, self._socket_folder)
        command = keeper_command(cluster, account, server, folder, adopted, durable=self.durable)
        with cluster.start_log.open("wb") as log:
            self._keeper = subprocess.Popen(
                command,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                cwd="/",
                env=clean_environment(),
                pass_fds=[keeper_lock],
                start_new_session=True,
            )

    def _stop(self) -> None:
        """Stop the server, even if others use it: a fast shutdown, which closes connections and keeps committed data."""
        postmaster = read_postmaster(self.cluster)
        if postmaster and is_server_process(postmaster.pid, self.cluster):
            with contextlib.suppress(ProcessLookupError):
                os.kill(postmaster.pid, signal.SIGINT)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        while is_locked(self.cluster.keeper_lock) and time.monotonic() < deadline:
            time.sleep(PAUSE_SECONDS)

    def _let_go(self) -> None:
        self._server_lock = _closed(self._server_lock)
        self._users_lock = _closed(self._users_lock)

    def _wait_if_last(self) -> None:
        """Wait until the server has ended, or another process is found to use it."""
        users = open_lock(self.cluster.users_lock)
        deadline = time.monotonic() + STOP_SECONDS_MAX
        try:
            while is_locked(self.cluster.keeper_lock) and time.monotonic() < deadline:
                if try_lock(users, fcntl.LOCK_EX):  # free: the keeper is about to take it
                    fcntl.flock(users, fcntl.LOCK_UN)
                elif try_lock(users, fcntl.LOCK_SH):  # others share it
                    return
                time.sleep(PAUSE_SECONDS)
        finally:
            os.close(users)


def _make_data_dir(data_dir: Path) -> None:
    try:
        data_dir.mkdir(mode=0o711 if os.geteuid() == 0 else 0o700, parents=True, exist_ok=True)
    except FileExistsError:
        raise DataFolderUnusable(f"{data_dir} is a file: choose a folder for the data") from None


def _pause(deadline: float, cluster: Cluster) -> None:
    if time.monotonic() > deadline:
        raise EmbeddedError(
            f"the database in {cluster.data} did not answer within {START_SECONDS_MAX:.0f} s:"
            f" look at {cluster.data / 'log'}"
        )
    time.sleep(PAUSE_SECONDS)


def _living_socket_folder(cluster: Cluster) -> str | None:
    """Return the socket folder of the server on these data, verified by connecting; None while none answers."""
    postmaster = read_postmaster(cluster)
    if postmaster is None or not postmaster.socket_folder:
        return None
    try:
        with psycopg.connect(
            dsn(postmaster.socket_folder, "postgres"), connect_timeout=5, autocommit=True
        ) as conn:
            row = conn.execute("select current_setting('data_directory')").fetchone()
    except psycopg.OperationalError:
        return None
    is_ours = row is not None and os.path.samefile(row[0], cluster.data)
    return postmaster.socket_folder if is_ours else None


def _make_database(address: str, name: str) -> None:
    """Make the database in a new server; every later start finds it."""
    with psycopg.connect(address, dbname="postgres", autocommit=True) as conn:
        if conn.execute("select from pg_database where datname = %s", [name]).fetchone() is None:
            with contextlib.suppress(psycopg.errors.DuplicateDatabase, psycopg.errors.UniqueViolation):
                conn.execute(sql.SQL("create database {}").format(sql.Identifier(name)))


def _closed(fd: int | None) -> None:
    """Close the descriptor; return None to replace it."""
    if fd is not None:
        os.close(fd)


def _why_not_started(cluster: Cluster) -> str:
    """Return PostgreSQL's last FATAL line, from the start's output or from its log."""
    texts = [cluster.start_log.read_text(errors="replace")]
    logs = sorted((cluster.data / "log").glob("*.log"), key=lambda path: path.stat().st_mtime)
    if "redirecting log output" in texts[0]:
        texts += [path.read_text(errors="replace") for path in logs[-1:]]
    reasons = re.findall(r"(?:FATAL|PANIC): +(.+)", texts[-1]) or texts[0].strip().split("\n")
    return f"the database in {cluster.data} did not start: {reasons[-1]}; look at {cluster.data / 'log'}"
