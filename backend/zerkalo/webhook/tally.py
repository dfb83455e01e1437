"""The door's counts: for /metrics whole, for the log summed, a line a second at most.

A line a call, or even a commit, costs as much as the call itself.
"""

import asyncio
from bisect import bisect_left
from collections import Counter

import structlog

from zerkalo.mirror.model import OutcomeStatus

log = structlog.get_logger(__name__)

BUCKETS_SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
LOG_SECONDS = 1.0
RECORDS_LOGGED_MAX = 20
"""Record ids in one log line."""

_OUTCOMES = frozenset(status.value for status in OutcomeStatus)
_NOT_STORED = "database_unavailable"


class Tally:
    """Counts calls to the webhook since the start of the process, and logs the new ones once a second."""

    def __init__(self, *, log_seconds: float = LOG_SECONDS) -> None:
        self.outcomes: Counter[str] = Counter()
        """Calls by outcome, or by the code of their error."""
        self.seconds_sum = 0.0
        self._in_bucket = [0] * (len(BUCKETS_SECONDS) + 1)
        self._log_seconds = log_seconds
        self._logged: Counter[str] = Counter()
        self._record_ids: list[int] = []
        self._timer: asyncio.TimerHandle | None = None

    def count(self, outcome: str, seconds: float, record_id: int | None = None) -> None:
        """Count one call by its outcome, or the code of its error, and the seconds it took."""
        self.outcomes[outcome] += 1
        self.seconds_sum += seconds
        self._in_bucket[bisect_left(BUCKETS_SECONDS, seconds)] += 1
        if record_id is not None and len(self._record_ids) < RECORDS_LOGGED_MAX:
            self._record_ids.append(record_id)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._log_seconds, self.log)

    def buckets(self) -> list[tuple[str, float]]:
        """(bound in seconds, calls that took no longer), as Prometheus has it."""
        total = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, BUCKETS_SECONDS), "+Inf"), self._in_bucket, strict=True):
            total += count
            found.append((bound, total))
        return found

    def log(self) -> None:
        """Log what has been counted since the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        new = self.outcomes - self._logged
        self._logged = self.outcomes.copy()
        record_ids, self._record_ids = self._record_ids, []
        done = {outcome: count for outcome, count in new.items() if outcome in _OUTCOMES}
        if done:
            log.info("webhook", **done, yclients_record_ids=record_ids)
        for code, count in new.items():
            if code == _NOT_STORED:
                log.error("webhook not stored: the database does not answer", count=count)
            elif code not in _OUTCOMES:
                # For example "webhook refused: wrong token": the runbook quotes it.
                event = f"webhook refused: {code.replace('_', ' ')}"
                log.warning(event, count=count)
