"""`make sim SEED=n`, `make sim RUNS=n`: play seeds on every core, tell what went wrong and how to replay it."""

import argparse
import os
import random
import sys
import time
from collections import Counter

from tests.simulation.faults import never_injected
from tests.simulation.many import reports
from tests.simulation.run import Report

RUNS = 40
MANY = 10_000_000
RUNS_OF_EVERY_KIND = 200
"""So many seeds meet every kind of fault that is promised; fewer may miss one of the rare."""


def main() -> int:
    """Exit 0: all seeds healed; 1: some did not, or so many never met a kind of fault that is promised."""
    parser = argparse.ArgumentParser(prog="make sim", description=__doc__)
    parser.add_argument("--seed", type=int, help="the first seed; alone, only that one is played")
    parser.add_argument("--runs", type=int, help=f"how many seeds, {RUNS} unless a seed is named")
    parser.add_argument("--jobs", type=int, default=os.cpu_count() or 1, help="how many at once")
    parser.add_argument("--trace", action="store_true", help="print what happened")
    asked = parser.parse_args()
    first = asked.seed if asked.seed is not None else random.SystemRandom().randrange(MANY)
    runs = asked.runs or (RUNS if asked.seed is None else 1)
    print(f"seeds {first} to {first + runs - 1}")
    began_at = time.monotonic()
    counted: Counter[str] = Counter()
    failed: list[Report] = []
    cpu = 0.0
    for report in reports(list(range(first, first + runs)), min(asked.jobs, runs)):
        counted += report.counted
        cpu += report.cpu_seconds
        if asked.trace:
            print("\n".join(report.lines))
        if report.faults:
            failed.append(report)
            print(f"\nseed {report.seed} FAILED; {report.command}")
            print("\n".join(f"  {fault}" for fault in report.faults[:20]))
        else:
            print(f"seed {report.seed} {report.trace} {report.real_seconds:.1f} s", flush=True)
    minutes = (time.monotonic() - began_at) / 60
    print(
        f"\n{runs} seeds, {runs / minutes:.0f} a minute, {cpu / runs:.1f} s of CPU each, {len(failed)} failed"
    )
    for what, count in sorted(counted.items()):
        print(f"{count:8} {what}")
    missing = never_injected(counted) if runs >= RUNS_OF_EVERY_KIND else []
    print("\n".join(f"NEVER INJECTED: {what}" for what in missing))
    for report in failed:
        print(report.command)
    return 1 if failed or missing else 0


if __name__ == "__main__":
    sys.exit(main())
