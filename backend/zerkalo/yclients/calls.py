"""One call to YCLIENTS: its headers, its slot in the rate limit, its retries, and the meaning of its status."""

import asyncio
import random
import ssl
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from pathlib import Path
from time import perf_counter
from types import TracebackType
from typing import Any, NoReturn, Self, TypeVar

import httpx2
import msgspec

from zerkalo.kit.backoff import Backoff
from zerkalo.kit.clock import Clock, utc_now
from zerkalo.metrics.counts import LIMITER_SECONDS, REQUESTS
from zerkalo.telemetry.tracing import span
from zerkalo.yclients import refusals
from zerkalo.yclients.errors import (
    AccessDenied,
    BookingRefused,
    NotFound,
    RequestRefused,
    VendorError,
    VendorUnavailable,
)
from zerkalo.yclients.limiter import Kind, Limiter, Sleep
from zerkalo.yclients.model import NotEnvelope, NotJson, UnreadableRecord

T = TypeVar("T")

ACCEPT = "application/vnd.yclients.v2+json"
"""Without it YCLIENTS answers in an older format without an envelope (yclients-api.md, section 1)."""

CONNECT_SECONDS_MAX = 10.0
READ_SECONDS_MAX = 30.0
CALL_SECONDS_MAX: dict[Kind, float] = {"interactive": 20.0, "background": 90.0, "unsigned": 90.0}
"""For one whole attempt: a server that sends a byte now and then must not block us."""
BODY_BYTES_MAX = 32 * 1024 * 1024
ATTEMPTS_MAX: dict[Kind, int] = {"interactive": 2, "background": 5, "unsigned": 5}
WAIT_SECONDS_MAX: dict[Kind, float] = {"interactive": 2.0, "background": 120.0, "unsigned": 120.0}
"""The longest pause before another attempt; where YCLIENTS asks for more, the call fails and the next period tries."""
BACKOFF = Backoff(0.5, 30.0)
CONNECTIONS_MAX = 20

_NOTHING_SENT = (httpx2.ConnectError, httpx2.ConnectTimeout, httpx2.PoolTimeout, httpx2.UnsupportedProtocol)
_AGAIN = frozenset({408, 425, 429})


class Call(msgspec.Struct, frozen=True, kw_only=True):
    """A request to YCLIENTS."""

    method: str
    path: str
    """Below the base URL, with a slash in front."""
    params: Sequence[tuple[str, str]] = ()
    """In order; a key may occur several times (`service_ids[]`)."""
    body: Mapping[str, Any] | None = None
    as_user: bool = True
    """Whether the user's token is sent; the online-booking calls need only the partner's."""
    kind: Kind = "background"
    repeatable: bool = False
    """Whether it is idempotent; other calls are repeated only if the failed attempt certainly had no effect."""
    is_booking: bool = False
    """Whether a refusal is the salon's answer to the client, not an error of ours."""


class Caller:
    """Sends calls one by one through the limiter. An async context manager; its repr shows no token."""

    def __init__(
        self,
        base_url: str,
        partner_token: str,
        user_token: str,
        limiter: Limiter,
        *,
        ca_file: Path | None = None,
        transport: httpx2.AsyncBaseTransport | None = None,
        clock: Clock = utc_now,
        sleep: Sleep = asyncio.sleep,
        rng: Callable[[], float] = random.random,
    ) -> None:
        self._missing = [
            name
            for name, token in (
                ("YCLIENTS_PARTNER_TOKEN", partner_token),
                ("YCLIENTS_USER_TOKEN", user_token),
            )
            if not token
        ]
        self._partner = f"Bearer {partner_token}"
        self._partner_and_user = f"Bearer {partner_token}, User {user_token}"
        self._limiter = limiter
        self._clock = clock
        self._sleep = sleep
        self._rng = rng
        self._http = httpx2.AsyncClient(
            base_url=base_url.rstrip("/"),
            transport=transport,
            verify=ssl.create_default_context(cafile=ca_file) if ca_file else True,
            follow_redirects=False,  # the tokens would go along to wherever it points
            timeout=httpx2.Timeout(READ_SECONDS_MAX, connect=CONNECT_SECONDS_MAX),
            limits=httpx2.Limits(max_connections=CONNECTIONS_MAX, max_keepalive_connections=CONNECTIONS_MAX),
            headers={"Accept": ACCEPT, "User-Agent": "zerkalo"},
        )

    async def __aenter__(self) -> Self:
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self.aclose()

    async def aclose(self) -> None:
        """Close every connection."""
        await self._http.aclose()

    async def call(self, call: Call, read: Callable[[bytes], T]) -> T:
        """Return what `read` makes of the answer's body, after as many attempts as the call's kind allows.

        `read` raises NotJson or NotEnvelope for an invalid answer. Raises the errors of `zerkalo.yclients.errors`,
        and UnreadableRecord if `read` does.
        """
        missing = [name for name in self._missing if call.as_user or name == "YCLIENTS_PARTNER_TOKEN"]
        if missing:
            raise AccessDenied(f"not set: {', '.join(missing)}", 401)
        may_have_acted = False
        for attempt in range(1, ATTEMPTS_MAX[call.kind] + 1):
            try:
                return await self._attempt(call, read)
            except VendorUnavailable as error:
                may_have_acted = error.may_have_acted = may_have_acted or error.may_have_acted
                await self._pause_before_another(call, attempt, error)
        raise AssertionError("the last attempt either returns or raises")

    async def _pause_before_another(self, call: Call, attempt: int, error: VendorUnavailable) -> None:
        """Wait before the next attempt; raise the error where another one would be useless."""
        wait = max(BACKOFF.seconds(attempt, self._rng()), error.retry_after_seconds or 0.0)
        may_repeat = not error.lasting and (call.repeatable or not error.may_have_acted)
        gives_up = not may_repeat or attempt == ATTEMPTS_MAX[call.kind] or wait > WAIT_SECONDS_MAX[call.kind]
        if error.throttled or (gives_up and error.asked_to_wait):
            await self._limiter.pause(wait)  # for every process behind this address, us included
        if gives_up:
            raise error
        if not error.throttled:
            await self._sleep(wait)

    async def _attempt(self, call: Call, read: Callable[[bytes], T]) -> T:
        asked_at = perf_counter()
        try:
            await self._limiter.acquire(call.kind)
        finally:
            LIMITER_SECONDS.add(call.kind, by=perf_counter() - asked_at)
        try:
            with span("yclients request", method=call.method, what=call.path.split("/")[1]):
                answer = await self._ask(call, read)
        except VendorError as error:
            REQUESTS.add(_result_of(error))
            raise
        except UnreadableRecord:
            REQUESTS.add("ok")  # YCLIENTS answered, though with an unreadable record
            raise
        REQUESTS.add("ok")
        return answer

    async def _ask(self, call: Call, read: Callable[[bytes], T]) -> T:
        try:
            async with asyncio.timeout(CALL_SECONDS_MAX[call.kind]):
                response, body = await self._exchange(call)
        except _NOTHING_SENT as error:
            raise VendorUnavailable(f"no connection: {type(error).__name__}") from None
        except (httpx2.HTTPError, httpx2.InvalidURL, TimeoutError) as error:
            # Its text is left out: it may hold the URL, and the URL the hash of a booking.
            raise VendorUnavailable(f"no answer: {type(error).__name__}", may_have_acted=True) from None
        if not response.is_success:
            self._raise_for(call, response, body)
        return self._read(call, body, read)

    async def _exchange(self, call: Call) -> tuple[httpx2.Response, bytes]:
        headers = {"Authorization": self._partner_and_user if call.as_user else self._partner}
        content = None
        if call.body is not None:
            headers["Content-Type"] = "application/json"
            content = msgspec.json.encode(call.body)
        params = httpx2.QueryParams(list(call.params)) if call.params else None
        async with self._http.stream(
            call.method, call.path, params=params, headers=headers, content=content
        ) as response:
            return response, await _bounded_body(response)

    def _read(self, call: Call, body: bytes, read: Callable[[bytes], T]) -> T:
        if call.is_booking and refusals.is_refused(body):
            raise _booking_refused(refusals.parse_error(body), 200)
        try:
            return read(body)
        except (NotJson, NotEnvelope) as error:
            said = refusals.parse_error(body).message
            reason = f"{error.reason}: {said}" if said else error.reason
            raise VendorUnavailable(reason, may_have_acted=True) from None

    def _raise_for(self, call: Call, response: httpx2.Response, body: bytes) -> NoReturn:
        """Raise the error for a status other than success (yclients-api.md, section 1)."""
        status = response.status_code
        if status in _AGAIN or status >= 500:
            raise VendorUnavailable(
                f"status {status}",
                retry_after_seconds=retry_after_seconds(response.headers.get("Retry-After"), self._clock()),
                may_have_acted=status != 429,
                throttled=status == 429,
            )
        if status < 400:
            raise VendorUnavailable(f"status {status}: the address is not the API's", lasting=True)
        said = refusals.parse_error(body)
        if call.is_booking and (status in (400, 422) or said.code in refusals.BOOKING_CODES):
            raise _booking_refused(said, status)
        if status in (401, 402, 403):
            raise AccessDenied(said.message or "YCLIENTS gave no reason", status)
        if status == 404 and said.is_vendors:
            raise NotFound(said.message or "not found")
        if status == 404:
            raise VendorUnavailable("status 404 that is not YCLIENTS's own", may_have_acted=True)
        raise RequestRefused(status, said.message, said.fields)


def _result_of(error: VendorError) -> str:
    """Return the label under which a request's result is counted."""
    if isinstance(error, NotFound):
        return "not_found"
    if isinstance(error, AccessDenied):
        return "denied"
    if isinstance(error, VendorUnavailable):
        return "throttled" if error.throttled else "unavailable"
    return "refused"


async def _bounded_body(response: httpx2.Response) -> bytes:
    body = bytearray()
    async for chunk in response.aiter_bytes():
        body += chunk
        if len(body) > BODY_BYTES_MAX:
            raise VendorUnavailable("the answer is endless", may_have_acted=True, lasting=True)
    return bytes(body)


def _booking_refused(said: refusals.ErrorBody, status: int) -> BookingRefused:
    code = said.code if said.code in refusals.BOOKING_CODES else None
    return BookingRefused(
        code, said.message, appointment_id=said.appointment_id, fields=said.fields, status=status
    )


def retry_after_seconds(header: str | None, now: datetime) -> float | None:
    """Return how long `Retry-After` asks to wait, in either of its forms (RFC 9110, 10.2.3); None without one."""
    if not header:
        return None
    text = header.strip()
    if text.isascii() and text.isdigit():
        return float(text.lstrip("0")[:9] or 0)
    try:
        moment = parsedate_to_datetime(text)
    except ValueError:
        return None
    moment = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return max((moment - now).total_seconds(), 0.0)
