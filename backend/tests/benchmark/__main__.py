"""`make bench`: ours beside pgbench and others, in one run on one durable database; ratios, for the times alone say more of the machine.

The server is `zerkalo serve` in a process of its own, the callers are another, PostgreSQL is the embedded one with fsync on. Rounds
alternate between what is compared; each figure is the median over them, each ratio the median of the rounds' ratios.
"""

import argparse
import logging

import structlog

from tests.benchmark import backfill, cold_start, disk, freshness, growth, pages, webhooks
from tests.benchmark.stage import open_stage

BOOKINGS = 50_000
"""In the database before the measures that don't ask about its size."""
MEASURES = ("webhooks", "pages", "freshness", "backfill", "growth", "disk", "start")


def main() -> None:
    given = _arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    with open_stage() as stage:
        if not {"webhooks", "pages", "freshness"}.isdisjoint(given.measures):
            with stage.database("salon", bookings=BOOKINGS) as dsn:
                for name, measure in (
                    ("webhooks", webhooks.measure),
                    ("pages", pages.measure),
                    ("freshness", freshness.measure),
                ):
                    if name in given.measures:
                        measure(stage, dsn)
        if "backfill" in given.measures:
            backfill.measure(stage, records=given.records)
        if "growth" in given.measures:
            growth.measure(stage, bookings_max=given.bookings_max)
        if "disk" in given.measures:
            disk.measure(stage)
    if "start" in given.measures:
        cold_start.measure()


def _arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(prog="python -m tests.benchmark", description=__doc__)
    parser.add_argument(
        "measures",
        nargs="*",
        choices=MEASURES,
        default=MEASURES,
        help="only these; all of them if none is named",
    )
    parser.add_argument(
        "--bookings-max",
        type=int,
        default=growth.LARGE,
        help="the larger database of `growth` (about 1 GB a million)",
    )
    parser.add_argument("--records", type=int, default=backfill.RECORDS, help="the history of `backfill`")
    return parser.parse_args()


if __name__ == "__main__":
    main()
