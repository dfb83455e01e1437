"""The salon living: the same seed, the same truth; and never two visits of one master at a time."""

from itertools import pairwise

import pytest

from tests.support.emulator import Receiver, TurnedClock
from yclients_emulator import Emulator, desk, new_demo_emulator
from yclients_emulator.faults import Chance, Fault
from yclients_emulator.hooks import HookModes
from yclients_emulator.life import Life, Person

ANNA = Person(name="Анна", phone="70000007777", email="anna@example.com", code="ABC12345")


def lived(seed: int, steps: int = 400) -> tuple[Emulator, list[str]]:
    clock = TurnedClock()
    emulator = new_demo_emulator(seed=seed, clock=clock, sender=Receiver())
    emulator.set_hooks(100200, ["http://zerkalo/hook"])
    life = Life(emulator, people=[ANNA])
    told: list[str] = []
    for _ in range(steps):
        clock.pass_seconds(600)
        told.append(life.step())
    return emulator, told


def test_the_same_seed_lives_the_same_life_and_another_another():
    one, told_one = lived(3)
    two, told_two = lived(3)
    other, told_other = lived(4)

    assert told_one == told_two
    assert desk.truths(one) == desk.truths(two)
    assert [item.body for item in one.hooks.waiting] == [item.body for item in two.hooks.waiting]
    assert told_one != told_other
    assert desk.truths(one) != desk.truths(other)


def test_faults_do_not_change_what_the_salon_does():
    quiet, told_quiet = lived(3, 50)
    clock = TurnedClock()
    emulator = new_demo_emulator(seed=3, clock=clock, sender=Receiver())
    emulator.set_hooks(100200, ["http://zerkalo/hook"])
    emulator.hooks.set_modes(HookModes(drop=Chance(probability=0.5), reorder=Chance(probability=0.5)))
    emulator.faults.add(Fault(kind="status", probability=0.5))
    life = Life(emulator, people=[ANNA])
    told: list[str] = []
    for _ in range(50):
        clock.pass_seconds(600)
        emulator.faults.pick("GET", "/records/100200")
        told.append(life.step())

    assert told == told_quiet
    assert desk.truths(emulator) == desk.truths(quiet)


def test_life_does_everything_that_can_happen_to_a_record():
    emulator, told = lived(1)

    happened = {line.split()[0] for line in told}
    assert happened >= {"book", "move", "confirm", "finish", "cancel", "restore", "note", "reprice", "block"}
    assert any("Код клиента: ABC12345" in one["comment"] for one in desk.truths(emulator))
    assert {one["attendance"] for one in desk.truths(emulator)} == {-1, 0, 1, 2}


@pytest.mark.parametrize("seed", range(4))
def test_no_master_is_ever_booked_twice_at_a_time(seed: int):
    emulator, _ = lived(seed)

    for staff_id in emulator.vendor.staff:
        records = sorted(
            (
                record
                for stored in emulator.vendor.records.values()
                for record in stored.values()
                if record.staff_id == staff_id and not record.deleted
            ),
            key=lambda record: record.date,
        )
        for before, after in pairwise(records):
            assert before.ends <= after.date, (before.id, after.id)


async def test_life_runs_by_the_injected_sleep():
    clock = TurnedClock()
    emulator = new_demo_emulator(clock=clock, sleep=clock.sleep)

    class Enough(Exception):
        pass

    async def pause(seconds: float) -> None:
        await clock.sleep(seconds)
        if len(clock.slept) > 5:
            raise Enough

    with pytest.raises(Enough):
        await Life(emulator).run(6, pause)
    assert all(3 <= seconds <= 9 for seconds in clock.slept)


def test_what_is_spared_stays_as_it_is():
    clock = TurnedClock()
    emulator = new_demo_emulator(seed=3, clock=clock, sender=Receiver())
    spared = {key: one for several in emulator.vendor.records.values() for key, one in several.items()}
    life = Life(emulator, spared=spared)
    for _ in range(400):
        clock.pass_seconds(600)
        life.step()

    assert {key: emulator.vendor.record(key) for key in spared} == spared
