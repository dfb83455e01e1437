"""Hashes of passwords: our own Argon2id, and those accepted from another program. Slow on purpose."""

import re

from pwdlib import PasswordHash
from pwdlib.exceptions import UnknownHashError
from pwdlib.hashers.argon2 import Argon2Hasher
from pwdlib.hashers.bcrypt import BcryptHasher

from zerkalo.auth.rules import canonical_password

# One of the settings that OWASP's password storage cheat sheet calls equal in strength (46 MiB, one pass). One lane:
# a log-in takes one core, not all.
MEMORY_KIB = 47_104
PASSES = 1
LANES = 1

# New hashes are of the first kind; both are verified. bcrypt comes with imported users, until their first log-in.
_hashes = PasswordHash(
    (Argon2Hasher(time_cost=PASSES, memory_cost=MEMORY_KIB, parallelism=LANES), BcryptHasher())
)

_ARGON2 = re.compile(
    r"\$argon2(?:id|i|d)\$v=19\$m=(\d{1,7}),t=(\d{1,3}),p=(\d{1,2})\$[A-Za-z0-9+/]{11,86}\$[A-Za-z0-9+/]{22,86}"
)
_BCRYPT = re.compile(r"\$2[aby]\$(\d{2})\$[./A-Za-z0-9]{53}")
BCRYPT_BYTES_MAX = 72
FOREIGN_MEMORY_KIB_MAX = 262_144
FOREIGN_PASSES_MAX = 10
FOREIGN_LANES_MAX = 8
FOREIGN_ROUNDS_LOG2_MAX = 14
"""The most that another program's hash may cost: about a second of one core and 256 MiB, once a user."""


def hash_password(password: str) -> str:
    """The Argon2id hash of a password, salted. Takes about 50 ms of one core: for commands; servers use `Passwords`."""
    return _hashes.hash(canonical_password(password))


def verify_password(password: str, password_hash: str) -> bool:
    """Whether the password is the one that was hashed, by us or by another program. As slow as `hash_password`."""
    text = canonical_password(password) if is_our_hash(password_hash) else password
    if password_hash.startswith("$2"):
        # bcrypt uses no more bytes; older versions truncated silently, so hashes of longer passwords are of these bytes.
        text = text.encode()[:BCRYPT_BYTES_MAX].decode(errors="ignore")
    try:
        return _hashes.verify(text, password_hash)
    except (UnknownHashError, ValueError):
        return False


def is_usable_hash(password_hash: str) -> bool:
    """Whether log-in supports another program's hash: argon2 or bcrypt, of an acceptable cost."""
    if found := _ARGON2.fullmatch(password_hash):
        memory, passes, lanes = map(int, found.groups())
        return (
            8 * lanes <= memory <= FOREIGN_MEMORY_KIB_MAX
            and 1 <= passes <= FOREIGN_PASSES_MAX
            and 1 <= lanes <= FOREIGN_LANES_MAX
        )
    found = _BCRYPT.fullmatch(password_hash)
    return found is not None and 4 <= int(found[1]) <= FOREIGN_ROUNDS_LOG2_MAX


def is_our_hash(password_hash: str) -> bool:
    """Whether a hash has the parameters that `hash_password` uses; another one is renewed at the next log-in."""
    return password_hash.startswith(f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}$")


UNKNOWN_USERS_HASH = f"$argon2id$v=19$m={MEMORY_KIB},t={PASSES},p={LANES}${'A' * 22}${'A' * 43}"
"""Compared with the passwords of unknown users, so that they take as long. It matches no password."""
