"""What goes wrong: deliveries, answers, processes, the database; and what strangers post."""

import asyncio
from collections import Counter
from collections.abc import Callable
from datetime import timedelta
from random import Random
from typing import TYPE_CHECKING, Any

import msgspec

from tests.simulation.database import Fuse, fetch
from yclients_emulator.faults import Chance, Fault
from yclients_emulator.hooks import HookModes
from yclients_emulator.model import Record

if TYPE_CHECKING:
    from tests.simulation.world import World

FAULTS = (
    Fault(kind="status", status=500),
    Fault(kind="status", status=503, empty_body=True),
    Fault(kind="status", status=429, retry_after=2),
    Fault(kind="status", status=429, empty_body=True),
    Fault(kind="timeout", seconds=20),
    Fault(kind="timeout", seconds=200, after=True),
    Fault(kind="cut"),
    Fault(kind="disconnect"),
    Fault(kind="html", status=200),
    Fault(kind="html", status=502),
    Fault(kind="success_false"),
    Fault(kind="unauthorized"),
    Fault(kind="forbidden"),
    Fault(kind="licence", status=402),
)
DELIVERY_FAULTS = {
    "drop": "lost",
    "duplicate": "sent four times",
    "reorder": "overtaken",
    "delayed": "late by hours or days",
    "partial": "partial",
    "bare_delete": "a bare deletion",
}
UNREADABLE = (
    b"",
    b"\xff\xfe not JSON",
    b'{"company_id": %d, "resource": "record", "resource_id": 5, "status": "upd',
    b'[{"company_id": %d}]',
    b'{"company_id": %d, "resource": "record", "resource_id": 5, "status": "update", "data": {"id": 5, "date": "soon"}}',
    b'{"company_id": %d, "resource": "record", "resource_id": 5, "status": "update", "data": {"id": "\\u0000"}}',
)


def draw_modes(rng: Random) -> HookModes:
    """How deliveries go wrong in this seed."""

    def chance(*probabilities: float) -> Chance:
        return Chance(probability=rng.choice(probabilities))

    return HookModes(
        delay_seconds=rng.choice((0.5, 5, 30)),
        drop=chance(0, 0.1, 0.4, 0.9),
        duplicate=chance(0, 0.1, 0.3),
        reorder=chance(0, 0.3, 0.8),
        reorder_seconds=rng.choice((3, 60, 3000)),
        delayed=chance(0, 0.1, 0.3),
        delayed_seconds=rng.choice((3600, 50_000, 300_000)),
        partial=chance(0, 0.2, 0.5),
        bare_delete=chance(0, 0.5, 1),
    )


class Trouble:
    """Makes trouble until told to stop. `counted` has what of it really hit somebody."""

    def __init__(self, world: "World", rng: Random, counted: Counter[str]) -> None:
        self.unreadable: set[bytes] = set()
        self._world = world
        self._rng = rng
        self._counted = counted
        self._count_faults()

    async def make(self) -> None:
        """Trouble for ever, one piece at a time, quiet in between."""
        acts = (
            self._answers,
            self._answers,
            self._kill,
            self._kill,
            self._hang_up,
            self._outage,
            self._cut,
            self._clock,
            self._lose_rights,
            self._refuse_records,
            self._step_clock,
            self._hide_contacts,
            self._hold_row,
            self._hold_row,
        )
        while True:
            await asyncio.sleep(self._rng.uniform(60, 2400))
            await self._rng.choice(acts)()

    def end(self) -> None:
        """Everything works from now on."""
        world = self._world
        world.emulator.faults.clear()
        world.database.fuses.clear()
        world.emulator.hidden.clear()
        world.emulator.hides_contacts = False
        world.clock_step = timedelta()
        world.database.is_away = world.is_vendor_cut = False
        world.engine.lost_probability = 0
        world.emulator.skew = world.plan.skew

    async def _answers(self) -> None:
        """YCLIENTS answers badly for a while."""
        faults = self._world.emulator.faults
        for fault in self._rng.sample(FAULTS, self._rng.choice((1, 2, 4))):
            faults.add(msgspec.structs.replace(fault, probability=self._rng.choice((0.05, 0.2, 0.6))))
        await asyncio.sleep(self._rng.uniform(20, 1500))
        faults.clear()

    async def _kill(self) -> None:
        self._light("crash")

    async def _hang_up(self) -> None:
        self._light("connection lost")

    def _light(self, kind: str) -> None:
        if not self._world.processes:
            return
        process = self._rng.choice(self._world.processes)
        points = self._rng.choice((1, 2, 3, 5, 8, 13, 30, 60))
        self._world.database.fuses[process.name] = Fuse(points, kind)

    async def _outage(self) -> None:
        """The database is away."""
        self._world.database.is_away = True
        self._counted["database: away"] += 1
        await asyncio.sleep(self._rng.uniform(5, 300))
        self._world.database.is_away = False

    async def _clock(self) -> None:
        """YCLIENTS's clock goes wrong for a while."""
        by = timedelta(days=self._rng.choice((-1, 1, 45_000)), seconds=self._rng.uniform(-600, 600))
        self._world.emulator.skew += by
        self._counted["vendor: clock wrong for a while"] += 1
        await asyncio.sleep(self._rng.uniform(300, 5000))
        self._world.emulator.skew -= by

    async def _lose_rights(self) -> None:
        """Our token may not see some of the records for a while: they are in no list, and answer 404."""
        emulator = self._world.emulator
        records = [id_ for of in emulator.vendor.records.values() for id_ in of]
        emulator.hidden.update(self._rng.sample(records, len(records) * self._rng.choice((1, 3)) // 4))
        self._counted["vendor: records hidden by 404"] += len(emulator.hidden)
        await asyncio.sleep(self._rng.uniform(600, 9000))
        emulator.hidden.clear()

    async def _hide_contacts(self) -> None:
        """Our token may not see phones and e-mails for a while: the API shows them empty."""
        self._world.emulator.hides_contacts = True
        self._counted["vendor: contacts hidden for a while"] += 1
        await asyncio.sleep(self._rng.uniform(600, 9000))
        self._world.emulator.hides_contacts = False

    async def _hold_row(self) -> None:
        """Somebody holds a booking, a card or a user, and whoever needs it does not get it in a moment."""
        table = self._rng.choice(("bookings", "clients", "users"))
        strength = self._rng.choice(("update", "no key update"))
        world = self._world
        async with world.holder.transaction():
            await world.database.gate.enter()  # nobody is in the middle of a transaction
            try:
                (counted,) = await fetch(world.holder, f"select count(*) as n from {table}")
                skipped = self._rng.randrange(max(1, counted["n"]))
                row = f"select 1 from {table} order by created_at, 1 offset {skipped} limit 1 for {strength}"
                await world.holder.execute(row.encode())
            finally:
                world.database.gate.leave()
            self._counted[f"database: a row of {table} held"] += 1
            await asyncio.sleep(self._rng.uniform(10, 1800))

    async def _refuse_records(self) -> None:
        """Single records are refused for a while, though the lists show them."""
        faults = self._world.emulator.faults
        refusal = self._rng.choice((Fault(kind="forbidden"), Fault(kind="status", status=422)))
        faults.add(msgspec.structs.replace(refusal, path="^/record/", method="GET", probability=0.5))
        await asyncio.sleep(self._rng.uniform(60, 3000))
        faults.clear()

    async def _step_clock(self) -> None:
        """Somebody sets our machines' clock, and sets it right again."""
        self._world.clock_step = timedelta(hours=self._rng.choice((-2, 1, 3, 30)))
        self._counted["process: clock set hours ahead or back"] += 1
        await asyncio.sleep(self._rng.uniform(60, 4000))
        self._world.clock_step = timedelta()

    async def _cut(self) -> None:
        """No way to YCLIENTS."""
        self._world.is_vendor_cut = True
        await asyncio.sleep(self._rng.uniform(5, 900))
        self._world.is_vendor_cut = False

    def _count_faults(self) -> None:
        faults = self._world.emulator.faults
        pick = faults.pick

        def counting(method: str, path: str) -> Fault | None:
            fault = pick(method, path)
            if fault is not None:
                status = f" {fault.status}" if fault.kind in ("status", "html", "licence") else ""
                self._counted[f"vendor: {fault.kind}{status}"] += 1
            return fault

        faults.pick = counting

    def count_deliveries(self) -> None:
        """Count what goes wrong with deliveries. To be called when their modes stand."""
        for name, dice in self._world.emulator.hooks._dice.items():
            dice.roll = self._counting(dice.roll, f"delivery: {DELIVERY_FAULTS[name]}")

    def _counting(self, roll: Callable[[], bool], name: str) -> Callable[[], bool]:
        def counting() -> bool:
            hit = roll()
            self._counted[name] += hit
            return hit

        return counting

    # What strangers post, and what nobody can read

    def forged(self) -> tuple[str, bytes, bool]:
        """(path, body, whether it may be believed) of a call that YCLIENTS did not make."""
        rng, plan = self._rng, self._world.plan
        secret = plan.settings.yclients_webhook_secret
        records = [record for own in self._world.emulator.vendor.records.values() for record in own.values()]
        if secret and records and rng.random() < 0.2:
            self._counted["delivery: from the future"] += 1
            return plan.webhook_path, self._from_the_future(rng.choice(records)), True
        if secret and rng.random() < 0.5:
            body = rng.choice(UNREADABLE).replace(b"%d", b"%d" % rng.choice(list(plan.zones)))
            self.unreadable.add(body)
            self._counted["delivery: unreadable"] += 1
            return plan.webhook_path, body, True
        self._counted["delivery: forged"] += 1
        return "/api/v1/yclients/webhook?token=guess", msgspec.json.encode(self._lie()), False

    def _from_the_future(self, record: Record) -> bytes:
        """A signed call whose change time can't be true: it must neither be believed nor freeze its row."""
        data = self._world.emulator.record_body(record, "hook")
        data |= {"last_change_date": "2150-01-01T00:00:00+0300", "attendance": 1, "comment": "из будущего"}
        told = {"company_id": record.company_id, "resource": "record", "resource_id": record.id}
        return msgspec.json.encode(told | {"status": "update", "data": data})

    def _lie(self) -> dict[str, Any]:
        """Bonus farming, somebody's visit cancelled, a visit that never was, a change from the future."""
        rng, emulator = self._rng, self._world.emulator
        company_id = rng.choice(list(emulator.vendor.companies))
        records = list(emulator.vendor.records[company_id].values())
        if not records:
            return {"company_id": company_id, "resource": "record", "resource_id": 9, "status": "delete"}
        data = emulator.record_body(rng.choice(records), "hook")
        if rng.random() < 0.3:
            data["id"] = 5_000_000 + rng.randrange(50)
        code = rng.choice(self._world.contacts).code
        lies: tuple[dict[str, Any], ...] = (
            {"attendance": 1, "services": [{"title": "Дорого", "cost": 900_000, "amount": 1}]},
            {"comment": f"Код клиента: {code}", "attendance": 1},
            {"deleted": True},
            {"last_change_date": "2031-01-01T00:00:00+0300", "attendance": -1},
            {"date": "2029-05-05 12:00:00", "services": [], "client": None},
        )
        data |= rng.choice(lies)
        status = rng.choice(("create", "update", "delete"))
        return {
            "company_id": company_id,
            "resource": "record",
            "resource_id": data["id"],
            "status": status,
            "data": data,
        }
