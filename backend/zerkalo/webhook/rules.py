"""Turn a call to our webhook into an item to apply, and its answer. Pure.

An unreadable call gets a verdict, never an exception. Answers are bytes: the outcome, or a problem (RFC 9457); constant
ones are encoded once, at import.
"""

from collections.abc import Collection
from dataclasses import dataclass

import msgspec
from msgspec.structs import replace

from zerkalo.bookings.model import Source
from zerkalo.inbox.model import Delivery
from zerkalo.mirror.model import Item, Observation, Outcome, OutcomeStatus
from zerkalo.refetches.model import Refetch
from zerkalo.webhook.model import LIMITS
from zerkalo.yclients.payloads import (
    NotEnvelope,
    NotJson,
    UnreadableRecord,
    WebhookEvent,
    parse_unsigned,
    parse_webhook,
)


@dataclass(frozen=True, slots=True)
class Refusal:
    """A body that is answered with an error. `item` stores it in quarantine; None: it is not stored."""

    status: int
    code: str
    detail: str
    item: Item | None = None


def read_delivery(delivery: Delivery, company_ids: Collection[int]) -> Item | Refusal:
    """Parse a call with the secret. An unreadable one is quarantined.

    `company_ids` are ours. A change time without a zone is read with the record's own offset, or counts as missing.
    """
    try:
        event = parse_webhook(delivery.body)
    except NotJson as error:
        return _refusal(400, "not_json", "The body is not JSON.", delivery, error.reason)
    except NotEnvelope as error:
        return _refusal(422, "not_an_envelope", "The body is not a YCLIENTS event.", delivery, error.reason)
    except UnreadableRecord as error:
        if error.company_id not in company_ids:
            return _not_ours()
        told = replace(
            delivery, company_id=error.company_id, resource="record", resource_id=error.record_id, event=None
        )
        return Item(delivery=told, verdict=Outcome(OutcomeStatus.QUARANTINED, reason=error.reason))
    if event.company_id not in company_ids:
        return _not_ours()
    return _item(event, delivery)


def read_unsigned(body: bytes, company_ids: Collection[int]) -> Item | Refusal:
    """Parse a call without a secret, which anyone may have sent. It only requests a refetch of its record."""
    try:
        company_id, record_id = parse_unsigned(body)
    except NotJson:
        return Refusal(400, "not_json", "The body is not JSON.")
    except NotEnvelope:
        return Refusal(422, "not_an_envelope", "The body is not a YCLIENTS event.")
    if company_id not in company_ids:
        return _not_ours()
    if record_id is None:
        return Item(verdict=Outcome(OutcomeStatus.IGNORED, reason="no booking: an event of something else"))
    reason = "an unsigned call is checked with the API"
    return Item(
        verdict=Outcome(OutcomeStatus.QUEUED, reason=reason),
        refetch=Refetch(company_id, record_id, reason, unsigned=True),
    )


def _item(event: WebhookEvent, delivery: Delivery) -> Item:
    told = replace(
        delivery,
        company_id=event.company_id,
        resource=event.resource,
        resource_id=event.resource_id,
        event=event.status,
    )
    if event.resource != "record" or event.resource_id is None:
        reason = f"no booking: an event of {event.resource}"
        verdict = Outcome(OutcomeStatus.IGNORED, reason=reason)
        return Item(delivery=told, verdict=verdict, client=event.client)
    observation = Observation(
        source=Source.WEBHOOK,
        company_id=event.company_id,
        record_id=event.resource_id,
        record=event.record,
        is_delete=event.status == "delete",
    )
    return Item(observation=observation, delivery=told)


def _refusal(status: int, code: str, detail: str, delivery: Delivery, reason: str) -> Refusal:
    quarantined = Outcome(OutcomeStatus.QUARANTINED, reason=reason)
    return Refusal(status, code, detail, Item(delivery=delivery, verdict=quarantined))


def _not_ours() -> Refusal:
    return Refusal(403, "not_our_company", "The event is about a company that this server does not mirror.")


Header = tuple[bytes, bytes]

RETRY_AFTER_SECONDS = 5

_RETRY: Header = (b"retry-after", str(RETRY_AFTER_SECONDS).encode())
_CLOSE: Header = (b"connection", b"close")
"""Sent with an answer that leaves a body unread, so that the rest is not awaited."""
_JSON: Header = (b"content-type", b"application/json")
_PROBLEM: Header = (b"content-type", b"application/problem+json")


@dataclass(frozen=True, slots=True)
class Answer:
    """An answer without the common headers. `counted_as`: the outcome, or the code of its error."""

    status: int
    body: bytes
    headers: tuple[Header, ...]
    counted_as: str


def ok(outcome: Outcome) -> Answer:
    """Return 200 with the outcome."""
    body = msgspec.json.encode({"status": outcome.status, "booking_id": outcome.booking_id})
    return Answer(200, body, (_JSON, _length(body)), outcome.status.value)


def problem(status: int, code: str, detail: str, *more: Header) -> Answer:
    """Return an error with a stable code and one sentence for people."""
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
