"""The system user that runs the embedded PostgreSQL, which refuses to run as root: root starts it as another user.

No folder above the data folder is changed for that; if one of them is closed to the user, an error names it.
"""

import os
import pwd
import shutil
import subprocess
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from embedded_postgres.binaries import DataFolderUnusable, EmbeddedError, NotAvailableHere, wheel_folder

LENT_USERS = ("postgres", "nobody")
"""Users that root may run it as, best first. `nobody` is on every machine; a user of the program's own is safer."""


@dataclass(frozen=True)
class Account:
    """The system user that owns the data and runs the server."""

    uid: int
    gid: int
    name: str

    @property
    def is_lent(self) -> bool:
        """Whether this process is root and must start the server as another user."""
        return os.geteuid() != self.uid

    def popen_options(self) -> dict[str, Any]:
        """Return the options of `subprocess` that start a program as this user."""
        if not self.is_lent:
            return {}
        return {"user": self.uid, "group": self.gid, "extra_groups": []}


def account_for(data_dir: Path, users: Sequence[str] = LENT_USERS) -> Account:
    """Return the user for the server in `data_dir` (which exists): this process's own; for root, the owner of the data.

    Where root owns the folder too, the first of `users` that the machine has. Raises `EmbeddedError` when
    the data belong to another user, or the user has no name (PostgreSQL requires one).
    """
    data = data_dir / "postgres"
    owner = (data if data.exists() else data_dir).stat().st_uid
    me = os.geteuid()
    if me != 0:
        if data.exists() and owner != me:
            raise EmbeddedError(
                f"{data} belongs to the user {_name_of(owner)}, not to {_name_of(me)}:"
                " run the command as that user or as root"
            )
        return _account(me)
    if owner != 0:
        return _account(owner)
    for name in users:
        try:
            entry = pwd.getpwnam(name)
        except KeyError:
            continue
        return Account(entry.pw_uid, entry.pw_gid, name)
    raise EmbeddedError(
        "PostgreSQL does not run as root and there is no user to lend it:"
        f" add one with `useradd --system {users[0]}`, or run as an ordinary user"
    )


def open_data_dir(data_dir: Path, account: Account) -> None:
    """Make sure that `account` can reach `data_dir`; change the mode of that folder only, if needed.

    Raises `EmbeddedError` that names the first folder above it which is closed to the user.
    """
    if not account.is_lent:
        return
    mode = data_dir.stat().st_mode
    if _first_closed([data_dir], account) and not _first_closed(list(data_dir.parents)[::-1], account):
        data_dir.chmod(mode | 0o011)  # may be traversed, not listed
    closed = _first_closed([*list(data_dir.parents)[::-1], data_dir], account)
    if closed:
        raise DataFolderUnusable(
            f"the folder {closed} is closed to the user {account.name}, as whom PostgreSQL runs when root starts"
            " it: choose a data folder outside it, or run as an ordinary user"
        )


def server_folder(data_dir: Path, account: Account, wheel: Path | None = None) -> Path:
    """Return the folder whose `bin/postgres` and `bin/initdb` the user can run: the wheel's, else a copy in `data_dir`.

    The copy (25 MB, made once per version) is for root with a virtual environment in a closed folder such as
    /root and a data folder outside it.
    """
    wheel = wheel or wheel_folder()
    if not account.is_lent or _can_run(wheel / "bin" / "postgres", account):
        return wheel
    shown = subprocess.run(
        [wheel / "bin" / "postgres", "--version"], capture_output=True, text=True, check=True
    )
    copy = data_dir / f"postgres-{shown.stdout.split()[2]}"
    # The programs look for their libraries three folders up, beside the package: keep that.
    place = Path(wheel.parent.name, wheel.name)
    if not copy.exists():
        unfinished = copy.with_name(f"{copy.name}.new")
        shutil.rmtree(unfinished, ignore_errors=True)
        for part in ("lib/postgresql", "share"):
            shutil.copytree(wheel / part, unfinished / place / part)
        (unfinished / place / "bin").mkdir()
        for part in ("bin/postgres", "bin/initdb"):
            shutil.copy2(wheel / part, unfinished / place / part)
        for libraries in wheel.parent.parent.glob(f"{wheel.parent.name}.libs"):
            shutil.copytree(libraries, unfinished / libraries.name)
        _open_to_all(unfinished)
        unfinished.rename(copy)
    return copy / place


def _account(uid: int) -> Account:
    try:
        entry = pwd.getpwuid(uid)
    except KeyError:
        raise NotAvailableHere(
            f"the user with the number {uid} has no name on this machine, and PostgreSQL insists on one:"
            " add it to /etc/passwd, or use a PostgreSQL server of your own"
        ) from None
    return Account(uid, entry.pw_gid, entry.pw_name)


def _name_of(uid: int) -> str:
    try:
        return pwd.getpwuid(uid).pw_name
    except KeyError:
        return str(uid)


def _first_closed(folders: list[Path], account: Account) -> str | None:
    """Return the first of the folders that the user can't enter. Found by trying, since modes alone don't decide it."""
    script = 'for d do cd -P "$d" 2>/dev/null || { printf %s "$d"; exit 1; }; done'
    done = subprocess.run(
        ["/bin/sh", "-c", script, "probe", *map(str, folders)],
        cwd="/",
        capture_output=True,
        text=True,
        check=False,
        **account.popen_options(),
    )
    return done.stdout if done.returncode else None


def _can_run(path: Path, account: Account) -> bool:
    command = ["/bin/sh", "-c", '"$1" --version', "probe", str(path)]
    return (
        subprocess.run(
            command, cwd="/", capture_output=True, check=False, **account.popen_options()
        ).returncode
        == 0
    )


def _open_to_all(folder: Path) -> None:
    for parent, _, names in os.walk(folder):
        os.chmod(parent, 0o755)  # noqa: S103  # programs and their files, no user data
        for name in names:
            path = os.path.join(parent, name)
            os.chmod(path, 0o755 if os.stat(path).st_mode & 0o100 else 0o644)
