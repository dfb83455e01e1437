"""OpenTelemetry spans: a batch of the webhook, a sync, a request to YCLIENTS, a request to us.

When off, a span costs one check of a variable. When on, it holds numbers, ids and fixed words: no URL, body or error text.
"""

from collections.abc import Callable, Generator
from contextlib import AbstractContextManager, contextmanager, nullcontext
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from opentelemetry.sdk.trace import SpanProcessor

Value = str | int | float | bool
Tracer = Callable[[str, dict[str, Value]], AbstractContextManager[Any]]
_OFF = nullcontext()


class _Tracing:
    """The process's tracer, if spans are on."""

    def __init__(self) -> None:
        self.tracer: Tracer | None = None


_tracing = _Tracing()


def is_on() -> bool:
    """Whether spans are made."""
    return _tracing.tracer is not None


def span(name: str, **attributes: Value) -> AbstractContextManager[None]:
    """Record the block as a span. Of an error that leaves it only the class is recorded."""
    tracer = _tracing.tracer
    return _OFF if tracer is None else _spanning(tracer, name, attributes)


@contextmanager
def _spanning(tracer: Tracer, name: str, attributes: dict[str, Value]) -> Generator[None]:
    from opentelemetry.trace import Status, StatusCode

    with tracer(name, attributes) as current:
        try:
            yield
        except Exception as error:
            current.set_status(Status(StatusCode.ERROR, type(error).__name__))
            raise


def start_tracing(processor: "SpanProcessor", *, name: str) -> Callable[[], None]:
    """Make spans from now on and pass them to `processor`. Return a function that stops this and sends the rest."""
    from functools import partial

    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider

    provider = TracerProvider(resource=Resource({"service.name": "zerkalo", "service.instance.id": name}))
    provider.add_span_processor(processor)
    start = provider.get_tracer("zerkalo").start_as_current_span
    quiet = partial(start, record_exception=False, set_status_on_exception=False)
    _tracing.tracer = lambda span_name, attributes: quiet(span_name, attributes=attributes)

    def stop() -> None:
        _tracing.tracer = None
        provider.shutdown()

    return stop


def otlp(endpoint: str) -> "SpanProcessor":
    """Return a processor that sends spans to a collector by OTLP over HTTP, in batches from its own thread."""
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.trace.export import BatchSpanProcessor

    return BatchSpanProcessor(OTLPSpanExporter(f"{endpoint.rstrip('/')}/v1/traces"))
