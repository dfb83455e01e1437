"""A periodic task as a value."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

EVERY_TEN_SECONDS = "* * * * * */10"
EVERY_MINUTE = "* * * * *"
EVERY_TEN_MINUTES = "*/10 * * * *"
EVERY_HOUR = "17 * * * *"
"""Cron with six fields: the sixth is the second."""


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """Work that one of all workers does at every `cron`; see `registry` for the table.

    A task that fails, or is cancelled after `seconds_max`, is logged as an error and runs again at its next time: it
    reads from our tables what is left to do, so only time is lost.
    """

    name: str
    cron: str
    seconds_max: float
    work: Callable[[], Awaitable[object]]
    parts_itself: bool = False
    """Whether two runs may overlap in a process, since they divide the work; any other task waits for its next time."""
