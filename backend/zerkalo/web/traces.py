"""An OpenTelemetry span for every request to the app, where tracing is on."""

from starlette.types import ASGIApp, Message, Receive, Scope, Send

from zerkalo.telemetry.tracing import is_on, span


class TracedRequests:
    """A span for every request, named by method and the route's pattern: the address itself may hold a token."""

    def __init__(self, app: ASGIApp) -> None:
        self._app = app

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """Pass the request on."""
        if scope["type"] != "http" or not is_on():
            await self._app(scope, receive, send)
            return
        from opentelemetry.trace import get_current_span

        async def note(message: Message) -> None:
            if message["type"] == "http.response.start":
                current = get_current_span()
                route = getattr(scope.get("route"), "path", "")
                current.update_name(f"{scope['method']} {route}".strip())
                current.set_attribute("http.route", route)
                current.set_attribute("http.response.status_code", message["status"])
            await send(message)

        with span(scope["method"], **{"http.request.method": scope["method"]}):
            await self._app(scope, receive, note)
