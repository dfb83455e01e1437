"""Faults that can be switched on: which requests they hit, how often, and how they change the answer."""

import re
from random import Random
from typing import Literal

from msgspec import Struct, structs

FaultKind = Literal[
    "status", "timeout", "cut", "disconnect", "html", "success_false", "unauthorized", "forbidden", "licence"
]


class Chance(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """How often something happens: the next `next` times after `skip` passed over, else with `probability`."""

    probability: float = 0.0
    next: int = 0
    skip: int = 0


class Dice:
    """One chance and its remaining counts."""

    def __init__(self, rng: Random, chance: Chance) -> None:
        self.chance = chance
        self._rng = rng

    def roll(self) -> bool:
        """Return whether it happens this time. Counts are used up before the probability applies."""
        chance = self.chance
        if chance.skip > 0:
            self.chance = structs.replace(chance, skip=chance.skip - 1)
            return False
        if chance.next > 0:
            self.chance = structs.replace(chance, next=chance.next - 1)
            return True
        return chance.probability > 0 and self._rng.random() < chance.probability


class Fault(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """One fault as the control API takes it."""

    kind: FaultKind
    path: str = ".*"  # regular expression, searched in the path after /api/v1, for example ^/records/100200
    method: str | None = None
    probability: float = 0.0
    next: int = 0
    skip: int = 0  # so many matching requests pass first
    status: int = 503  # of kind `status`, and of `html`
    after: bool = False  # the request is carried out first, then the answer is spoilt
    seconds: float = 60.0  # how long `timeout` hangs
    retry_after: int | None = None
    empty_body: bool = False

    @property
    def chance(self) -> Chance:
        return Chance(probability=self.probability, next=self.next, skip=self.skip)


class Faults:
    """The faults that are on, in the order they were added; the first that matches a request applies."""

    def __init__(self, rng: Random) -> None:
        self._rng = rng
        self._rules: dict[int, tuple[Fault, re.Pattern[str], Dice]] = {}
        self._last_id = 0

    def add(self, fault: Fault) -> int:
        """Switch a fault on; return its number. `re.error` for a bad path pattern."""
        self._last_id += 1
        self._rules[self._last_id] = (fault, re.compile(fault.path), Dice(self._rng, fault.chance))
        return self._last_id

    def remove(self, fault_id: int) -> bool:
        return self._rules.pop(fault_id, None) is not None

    def clear(self) -> None:
        self._rules.clear()

    def listed(self) -> dict[int, Fault]:
        """Return the faults that are on, with their remaining counts."""
        return {
            number: structs.replace(fault, next=dice.chance.next, skip=dice.chance.skip)
            for number, (fault, _, dice) in self._rules.items()
        }

    def pick(self, method: str, path: str) -> Fault | None:
        """The fault that hits this request, or None."""
        for fault, pattern, dice in self._rules.values():
            if fault.method in (None, method) and pattern.search(path) and dice.roll():
                return fault
        return None
