"""What a run of the benchmark found: printed as it comes, ratios first at the end, written as JSON."""

import json
import sys
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from pathlib import Path
from statistics import median
from time import perf_counter

RATIO = "×"


@dataclass(frozen=True, slots=True)
class Line:
    """One figure. `aim`: what it should be, in words; empty where nothing is aimed at."""

    section: str
    what: str
    value: float
    unit: str
    aim: str = ""


class Told:
    """The figures of one run, and how long its measures take: `rounds` of `seconds`."""

    def __init__(self, *, rounds: int = 5, seconds: float = 5) -> None:
        self.rounds = rounds
        """Odd, so that the median is one that was measured."""
        self.seconds = seconds
        self.lines: list[Line] = []
        self._section = ""

    def title(self, text: str) -> None:
        """Begin a section."""
        self._section = text
        print(f"measuring: {text}", file=sys.stderr, flush=True)

    def figure(self, what: str, value: float, unit: str, aim: str = "") -> None:
        """Note a figure of the section."""
        self.lines.append(Line(self._section, what, value, unit, aim))

    def ratio(self, what: str, value: float, aim: str = "") -> None:
        """Note a ratio: it says the same on every machine."""
        self.figure(what, value, RATIO, aim)

    def show(self) -> None:
        """Print everything: ratios first, for times alone say more of the machine."""
        for title, lines in (
            ("Ratios", [line for line in self.lines if line.unit == RATIO]),
            ("Figures", [line for line in self.lines if line.unit != RATIO]),
        ):
            print(f"\n{title}")
            section = ""
            for line in lines:
                if line.section != section:
                    section = line.section
                    print(f"  {section}")
                digits = 2 if line.unit == RATIO else 1
                print(f"    {line.what:<56}{line.value:>12,.{digits}f} {line.unit:<12}{line.aim}".rstrip())

    def write_json(self, path: Path) -> None:
        """Write the figures, for another program or a later comparison."""
        path.write_text(
            json.dumps([asdict(line) for line in self.lines], ensure_ascii=False, indent=1) + "\n"
        )


def ratio_of(first: Iterable[float], second: Iterable[float]) -> float:
    """The median of the rounds' ratios: what disturbs the machine in a round disturbs both."""
    return median(one / other for one, other in zip(first, second, strict=True))


def percentile(values: Iterable[float], share: float) -> float:
    """The value that so large a share of them does not pass."""
    found = sorted(values)
    return found[min(int(len(found) * share), len(found) - 1)]


def milliseconds_of(work: Callable[[], object]) -> float:
    """How long the work took."""
    began_at = perf_counter()
    work()
    return 1000 * (perf_counter() - began_at)
