"""`python -m tests.mutations [NAME …]`. Exits 1 if a wrong survived, or shows nothing."""

import argparse
import sys
from concurrent.futures import ThreadPoolExecutor

from tests.mutations.run import Verdict, try_nothing, try_wrong
from tests.mutations.wrongs import WRONGS

AT_ONCE = 2


def main() -> int:
    """Try every wrong, print the table, tell by the exit code."""
    parser = argparse.ArgumentParser(prog="python -m tests.mutations", description=__doc__)
    parser.add_argument("names", nargs="*", help="only wrongs whose name has one of these in it")
    names: list[str] = parser.parse_args().names
    chosen = [wrong for wrong in WRONGS if not names or any(name in wrong.name for name in names)]
    tests = sorted({test for wrong in chosen for test in wrong.tests})
    with ThreadPoolExecutor(AT_ONCE) as pool:
        nothing = pool.submit(try_nothing, tests)
        trials = []
        for trial in pool.map(try_wrong, chosen):
            trials.append(trial)
            print(f"{trial.wrong:34} {trial.verdict:9} {trial.seconds:4.0f} s  {trial.by}", flush=True)
    if nothing.result():
        print(f"{nothing.result()}\nthe tests fail without any wrong: the table above shows nothing")
        return 1
    killed = sum(trial.verdict is Verdict.KILLED for trial in trials)
    print(f"{killed} of {len(trials)} wrongs killed; without a wrong all these tests pass")
    return 0 if killed == len(trials) > 0 else 1


if __name__ == "__main__":
    sys.exit(main())
