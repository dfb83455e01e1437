"""The webhook: stop 1 on the path of an event. Checks the secret and the size, keeps the raw body, waits for its answer.

A bare Starlette endpoint, not a FastAPI one: an empty route costs a third. `web.api` mounts it and describes it in
OpenAPI from `OPENAPI`.
"""

import asyncio
import hmac
from collections.abc import Callable, Collection
from dataclasses import dataclass
from time import perf_counter
from typing import Any

import msgspec
import psycopg
import structlog
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response
from starlette.routing import Route

from zerkalo.inbox.model import Delivery
from zerkalo.kit.clock import Clock
from zerkalo.mirror.model import Item, Outcome, OutcomeStatus
from zerkalo.webhook.committer import Committer, Overloaded
from zerkalo.webhook.intake import Refusal, read_delivery, read_hint

log = structlog.get_logger(__name__)

BODY_BYTES_MAX = 1024 * 1024
BODY_SECONDS_MAX = 10.0
"""A caller that sends its body slower than this is let go. YCLIENTS itself waits 15 seconds for our answer."""
LENGTH_DIGITS_MAX = 19
"""Of a Content-Length; one with more is too large anyway."""
ANSWER_SECONDS_MAX = 12.0
RETRY_AFTER_SECONDS = 5
PATHS = ("/yclients/webhook", "/yclients/webhook/{token}")

# Any error of the database: one that is an item's own fault has been dealt with below (`service.REFUSED`).
DATABASE_SILENT = (psycopg.Error, TimeoutError, Overloaded)


@dataclass(frozen=True, slots=True)
class Webhook:
    """What the webhook needs. `secret` None: every call is a hint. `enabled` False: every call is answered 503."""

    committer: Committer
    company_ids: Collection[int]
    secret: str | None
    enabled: bool
    clock: Clock
    on_answer: Callable[[str, float], None] = lambda _outcome, _seconds: None
    """Told each call's outcome, or the code of its error, and the seconds it took."""

    def routes(self, prefix: str = "") -> list[Route]:
        """The webhook at its two paths, behind `prefix` (/api/v1)."""
        return [Route(prefix + path, self._answer, methods=["POST"]) for path in PATHS]

    async def _answer(self, request: Request) -> Response:
        began_at = perf_counter()
        answer, counted_as = await self._receive(request)
        self.on_answer(counted_as, perf_counter() - began_at)
        return answer

    async def _receive(self, request: Request) -> tuple[Response, str]:
        if not self.enabled:
            return _problem(503, "yclients_disabled", "YCLIENTS_ENABLED is off.", retry=True)
        if not self._is_allowed(request):
            log.warning("webhook refused: wrong token")
            return _problem(401, "wrong_token", "The token is missing or wrong.")
        try:
            body = await asyncio.wait_for(_read(request), BODY_SECONDS_MAX)
        except _TooLarge:
            return _problem(413, "too_large", f"The body is over {BODY_BYTES_MAX} bytes.")
        except (TimeoutError, ClientDisconnect):
            return _problem(408, "too_slow", "The body did not arrive in time.")
        if self.secret is None:
            return await self._take(read_hint(body, self.company_ids))
        delivery = Delivery(body, received_at=self.clock())
        return await self._take(read_delivery(delivery, self.company_ids))

    def _is_allowed(self, request: Request) -> bool:
        if self.secret is None:
            return True
        token = request.path_params.get("token") or request.query_params.get("token") or ""
        return hmac.compare_digest(token.encode("utf-8", "surrogatepass"), self.secret.encode())

    async def _take(self, read: Item | Refusal) -> tuple[Response, str]:
        item = read.item if isinstance(read, Refusal) else read
        try:
            outcome = (
                await asyncio.wait_for(self.committer.submit(item), ANSWER_SECONDS_MAX) if item else None
            )
        except DATABASE_SILENT as error:
            # No trace: it would hold the body.
            log.error("webhook not stored: the database does not answer", error=type(error).__name__)  # noqa: TRY400  # expected; a traceback would tell nothing more
            return _problem(
                503, "database_unavailable", "The database does not answer; come again.", retry=True
            )
        except asyncio.CancelledError:
            # The server ends and has waited long enough for the database: uvicorn breaks off what is under way,
            # and would answer 500 itself. Nothing is done after this but the answer.
            return _problem(503, "shutting_down", "The server is being restarted; come again.", retry=True)
        if isinstance(read, Refusal):
            log.warning("webhook refused", status=read.status, code=read.code)
            return _problem(read.status, read.code, read.detail)
        assert outcome is not None, "what is not refused is submitted"
        _log(read.delivery, outcome)
        return _ok(outcome), outcome.status


class _TooLarge(Exception):
    pass


async def _read(request: Request) -> bytes:
    """The body, never more of it in memory than may be."""
    length = request.headers.get("content-length", "")
    if length.isascii() and length.isdigit() and int(length[:LENGTH_DIGITS_MAX]) > BODY_BYTES_MAX:
        raise _TooLarge
    chunks: list[bytes] = []
    size = 0
    async for chunk in request.stream():
        size += len(chunk)
        if size > BODY_BYTES_MAX:
            raise _TooLarge
        chunks.append(chunk)
    return b"".join(chunks)


def _log(delivery: Delivery | None, outcome: Outcome) -> None:
    """Only what somebody should look at: what else came in is told a line a commit (`service`)."""
    if outcome.status is OutcomeStatus.QUARANTINED:
        log.warning("webhook quarantined", reason=outcome.reason, record_id=delivery and delivery.resource_id)


def _ok(outcome: Outcome) -> Response:
    body = {"status": outcome.status, "booking_id": outcome.booking_id}
    return Response(msgspec.json.encode(body), media_type="application/json")


def _problem(status: int, code: str, detail: str, *, retry: bool = False) -> tuple[Response, str]:
    headers = {"Retry-After": str(RETRY_AFTER_SECONDS)} if retry else {}
    body = {
        "type": "about:blank",
        "title": code.replace("_", " "),
        "status": status,
        "code": code,
        "detail": detail,
    }
    return Response(msgspec.json.encode(body), status, headers, media_type="application/problem+json"), code


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
                            "data": {},
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
            "413": _described("The body is over 1 MiB."),
            "422": _described("The body is not YCLIENTS's envelope."),
            "503": _described("YCLIENTS_ENABLED is off, or the database does not answer; see Retry-After."),
        },
    }
}
