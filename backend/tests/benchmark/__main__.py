"""`make bench`: ours beside pgbench and others, in one run on one durable database; ratios, for the times alone say more of the machine.

The server is `zerkalo serve` in a process of its own, the callers are another, PostgreSQL is the embedded one with fsync on. Rounds
alternate between what is compared; each figure is the median over them, each ratio the median of the rounds' ratios.
"""

import argparse
import logging
import sys
import traceback
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import structlog

from tests.benchmark import (
    backfill,
    cold_start,
    disk,
    form,
    freshness,
    growth,
    month,
    moving_in,
    pages,
    reads,
    webhooks,
)
from tests.benchmark.picture import write_server_svg, write_statements_svg, write_svg
from tests.benchmark.stage import Stage, open_stage
from tests.benchmark.told import Told

BOOKINGS = 50_000
"""In the database before the measures that don't ask about its size."""
MEASURES = (
    "webhooks",
    "pages",
    "freshness",
    "reads",
    "form",
    "backfill",
    "growth",
    "month",
    "disk",
    "import",
    "start",
)
Part = Callable[[Told], None]
QUICK = ("webhooks", "pages", "start")
"""What fits into two minutes, with shorter and fewer rounds."""


def main() -> None:
    given = arguments()
    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(logging.WARNING))
    told = Told(rounds=3, seconds=2) if given.quick else Told()
    measures = given.measures or (QUICK if given.quick else MEASURES)
    failed = [
        name for name, measure in _parts(given).items() if name in measures and not _is_done(measure, told)
    ]
    told.show()
    if given.json:
        told.write_json(given.json)
    if given.svg:
        write_svg(told, given.svg)
    if given.statements_svg:
        write_statements_svg(told, given.statements_svg)
    if given.server_svg:
        write_server_svg(told, given.server_svg)
    if failed:
        sys.exit(f"broke off: {', '.join(failed)}")


def _parts(given: argparse.Namespace) -> Mapping[str, Part]:
    """The measures in their order, each on a PostgreSQL and a database of its own: none finds what another left."""

    def on_the_salon(measure: Callable[[Stage, str, Told], None]) -> Part:
        def run(told: Told) -> None:
            with open_stage() as stage, stage.database("salon", bookings=BOOKINGS) as dsn:
                measure(stage, dsn, told)

        return run

    def on_a_stage(measure: Callable[..., None], **options: int) -> Part:
        def run(told: Told) -> None:
            with open_stage() as stage:
                measure(stage, told, **options)

        return run

    return {
        "webhooks": on_the_salon(webhooks.measure),
        "pages": on_the_salon(pages.measure),
        "freshness": on_the_salon(freshness.measure),
        "reads": on_a_stage(reads.measure),
        "form": on_a_stage(form.measure),
        "backfill": on_a_stage(backfill.measure, records=given.records),
        "growth": on_a_stage(growth.measure, bookings_max=given.bookings_max),
        "month": on_a_stage(month.measure),
        "disk": on_a_stage(disk.measure),
        "import": on_a_stage(moving_in.measure, visits=given.visits),
        "start": cold_start.measure,
    }


def _is_done(measure: Part, told: Told) -> bool:
    """Whether a measure came to its end. One that breaks off, as on a busy machine, takes no other's figures along."""
    try:
        measure(told)
    except Exception:  # noqa: BLE001  # whatever broke it, the next one is measured
        traceback.print_exc()
        return False
    return True


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
        "--statements-svg", type=Path, help="draw PostgreSQL's time by statement there (`growth`)"
    )
    parser.add_argument(
        "--server-svg", type=Path, help="draw where the server's processor time goes there (`webhooks`)"
    )
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
