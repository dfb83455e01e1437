"""The webhook's limits, passed in: a test or a small machine may have others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """The limits of a call, and of the queue."""

    body_bytes: int = 1024 * 1024
    unsigned_body_bytes: int = 64 * 1024
    """Of a call without a secret, of which only the company and the record's id are read."""
    body_seconds: float = 10.0
    """A caller that sends its body slower than this is disconnected. YCLIENTS itself waits 15 seconds for our answer."""
    answer_seconds: float = 12.0
    """From the whole body to the answer."""
    batch_items: int = 256
    """In one transaction: enough that the commit's cost is negligible, few enough that locks are held some 20 ms."""
    batch_bytes: int = 16 * 1024 * 1024
    """Bodies in one transaction: memory holds several copies of them while they are written."""
    beside_items: int = 16
    """So many at least, and half as many as are being written, must wait before a second batch begins beside the first."""
    waiting_items: int = 10_000
    """Beyond this, callers are asked at once to retry, before memory runs out."""
    waiting_bytes: int = 64 * 1024 * 1024
    end_seconds: float = 0.5
    """How long a shutdown waits for queued items: their callers have been answered or disconnected by then."""


LIMITS = Limits()
