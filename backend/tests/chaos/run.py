"""One run: acts until the time is used up, then the verdict, then a table of it all."""

import asyncio
import contextlib
import shutil
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path

from tests.chaos.acts import ACTS, Act
from tests.chaos.load import Tally
from tests.chaos.stage import COMPANY_ID, PEOPLE, Stage, stage
from tests.chaos.verdict import SHOWN_MAX, lost, verdict

SHORT_SECONDS = 120
"""A shorter run does the essential acts only."""


@dataclass(frozen=True)
class Done:
    """An act that was done."""

    name: str
    remark: str
    tally: Tally
    back_seconds: float


@dataclass
class Report:
    """What was done and found."""

    seed: int
    done: list[Done] = field(default_factory=list[Done])
    not_done: list[str] = field(default_factory=list[str])
    broken: list[str] = field(default_factory=list[str])
    promises: list[tuple[str, int]] = field(default_factory=list[tuple[str, int]])
    """Each promise with the number of times it was broken."""
    whole: Tally = field(default_factory=Tally)
    acknowledged: int = 0
    restarts: int = 0
    seconds: float = 0.0


async def run(
    seconds: float, *, seed: int, say: Callable[[str], None] = lambda _: None, logs: Path | None = None
) -> Report:
    """Do every act once, and more as long as that takes less than `seconds`; then judge.

    Making everything ready before and judging after takes some 20 seconds more on a quiet machine.

    `logs`: a folder that gets what the processes have said.
    """
    began_at = time.monotonic()
    report = Report(seed)
    async with stage(seed) as built:
        living = asyncio.create_task(built.load.live(built.emulator, COMPANY_ID, PEOPLE), name="live")
        try:
            await built.recovered()
            say(f"everything runs after {time.monotonic() - began_at:.0f} s")
            for act in _chosen(_acts_for(seconds, built, report), seconds, built):
                await _do(act, built, report, say)
        finally:
            living.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await living
        await _quiet(built)
        async for promise, lines in verdict(built):
            report.promises.append((promise, len(lines)))
            report.broken += [f"{promise}: {line}" for line in lines[:SHOWN_MAX]]
        if logs is not None:
            logs.mkdir(parents=True, exist_ok=True)
            for charge in built.charges:
                shutil.copy(charge.log, logs)
        report.whole = built.load.whole
        report.acknowledged = len(built.load.acknowledged)
        report.restarts = sum(charge.starts - 1 for charge in built.charges)
    report.seconds = time.monotonic() - began_at
    return report


def _acts_for(seconds: float, built: Stage, report: Report) -> list[Act]:
    """The acts of a round."""
    acts = [act for act in ACTS if act.is_essential or seconds >= SHORT_SECONDS]
    if built.database.has_own_disk:
        return acts
    report.not_done += [
        f"{act.name}: needs root that may mount a disk of its own" for act in acts if act.needs_own_disk
    ]
    return [act for act in acts if not act.needs_own_disk]


def _chosen(acts: Sequence[Act], seconds: float, built: Stage) -> Iterator[Act]:
    """Every act once, in their order, however slow the machine is; then any of them as long as there is time."""
    until = time.monotonic() + seconds
    yield from acts
    while fitting := [act for act in acts if time.monotonic() + act.seconds < until]:
        yield built.rng.choice(fitting)


async def _do(act: Act, built: Stage, report: Report, say: Callable[[str], None]) -> None:
    tally = built.load.new_tally()
    remark, back = "", 0.0
    try:
        remark = await act.do(built)
    except (AssertionError, TimeoutError) as error:
        remark = _broken(act, error, report)
    built.let_go()
    try:
        back = await built.recovered()
    except AssertionError as error:
        remark = _broken(act, error, report)
    report.broken += [f"after {act.name}: {line}" for line in (await lost(built))[:SHOWN_MAX]]
    done = Done(act.name, remark, tally, back)
    report.done.append(done)
    say(_line(done))


def _broken(act: Act, error: Exception, report: Report) -> str:
    said = f"{act.name}: {error or type(error).__name__}"
    report.broken.append(said)
    return f"BROKEN: {said}"


async def _quiet(built: Stage) -> None:
    """Wait until every webhook under way has been carried."""
    await asyncio.sleep(0.5)
    while built.emulator.hooks.next_due_at() is not None:
        await asyncio.sleep(0.2)
    while built.load.under_way:
        await asyncio.sleep(0.1)


HEAD = f"{'what was done':32} {'200':>6} {'503':>5} {'cut':>4} {'nobody':>6} {'slowest':>8} {'back in':>8}  remark"


def table(report: Report) -> str:
    """The report as a person reads it."""
    answers = report.whole.answers
    lines = [
        HEAD,
        *map(_line, report.done),
        _line(Done("in all", "", report.whole, 0)),
        "",
        *(f"not done: {line}" for line in report.not_done),
        (
            f"{report.acknowledged} calls acknowledged, {answers['503']} told to come again, {report.restarts} restarts,"
            f" {report.seconds:.0f} s, seed {report.seed}"
        ),
        *(f"{count:6}  {promise}" for promise, count in report.promises),
        *(f"BROKEN  {line}" for line in report.broken),
        "all promises kept" if not report.broken else f"{len(report.broken)} promises broken",
    ]
    return "\n".join(lines)


def _line(done: Done) -> str:
    answers = done.tally.answers
    return (
        f"{done.name:32} {answers['200']:6} {answers['503']:5} {answers['cut off']:4} {answers['nobody there']:6}"
        f" {done.tally.slowest_seconds:6.1f} s {done.back_seconds:6.1f} s  {done.remark}"
    ).rstrip()
