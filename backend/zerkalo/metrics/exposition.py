"""Counters in the form of Prometheus."""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from importlib.metadata import version
from typing import Any

from prometheus_client import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.core import (
    CounterMetricFamily,
    GaugeMetricFamily,
    HistogramMetricFamily,
    InfoMetricFamily,
    Metric,
)
from psycopg_pool import AsyncConnectionPool

from zerkalo.metrics.counts import COUNTS, HISTOGRAMS
from zerkalo.metrics.model import Count, Histogram

__all__ = [
    "CONTENT_TYPE_LATEST",
    "Families",
    "gauge",
    "merged",
    "of_counts",
    "of_pools",
    "of_process",
    "text_of",
]

Families = Callable[[], Iterable[Metric]]
AnyPool = AsyncConnectionPool[Any]


class _Registry:
    """The registry that the library expects; it only calls `collect`."""

    def __init__(self, families: Iterable[Metric]) -> None:
        self._families = families

    def collect(self) -> Iterable[Metric]:
        return self._families


def text_of(families: Iterable[Metric]) -> bytes:
    """The families in the text format of Prometheus."""
    return generate_latest(_Registry(families))


def of_process(pools: Mapping[str, AnyPool]) -> Iterator[Metric]:
    """Yield this process's own counters and the use of its connection pools."""
    yield InfoMetricFamily("zerkalo", "Which version runs.", value={"version": version("zerkalo")})
    yield from of_counts(COUNTS, HISTOGRAMS)
    yield from of_pools(pools)


def of_counts(counts: Sequence[Count], histograms: Sequence[Histogram]) -> Iterator[Metric]:
    """Yield counters and histograms with their current values."""
    for one in counts:
        family = CounterMetricFamily(one.name, one.text, labels=list(one.labels))
        for values, count in one.values.items():
            family.add_metric(values, count)
        yield family
    for one in histograms:
        yield HistogramMetricFamily(one.name, one.text, buckets=one.buckets(), sum_value=one.sum)


def of_pools(pools: Mapping[str, AnyPool]) -> Iterator[Metric]:
    """Yield connections by pool and whether they are in use, and how many callers wait for one."""
    used = GaugeMetricFamily(
        "zerkalo_pool_connections", "Connections to the database.", labels=["pool", "state"]
    )
    most = GaugeMetricFamily("zerkalo_pool_connections_max", "How many there may be.", labels=["pool"])
    waiting = GaugeMetricFamily("zerkalo_pool_waiting", "Tasks that wait for a connection.", labels=["pool"])
    for name, pool in pools.items():
        figures = pool.get_stats()
        idle = figures.get("pool_available", 0)
        used.add_metric([name, "idle"], idle)
        used.add_metric([name, "used"], figures.get("pool_size", 0) - idle)
        most.add_metric([name], figures.get("pool_max", 0))
        waiting.add_metric([name], figures.get("requests_waiting", 0))
    yield from (used, most, waiting)


def gauge(name: str, text: str, value: float) -> Metric:
    """A gauge without labels."""
    return GaugeMetricFamily(name, text, value=value)


def merged(families: Iterable[Metric]) -> list[Metric]:
    """Merge the families of several processes: samples are summed, info metrics appear once."""
    found: dict[str, Metric] = {}
    sums: dict[str, dict[tuple[str, tuple[tuple[str, str], ...]], float]] = {}
    for family in families:
        found.setdefault(family.name, Metric(family.name, family.documentation, family.type))
        known = sums.setdefault(family.name, {})
        for sample in family.samples:
            key = (sample.name, tuple(sample.labels.items()))
            known[key] = sample.value + (known.get(key, 0) if family.type != "info" else 0)
    for name, samples in sums.items():
        for (sample_name, labels), value in samples.items():
            found[name].add_sample(sample_name, dict(labels), value)
    return list(found.values())
