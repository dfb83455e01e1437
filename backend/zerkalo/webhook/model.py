"""The bounds of the door, handed in: a test or a small machine may have others."""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Limits:
    """What a call may cost, and how much may wait."""

    body_bytes: int = 1024 * 1024
    unsigned_body_bytes: int = 64 * 1024
    """Of a call without a secret: of it only the company and the record's number are read."""
    body_seconds: float = 10.0
    """A caller that sends its body slower than this is let go. YCLIENTS itself waits 15 seconds for our answer."""
    answer_seconds: float = 12.0
    """From the whole body to the answer."""
    batch_items: int = 256
    """In one transaction: enough that the commit's price is nothing, few enough that a lock is held some 20 ms."""
    batch_bytes: int = 16 * 1024 * 1024
    """Bodies in one transaction: they are held in memory several times over while they are written."""
    waiting_items: int = 10_000
    """More callers are told at once to come again, before memory says so."""
    waiting_bytes: int = 64 * 1024 * 1024
    end_seconds: float = 0.5
    """How long the end waits for what still waits: whoever asked for it has been answered or let go by then."""


LIMITS = Limits()
