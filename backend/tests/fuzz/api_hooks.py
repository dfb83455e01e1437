"""What Schemathesis needs to know of us: who calls, from where. Loaded by it (SCHEMATHESIS_HOOKS), not by pytest.

Every call comes as an admin with a session of her own, for calls that end sessions and erase accounts are among what is
tried; and from an address of its own, or the limits would answer nearly everything after the first minute.
"""

import ipaddress
import os
import random
from datetime import UTC, datetime
from uuid import uuid4

import psycopg
import schemathesis

from zerkalo.auth.model import AccessClaims
from zerkalo.auth.rules import derive_key, encode_access_token, new_refresh_token, token_digest

_conn = psycopg.connect(os.environ["ZERKALO_FUZZ_DSN"], autocommit=True)
_key = derive_key(os.environ["ZERKALO_FUZZ_SECRET_KEY"], "access token")
_rng = random.Random(1)


@schemathesis.auth(refresh_interval=None)
class NewAdmin:
    """An account and a log-in for each call."""

    def get(self, case, context):
        now, family = datetime.now(UTC), uuid4()
        row = _conn.execute(
            "insert into users (email, name, role) values (%s, 'fuzz', 'owner') returning id",
            [f"{uuid4().hex}@fuzz.test"],
        ).fetchone()
        assert row is not None
        _conn.execute(
            "insert into refresh_tokens (token_hash, family, user_id, issued_at, expires_at)"
            " values (%s, %s, %s, %s::timestamptz, %s::timestamptz + interval '1 day')",
            [token_digest(new_refresh_token()), family, row[0], now, now],
        )
        return encode_access_token(_key, AccessClaims(row[0], 0, family), now=now)

    def set(self, case, data, context):
        case.headers["Authorization"] = f"Bearer {data}"


@schemathesis.hook
def before_call(context, case, kwargs):
    """Another address each time; this machine's word for it is believed."""
    case.headers["X-Forwarded-For"] = str(ipaddress.IPv4Address(_rng.randrange(2**24, 2**31)))
