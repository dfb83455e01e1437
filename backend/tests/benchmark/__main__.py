"""`make bench`: ours beside pgbench and others, in one run on one durable database; ratios, for the times alone say more of the machine.

The server is `zerkalo serve` in a process of its own, the callers are another, PostgreSQL is the embedded one with fsync on. Rounds
alternate between what is compared; each figure is the median over them, each ratio the median of the rounds' ratios.
"""

import argparse
import logging
from collections.abc import Sequence
from pathlib import Path

import structlog

from tests.benchmark import (
    backfill,
    cold_start,
    disk,
    form,
    freshness,
    growth,
    moving_in,
    pages,
    reads,
    webhooks,
)
from tests.benchmark.picture import write_svg
from tests.benchmark.stage import Stage, open_stage
from tests.benchmark.told import Told

BOOKINGS = 50_000
"""In the database before the measures that don't ask about its size."""
ON_THE_SALON = {"webhooks": webhooks.measure, "pages": pages.measure, "freshness": freshness.measure}
MEASURES = (*ON_THE_SALON, "reads", "form", "backfill", "growth", "disk", "import", "start")
QUICK = ("webhooks", "pages", "start")
"""What fits into two minutes, with shorter and fewer rounds."""


def main() -> None:
    given = arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    told = Told(rounds=3, seconds=2) if given.quick else Told()
    measures = given.measures or (QUICK if given.quick else MEASURES)
    if set(measures) - {"start"}:
        with open_stage() as stage:
            _measure(stage, told, measures, given)
    if "start" in measures:
        cold_start.measure(told)
    told.show()
    if given.json:
        told.write_json(given.json)
    if given.svg:
        write_svg(told, given.svg)


def _measure(stage: Stage, told: Told, measures: tuple[str, ...], given: argparse.Namespace) -> None:
    if not ON_THE_SALON.keys().isdisjoint(measures):
        with stage.database("salon", bookings=BOOKINGS) as dsn:
            for name, measure in ON_THE_SALON.items():
                if name in measures:
                    measure(stage, dsn, told)
    if "reads" in measures:
        reads.measure(stage, told)
    if "form" in measures:
        form.measure(stage, told)
    if "backfill" in measures:
        backfill.measure(stage, told, records=given.records)
    if "growth" in measures:
        growth.measure(stage, told, bookings_max=given.bookings_max)
    if "disk" in measures:
        disk.measure(stage, told)
    if "import" in measures:
        moving_in.measure(stage, told, visits=given.visits)


def arguments(words: Sequence[str] | None = None) -> argparse.Namespace:
    """What was asked for; without measures all of them."""
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument(
        "measures", nargs="*", help=f"only these; all of them if none is named: {', '.join(MEASURES)}"
    )
    parser.add_argument(
        "--quick", action="store_true", help=f"two minutes: {', '.join(QUICK)}, in short rounds"
    )
    parser.add_argument("--json", type=Path, help="write the figures there too")
    parser.add_argument("--svg", type=Path, help="draw the webhook's processor time there")
    parser.add_argument(
        "--bookings-max",
        type=int,
        default=growth.LARGE,
        help="the larger database of `growth` (about 1 GB a million)",
    )
    parser.add_argument("--records", type=int, default=backfill.RECORDS, help="the history of `backfill`")
    parser.add_argument("--visits", type=int, default=moving_in.VISITS, help="the history of `import`")
    given = parser.parse_args(words)
    # Not `choices`: with them argparse refuses that none is named.
    if unknown := sorted(set(given.measures) - set(MEASURES)):
        parser.error(f"no such measure: {', '.join(unknown)}; there are {', '.join(MEASURES)}")
    return given


if __name__ == "__main__":
    main()
