"""Counters: labels that can't run away, and a sum over several processes that never goes back."""

import asyncio
import os
from pathlib import Path

from prometheus_client.core import Metric
from prometheus_client.parser import text_string_to_metric_families

from zerkalo.metrics import sharing
from zerkalo.metrics.counts import COUNTS, HISTOGRAMS, LOOP_LAG_SECONDS
from zerkalo.metrics.exposition import merged, of_counts, text_of
from zerkalo.metrics.loop_lag import watching_the_loop
from zerkalo.metrics.model import OTHER, Count, Histogram
from zerkalo.metrics.sharing import Shared

SERIES_MAX = 20
"""Of one counter."""


def _values(families: list[Metric]) -> dict[str, float]:
    return {
        f"{sample.name}{sorted(sample.labels.items())}": sample.value
        for family in families
        for sample in family.samples
    }


def test_every_series_is_there_before_anything_was_counted() -> None:
    count = Count("things", "Things.", kind=("a", "b"), way=("in", "out"))

    assert count.values == {("a", "in"): 0, ("a", "out"): 0, ("b", "in"): 0, ("b", "out"): 0}


def test_a_value_that_nobody_thought_of_makes_one_series_however_many_there_are() -> None:
    count = Count("things", "Things.", kind=("a", "b"))

    for number in range(1000):
        count.add(f"stranger {number}")
    count.add("a", by=2)

    assert count.values == {("a",): 2, ("b",): 0, (OTHER,): 1000}


def test_our_counters_have_few_series() -> None:
    assert {one.name: len(one.values) for one in COUNTS if len(one.values) > SERIES_MAX} == {}
    assert len({one.name for one in (*COUNTS, *HISTOGRAMS)}) == len(COUNTS) + len(HISTOGRAMS)


def test_a_histogram_counts_into_every_bucket_that_holds_the_value() -> None:
    one = Histogram("seconds", "Seconds.", (1, 5))

    for value in (0.5, 1, 3, 99):
        one.observe(value)

    assert (one.buckets(), one.sum) == ([("1", 2), ("5", 3), ("+Inf", 4)], 103.5)


def test_what_is_told_is_read_by_a_prometheus_as_it_was_meant() -> None:
    count, seconds = Count("things", "Things.", kind=("a", "b")), Histogram("seconds", "Seconds.", (1,))
    count.add("b")
    seconds.observe(0.5)

    text = text_of(of_counts([count], [seconds])).decode()

    read = _values(list(text_string_to_metric_families(text)))
    assert read["things_total[('kind', 'a')]"] == 0
    assert read["things_total[('kind', 'b')]"] == 1
    assert read["seconds_bucket[('le', '1')]"] == read["seconds_count[]"] == 1


def test_processes_on_one_port_tell_the_sum(tmp_path: Path) -> None:
    folder = tmp_path / "met"
    folder.mkdir(mode=0o700)
    count = Count("things", "Things.", kind=("a",))
    count.add("a", by=2)
    Shared(folder).write(of_counts([count], []))
    (folder / f"{os.getpid()}.json").rename(folder / "1.json")  # as another process left it

    everybody = merged([*of_counts([count], []), *Shared(folder).others()])

    assert _values(everybody)["things_total[('kind', 'a')]"] == 4


def test_one_that_ended_keeps_its_counts_and_loses_its_gauges(tmp_path: Path) -> None:
    folder = tmp_path / "met"
    folder.mkdir(mode=0o700)
    held, done = Metric("held", "Held.", "gauge"), Metric("done", "Done.", "counter")
    held.add_sample("held", {}, 3)
    done.add_sample("done_total", {}, 5)
    Shared(folder).write([held, done])
    left = folder / "1.json"
    (folder / f"{os.getpid()}.json").rename(left)

    assert [family.name for family in Shared(folder).others()] == ["held", "done"]
    os.utime(left, (0, 0))
    assert [family.name for family in Shared(folder).others()] == ["done"]


def test_a_folder_that_others_can_enter_is_not_believed(tmp_path: Path) -> None:
    folder = tmp_path / "met"
    folder.mkdir(mode=0o755)
    (folder / "1.json").write_text("[]")

    Shared(folder).write([])

    assert [file.name for file in folder.iterdir()] == ["1.json"]
    assert list(Shared(folder).others()) == []


def test_half_a_file_is_passed_over(tmp_path: Path) -> None:
    folder = tmp_path / "met"
    folder.mkdir(mode=0o700)
    (folder / "1.json").write_text('[["things", "Thi')

    assert list(Shared(folder).others()) == []


def test_the_children_s_folder_is_made_and_taken_away_again() -> None:
    folder = sharing.folder_of(os.getpid())

    with sharing.folder_for_children():
        Shared(folder).write([])
        assert [file.name for file in folder.iterdir()] == [f"{os.getpid()}.json"]

    assert not folder.exists()


async def test_a_blocked_event_loop_shows() -> None:
    before = LOOP_LAG_SECONDS.sum

    async with watching_the_loop(every_seconds=0.001):
        until = asyncio.get_running_loop().time() + 0.05
        await asyncio.sleep(0)
        while asyncio.get_running_loop().time() < until:
            pass
        while LOOP_LAG_SECONDS.sum == before:
            await asyncio.sleep(0.001)

    assert LOOP_LAG_SECONDS.sum - before > 0.01
