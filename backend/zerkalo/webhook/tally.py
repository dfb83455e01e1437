"""The door's counts: for /metrics whole, for the log summed, a line a second at most.

A line a call, or even a commit, costs as much as the call itself.
"""

import asyncio
from collections import Counter

import structlog

from zerkalo.db.failing import SILENT, reason_of
from zerkalo.metrics.counts import SECONDS
from zerkalo.metrics.model import Histogram
from zerkalo.mirror.model import OutcomeStatus

log = structlog.get_logger(__name__)

LOG_SECONDS = 1.0
RECORDS_LOGGED_MAX = 20
"""Records and deliveries named in one log line."""

_OUTCOMES = frozenset(status.value for status in OutcomeStatus)
_NOT_STORED = "database_unavailable"


class Tally:
    """Counts calls to the webhook since the start of the process, and logs the new ones once a second."""

    def __init__(self, *, log_seconds: float = LOG_SECONDS) -> None:
        self.outcomes: Counter[str] = Counter()
        """Calls by outcome, or by the code of their error."""
        self.seconds = Histogram("zerkalo_webhook_seconds", "Seconds from call to answer.", SECONDS)
        self._log_seconds = log_seconds
        self._logged: Counter[str] = Counter()
        self._record_ids: list[int] = []
        self._delivery_ids: list[int] = []
        self._refused_ids: dict[str, list[int]] = {}
        """Of what was kept although it was answered with an error, by its code."""
        self._reason = SILENT
        self._timer: asyncio.TimerHandle | None = None

    def count(
        self, outcome: str, seconds: float, record_id: int | None = None, delivery_id: int | None = None
    ) -> None:
        """Count one call by its outcome, or the code of its error, and the seconds it took."""
        self.outcomes[outcome] += 1
        self.seconds.observe(seconds)
        if record_id is not None and len(self._record_ids) < RECORDS_LOGGED_MAX:
            self._record_ids.append(record_id)
        if delivery_id is not None:
            kept = self._delivery_ids if outcome in _OUTCOMES else self._refused_ids.setdefault(outcome, [])
            if len(kept) < RECORDS_LOGGED_MAX:
                kept.append(delivery_id)
        if self._timer is None:
            self._timer = asyncio.get_running_loop().call_later(self._log_seconds, self.log)

    def blame(self, error: BaseException) -> None:
        """Remember what keeps calls from being stored, for the next line of the log."""
        self._reason = reason_of(error)

    def log(self) -> None:
        """Log what has been counted since the last time."""
        if self._timer is not None:
            self._timer.cancel()
            self._timer = None
        new = self.outcomes - self._logged
        self._logged = self.outcomes.copy()
        record_ids, self._record_ids = self._record_ids, []
        delivery_ids, self._delivery_ids = self._delivery_ids, []
        refused_ids, self._refused_ids = self._refused_ids, {}
        done = {outcome: count for outcome, count in new.items() if outcome in _OUTCOMES}
        if done:
            log.info("webhook", **done, yclients_record_ids=record_ids, delivery_ids=delivery_ids)
        for code, count in new.items():
            if code == _NOT_STORED:
                event = f"webhook not stored: {self._reason}"
                log.error(event, count=count)
            elif code not in _OUTCOMES:
                # For example "webhook refused: wrong token": the runbook quotes it.
                event = f"webhook refused: {code.replace('_', ' ')}"
                named = {"delivery_ids": refused_ids[code]} if code in refused_ids else {}
                log.warning(event, count=count, **named)
