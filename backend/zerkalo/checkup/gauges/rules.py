"""The gauges as (name, text, value), in the order of the output. Pure."""

from collections.abc import Iterator

from zerkalo.checkup.gauges.model import Gauges

Told = tuple[str, str, float]

SHARES = ("all", "people", "unsigned")
"""Shares of the rate limit: all requests; those of people and unsigned calls together; those of unsigned calls."""


def told(gauges: Gauges) -> Iterator[Told]:
    """Yield the gauges that have a value."""
    every = (
        (
            "unmatched",
            "Bookings without a user, cancelled ones apart; counted up to 10,000.",
            gauges.unmatched,
        ),
        ("ambiguous", "Bookings that fit several people; counted up to 10,000.", gauges.with_candidates),
        ("quarantine", "Deliveries waiting to be handled.", gauges.quarantine),
        ("refetches_waiting", "Records to ask YCLIENTS for.", gauges.refetches),
        ("refetches_age_seconds", "Since the oldest of them was asked for.", gauges.refetches_age or 0),
        ("absences_waiting", "Bookings that YCLIENTS does not know, waiting for a person.", gauges.absences),
        ("runs_running", "Syncs under way.", gauges.runs_running),
        ("companies_refused", "Companies that YCLIENTS refuses to show.", gauges.refusing),
        ("drift_differences", "Differences of the last comparison on the desk.", gauges.drift),
        ("drift_age_seconds", "Since that comparison.", gauges.drift_age),
        ("messages_waiting", "Messages to be sent.", gauges.messages),
        ("messages_age_seconds", "Since the oldest of them was written.", gauges.messages_age or 0),
        ("tasks_failing", "Periodic tasks that failed three times or more in a row.", gauges.tasks_failing),
        ("worker_age_seconds", "Since the worker last showed itself.", gauges.worker_age),
        ("webhook_age_seconds", "Since the last webhook.", gauges.webhook_age),
        ("sync_age_seconds", "Since the slowest company's last good read.", gauges.sync_age),
    )
    for name, text, value in every:
        if value is not None:
            yield f"zerkalo_{name}", text, max(float(value), 0.0)


def slot_waits(gauges: Gauges) -> Iterator[tuple[str, float]]:
    """Yield (share of the rate limit, seconds until its next request may be sent)."""
    for share in SHARES:
        yield share, gauges.slot_seconds.get(share, 0.0)
