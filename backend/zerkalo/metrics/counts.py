"""Every counter of this process. The code that does the work increments them; `/metrics` and a worker's port expose them.

The hot path increments them once per batch; a count per call is only an item of a dict or a list.
"""

from zerkalo.metrics.model import OTHER, Count, Histogram

SECONDS = (0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Buckets for short operations."""
LAG_SECONDS = (0.1, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0, 3600.0, 14400.0, 86400.0)
"""Buckets for delays that may include a lost webhook and the sync that repairs it."""

BATCH_ITEMS = Histogram(
    "zerkalo_batch_items",
    "Webhook deliveries written in one transaction.",
    (1, 2, 4, 8, 16, 32, 64, 128, 256),
)
COMMIT_SECONDS = Histogram(
    "zerkalo_commit_seconds", "Seconds to write one batch of webhook deliveries, commit included.", SECONDS
)
CALL_LAG_SECONDS = Histogram(
    "zerkalo_call_lag_seconds",
    "Seconds from YCLIENTS's change to our row, of changes that a webhook brought.",
    LAG_SECONDS,
)
READ_LAG_SECONDS = Histogram(
    "zerkalo_read_lag_seconds",
    "Seconds from YCLIENTS's change to our row, of changes that only a read of the API brought.",
    LAG_SECONDS,
)
RUNS = Count("zerkalo_runs", "Syncs of a company that ended.", result=("finished", "failed"))
REPAIRED = Count(
    "zerkalo_repaired",
    "Bookings that a sync had to write after the first history: no webhook had brought that change.",
    change=("created", "updated", "cancelled"),
)
REQUESTS = Count(
    "zerkalo_yclients_requests",
    "Requests to YCLIENTS by what came of them; every attempt counts.",
    result=("ok", "not_found", "denied", "refused", "throttled", "unavailable"),
)
LIMITER_SECONDS = Count(
    "zerkalo_limiter_wait_seconds",
    "Seconds waited for the rate limit, by who asks.",
    kind=("interactive", "background", "unsigned"),
)
POINTS = Count(
    "zerkalo_points",
    "Points moved in the ledger, by the kind of the entry.",
    kind=("accrual", "reversal", "adjustment", "redemption", "expiry"),
    direction=("given", "taken"),
)
LOG_INS = Count("zerkalo_log_ins", "Log-ins by password.", result=("opened", "wrong", "limited", "busy"))
MESSAGES = Count(
    "zerkalo_messages",
    "Messages by what came of sending them.",
    channel=("email", "phone", OTHER),
    result=("sent", "put_off", "given_up"),
)
MESSAGES_EXPIRED = Count("zerkalo_messages_expired", "Messages that could not be sent in time.")
LOOP_LAG_SECONDS = Histogram(
    "zerkalo_event_loop_lag_seconds",
    "By how much the event loop was late at a timer of one second.",
    SECONDS,
)

COUNTS = (RUNS, REPAIRED, REQUESTS, LIMITER_SECONDS, POINTS, LOG_INS, MESSAGES, MESSAGES_EXPIRED)
HISTOGRAMS = (BATCH_ITEMS, COMMIT_SECONDS, CALL_LAG_SECONDS, READ_LAG_SECONDS, LOOP_LAG_SECONDS)
