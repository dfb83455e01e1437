"""`python -m tests.chaos [--seconds 180] [--seed 1] [--logs FOLDER]`. Exits 1 if a promise was broken."""

import argparse
import asyncio
import sys
from functools import partial
from pathlib import Path

from tests.chaos.run import HEAD, run, table

SECONDS = 160


def main() -> int:
    """Run, print the table, tell by the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.chaos", description=__doc__)
    parser.add_argument("--seconds", type=float, default=SECONDS, help="how long the acts may take")
    parser.add_argument("--seed", type=int, default=1, help="decides who is hit, and when")
    parser.add_argument("--logs", type=Path, help="a folder for what the processes say")
    given = parser.parse_args()
    print(HEAD)
    report = asyncio.run(run(given.seconds, seed=given.seed, say=partial(print, flush=True), logs=given.logs))
    print()
    print(table(report))
    return 1 if report.broken else 0


if __name__ == "__main__":
    sys.exit(main())
