"""The wait before a retry: one formula for all callers."""

from dataclasses import dataclass

DOUBLINGS_MAX = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double from `seconds_first` to `seconds_max`."""

    seconds_first: float
    seconds_max: float

    def seconds(self, failures: int, chance: float = 1.0) -> float:
        """Return the pause after this many failures, from 1. `chance` (0 to 1) shortens it by up to half, to spread retries."""
        doubled = self.seconds_first * 2 ** min(max(failures, 1) - 1, DOUBLINGS_MAX)
        return min(doubled, self.seconds_max) * (0.5 + chance / 2)
