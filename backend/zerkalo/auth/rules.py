"""Tokens and keys as values. Pure, but for the source of randomness in `new_refresh_token`."""

import hashlib
import hmac
import ipaddress
import secrets
import unicodedata
from base64 import urlsafe_b64encode
from dataclasses import replace
from datetime import datetime, timedelta
from uuid import UUID

import jwt

from zerkalo.auth.model import AccessClaims, Limit

ACCESS_TOKEN_SPAN = timedelta(minutes=15)
REFRESH_TOKEN_SPAN = timedelta(days=30)
ISSUER = "zerkalo"
AUDIENCE = "zerkalo-api"
ALGORITHM = "HS256"

PASSWORD_CHARS_MIN = 8
PASSWORD_CHARS_MAX = 1000
TOKEN_CHARS_MAX = 4096

IPV6_FACTORS = ((64, 1), (56, 4), (48, 16))


def derive_key(secret_key: str, purpose: str) -> bytes:
    """A 32-byte key for one purpose (HMAC-SHA-256), so that a value made for one purpose is invalid for another."""
    return hmac.digest(secret_key.encode(), f"zerkalo {purpose}".encode(), "sha256")


def encode_access_token(key: bytes, claims: AccessClaims, *, now: datetime) -> str:
    """A signed token that is valid for `ACCESS_TOKEN_SPAN` from `now` (aware UTC)."""
    payload = {
        "iss": ISSUER,
        "aud": AUDIENCE,
        "sub": str(claims.user_id),
        "iat": int(now.timestamp()),
        "exp": int((now + ACCESS_TOKEN_SPAN).timestamp()),
        "epoch": claims.epoch,
        "sid": str(claims.family),
    }
    # The library's types name a package for other algorithms, which we don't have.
    return jwt.encode(payload, key, algorithm=ALGORITHM)  # pyright: ignore[reportUnknownMemberType]  # its types are open


def decode_access_token(key: bytes, token: str, *, now: datetime) -> AccessClaims | None:
    """The token's claims; None where its signature, algorithm, issuer, audience, form or time is wrong.

    The library's own check of the time is off: `now` decides, as everywhere, and a token from the future is refused.
    """
    if len(token) > TOKEN_CHARS_MAX:
        return None
    try:
        payload = jwt.decode(  # pyright: ignore[reportUnknownMemberType]  as above
            token,
            key,
            algorithms=[ALGORITHM],
            issuer=ISSUER,
            audience=AUDIENCE,
            options={
                "require": ["iss", "aud", "sub", "iat", "exp", "epoch", "sid"],
                "verify_exp": False,
                "verify_iat": False,
                "verify_nbf": False,
            },
        )
        issued_at, expires_at = float(payload["iat"]), float(payload["exp"])
        claims = AccessClaims(int(payload["sub"]), int(payload["epoch"]), UUID(payload["sid"]))
    except (jwt.PyJWTError, ValueError, TypeError, AttributeError, OverflowError, RecursionError):
        return None
    is_live = (
        issued_at - 60 <= now.timestamp() < expires_at
    )  # a minute for clocks that differ between machines
    return claims if is_live and 0 < claims.user_id < 2**63 and abs(claims.epoch) < 2**31 else None


def new_refresh_token() -> str:
    """256 random bits. Valid only with the row that holds its digest."""
    return secrets.token_urlsafe(32)


def token_digest(token: str) -> bytes:
    """The digest that a random token is stored as. Unsalted and fast, which is enough for 256 random bits."""
    return hashlib.sha256(token.encode(errors="replace")).digest()


def keyed_digest(key: bytes, text: str) -> bytes:
    """A digest that needs the key."""
    return hmac.digest(key, text.encode(errors="replace"), "sha256")


def bucket_of(key: bytes, limit: Limit, subject: str) -> str:
    """The key that tries of a subject are counted under: a keyed digest, so that no address is stored."""
    return hmac.digest(key, f"{limit.name}|{subject}".encode(errors="replace"), "sha256").hex()[:32]


def successor_of(key: bytes, refresh_token: str) -> str:
    """The refresh token that follows this one: derived, so that it can be returned again without being stored."""
    return urlsafe_b64encode(keyed_digest(key, refresh_token)).rstrip(b"=").decode()


def networks_of(address: str) -> tuple[tuple[str, int], ...]:
    """(network, factor) pairs that tries from an `address_subject` count for; a limit is multiplied by the factor.

    An IPv4 address is one caller. An IPv6 caller often owns a whole /56 or /48, so these are limited too.
    """
    try:
        network = ipaddress.ip_network(address)
    except ValueError:
        return ((address, 1),)
    if isinstance(network, ipaddress.IPv4Network):
        return ((address, 1),)
    return tuple((str(network.supernet(new_prefix=bits)), factor) for bits, factor in IPV6_FACTORS)


def by_address(limit: Limit, address: str, subject: str = "") -> list[tuple[Limit, str]]:
    """The limit on a subject for each network of the address."""
    return [
        (replace(limit, count_max=limit.count_max * factor), f"{subject}|{network}" if subject else network)
        for network, factor in networks_of(address)
    ]


def address_subject(host: str | None) -> str:
    """The caller that an IP address counts for: IPv4 as it is, for IPv6 the /64 of one household or server."""
    try:
        address = ipaddress.ip_address(host or "")
    except ValueError:
        return "unknown"
    if isinstance(address, ipaddress.IPv4Address):
        return str(address)
    if address.ipv4_mapped is not None:
        return str(address.ipv4_mapped)
    return str(ipaddress.ip_network((address.packed[:8] + bytes(8), 64)))


def canonical_password(password: str) -> str:
    """The password in one Unicode form (NFKC): й has two encodings, by keyboard."""
    return unicodedata.normalize("NFKC", password)
