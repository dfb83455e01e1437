"""What leaves for others does so only where a setting asks for it, and says what it needs."""

import builtins
import logging
from collections.abc import Iterator
from typing import Any

import pytest
import structlog

from zerkalo.logs import configure_logging, send_events
from zerkalo.settings import Settings, SettingsError, load_settings
from zerkalo.telemetry.service import telemetry
from zerkalo.telemetry.tracing import is_on, span


@pytest.fixture(autouse=True)
def _restore_logging() -> Iterator[None]:
    root = logging.getLogger()
    handlers, level = root.handlers, root.level
    yield
    root.handlers = handlers
    root.setLevel(level)
    structlog.reset_defaults()


def test_nothing_leaves_by_default() -> None:
    handlers = list(logging.getLogger().handlers)

    with telemetry(Settings(), name="test"), span("a batch", items=1):
        assert not is_on()
        assert logging.getLogger().handlers == handlers


@pytest.mark.parametrize(
    ("setting", "value", "library", "extra"),
    [
        ("otel_exporter_otlp_endpoint", "http://127.0.0.1:9", "opentelemetry.sdk", "otel"),
        ("sentry_dsn", "https://key@sentry.test/1", "sentry_sdk", "sentry"),
    ],
)
def test_a_missing_extra_stops_the_start_with_the_command_that_brings_it(
    monkeypatch: pytest.MonkeyPatch, setting: str, value: str, library: str, extra: str
) -> None:
    real = builtins.__import__

    def without(name: str, *others: Any, **named: Any) -> Any:
        if name.startswith(library):
            raise ImportError(name)
        return real(name, *others, **named)

    monkeypatch.setattr(builtins, "__import__", without)

    named: dict[str, Any] = {setting: value}
    wanted = Settings(**named)
    with pytest.raises(SettingsError) as raised, telemetry(wanted, name="test"):
        pass

    assert str(raised.value).startswith(setting.upper())
    assert str(raised.value).endswith(f"run pip install 'zerkalo[{extra}]'")


def test_what_is_switched_on_ends_with_the_block() -> None:
    with telemetry(Settings(otel_exporter_otlp_endpoint="http://127.0.0.1:9"), name="test"):
        assert is_on()

    assert not is_on()


def test_a_dsn_that_is_none_stops_the_start_without_showing_it() -> None:
    with (
        pytest.raises(SettingsError) as raised,
        telemetry(Settings(sentry_dsn="https://secret-key"), name="test"),
    ):
        pass

    assert str(raised.value).startswith("SENTRY_DSN")
    assert "secret-key" not in str(raised.value)


def test_errors_are_handed_on_as_the_log_says_them_scrubbed() -> None:
    configure_logging(Settings())
    sent: list[dict[str, Any]] = []
    stop = send_events(lambda event: sent.append(dict(event)), level=logging.ERROR)

    log = structlog.get_logger("zerkalo.test")
    log.warning("only a warning")
    log.error("could not write to anna@example.com", phone="+79991234567", booking_id=5)
    stop()
    log.error("after the end")

    (event,) = sent
    assert event["event"] == "could not write to <e-mail>"
    assert (event["phone"], event["booking_id"], event["level"]) == ("***", 5, "error")


def test_a_receiver_that_fails_harms_nobody(capsys: pytest.CaptureFixture[str]) -> None:
    configure_logging(Settings())

    def fail(event: Any) -> None:
        raise RuntimeError

    stop = send_events(fail, level=logging.ERROR)
    structlog.get_logger("zerkalo.test").error("something")
    stop()


def test_settings_name_both_and_hide_the_dsn() -> None:
    settings = load_settings({"SENTRY_DSN": "https://key@sentry.test/1"}, is_root=False)

    assert "key@" not in repr(settings)
