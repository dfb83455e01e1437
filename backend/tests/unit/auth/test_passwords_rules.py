"""Hashes of our own and of other programs."""

import bcrypt
import pytest
from pwdlib.hashers.argon2 import Argon2Hasher

from zerkalo.auth.passwords.rules import hash_password, is_our_hash, is_usable_hash, verify_password

PASSWORD = "пароль Анны"
BCRYPT = bcrypt.hashpw(PASSWORD.encode(), b"$2b$04$ABCDEFGHIJKLMNOPQRSTUu").decode()
ARGON2 = Argon2Hasher(time_cost=2, memory_cost=1024, parallelism=2).hash(PASSWORD, salt=b"sixteen bytes...")


@pytest.mark.parametrize(
    "made", [BCRYPT, BCRYPT.replace("$2b$", "$2y$", 1), BCRYPT.replace("$2b$", "$2a$", 1), ARGON2]
)
def test_hash_of_another_program_works_as_it_is(made: str):
    assert is_usable_hash(made)
    assert not is_our_hash(made)
    assert verify_password(PASSWORD, made)
    assert not verify_password(PASSWORD + "?", made)


def test_our_own_hash_is_usable_and_needs_no_renewal():
    made = hash_password(PASSWORD)

    assert is_usable_hash(made)
    assert is_our_hash(made)
    assert verify_password(PASSWORD, made)


def test_bcrypt_of_a_long_password_counts_its_first_72_bytes():
    long = "я" * 60
    made = bcrypt.hashpw(long.encode()[:72], bcrypt.gensalt(4)).decode()

    assert verify_password(long, made)


@pytest.mark.parametrize(
    "made",
    [
        "",
        "5f4dcc3b5aa765d61d8327deb882cf99",
        "pbkdf2_sha256$600000$salt$hash",
        BCRYPT.replace("$04$", "$31$"),
        ARGON2.replace("m=1024", "m=9999999"),
        ARGON2.replace("t=2", "t=999"),
        ARGON2.replace("p=2", "p=64"),
        ARGON2.replace("m=1024", "m=1"),
        BCRYPT[:-1],
    ],
)
def test_hash_of_another_kind_or_an_unbearable_cost_is_refused(made: str):
    assert not is_usable_hash(made)
