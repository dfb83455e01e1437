"""A periodic task as a value: what is done, how often, how long at most, and when its failing is told."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

EVERY_TEN_SECONDS = "* * * * * */10"
EVERY_MINUTE = "* * * * *"
EVERY_TEN_MINUTES = "*/10 * * * *"
EVERY_HOUR = "17 * * * *"
"""Six fields of cron: the sixth is the second."""


@dataclass(frozen=True, slots=True)
class PeriodicTask:
    """Work that one worker of all does at every `cron`; see `registry` for the table.

    A task that fails, or lasts longer than `seconds_max` and is broken off, is logged as an error and tried again at
    its next time: each one looks into our tables for what is left to do, so nothing is lost but the time.
    """

    name: str
    cron: str
    seconds_max: float
    work: Callable[[], Awaitable[object]]
