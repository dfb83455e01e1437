"""Webhooks: one late attempt each, and every way in which they go wrong."""

import msgspec
import pytest

from tests.support.emulator import Receiver, TurnedClock
from yclients_emulator import Emulator, desk, new_demo_emulator
from yclients_emulator.faults import Chance
from yclients_emulator.hooks import HookModes
from yclients_emulator.model import Record

URL = "http://zerkalo/hook"


class Scene:
    """A demo salon whose webhooks come to a receiver in process."""

    def __init__(self) -> None:
        self.clock = TurnedClock()
        self.receiver = Receiver()
        self.emulator: Emulator = new_demo_emulator(clock=self.clock, sender=self.receiver)
        self.emulator.set_hooks(100200, [URL], record=1)

    def book(self) -> Record:
        return desk.create(
            self.emulator, company_id=100200, service_ids=(3001,), phone="70000000101", name="Анна"
        )

    async def later(self, seconds: float) -> list[tuple[int, str]]:
        self.clock.pass_seconds(seconds)
        self.receiver.bodies.clear()
        await self.emulator.hooks.deliver_due()
        return [(body["resource_id"], body["status"]) for body in self.receiver.bodies]


@pytest.fixture
def scene() -> Scene:
    return Scene()


async def test_a_webhook_comes_five_seconds_after_the_event_and_once(scene: Scene):
    record = scene.book()

    assert await scene.later(4.9) == []
    assert await scene.later(0.1) == [(record.id, "create")]
    assert await scene.later(3600) == []


async def test_the_body_shows_the_moment_of_the_event(scene: Scene):
    record = scene.book()
    desk.change(scene.emulator, record.id, comment="позже")

    await scene.later(5)

    assert [body["data"]["comment"] for body in scene.receiver.bodies] == ["", "позже"]


async def test_a_failed_attempt_is_a_lost_event(scene: Scene):
    scene.receiver.status = 500
    scene.book()
    await scene.later(5)
    scene.receiver.reachable = False
    scene.book()
    await scene.later(5)

    assert [one.state for one in scene.emulator.hooks.gone] == ["failed", "failed"]
    assert [one.http_status for one in scene.emulator.hooks.gone] == [500, None]
    assert scene.emulator.hooks.waiting == []


ALTEGIO = HookModes(retries=2)


@pytest.mark.parametrize("status", [500, 503, 429])
async def test_altegio_tries_twice_more(scene: Scene, status: int):
    scene.emulator.hooks.set_modes(ALTEGIO)
    scene.receiver.status = status
    record = scene.book()

    seen = [await scene.later(seconds) for seconds in (5, 1.4, 0.1, 1.5, 3600)]

    assert seen == [[(record.id, "create")], [], [(record.id, "create")], [(record.id, "create")], []]
    assert [(one.state, one.attempts) for one in scene.emulator.hooks.gone] == [("failed", 3)]


async def test_altegio_tries_until_somebody_answers(scene: Scene):
    scene.emulator.hooks.set_modes(ALTEGIO)
    scene.receiver.reachable = False
    record = scene.book()
    await scene.later(5)
    scene.receiver.reachable = True

    assert await scene.later(1.5) == [(record.id, "create")]
    assert await scene.later(3600) == []
    assert [(one.state, one.attempts, one.error) for one in scene.emulator.hooks.gone] == [("sent", 2, None)]


async def test_altegio_takes_any_other_4xx_for_an_answer(scene: Scene):
    scene.emulator.hooks.set_modes(ALTEGIO)
    scene.receiver.status = 401
    scene.book()
    await scene.later(5)

    assert await scene.later(3600) == []


async def test_drop_loses_the_next_ones_and_no_more(scene: Scene):
    scene.emulator.hooks.set_modes(HookModes(drop=Chance(next=1)))
    scene.book()
    second = scene.book()

    assert await scene.later(5) == [(second.id, "create")]
    assert scene.emulator.hooks.gone[0].state == "dropped"


async def test_duplicate_sends_the_same_body_several_times(scene: Scene):
    scene.emulator.hooks.set_modes(HookModes(duplicate=Chance(next=1), duplicate_times=4))
    record = scene.book()

    assert await scene.later(5) == [(record.id, "create")] * 4


async def test_reorder_lets_later_events_overtake(scene: Scene):
    scene.emulator.hooks.set_modes(HookModes(reorder=Chance(next=1), reorder_seconds=1000))
    late = scene.book()
    early = scene.book()

    assert await scene.later(1005) == [(early.id, "create"), (late.id, "create")]


async def test_delayed_comes_long_after(scene: Scene):
    scene.emulator.hooks.set_modes(HookModes(delayed=Chance(probability=1), delayed_seconds=600))
    record = scene.book()

    assert await scene.later(604) == []
    assert await scene.later(1) == [(record.id, "create")]


async def test_partial_and_bare_delete_have_the_reduced_bodies(scene: Scene):
    modes = HookModes(partial=Chance(next=1), bare_delete=Chance(next=1))
    scene.emulator.hooks.set_modes(modes)
    record = scene.book()
    desk.change(scene.emulator, record.id, comment="test")
    desk.delete(scene.emulator, record.id)

    await scene.later(5)

    created, updated, deleted = scene.receiver.bodies
    assert len(created["data"]) > 40
    assert updated["data"] == {"id": record.id, "comment": "test"}
    assert deleted["data"] == {"id": record.id, "company_id": 100200, "deleted": True}


async def test_a_delete_tells_the_whole_record(scene: Scene):
    record = scene.book()
    desk.delete(scene.emulator, record.id)

    await scene.later(5)

    told = scene.receiver.bodies[-1]
    assert (told["status"], told["data"]["deleted"]) == ("delete", True)
    assert told["data"]["services"]


async def test_a_restored_record_is_an_update(scene: Scene):
    record = scene.book()
    desk.delete(scene.emulator, record.id)
    desk.restore(scene.emulator, record.id)

    assert (await scene.later(5))[-1] == (record.id, "update")


async def test_every_address_of_the_branch_gets_it_and_an_inactive_branch_tells_nobody(scene: Scene):
    scene.emulator.set_hooks(100200, [URL, "http://other"], record=1)
    scene.book()
    assert {one.url for one in scene.emulator.hooks.waiting} == {URL, "http://other"}

    scene.emulator.vendor.hooks.clear()
    scene.book()
    assert len(scene.emulator.hooks.waiting) == 2


async def test_chance_is_the_seed_s(scene: Scene):
    def fates() -> list[str]:
        emulator = new_demo_emulator(seed=5, clock=TurnedClock(), sender=Receiver())
        emulator.set_hooks(100200, [URL], record=1)
        emulator.hooks.set_modes(HookModes(drop=Chance(probability=0.5), reorder=Chance(probability=0.5)))
        for _ in range(20):
            desk.create(emulator, company_id=100200, service_ids=(3004,))
        return [str(one.due_at) for one in emulator.hooks.take_due(everything=True)]

    assert fates() == fates()
    assert 0 < len(fates()) < 20


async def test_deliveries_can_be_taken_out_and_carried_by_the_caller(scene: Scene):
    record = scene.book()
    due_at = scene.emulator.hooks.next_due_at()
    assert due_at is not None

    assert scene.emulator.hooks.take_due(scene.clock()) == []
    (delivery,) = scene.emulator.hooks.take_due(due_at)
    assert msgspec.json.decode(delivery.body)["resource_id"] == record.id
    assert scene.emulator.hooks.next_due_at() is None
