"""The benchmark's command line: what `make bench` calls it with."""

import pytest

from tests.benchmark.__main__ import arguments


@pytest.mark.parametrize(
    ("words", "measures"), [([], []), (["--quick"], []), (["reads", "form"], ["reads", "form"])]
)
def test_without_measures_all_of_them_are_meant(words: list[str], measures: list[str]) -> None:
    """Once it was refused: "invalid choice: ()"."""
    assert arguments(words).measures == measures


def test_a_measure_that_there_is_not_is_refused() -> None:
    with pytest.raises(SystemExit):
        arguments(["nothing"])
