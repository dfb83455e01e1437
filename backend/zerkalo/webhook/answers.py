"""What the door answers, as bytes: the outcome, or a problem (RFC 9457). Problems are written once, at import."""

from dataclasses import dataclass

import msgspec

from zerkalo.mirror.model import Outcome
from zerkalo.webhook.model import LIMITS

Header = tuple[bytes, bytes]

RETRY_AFTER_SECONDS = 5

_RETRY: Header = (b"retry-after", str(RETRY_AFTER_SECONDS).encode())
_CLOSE: Header = (b"connection", b"close")
"""Of an answer that leaves a body unread: the rest of it is not waited for."""
_JSON: Header = (b"content-type", b"application/json")
_PROBLEM: Header = (b"content-type", b"application/problem+json")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer without the headers that all have. `counted_as`: the outcome, or the code of its error."""

    status: int
    body: bytes
    headers: tuple[Header, ...]
    counted_as: str


def ok(outcome: Outcome) -> Answer:
    """200 with what the call did."""
    body = msgspec.json.encode({"status": outcome.status, "booking_id": outcome.booking_id})
    return Answer(200, body, (_JSON, _length(body)), outcome.status.value)


def problem(status: int, code: str, detail: str, *more: Header) -> Answer:
    """An error with a stable code and one sentence for people."""
    body = msgspec.json.encode(
        {
            "type": "about:blank",
            "title": code.replace("_", " "),
            "status": status,
            "code": code,
            "detail": detail,
        }
    )
    return Answer(status, body, (_PROBLEM, _length(body), *more), code)


def _length(body: bytes) -> Header:
    return (b"content-length", str(len(body)).encode())


DISABLED = problem(503, "yclients_disabled", "YCLIENTS_ENABLED is off.", _RETRY, _CLOSE)
WRONG_METHOD = problem(
    405, "method_not_allowed", "YCLIENTS posts to this address.", (b"allow", b"POST"), _CLOSE
)
WRONG_TOKEN = problem(401, "wrong_token", "The token is missing or wrong.", _CLOSE)
TOO_LARGE = problem(
    413,
    "too_large",
    f"The body is over {LIMITS.body_bytes} bytes, or over {LIMITS.unsigned_body_bytes} without a token.",
    _CLOSE,
)
TOO_SLOW = problem(408, "too_slow", "The body did not arrive in time.", _CLOSE)
DATABASE_UNAVAILABLE = problem(
    503, "database_unavailable", "The database does not answer; come again.", _RETRY
)
SHUTTING_DOWN = problem(503, "shutting_down", "The server is being restarted; come again.", _RETRY)
INTERNAL_ERROR = problem(500, "internal_error", "Something went wrong on our side. It has been logged.")
