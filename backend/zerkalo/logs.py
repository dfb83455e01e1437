"""Logging: one line per event on stderr, as text for people or JSON for machines, without secrets or personal data.

Every line of the process goes through here, the libraries' too. Callers leave out tokens, phones, e-mails and
comments; `scrub` is the second safeguard, for a value inside an error's text or a URL.
"""

import json
import logging
import re
import sys
from collections.abc import Callable, Mapping, MutableMapping
from typing import Any, TextIO, cast

import structlog
from structlog.typing import Processor

from zerkalo.settings import Settings

_HIDDEN = "***"

# The values of these keys are hidden. Record, company and user ids may be logged.
_HIDDEN_KEYS = re.compile(
    r"token|secret|passw|authorization|cookie|phone|e?mail|comment|notes|^(body|raw|payload|dsn|database_url)$",
    re.IGNORECASE,
)

_SCRUBS = (
    # …?token=…, and the same in a form body
    (re.compile(r"(?i)\b((?:\w*token|\w*secret|\w*password|api_id)=)[^&\s\"'<>]+"), rf"\1{_HIDDEN}"),
    # the webhook's address with the token as its last part
    (re.compile(r"(/webhook/)[^/?\s\"'<>]+"), rf"\1{_HIDDEN}"),
    # Authorization: Bearer …, and YCLIENTS's `Bearer partner, User user`
    (re.compile(r"(?i)\b(bearer\s+)[^\s,\"']+(,\s*user\s+)?([^\s,\"']+)?"), rf"\1{_HIDDEN}"),
    # scheme://user:password@host
    (re.compile(r"(://)[^/@\s]{0,300}?:[^@\s]{0,300}@"), rf"\1{_HIDDEN}@"),
    # Begins only where a name can, without backtracking: tried from every letter of a long word, it took minutes.
    (re.compile(r"(?<![\w.+%-])[\w.+%-]++@[\w-]+(?:\.[\w-]+)*\.\w{2,}"), "<e-mail>"),
    # a phone with its country code: +7 999 123-45-67, 8 (999) 1234567, 79991234567, +44 20 7946 0958
    (
        re.compile(
            r"(?<![\w:-])(?<!\d\.)(?:\+\d|[78])[\s(.-]{0,2}\d{3}[\s).-]{0,2}\d{3}[\s.-]?\d{2}[\s.-]?\d{2}(?![\w:])"
        ),
        "<phone>",
    ),
    (re.compile(r"(?<![\w:-])(?<!\d\.)\+\d{1,3}(?:[\s().-]{0,2}\d){8,12}(?![\w:])"), "<phone>"),
    # a Russian mobile number without it
    (re.compile(r"(?<![\w:-])(?<!\d\.)9\d{9}(?![\w:])"), "<phone>"),
)

TEXT_CHARS_MAX = 20_000
"""The limit of one value in the log. A URL sent by a caller may be longer."""

_AS_JSON = structlog.processors.JSONRenderer(ensure_ascii=False)
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u2028\u2029]")


def scrub(text: str) -> str:
    """Return the text without tokens, passwords in URLs, phones and e-mails; numbers that may be ids stay. A long one is cut."""
    if len(text) > TEXT_CHARS_MAX:
        text = f"{text[:TEXT_CHARS_MAX]}… ({len(text)} characters)"
    for pattern, replacement in _SCRUBS:
        text = pattern.sub(replacement, text)
    return text


def configure_logging(settings: Settings, stream: TextIO | None = None) -> None:
    """Set up structlog and the standard library's logging for this process; a second call replaces the first.

    Writes to `stream` (None: stderr at the time of the call) as LOG_LEVEL and LOG_FORMAT say. Run uvicorn with
    `log_config=None`, so that it does not override this; its access log is off, since it would contain the webhook's token.
    """
    before = _before()
    last: Processor = _AS_JSON if settings.log_format == "json" else _render_text
    handler = logging.StreamHandler(stream or sys.stderr)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=_after(last), foreign_pre_chain=before)
    )
    root = logging.getLogger()
    root.handlers = [handler]
    root.setLevel(settings.log_level)
    _quieten_libraries()
    structlog.configure(
        processors=[
            structlog.stdlib.filter_by_level,
            *before[:-1],
            structlog.stdlib.PositionalArgumentsFormatter(),
            structlog.stdlib.ProcessorFormatter.wrap_for_formatter,
        ],
        logger_factory=structlog.stdlib.LoggerFactory(),
        wrapper_class=structlog.stdlib.BoundLogger,
        cache_logger_on_first_use=False,  # a second call, as in tests, must reach loggers made before it
    )


def _before() -> list[Processor]:
    return [
        structlog.contextvars.merge_contextvars,
        structlog.stdlib.add_log_level,
        structlog.stdlib.add_logger_name,
        structlog.processors.TimeStamper(fmt="iso", utc=True),
        structlog.stdlib.ExtraAdder(),
    ]


def _after(last: Processor) -> list[Processor]:
    return [
        structlog.stdlib.ProcessorFormatter.remove_processors_meta,
        _drop_colours,
        structlog.processors.format_exc_info,  # before the scrub: a traceback quotes values too
        _scrub_event,
        last,
    ]


def send_events(send: Callable[[Mapping[str, Any]], None], *, level: int) -> Callable[[], None]:
    """Pass every line from `level` on to `send` too, scrubbed as in the JSON log. Return a function that stops this.

    Call it after `configure_logging`.
    """
    root = logging.getLogger()
    handler = _Sender(send, level)
    handler.setFormatter(
        structlog.stdlib.ProcessorFormatter(processors=_after(_AS_JSON), foreign_pre_chain=_before())
    )
    root.addHandler(handler)
    return lambda: root.removeHandler(handler)


class _Sender(logging.Handler):
    """Passes lines on; an error of the receiver does not fail the code that logs."""

    def __init__(self, send: Callable[[Mapping[str, Any]], None], level: int) -> None:
        super().__init__(level)
        self._send = send

    def emit(self, record: logging.LogRecord) -> None:
        """Pass one line on."""
        try:
            self._send(json.loads(self.format(record)))
        except Exception:  # noqa: BLE001  any error of the receiver's library
            self.handleError(record)


def _quieten_libraries() -> None:
    access = logging.getLogger("uvicorn.access")
    access.handlers, access.propagate = [], False
    for name in ("uvicorn", "uvicorn.error", "procrastinate", "alembic"):
        library = logging.getLogger(name)
        library.handlers, library.propagate = [], True
    # These log every request with its full URL, or their own set-up.
    for name in ("httpx", "httpx2", "httpcore", "httpcore2", "alembic.runtime.plugins"):
        logging.getLogger(name).setLevel(logging.WARNING)


def _drop_colours(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop the copy of uvicorn's message that has terminal colour codes."""
    event.pop("color_message", None)
    return event


def _scrub_event(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Hide what must not be logged in every value, however deep."""
    for key, value in event.items():
        event[key] = _HIDDEN if value is not None and _HIDDEN_KEYS.search(key) else _scrubbed(value)
    return event


def _scrubbed(value: object) -> object:
    if value is None or isinstance(value, bool | int | float):
        return value
    if isinstance(value, Mapping):
        inside = cast("Mapping[object, object]", value)
        return {
            str(key): _HIDDEN if item is not None and _HIDDEN_KEYS.search(str(key)) else _scrubbed(item)
            for key, item in inside.items()
        }
    if isinstance(value, list | tuple | set | frozenset):
        return [_scrubbed(item) for item in cast("list[object]", value)]
    return scrub(value if isinstance(value, str) else str(value))


def _render_text(_logger: Any, _method: str, event: MutableMapping[str, Any]) -> str:
    """`time LEVEL logger: event key=value …`, on one line whatever the values hold; a traceback follows indented."""
    time, level, name = event.pop("timestamp"), event.pop("level"), event.pop("logger", "")
    text, traceback = event.pop("event"), event.pop("exception", None)
    pairs = "".join(f" {key}={_one_line(value)}" for key, value in event.items())
    line = f"{time} {level.upper():7} {name}: {_escape(str(text))}{pairs}"
    if traceback:
        line += "".join(f"\n    {_escape(part)}" for part in str(traceback).splitlines())
    return line


def _one_line(value: object) -> str:
    text = str(value)
    return repr(text) if not text or re.search(r"[\s=\"']", text) else _escape(text)


def _escape(text: str) -> str:
    r"""Return control characters as `\x0a`, so that a line break in a name can't forge a second line."""
    return _CONTROL.sub(lambda match: f"\\x{ord(match[0]):02x}", text)
