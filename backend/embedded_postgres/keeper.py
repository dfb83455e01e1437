"""The keeper: a small separate process that starts the embedded PostgreSQL and stops it when no process uses it.

Every process that uses the server holds a shared lock on one file. The kernel drops that lock however the
process ends, kill -9 included; when the last one is gone, the keeper gets the exclusive lock, stops PostgreSQL
and ends. So nothing is left running, no command stops a server that another one uses, and Ctrl-C in a terminal
reaches neither keeper nor server, since they have a session of their own. (PR_SET_PDEATHSIG would be simpler,
but it ends the server with the process that started it, even if others use it by then.)

Run as a file with `python -I -S`: standard library only, a few megabytes.
"""

import contextlib
import fcntl
import json
import os
import signal
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import Any

FAST_STOP_SECONDS_MAX = 60
"""How long a fast shutdown may take before the immediate one, which the next start repairs from the log."""
RESTART_PAUSE_SECONDS = 1
POLL_SECONDS = 0.25


class Keeper:
    """Keeps one server. `plan` comes from `cluster.keeper_command`: paths, the command, the user, the pid to adopt."""

    def __init__(self, plan: dict[str, Any]) -> None:
        self.pid_file = Path(plan["pid_file"])
        self.users_lock = plan["users_lock"]
        self.command: list[str] = plan["command"]
        self.popen_options: dict[str, Any] = plan["popen_options"]
        self.socket_folder: str = plan["socket_folder"]
        self.socket_folder_is_temporary: bool = plan["socket_folder_is_temporary"]
        self.pid: int | None = plan["adopted_pid"]
        self.child: subprocess.Popen[Any] | None = None
        self.is_ending = False
        self.decision = threading.Lock()  # makes restarting and ending exclusive

    def run(self) -> None:
        """Return when the server has ended for good."""
        if self.pid is None:
            self.start()
        threading.Thread(target=self.end_when_unused, daemon=True).start()
        while True:
            self.wait()
            if not self.has_crashed():
                break
            time.sleep(RESTART_PAUSE_SECONDS)
            with self.decision:
                if self.is_ending:
                    break
                self.start()
        if self.socket_folder_is_temporary:
            remove_socket_folder(self.socket_folder)

    def start(self) -> None:
        self.disown_pid_file()
        remove_sockets(self.socket_folder)  # the lock file beside a socket names a process, too
        child = subprocess.Popen(self.command, stdin=subprocess.DEVNULL, cwd="/", **self.popen_options)
        self.child, self.pid = child, child.pid

    def disown_pid_file(self) -> None:
        """Replace the pid in a killed server's pid file, so that it does not block the start if the pid was reused.

        PostgreSQL refuses to start while the pid in the file is alive, whichever process has it now, but ignores
        its own parent's: ours. It still checks the shared memory named in the other lines, which is why the file
        is not simply removed: backends that outlived their server must be gone first.
        """
        try:
            fd = os.open(self.pid_file, os.O_RDWR | os.O_NOFOLLOW)
        except FileNotFoundError:
            return
        with os.fdopen(fd, "r+") as file:
            lines = file.read().split("\n")
            file.seek(0)
            file.truncate()
            file.write("\n".join([str(os.getpid()), *lines[1:]]))

    def wait(self) -> None:
        if self.child:
            self.child.wait()
            return
        while self.is_alive():
            time.sleep(POLL_SECONDS)

    def is_alive(self) -> bool:
        """Whether the server still runs. The file counts too: an ended adopted server may stay as a zombie."""
        if self.child:
            return self.child.poll() is None
        try:
            os.kill(self.pid or 0, 0)
        except ProcessLookupError:
            return False
        return self.pid_file.exists()

    def has_crashed(self) -> bool:
        """Return whether the server crashed: on every orderly end PostgreSQL removes its pid file.

        If our own pid is in it: the server found backends of a killed one still alive, and may be retried.
        """
        try:
            return self.pid_file.read_text().split("\n")[0] in (str(self.pid), str(os.getpid()))
        except OSError:
            return False

    def end_when_unused(self) -> None:
        users = os.open(self.users_lock, os.O_RDWR)
        fcntl.flock(users, fcntl.LOCK_EX)  # granted when the last user is gone; held till this process ends
        with self.decision:
            self.is_ending = True
        deadline = time.monotonic() + FAST_STOP_SECONDS_MAX
        while self.is_alive() and time.monotonic() < deadline:
            self.signal(signal.SIGINT)  # repeatedly: one sent to a server that is just starting is lost
            time.sleep(POLL_SECONDS)
        self.signal(signal.SIGQUIT)

    def signal(self, number: int) -> None:
        if self.is_alive() and self.pid:
            os.kill(self.pid, number)


def remove_socket_folder(folder: str) -> None:
    """Remove a temporary socket folder; by name and not as a tree, so that nothing else can be removed."""
    with contextlib.suppress(OSError):
        remove_sockets(folder)
        os.rmdir(folder)


def remove_sockets(folder: str) -> None:
    """Remove the sockets of a dead server and their locks."""
    for path in Path(folder).glob(".s.PGSQL.*"):
        path.unlink(missing_ok=True)


def ignore(*_: object) -> None:
    """Ignore the signal. A handler, not SIG_IGN, which the server would inherit."""


if __name__ == "__main__":
    # A service manager that signals the whole group targets the server's users; the keeper must outlive them.
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        signal.signal(number, ignore)
    Keeper(json.loads(sys.argv[1])).run()
