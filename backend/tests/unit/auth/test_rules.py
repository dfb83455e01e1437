"""Access tokens, keys, and whom an address counts for."""

from datetime import UTC, datetime, timedelta
from typing import Any
from uuid import uuid4

import jwt
import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerkalo.auth import rules
from zerkalo.auth.model import AUTH_LIMITS, AccessClaims

NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
KEY = rules.derive_key("a secret of the tests", "access token")
CLAIMS = AccessClaims(5, 3, uuid4())


def forged(key: bytes = KEY, algorithm: str | None = "HS256", **changes: Any) -> str:
    """A token like ours, but for the changes; a change to None leaves the claim out."""
    payload = {
        "iss": rules.ISSUER,
        "aud": rules.AUDIENCE,
        "sub": "5",
        "iat": int(NOW.timestamp()),
        "exp": int(NOW.timestamp()) + 900,
        "epoch": 3,
        "sid": str(CLAIMS.family),
    } | changes
    kept = {name: value for name, value in payload.items() if value is not None}
    return jwt.encode(kept, key if algorithm else "", algorithm=algorithm or "none")


def test_a_token_says_what_was_put_in() -> None:
    token = rules.encode_access_token(KEY, CLAIMS, now=NOW)

    assert rules.decode_access_token(KEY, token, now=NOW) == CLAIMS
    assert rules.decode_access_token(KEY, forged(), now=NOW) == CLAIMS, (
        "the forger of this test knows the form"
    )


def test_a_token_ends_after_fifteen_minutes() -> None:
    token = rules.encode_access_token(KEY, CLAIMS, now=NOW)

    assert rules.decode_access_token(KEY, token, now=NOW + timedelta(minutes=14, seconds=59)) is not None
    assert rules.decode_access_token(KEY, token, now=NOW + timedelta(minutes=15)) is None


@pytest.mark.parametrize(
    "token",
    [
        pytest.param(forged(algorithm=None), id="alg none"),
        pytest.param(forged(key=b"another key, long enough for HS256"), id="another key"),
        pytest.param(forged(key=KEY * 2, algorithm="HS512"), id="another algorithm"),
        pytest.param(forged(iss="somebody"), id="another issuer"),
        pytest.param(forged(aud="another"), id="another audience"),
        pytest.param(forged(exp=None), id="no end"),
        pytest.param(forged(epoch=None), id="no epoch"),
        pytest.param(forged(sid="family"), id="no family"),
        pytest.param(forged(sub="-1"), id="no user"),
        pytest.param(forged(sub=str(2**63)), id="beyond bigint"),
        pytest.param(forged(sub="five"), id="not a number"),
        pytest.param(forged(epoch=2**40), id="beyond integer"),
        pytest.param(forged(iat=int(NOW.timestamp()) + 3600), id="from the future"),
        pytest.param("", id="empty"),
        pytest.param("a.b.c", id="not a token"),
        pytest.param("x" * 10_000, id="too long"),
    ],
)
def test_a_forged_token_says_nothing(token: str) -> None:
    assert rules.decode_access_token(KEY, token, now=NOW) is None


@given(st.text(max_size=200))
def test_any_text_is_refused_without_an_error(text: str) -> None:
    assert rules.decode_access_token(KEY, text, now=NOW) is None


def test_keys_differ_by_purpose_and_secret() -> None:
    keys = {rules.derive_key(secret, purpose) for secret in ("one", "other") for purpose in ("a", "b")}

    assert len(keys) == 4
    assert all(len(key) == 32 for key in keys)


@pytest.mark.parametrize(
    ("host", "subject"),
    [
        ("203.0.113.7", "203.0.113.7"),
        ("::ffff:203.0.113.7", "203.0.113.7"),
        ("2001:db8:1:2:3:4:5:6", "2001:db8:1:2::/64"),
        ("2001:db8:1:2:ffff::1", "2001:db8:1:2::/64"),
        ("testclient", "unknown"),
        (None, "unknown"),
    ],
)
def test_one_household_counts_as_one_address(host: str | None, subject: str) -> None:
    assert rules.address_subject(host) == subject


def test_the_same_letter_typed_in_two_ways_is_the_same_password() -> None:
    assert rules.canonical_password("мой") == rules.canonical_password("мои\u0306")


def test_a_bucket_does_not_show_whom_it_counts() -> None:
    bucket = rules.bucket_of(KEY, AUTH_LIMITS.login_of_address, "203.0.113.7")

    assert "203" not in bucket
    assert bucket != rules.bucket_of(KEY, AUTH_LIMITS.login_of_account, "203.0.113.7")
