"""Figures over rounds, and how they are printed: the median, with its aim beside it."""

from collections.abc import Callable, Iterable
from statistics import median
from time import perf_counter

ROUNDS = 5
"""Odd, so that the median is one that was measured."""


def ratio_of(first: Iterable[float], second: Iterable[float]) -> float:
    """The median of the rounds' ratios: what disturbs the machine in a round disturbs both."""
    return median(one / other for one, other in zip(first, second, strict=True))


def percentile(values: Iterable[float], share: float) -> float:
    """The value that so large a share of them does not pass."""
    found = sorted(values)
    return found[min(int(len(found) * share), len(found) - 1)]


def milliseconds_of(work: Callable[[], object]) -> float:
    """How long the work took."""
    began_at = perf_counter()
    work()
    return 1000 * (perf_counter() - began_at)


def title(text: str) -> None:
    print(f"\n{text}", flush=True)


def figure(what: str, value: float, unit: str, aim: str = "") -> None:
    print(f"  {what:<56}{value:>12,.1f} {unit:<10}{aim}".rstrip(), flush=True)


def ratio(what: str, value: float, aim: str = "") -> None:
    print(f"  {what:<56}{value:>12.2f} {'×':<10}{aim}".rstrip(), flush=True)
