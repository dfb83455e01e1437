"""Telemetry of one process, enabled by the settings."""

from collections.abc import Callable, Generator
from contextlib import ExitStack, contextmanager

from zerkalo.settings import Settings, SettingsError
from zerkalo.telemetry.errors import start_sentry
from zerkalo.telemetry.tracing import otlp, start_tracing


@contextmanager
def telemetry(settings: Settings, *, name: str) -> Generator[None]:
    """Send traces and errors during the block, to OTEL_EXPORTER_OTLP_ENDPOINT and SENTRY_DSN where set.

    Raises `SettingsError` where the extra that one of them needs is not installed. Call it after `configure_logging`.
    """
    with ExitStack() as stack:
        endpoint, dsn = settings.otel_exporter_otlp_endpoint, settings.sentry_dsn
        if endpoint:
            start = _needing(
                "otel", "OTEL_EXPORTER_OTLP_ENDPOINT", lambda: start_tracing(otlp(endpoint), name=name)
            )
            stack.callback(start)
        if dsn:
            stack.callback(_needing("sentry", "SENTRY_DSN", lambda: start_sentry(dsn)))
        yield


def _needing(extra: str, setting: str, start: Callable[[], Callable[[], None]]) -> Callable[[], None]:
    try:
        return start()
    except ImportError:
        raise SettingsError(
            f"{setting}: needs an extra of the package; run pip install 'zerkalo[{extra}]'"
        ) from None
    except ValueError as error:  # a DSN that Sentry's library can't read; its text may quote the key
        raise SettingsError(f"{setting}: can't be used ({type(error).__name__})") from None
