"""Where the server's processor time goes: `python -m tests.benchmark.sampled FILE serve …` is `zerkalo serve`, sampled.

The stack is looked at whenever another bit of processor time has passed; at the end FILE holds, as JSON, how often each
stack was seen, the outermost function first. What a call into C takes counts for the function that makes it.
"""

import json
import re
import signal
import sys
from collections import Counter
from pathlib import Path
from types import FrameType

SECONDS = 0.001
"""Of processor time between two samples; most kernels make it a tick, 4 ms."""
START = "starting"
PARTS = {
    "reading bodies": r"zerkalo\.(yclients|kit\.text)|zerkalo\.webhook\.rules:(read|_item)",
    "deciding on snapshots": r"zerkalo\.(mirror\.(rules|snapshots)|bookings\.(rules|merging)|kit\.money)",
    "matching": r"zerkalo\.(mirror\.links|matching\.rules|clients\.model|kit\.phone)",
    "statements: stores, driver": r"psycopg|zerkalo\.db|zerkalo\.[.a-z]+\.store:",
    "the batch around them": r"zerkalo\.(mirror|webhook\.committer)",
    "the door: HTTP, secret, counting": r"uvicorn|zerkalo\.(web|webhook)|asyncio\.timeouts",
    "the loop: sockets, tasks": r"asyncio\.|uvloop",
}
"""Part -> the functions that are of it; a stack is of the innermost one that is of any."""
_OF_A_CALL = re.compile(r"uvicorn\.protocols|zerkalo\.web\.connections|zerkalo\.webhook\.committer")


def part_of(stack: str) -> str:
    """The part that a stack is of; `START` for what serves no call."""
    names = stack.split(";")
    if _OF_A_CALL.search(stack) is None and not names[-1].startswith(("asyncio.runners:", "uvloop:")):
        return START
    for name in reversed(names):
        for part, pattern in PARTS.items():
            if re.match(pattern, name):
                return part
    return START


def shares(path: Path) -> dict[str, float]:
    """The share of each part in what the file has of calls."""
    counted: Counter[str] = Counter()
    for stack, times in json.loads(path.read_text()):
        counted[part_of(stack)] += times
    del counted[START]
    return {part: counted[part] / counted.total() for part in PARTS}


def sample(stacks: Counter[str]) -> None:
    """Count the stack that runs, again and again."""

    def note(_: int, frame: FrameType | None) -> None:
        names: list[str] = []
        while frame is not None:
            names.append(f"{frame.f_globals.get('__name__')}:{frame.f_code.co_name}")
            frame = frame.f_back
        stacks[";".join(reversed(names))] += 1

    signal.signal(signal.SIGPROF, note)
    signal.setitimer(signal.ITIMER_PROF, SECONDS, SECONDS)


if __name__ == "__main__":
    from zerkalo.cli.main import main

    seen: Counter[str] = Counter()
    path = Path(sys.argv.pop(1))
    sample(seen)
    try:
        main()
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0)
        path.write_text(json.dumps(seen.most_common()))
