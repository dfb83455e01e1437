"""How long `zerkalo --help` takes, beside a Python of the same environment that does nothing."""

import subprocess
import sys
from functools import partial
from statistics import median

from tests.benchmark.stage import zerkalo
from tests.benchmark.told import ROUNDS, figure, milliseconds_of, ratio, ratio_of, title

STARTS = 4 * ROUNDS
run_quietly = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)


def measure() -> None:
    """Prints both and their ratio."""
    title("Cold start")
    ours, bare = list[float](), list[float]()
    for _ in range(STARTS):
        ours.append(milliseconds_of(lambda: run_quietly(zerkalo("--help"))))
        bare.append(milliseconds_of(lambda: run_quietly([sys.executable, "-c", "pass"])))
    figure("zerkalo --help", median(ours), "ms", "aim: about 300")
    figure("python -c pass", median(bare), "ms")
    ratio("zerkalo --help to python -c pass", ratio_of(ours, bare))
