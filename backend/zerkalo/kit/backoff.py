"""How long to wait before something that failed is tried again: one formula for everybody."""

from dataclasses import dataclass

DOUBLINGS_MAX = 30


@dataclass(frozen=True, slots=True)
class Backoff:
    """Pauses that double from `seconds_first` to `seconds_max`."""

    seconds_first: float
    seconds_max: float

    def seconds(self, failures: int, chance: float = 1.0) -> float:
        """The pause after so many failures, from 1. `chance` (0 to 1) shortens it by up to a half, so that not all come back at once."""
        doubled = self.seconds_first * 2 ** min(max(failures, 1) - 1, DOUBLINGS_MAX)
        return min(doubled, self.seconds_max) * (0.5 + chance / 2)
