"""The files of the embedded server in its data folder: made once, checked before every start.

`postgres/` holds the data, `postgres.lock` is held by the keeper as long as the server may run,
`postgres.users` is shared by all processes that use it, `postgres.server` is held by the serving process.
"""

import json
import os
import re
import shutil
import subprocess
import sys
import tempfile
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import quote

from embedded_postgres import keeper
from embedded_postgres.account import Account
from embedded_postgres.binaries import MAJOR, DataFolderUnusable, OtherMajorVersion, clean_environment

ROLE = "postgres"
IDENTITIES = "embedded"  # the map of pg_ident.conf: which system users may be ROLE
PORT = 5432  # names the socket only: the server listens on no network
SOCKET_FOLDER_PREFIX = "embedded-postgres-"
SOCKET_PATH_BYTES_MAX = 100  # Linux allows 107, macOS 103

SETTINGS = {
    "listen_addresses": "",
    "port": str(PORT),
    "unix_socket_permissions": "0700",
    "timezone": "UTC",
    "log_timezone": "UTC",
    "shared_buffers": "128MB",
    "jit": "off",
    # Seven files, one per weekday, each overwritten after a week: bounded without maintenance.
    "logging_collector": "on",
    "log_directory": "log",
    "log_filename": "postgresql-%a.log",
    "log_rotation_age": "1d",
    "log_rotation_size": "0",
    "log_truncate_on_rotation": "on",
    "log_checkpoints": "off",
    # No phone and no e-mail in the log: neither the statement nor "Key (email)=(…) already exists".
    "log_min_error_statement": "panic",
    "log_error_verbosity": "terse",
}
FRAGILE_SETTINGS = {"fsync": "off", "full_page_writes": "off"}
"""For tests: the data survive kill -9, but no power cut."""


@dataclass(frozen=True)
class Postmaster:
    """The contents of `postmaster.pid`; the server that wrote it may have ended since."""

    pid: int
    socket_folder: str


@dataclass(frozen=True)
class Cluster:
    """The paths in one data folder."""

    data_dir: Path

    @property
    def data(self) -> Path:
        return self.data_dir / "postgres"

    @property
    def pid_file(self) -> Path:
        return self.data / "postmaster.pid"

    @property
    def keeper_lock(self) -> Path:
        return self.data_dir / "postgres.lock"

    @property
    def users_lock(self) -> Path:
        return self.data_dir / "postgres.users"

    @property
    def server_lock(self) -> Path:
        return self.data_dir / "postgres.server"

    @property
    def start_log(self) -> Path:
        """The output of the last start before PostgreSQL opened its own log in `postgres/log`."""
        return self.data_dir / "postgres-start.log"


def dsn(socket_folder: str, database: str) -> str:
    """Return the address of the server with its socket in `socket_folder`; it overrides every PG* variable."""
    return f"postgresql://{ROLE}@/{database}?host={quote(socket_folder, safe='')}&port={PORT}"


def read_postmaster(cluster: Cluster) -> Postmaster | None:
    """Return the server that last wrote its pid file; None when there is no (complete) file."""
    try:
        lines = cluster.pid_file.read_text().split("\n")
        return Postmaster(pid=int(lines[0]), socket_folder=lines[4])
    except (FileNotFoundError, ValueError, IndexError):
        return None


def is_server_process(pid: int, cluster: Cluster) -> bool:
    """Return whether the running process `pid` is a PostgreSQL server on these data, not one that reuses its pid."""
    if os.path.isdir("/proc/self"):
        try:  # a server works in its data folder
            runs_postgres = os.path.basename(os.readlink(f"/proc/{pid}/exe")).startswith("postgres")
            return runs_postgres and os.path.samefile(f"/proc/{pid}/cwd", cluster.data)
        except OSError:
            return False
    shown = subprocess.run(
        ["/bin/ps", "-p", str(pid), "-o", "command="], capture_output=True, text=True, check=False
    ).stdout
    return "postgres" in shown and str(cluster.data) in shown


def check_version(cluster: Cluster) -> None:
    """Raise `OtherMajorVersion` when the data are of another major version than the programs."""
    try:
        found = (cluster.data / "PG_VERSION").read_text().strip()
    except FileNotFoundError:
        return
    if found != str(MAJOR):
        raise OtherMajorVersion(
            f"{cluster.data} holds data of PostgreSQL {found}, and the programs here are of PostgreSQL {MAJOR}:"
            f" dump them with the programs that made them, move {cluster.data} away, and load the dump"
        )


def make_data(cluster: Cluster, account: Account, server: Path, lock: int, *, durable: bool) -> None:
    """Make the data folder if there is none. Built under another name and renamed, so it is whole or absent.

    `lock` is inherited by initdb, so that it is held even if this process is killed and initdb is not.

    Text is UTF-8, compared by code points with PostgreSQL's own tables: the same order on every machine.
    Only the server's user and root can connect, by the socket, authenticated by the kernel.
    """
    if cluster.data.exists():
        return
    unfinished = cluster.data_dir / "postgres.new"
    shutil.rmtree(unfinished, ignore_errors=True)
    unfinished.mkdir(mode=0o700)
    if account.is_lent:
        os.chown(unfinished, account.uid, account.gid)
    command = [
        str(server / "bin" / "initdb"),
        *("-D", str(unfinished), "-U", ROLE, "--encoding=UTF8", "--locale=C"),
        *("--locale-provider=builtin", "--builtin-locale=C.UTF-8"),
        *("--auth-local=peer", "--auth-host=reject", "--no-instructions"),
        *([] if durable else ["--no-sync", "--wal-segsize=1"]),
    ]
    done = subprocess.run(
        command,
        cwd="/",
        env=clean_environment(),
        capture_output=True,
        text=True,
        pass_fds=[lock],
        check=False,
        **account.popen_options(),
    )
    if done.returncode:
        reasons = re.findall(r"(?:FATAL|PANIC|error): +(.+)", done.stderr) or [done.stderr.strip()[-200:]]
        raise DataFolderUnusable(
            f"the database could not be made in {cluster.data}: {reasons[0]};"
            " mend that, or choose another data folder"
        )
    unfinished.rename(cluster.data)


def write_access(cluster: Cluster, account: Account) -> None:
    """Write who may connect: the server's user and root. Rewritten at every start, as the user may have changed."""
    _write_owned(cluster.data / "pg_hba.conf", f"local all all peer map={IDENTITIES}\n", account)
    names = dict.fromkeys((account.name, "root"))
    lines = "".join(f'{IDENTITIES} "{name}" {ROLE}\n' for name in names)
    _write_owned(cluster.data / "pg_ident.conf", lines, account)


def make_socket_folder(cluster: Cluster, account: Account, known: str | None = None) -> str:
    """Return the folder for the socket, mode 0700: the data folder itself.

    If its path is too long for a socket, or has characters that an address can't hold, a new one under /tmp. Clients
    find it in the pid file. `known`: one that clients still connect to, made again if possible.
    """
    path = str(cluster.data)
    left = read_postmaster(cluster)
    if left and is_temporary_socket_folder(left.socket_folder):
        keeper.remove_socket_folder(left.socket_folder)  # left by a killed server
    if len(os.fsencode(f"{path}/.s.PGSQL.{PORT}")) <= SOCKET_PATH_BYTES_MAX and re.fullmatch(
        r"[\w./-]+", path, re.ASCII
    ):
        return path
    folder = _make_again(known) if known else None
    # Not TMPDIR: that may be long too, and closed to the user of the server.
    folder = folder or tempfile.mkdtemp(prefix=SOCKET_FOLDER_PREFIX, dir="/tmp")
    if account.is_lent:
        os.chown(folder, account.uid, account.gid)
    return folder


def _make_again(folder: str) -> str | None:
    try:
        os.mkdir(folder, 0o700)
    except FileExistsError:  # another process's by now
        return None
    return folder


def is_temporary_socket_folder(folder: str) -> bool:
    """Return whether `make_socket_folder` made this folder for the socket only."""
    return Path(folder).name.startswith(SOCKET_FOLDER_PREFIX)


def keeper_command(
    cluster: Cluster,
    account: Account,
    server: Path,
    socket_folder: str,
    adopted_pid: int | None,
    *,
    durable: bool,
) -> list[str]:
    """Return the command line of the keeper that starts the server, or takes over the running one `adopted_pid`."""
    settings = {**SETTINGS, **({} if durable else FRAGILE_SETTINGS), "unix_socket_directories": socket_folder}
    options = [part for name, value in settings.items() for part in ("-c", f"{name}={value}")]
    plan = {
        "command": [str(server / "bin" / "postgres"), "-D", str(cluster.data), *options],
        "popen_options": account.popen_options(),
        "pid_file": str(cluster.pid_file),
        "users_lock": str(cluster.users_lock),
        "socket_folder": socket_folder,
        "socket_folder_is_temporary": is_temporary_socket_folder(socket_folder),
        "adopted_pid": adopted_pid,
    }
    return [sys.executable, "-I", "-S", keeper.__file__, json.dumps(plan)]


def _write_owned(path: Path, text: str, account: Account) -> None:
    """Write a file for the server's user; never through a link, which this user may have made to trick root."""
    new = path.with_name(f"{path.name}.new")
    new.unlink(missing_ok=True)
    fd = os.open(new, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_NOFOLLOW, 0o600)
    with os.fdopen(fd, "w", encoding="utf-8") as file:
        if account.is_lent:
            os.fchown(fd, account.uid, account.gid)
        file.write(text)
    new.rename(path)
