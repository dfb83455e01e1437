"""Counters and histograms as plain values: a dict and a list, incremented without a look-up by name or a lock.

Each belongs to one thread of the process. Pure.
"""

from bisect import bisect_left
from collections.abc import Mapping, Sequence
from itertools import product

OTHER = "other"
"""The label value for any value outside the label's set, so that a label never gets more values than declared."""


class Count:
    """A number that only grows, one for every combination of its labels; all of them are there from the start, as 0."""

    def __init__(self, name: str, text: str, /, **labels: Sequence[str]) -> None:
        """`name` without `_total`; `labels`: each with every value it may have."""
        self.name = name
        self.text = text
        self.labels: Mapping[str, frozenset[str]] = {
            label: frozenset(values) for label, values in labels.items()
        }
        self.values: dict[tuple[str, ...], float] = dict.fromkeys(product(*labels.values()), 0.0)

    def add(self, *values: str, by: float = 1) -> None:
        """Increment it. `values`: one for each label, in their order."""
        if values not in self.values:
            values = tuple(
                value if value in known else OTHER
                for value, known in zip(values, self.labels.values(), strict=True)
            )
        self.values[values] = self.values.get(values, 0.0) + by


class Histogram:
    """How many values were no larger than each bound, and their sum."""

    def __init__(self, name: str, text: str, bounds: Sequence[float]) -> None:
        """`bounds`: ascending; +Inf is added."""
        self.name = name
        self.text = text
        self.bounds = tuple(bounds)
        self.sum = 0.0
        self._in_bucket = [0] * (len(self.bounds) + 1)

    def observe(self, value: float) -> None:
        """Count one value."""
        self.sum += value
        self._in_bucket[bisect_left(self.bounds, value)] += 1

    def buckets(self) -> list[tuple[str, float]]:
        """Return (bound, count of values no larger), cumulative as in Prometheus."""
        total = 0
        found: list[tuple[str, float]] = []
        for bound, count in zip((*map(str, self.bounds), "+Inf"), self._in_bucket, strict=True):
            total += count
            found.append((bound, total))
        return found
