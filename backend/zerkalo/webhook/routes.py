"""The webhook: step 1 for an event. Check secret and size, store the raw body, wait for the commit, answer, count.

A raw ASGI callable ahead of the web framework and its middleware (`web.api`), which cost several times as much.
So it has its own limits and answer headers; `OPENAPI` describes it by hand.
"""

import asyncio
import hmac
from collections import Counter
from collections.abc import Collection, Sequence
from time import perf_counter
from typing import Any
from urllib.parse import parse_qs

import psycopg
import structlog
from starlette.types import Receive, Scope, Send

from zerkalo.db.failing import SILENT, reason_of
from zerkalo.inbox.model import Delivery
from zerkalo.kit.clock import Clock
from zerkalo.metrics.counts import SECONDS
from zerkalo.metrics.model import Histogram
from zerkalo.mirror.model import Item, Outcome, OutcomeStatus
from zerkalo.webhook import rules
from zerkalo.webhook.committer import Committer, Overloaded
from zerkalo.webhook.model import LIMITS, Limits
from zerkalo.webhook.rules import Answer, Header, Refusal, read_delivery, read_unsigned

log = structlog.get_logger(__name__)

PATH = "/api/v1/yclients/webhook"
LOG_SECONDS = 1.0
RECORDS_LOGGED_MAX = 20
"""Records and deliveries named in one log line."""

_OUTCOMES = frozenset(status.value for status in OutcomeStatus)
_NOT_STORED = "database_unavailable"
LENGTH_DIGITS_MAX = 19
"""The most digits of a Content-Length; one with more is too large anyway."""

About = tuple[int | None, int | None]
"""The record that a call was about, and the call's id in the inbox, where known."""
NOTHING: About = (None, None)

# Any error of the database: those caused by an item itself are handled below (`service.REFUSED`).
DATABASE_SILENT = (psycopg.Error, TimeoutError, Overloaded)


class Tally:
    """Counts calls to the webhook since the start of the process, and logs the new ones once a second.

    A log line per call, or even per commit, costs as much as the call itself.
    """

    def __init__(self, *, log_seconds: float = LOG_SECONDS) -> None:
        self.outcomes: Counter[str] = Counter()
        """Calls by outcome, or by the code of their error."""
        self.seconds = Histogram("zerkalo_webhook_seconds", "Seconds from call to answer.", SECONDS)
        self._log_seconds = log_seconds
        self._logged: Counter[str] = Counter()
        self._record_ids: list[int] = []
        self._delivery_ids: list[int] = []
        self._refused_ids: dict[str, list[int]] = {}
        """Deliveries that were stored although answered with an error, by its code."""
        self._reason = SILENT
        self._timer: asyncio.TimerHandle | None = None

    def count(
        self, outcome: str, seconds: float, record_id: int | None = None, delivery_id: int | None = None
    ) -> None:
        """Count one call by its outcome, or the code of its error, and the seconds it took."""
        self.outcomes[outcome] += 1
        self.seconds.observe(seconds)
        if record_id is not None and len(self._record_ids) < RECORDS_LOGGED_MAX:
            self._record_ids.append(record_id)
        if delivery_id is not None:
            kept = self._delivery_ids if outcome in _OUTCOMES else self._refused_ids.setdefault(outcome, [])
            if len(kept) < RECORDS_LOGGED_MAX:
                kept.append(delivery_id)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._log_seconds, self.log)

    def blame(self, error: BaseException) -> None:
        """Remember why calls can't be stored, for the next line of the log."""
        self._reason = reason_of(error)

    def log(self) -> None:
        """Log the counts since the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        new = self.outcomes - self._logged
        self._logged = self.outcomes.copy()
        record_ids, self._record_ids = self._record_ids, []
        delivery_ids, self._delivery_ids = self._delivery_ids, []
        refused_ids, self._refused_ids = self._refused_ids, {}
        done = {outcome: count for outcome, count in new.items() if outcome in _OUTCOMES}
        if done:
            log.info("webhook", **done, yclients_record_ids=record_ids, delivery_ids=delivery_ids)
        for code, count in new.items():
            if code == _NOT_STORED:
                event = f"webhook not stored: {self._reason}"
                log.error(event, count=count)
            elif code not in _OUTCOMES:
                # For example "webhook refused: wrong token": the runbook quotes it.
                event = f"webhook refused: {code.replace('_', ' ')}"
                named = {"delivery_ids": refused_ids[code]} if code in refused_ids else {}
                log.warning(event, count=count, **named)


def is_webhook(path: str) -> bool:
    """Return whether the webhook answers requests to this path."""
    return path.startswith(PATH) and path[len(PATH) : len(PATH) + 1] in {"", "/"}


class Webhook:
    """The webhook as an ASGI application, for the paths of `is_webhook`.

    `secrets`: each is accepted, so that one can be replaced without losing a call; none: every call is unsigned.
    `enabled` False: every call is answered 503. `headers`: of every answer.
    """

    def __init__(
        self,
        committer: Committer,
        company_ids: Collection[int],
        secrets: Sequence[str],
        *,
        clock: Clock,
        tally: Tally,
        enabled: bool = True,
        headers: Sequence[Header] = (),
        limits: Limits = LIMITS,
    ) -> None:
        self._committer = committer
        self._company_ids = company_ids
        self._secrets = [_comparable(secret) for secret in secrets]
        self._clock = clock
        self._tally = tally
        self._enabled = enabled
        self._headers = tuple(headers)
        self.limits = limits

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Answer one call."""
        began_at = perf_counter()
        answer, about = await self._answer(scope, receive)
        self._tally.count(answer.counted_as, perf_counter() - began_at, *about)
        headers = [*answer.headers, *self._headers]
        await send({"type": "http.response.start", "status": answer.status, "headers": headers})
        await send({"type": "http.response.body", "body": answer.body})

    async def _answer(self, scope: Scope, receive: Receive) -> tuple[Answer, About]:
        """Return the answer, and what the call was about."""
        refusal = self._refusal(scope)
        if refusal is not None:
            return refusal, NOTHING
        try:
            async with asyncio.timeout(self.limits.body_seconds):
                body = await _read(receive, self._bytes_max)
        except TimeoutError:
            body = rules.TOO_SLOW
        if isinstance(body, Answer):
            return body, NOTHING
        if not self._secrets:
            return await self._take(read_unsigned(body, self._company_ids))
        return await self._take(read_delivery(Delivery(body, self._clock()), self._company_ids))

    def _refusal(self, scope: Scope) -> Answer | None:
        """Return the refusal of a call that fails before its body is read."""
        if scope["method"] != "POST":
            return rules.WRONG_METHOD
        if not self._enabled:
            return rules.DISABLED
        if self._secrets and not self._is_allowed(scope):
            return rules.WRONG_TOKEN
        return rules.TOO_LARGE if _length(scope) > self._bytes_max else None

    def _is_allowed(self, scope: Scope) -> bool:
        token = scope["path"][len(PATH) + 1 :].removesuffix("/")
        if not token:
            token = parse_qs(scope["query_string"].decode("latin-1")).get("token", [""])[-1]
        given = _comparable(token)
        # All are compared, whatever the first result: the time must not reveal which one matched.
        matches = [hmac.compare_digest(given, secret) for secret in self._secrets]
        return any(matches)

    @property
    def _bytes_max(self) -> int:
        return self.limits.body_bytes if self._secrets else self.limits.unsigned_body_bytes

    async def _take(self, read: Item | Refusal) -> tuple[Answer, About]:
        if isinstance(read, Refusal):
            return await self._keep(read)
        outcome = await self._submit(read)
        record_id = read.delivery.resource_id if read.delivery else None
        if isinstance(outcome, Answer):
            return outcome, (record_id, None)
        if outcome.status is OutcomeStatus.QUARANTINED:
            log.warning(
                "webhook quarantined",
                reason=outcome.reason,
                record_id=record_id,
                delivery_id=outcome.delivery_id,
            )
        return rules.ok(outcome), (record_id, outcome.delivery_id)

    async def _keep(self, refusal: Refusal) -> tuple[Answer, About]:
        """Answer an unreadable body; one with the secret is quarantined first."""
        kept = await self._submit(refusal.item) if refusal.item else None
        if isinstance(kept, Answer):
            return kept, NOTHING
        delivery_id = kept.delivery_id if kept is not None else None
        return rules.problem(refusal.status, refusal.code, refusal.detail), (None, delivery_id)

    async def _submit(self, item: Item) -> Outcome | Answer:
        """Return the item's outcome once committed; an error answer where it is unknown."""
        try:
            return await self._committer.submit(item)
        except DATABASE_SILENT as error:
            self._tally.blame(error)
            return rules.DATABASE_UNAVAILABLE
        except asyncio.CancelledError:
            # The server shuts down and has waited long enough for the database: uvicorn cancels open requests,
            # and would answer 500 itself. Only the answer follows.
            return rules.SHUTTING_DOWN
        except Exception as error:  # a bug of ours; the caller retries
            log.error("webhook failed", exc_info=error)  # noqa: TRY400  the scrub hides what the trace quotes
            return rules.INTERNAL_ERROR


def _comparable(token: str) -> bytes:
    """Return the token without a trailing slash, which a pasted address may have."""
    return token.removesuffix("/").encode("utf-8", "surrogatepass")


def _length(scope: Scope) -> int:
    """Return the Content-Length; 0 where it is missing."""
    for name, value in scope["headers"]:
        if name == b"content-length":
            return int(value[:LENGTH_DIGITS_MAX]) if value.isdigit() else 0
    return 0


async def _read(receive: Receive, bytes_max: int) -> bytes | Answer:
    """Return the body, never with more than `bytes_max` in memory."""
    chunks: list[bytes] = []
    size = 0
    while True:
        message = await receive()
        if message["type"] == "http.disconnect":
            return rules.TOO_SLOW
        chunk = message.get("body", b"")
        size += len(chunk)
        if size > bytes_max:
            return rules.TOO_LARGE
        chunks.append(chunk)
        if not message.get("more_body", False):
            return chunks[0] if len(chunks) == 1 else b"".join(chunks)


PATHS = {PATH: "receive_webhook", f"{PATH}/{{token}}": "receive_webhook_by_path"}
"""Path -> operation id."""


def _described(description: str) -> dict[str, Any]:
    schema = {"$ref": "#/components/schemas/Problem"}
    return {"description": description, "content": {"application/problem+json": {"schema": schema}}}


OPENAPI: dict[str, Any] = {
    "post": {
        "tags": ["yclients"],
        "summary": "Take in an event of YCLIENTS",
        "description": "Answers 200 only after what it says is committed. The token may stand in the query or the path.",
        "requestBody": {
            "required": True,
            "content": {
                "application/json": {
                    "schema": {
                        "type": "object",
                        "required": ["company_id", "resource", "status"],
                        "properties": {
                            "company_id": {"type": "integer"},
                            "resource": {"type": "string", "example": "record"},
                            "resource_id": {"type": "integer"},
                            "status": {"type": "string", "example": "create"},
                            "data": {
                                "description": "The record, client or visit as YCLIENTS writes it: any JSON."
                            },
                        },
                    }
                }
            },
        },
        "responses": {
            "200": {
                "description": "Committed.",
                "content": {
                    "application/json": {
                        "schema": {
                            "type": "object",
                            "required": ["status", "booking_id"],
                            "properties": {
                                "status": {
                                    "type": "string",
                                    "enum": [status.value for status in OutcomeStatus],
                                },
                                "booking_id": {"type": ["integer", "null"]},
                            },
                        }
                    }
                },
            },
            "400": _described("The body is not JSON."),
            "401": _described("The token is missing or wrong."),
            "403": _described("A company that is not ours."),
            "408": _described("The body did not arrive in time."),
            "413": _described("The body is over 1 MiB; over 64 KiB where no secret is set."),
            "422": _described("The body is not YCLIENTS's envelope."),
            "405": _described("Another method than POST."),
            "503": _described("YCLIENTS_ENABLED is off, or the database does not answer; see Retry-After."),
        },
    }
}
