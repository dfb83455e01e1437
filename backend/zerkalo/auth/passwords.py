"""Argon2id, off the event loop and never more at once than the machine bears."""

import anyio
import anyio.to_thread
from anyio import CapacityLimiter
from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher

from zerkalo.auth.rules import canonical_password
from zerkalo.kit.problem import ProblemError

# One of the settings that OWASP's password storage cheat sheet calls equal in strength (46 MiB, one pass). One lane:
# a log-in takes one core, not all.
MEMORY_KIB = 47_104
PASSES = 1
LANES = 1

AT_ONCE_MAX = 2
"""Hashes computed at the same time in one process: two cores, and 92 MiB."""
WAITING_MAX = 64
"""Requests that wait for a hash; more are told to come back, so that a flood of log-ins can't pile up without end."""
BUSY_RETRY_SECONDS = 5

_argon2id = PasswordHash((Argon2Hasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES),))


def hash_password(password: str) -> str:
    """The Argon2id hash of a password, salted. Takes about 50 ms of one core: for commands; servers use `Passwords`."""
    return _argon2id.hash(canonical_password(password))


def verify_password(password: str, password_hash: str) -> bool:
    """Whether the password is the one that was hashed. As slow as `hash_password`."""
    try:
        return _argon2id.verify(canonical_password(password), password_hash)
    except UnknownHashError:
        return False


_NOBODYS_HASH = hash_password("")
"""What the passwords of unknown users are compared with, so that asking for them takes as long."""


_limiter = CapacityLimiter(AT_ONCE_MAX)


class Passwords:
    """Hashes and compares in worker threads; all of a process share one bound."""

    async def hash(self, password: str) -> str:
        """As `hash_password`; raises a 503 `ProblemError` when too many wait already."""
        self._refuse_a_crowd()
        return await anyio.to_thread.run_sync(hash_password, password, limiter=_limiter)

    async def verify(self, password: str, password_hash: str | None) -> bool:
        """As `verify_password`; False where there is no hash, after the same time."""
        self._refuse_a_crowd()
        matches = await anyio.to_thread.run_sync(
            verify_password, password, password_hash or _NOBODYS_HASH, limiter=_limiter
        )
        return matches and password_hash is not None

    def _refuse_a_crowd(self) -> None:
        if _limiter.statistics().tasks_waiting >= WAITING_MAX:
            raise ProblemError(
                503, "busy", "Too many people sign in at once.", {"Retry-After": str(BUSY_RETRY_SECONDS)}
            )
