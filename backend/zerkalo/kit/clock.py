"""The clock as a value, so that tests and simulations can hand in their own."""

from collections.abc import Callable
from datetime import UTC, datetime, timedelta

Clock = Callable[[], datetime]
"""Returns the current instant, always aware and in UTC."""


CLOCKS_APART_MAX = timedelta(minutes=1)
"""A stored time of ours that lies farther ahead was written by a wrong clock, and is not believed."""


def utc_now() -> datetime:
    """The machine's own clock: the current instant, aware, in UTC."""
    return datetime.now(UTC)
