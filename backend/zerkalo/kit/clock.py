"""The clock as a value, so that tests and simulations can hand in their own."""

from collections.abc import Callable
from datetime import UTC, datetime

Clock = Callable[[], datetime]
"""Returns the current instant, always aware and in UTC."""


def utc_now() -> datetime:
    """The machine's own clock: the current instant, aware, in UTC."""
    return datetime.now(UTC)
