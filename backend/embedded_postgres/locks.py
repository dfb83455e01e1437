"""Locks on files, which the kernel drops with the process that holds them, however it ends."""

import fcntl
import os
from pathlib import Path


def open_lock(path: Path) -> int:
    """Return a descriptor of the lock file, which is made if it is missing."""
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_NOFOLLOW, 0o600)
    owner = path.parent.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:  # root's file must not lock out the folder's owner
        os.fchown(fd, owner.st_uid, owner.st_gid)
    return fd


def try_lock(fd: int, kind: int) -> bool:
    """Try the lock (`fcntl.LOCK_SH` or `LOCK_EX`) without waiting; return whether it was acquired."""
    try:
        fcntl.flock(fd, kind | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def is_locked(path: Path) -> bool:
    """Return whether a process holds it exclusively."""
    fd = open_lock(path)
    try:
        return not try_lock(fd, fcntl.LOCK_SH)
    finally:
        os.close(fd)
