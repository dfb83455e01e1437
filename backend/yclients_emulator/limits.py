"""The vendor's rate limit: requests per second and per minute, for each client address separately."""

from collections import deque
from datetime import datetime, timedelta

SECOND = timedelta(seconds=1)
MINUTE = timedelta(minutes=1)


class RateLimiter:
    """Sliding windows. Refused requests do not count against the next one (how the vendor counts is not known)."""

    def __init__(self) -> None:
        self._seen: dict[str, deque[datetime]] = {}
        self.refused = 0

    def admit(self, address: str, now: datetime, per_second: int, per_minute: int) -> float:
        """Return 0.0 and count the request if it may pass, else the seconds until one may."""
        seen = self._seen.setdefault(address, deque())
        while seen and seen[0] <= now - MINUTE:
            seen.popleft()
        wait = 0.0
        if len(seen) >= per_minute:
            wait = (seen[-per_minute] + MINUTE - now).total_seconds()
        if len(seen) >= per_second and seen[-per_second] > now - SECOND:
            wait = max(wait, (seen[-per_second] + SECOND - now).total_seconds())
        if wait > 0:
            self.refused += 1
            return wait
        seen.append(now)
        return 0.0
