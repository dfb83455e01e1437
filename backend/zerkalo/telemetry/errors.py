"""Send errors to Sentry: their scrubbed log events, and nothing else of the process."""

import logging
from collections.abc import Callable, Mapping
from typing import Any

from zerkalo.logs import send_events

FLUSH_SECONDS = 2.0
_NOT_EXTRA = frozenset({"event", "level", "logger", "timestamp", "exception"})


def start_sentry(dsn: str, *, transport: Any = None) -> Callable[[], None]:
    """Send every logged error from now on. Return a function that stops this and sends the rest.

    The library collects nothing by itself: no stack variables, requests, breadcrumbs or host name.
    """
    import sentry_sdk

    client = sentry_sdk.Client(
        dsn=dsn,
        transport=transport,
        default_integrations=False,
        auto_enabling_integrations=False,
        include_local_variables=False,
        max_request_body_size="never",
        max_breadcrumbs=0,
        traces_sample_rate=None,
        server_name="zerkalo",
        attach_stacktrace=False,
    )

    def send(event: Mapping[str, Any]) -> None:
        client.capture_event(
            {
                "level": "fatal" if event["level"] == "critical" else "error",
                "logger": event["logger"],
                "message": str(event["event"]),
                "extra": {key: value for key, value in event.items() if key not in _NOT_EXTRA}
                | ({"traceback": event["exception"]} if "exception" in event else {}),
                "fingerprint": [str(event["logger"]), str(event["event"])],
            }
        )

    stop_sending = send_events(send, level=logging.ERROR)

    def stop() -> None:
        stop_sending()
        client.close(timeout=FLUSH_SECONDS)

    return stop
