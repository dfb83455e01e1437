"""How long `zerkalo --help` takes, beside a Python of the same environment that does nothing."""

import subprocess
import sys
from functools import partial
from statistics import median

from tests.benchmark.stage import zerkalo
from tests.benchmark.told import Told, milliseconds_of, ratio_of

STARTS_A_ROUND = 4
run_quietly = partial(subprocess.run, check=True, stdout=subprocess.DEVNULL)


def measure(told: Told) -> None:
    """Note both and their ratio."""
    told.title("Cold start")
    ours, bare = list[float](), list[float]()
    for _ in range(told.rounds * STARTS_A_ROUND):
        ours.append(milliseconds_of(lambda: run_quietly(zerkalo("--help"))))
        bare.append(milliseconds_of(lambda: run_quietly([sys.executable, "-c", "pass"])))
    told.figure("zerkalo --help", median(ours), "ms", "aim: 200 at most")
    told.figure("python -c pass", median(bare), "ms")
    told.ratio("zerkalo --help to python -c pass", ratio_of(ours, bare))
