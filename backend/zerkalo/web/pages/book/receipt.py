"""The signed address of a booking just made, for users and guests: nobody can guess another's. Pure."""

import hmac
from base64 import urlsafe_b64decode, urlsafe_b64encode
from datetime import datetime

import msgspec

from zerkalo.kit.problem import ProblemError

_SIGNATURE_BYTES = 16
_TOKEN_CHARS_MAX = 200


def sign(key: bytes, company_id: int, record_id: int, starts_at: datetime) -> str:
    """Return the last part of the address; `starts_at` is shown until the mirror has the booking."""
    body = msgspec.json.encode([company_id, record_id, starts_at.isoformat()])
    signature = hmac.digest(key, body, "sha256")[:_SIGNATURE_BYTES]
    return urlsafe_b64encode(signature + body).decode().rstrip("=")


def read(key: bytes, token: str) -> tuple[int, int, datetime]:
    """Return company, record and start of a token. Raises a 404 `ProblemError` for one that we have not signed."""
    try:
        whole = urlsafe_b64decode(token + "=" * (-len(token) % 4)) if len(token) <= _TOKEN_CHARS_MAX else b""
    except ValueError:
        whole = b""
    signature, body = whole[:_SIGNATURE_BYTES], whole[_SIGNATURE_BYTES:]
    if not hmac.compare_digest(signature, hmac.digest(key, body, "sha256")[:_SIGNATURE_BYTES]):
        raise ProblemError(404, "not_found", "There is no such booking.")
    company_id, record_id, starts_at = msgspec.json.decode(body, type=tuple[int, int, str])
    return company_id, record_id, datetime.fromisoformat(starts_at)
