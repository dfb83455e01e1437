"""The steps of every request of the vendor's API: limits, faults, tokens, the handler, the shape of an error."""

from collections.abc import Awaitable, Callable
from typing import Any, Literal

import msgspec
from starlette.requests import Request
from starlette.responses import Response
from starlette.types import Receive, Scope, Send

from yclients_emulator.emulator import Emulator, SeenRequest
from yclients_emulator.faults import Fault
from yclients_emulator.http.errors import CODE_PLACES, SHAPES, error_body
from yclients_emulator.model import VendorError
from yclients_emulator.reading import bad_request

PREFIX = "/api/v1"
Access = Literal["partner", "user"]
Handler = Callable[[Emulator, Request], Awaitable[Response]]
HTML = "<html><head><title>502 Bad Gateway</title></head><body><h1>502 Bad Gateway</h1></body></html>"


def json_response(body: object, status: int = 200, headers: dict[str, str] | None = None) -> Response:
    """`body` as the vendor sends JSON."""
    content = body if isinstance(body, bytes) else msgspec.json.encode(body)
    return Response(content, status, headers, media_type="application/json")


def enveloped(data: object, status: int = 200, meta: object = ()) -> Response:
    """The v2 envelope; an empty `meta` is the empty list, since the vendor is PHP."""
    return json_response({"success": True, "data": data, "meta": meta or []}, status)


async def json_body(request: Request) -> dict[str, Any]:
    """The request's JSON object; 400 for anything else."""
    try:
        body = msgspec.json.decode(await request.body())
    except msgspec.DecodeError:
        raise bad_request() from None
    if not isinstance(body, dict):
        raise bad_request()
    return body


def guarded(emulator: Emulator, handler: Handler, access: Access) -> Callable[[Request], Awaitable[Response]]:
    """The endpoint around a handler."""

    async def endpoint(request: Request) -> Response:
        path = request.url.path.removeprefix(PREFIX)
        for callback in emulator.before_request:
            callback(request.method, path)
        response = await _answer(emulator, request, path, handler, access)
        emulator.requests.append(
            SeenRequest(
                at=emulator.time(),
                address=_address(request),
                method=request.method,
                path=path,
                query=request.url.query,
                http_status=response.status_code,
                with_user_token=bool(_tokens(request).get("User")),
            )
        )
        return response

    return endpoint


async def _answer(
    emulator: Emulator, request: Request, path: str, handler: Handler, access: Access
) -> Response:
    refused = _refusal(emulator, request)
    if refused is not None:
        return refused
    fault = emulator.faults.pick(request.method, path)
    if fault is not None and not fault.after and fault.kind not in {"cut", "disconnect"}:
        return await _spoil(emulator, fault, None)
    try:
        _check_tokens(emulator, request, access)
        response = await handler(emulator, request)
    except VendorError as error:
        response = error_response(emulator, error)
    if _wants_old_format(emulator, request):
        response = _bare(response)
    return response if fault is None else await _spoil(emulator, fault, response)


def _address(request: Request) -> str:
    return request.client.host if request.client is not None else "unknown"


def _refusal(emulator: Emulator, request: Request) -> Response | None:
    settings = emulator.settings
    if not settings.rate_limit:
        return None
    wait = emulator.limiter.admit(
        _address(request), emulator.time(), settings.rate_per_second, settings.rate_per_minute
    )
    if wait <= 0:
        return None
    headers = {"Retry-After": str(int(wait) + 1)} if settings.retry_after else None
    if not settings.rate_limit_body:
        return Response(b"", 429, headers)
    body = {"success": False, "data": None, "meta": {"message": "Too Many Requests"}}
    return json_response(body, 429, headers)


def _tokens(request: Request) -> dict[str, str]:
    """The tokens of a request by their kind: `Bearer` is the partner's, `User` a user's."""
    words: dict[str, str] = {}
    for part in request.headers.get("authorization", "").split(","):
        kind, _, token = part.strip().partition(" ")
        words[kind] = token.strip()
    return words


def has_salon_token(emulator: Emulator, request: Request) -> bool:
    """Whether a request carries the salon's own user token."""
    return _tokens(request).get("User") == emulator.settings.user_token


def _check_tokens(emulator: Emulator, request: Request, access: Access) -> None:
    words = _tokens(request)
    partner_ok = words.get("Bearer") == emulator.settings.partner_token
    user_ok = access == "partner" or words.get("User") == emulator.settings.user_token
    if not partner_ok or not user_ok:
        raise VendorError(401, "Необходима авторизация")


def error_response(emulator: Emulator, error: VendorError) -> Response:
    """Return an error in the shape that the settings choose."""
    settings = emulator.settings
    emulator.turn += 1
    shape, place = settings.error_shape, settings.booking_code_place
    if shape == "rotate":
        shape = SHAPES[emulator.turn % len(SHAPES)]
    if place == "rotate":
        place = CODE_PLACES[emulator.turn % len(CODE_PLACES)]
    return json_response(error_body(error, shape, place), error.status)


def _wants_old_format(emulator: Emulator, request: Request) -> bool:
    return emulator.settings.require_accept and "vnd." not in request.headers.get("accept", "")


def _bare(response: Response) -> Response:
    if response.status_code == 204 or not response.body:
        return response
    body = msgspec.json.decode(bytes(response.body))
    return json_response(body["data"], response.status_code) if body.get("data") is not None else response


async def _spoil(emulator: Emulator, fault: Fault, response: Response | None) -> Response:
    headers = {"Retry-After": str(fault.retry_after)} if fault.retry_after is not None else None
    match fault.kind:
        case "timeout":
            await emulator.sleep(fault.seconds)
            return response or Response(HTML, 504, media_type="text/html")
        case "cut" | "disconnect":
            whole = bytes(response.body) if response is not None else b"{}"
            half = whole[: max(1, len(whole) // 2)]
            return json_response(half, 200) if fault.kind == "cut" else BrokenOff(half, len(whole) + 1)
        case "html":
            return Response(HTML, fault.status, headers, media_type="text/html")
        case "success_false":
            message = {"message": "Операция не выполнена"}
            return json_response({"success": False, "data": None, "meta": message})
        case "unauthorized":
            return error_response(emulator, VendorError(401, "Необходима авторизация"))
        case "forbidden":
            return error_response(emulator, VendorError(403, "Недостаточно прав"))
        case "licence":
            status = fault.status if fault.status in (401, 402, 403) else 403
            return error_response(emulator, VendorError(status, "Необходимо продлить лицензию в филиале"))
        case "status":
            if fault.empty_body:
                return Response(b"", fault.status, headers)
            body = {"success": False, "data": None, "meta": {"message": f"HTTP {fault.status}"}}
            return json_response(body, fault.status, headers)


class BrokenOff(Response):
    """Promises more bytes than it sends: the server closes the connection in the middle of the body."""

    def __init__(self, half: bytes, promised: int) -> None:
        super().__init__(half, 200, {"Content-Length": str(promised)}, media_type="application/json")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": self.raw_headers})
        await send({"type": "http.response.body", "body": bytes(self.body), "more_body": True})
        await send({"type": "http.response.body", "body": b"", "more_body": False})
