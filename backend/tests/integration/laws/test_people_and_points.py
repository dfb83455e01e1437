"""Random lives on PostgreSQL: people, contacts, bookings, points, hands and repetition; after each step, the laws.

Small here. By hand with many examples: `ZERKALO_LAW_EXAMPLES=1000 pytest -s tests/integration/laws`.
"""

import asyncio
import os
import tempfile
from collections import Counter
from collections.abc import Coroutine
from contextlib import AsyncExitStack
from dataclasses import replace
from pathlib import Path
from typing import Any, ClassVar

import pytest
from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    precondition,
    rule,
    run_state_machine_as_test,
)

from tests.support.database import TestServer
from tests.support.people_laws import hold, hold_after_tending, readers_see_their_own
from tests.support.small_world import EMAILS, PASSWORD, PHONES, RECORDS, World, small_world
from tests.support.vendor import State

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(0)]

EXAMPLES = int(os.environ.get("ZERKALO_LAW_EXAMPLES", "8"))
STEPS = 40
PROGRAMMES: dict[str, dict[str, str | None]] = {
    "plain": {"LOYALTY_PERCENT": "5"},
    "tiers and expiry": {
        "LOYALTY_PERCENT": "7.5",
        "LOYALTY_TIERS": "1000:10",
        "LOYALTY_EXPIRE_DAYS": "40",
    },
    "began on the day of the visits": {"LOYALTY_START_DATE": "2026-12-10"},
    "begins a day later": {"LOYALTY_START_DATE": "2026-12-11"},
}

PASSWORDS = (PASSWORD, f"{PASSWORD} of another", f"{PASSWORD} of a third")
"""Several may claim one e-mail; with the same password it is the same person again."""

one_of_several = st.integers(0, 9)
email = st.sampled_from(EMAILS)
phone = st.sampled_from(PHONES)
record = st.sampled_from(RECORDS)
how = st.sampled_from(["webhook", "webhook", "page", "stranger"])


class Lives(RuleBasedStateMachine):
    """One example: a world of its own, on a database of its own."""

    server: ClassVar[TestServer]
    counted: ClassVar[Counter[str]] = Counter()

    def __init__(self) -> None:
        super().__init__()
        self.runner = asyncio.Runner()
        self.stack = AsyncExitStack()
        self.second = 10
        self.users: list[int] = []
        self.bookings: list[int] = []

    @initialize(programme=st.sampled_from(sorted(PROGRAMMES)), visit_hour=st.sampled_from([0, 15, 23]))
    def begin(self, programme: str, visit_hour: int) -> None:
        """A life begins with a visit that earns, under whichever programme, at midnight too, and one handed over."""

        async def enter() -> World:
            dsn = self.stack.enter_context(self.server.database())
            folder = self.stack.enter_context(tempfile.TemporaryDirectory())
            return await self.stack.enter_async_context(
                small_world(dsn, Path(folder), **PROGRAMMES[programme])
            )

        self.world = self.runner.run(enter())
        self.counted["examples"] += 1
        self.live(self.world.register(EMAILS[0], PHONES[0]))
        self.live(self.world.import_person(EMAILS[1], PHONES[1], "CARD2345"))
        self.live(
            self.world.tell(
                RECORDS[0],
                State(1, attendance=1, visit_hour=visit_hour, phone=PHONES[0], email=EMAILS[1]),
                "webhook",
            )
        )
        for second, phone, email in ((1, PHONES[0], EMAILS[1]), (2, PHONES[2], None)):
            state = State(second, attendance=1, phone=phone, email=email)
            self.live(self.world.tell(RECORDS[1], state, "webhook"))

    def teardown(self) -> None:
        try:
            if hasattr(self, "world"):
                self._end()
        finally:
            self.runner.run(self.stack.aclose())
            self.runner.close()

    def _end(self) -> None:
        """Every life ends so: a season goes over all points, and then the salon says that nobody came after all."""
        self.live(self.world.pass_days(41))
        self.live(self.world.tend())
        newest = {record: index for index, (record, _) in enumerate(self.world.told)}
        for index in newest.values():
            self._say(index, 0)
        self.live(self.world.tend())
        self.runner.run(hold_after_tending(self.world))
        self.runner.run(readers_see_their_own(self.world))

    def live(self, act: Coroutine[Any, Any, None]) -> None:
        """Do something, then see that the laws hold."""

        async def step() -> None:
            await act
            await hold(self.world)
            self.users = [user["id"] for user in await self.world.users()]
            self.bookings = [booking["id"] for booking in await self.world.bookings()]

        self.counted["steps"] += 1
        self.counted[act.__name__] += 1
        self.runner.run(step())

    def user(self, index: int) -> int:
        return self.users[index % len(self.users)]

    def booking(self, index: int) -> int:
        return self.bookings[index % len(self.bookings)]

    @rule(email=email, phone=st.none() | phone, password=st.sampled_from(PASSWORDS))
    def register(self, email: str, phone: str | None, password: str) -> None:
        self.live(self.world.register(email, phone, password))

    @rule(
        email=st.none() | email, phone=st.none() | phone, code=st.sampled_from([None, "CARD2345", "CARD2346"])
    )
    def import_person(self, email: str | None, phone: str | None, code: str | None) -> None:
        if email or phone:
            self.live(self.world.import_person(email, phone, code))

    @precondition(lambda self: self.users)
    @rule(who=one_of_several, contact=st.one_of(email, phone))
    def change_contact(self, who: int, contact: str) -> None:
        channel = "email" if "@" in contact else "phone"
        self.live(self.world.change_contact(self.user(who), **{channel: contact}))

    @precondition(lambda self: self.users)
    @rule(who=one_of_several, channel=st.sampled_from(["email", "phone"]), honestly=st.integers(0, 4))
    def prove(self, who: int, channel: str, honestly: int) -> None:
        self.live(self.world.prove(self.user(who), channel, honestly=honestly > 0))

    @rule(
        record=record,
        attendance=st.sampled_from([1, 1, 1, 0, 2, -1]),
        roubles=st.sampled_from([0, 19, 1800, 2999]),
        visit_hour=st.sampled_from([0, 1, 15, 23]),
        phone=st.none() | phone,
        email=st.none() | email,
        whose_code=st.none() | one_of_several,
        deleted=st.integers(0, 9),
        late=st.integers(0, 5),
        how=how,
    )
    def change_record(
        self,
        record: int,
        attendance: int,
        roubles: int,
        visit_hour: int,
        phone: str | None,
        email: str | None,
        whose_code: int | None,
        deleted: int,
        late: int,
        how: str,
    ) -> None:
        codes = sorted({code for codes in self.world.codes.values() for code in codes})
        code = codes[whose_code % len(codes)] if whose_code is not None and codes else None
        self.second += 1
        state = State(
            self.second if late else self.second - 5,
            deleted=deleted == 0,
            attendance=attendance,
            roubles=roubles,
            visit_hour=visit_hour,
            phone=phone,
            email=email,
            comment=f"Код клиента: {code}" if code else "",
        )
        self.live(self.world.tell(record, state, how))

    @precondition(lambda self: self.bookings and self.world.told)
    @rule(which=st.integers(0, 99), how=how)
    def tell_again(self, which: int, how: str) -> None:
        record, state = self.world.told[which % len(self.world.told)]
        self.live(self.world.tell(record, state, how))

    @precondition(lambda self: self.world.told)
    @rule(which=st.integers(0, 99), attendance=st.sampled_from([1, 0]))
    def complete(self, which: int, attendance: int) -> None:
        """The salon says only that she came, or that she did not."""
        self._say(which % len(self.world.told), attendance)

    def _say(self, index: int, attendance: int) -> None:
        record, state = self.world.told[index]
        self.second += 1
        self.live(
            self.world.tell(record, replace(state, second=self.second, attendance=attendance), "webhook")
        )

    @precondition(lambda self: self.users)
    @rule(who=one_of_several, record=record)
    def book_in_form(self, who: int, record: int) -> None:
        self.live(self.world.book_in_form(self.user(who), record))

    @precondition(lambda self: self.users and self.bookings)
    @rule(which=one_of_several, who=st.none() | one_of_several)
    def link_by_hand(self, which: int, who: int | None) -> None:
        self.live(self.world.link(self.booking(which), None if who is None else self.user(who)))

    @precondition(lambda self: len(self.users) > 1)
    @rule(old=one_of_several, into=one_of_several)
    def merge(self, old: int, into: int) -> None:
        self.live(self.world.merge(self.user(old), self.user(into)))

    @precondition(lambda self: self.world.merged)
    @rule(which=one_of_several)
    def part(self, which: int) -> None:
        self.live(self.world.part(which))

    @precondition(lambda self: len(self.users) > 1 and self.world.told)
    @rule(
        old=one_of_several,
        into=one_of_several,
        came=st.integers(0, 99),
        attendance=st.sampled_from([1, 0]),
        points=st.sampled_from([50, 200]),
    )
    def merge_by_mistake(self, old: int, into: int, came: int, attendance: int, points: int) -> None:
        """Two accounts are one until the next hour: the salon says who came, points are spent, a sweep goes over them."""
        taken, stays = self.user(old), self.user(into)
        if taken == stays:
            return
        self.live(self.world.merge(taken, stays))
        self._say(came % len(self.world.told), attendance)
        self.live(self.world.move_points("redeem", stays, points, f"mistake-{self.second}"))
        self.live(self.world.tend())
        self.live(self.world.part(-1))

    @precondition(lambda self: len(self.users) > 1)
    @rule(who=one_of_several)
    def erase(self, who: int) -> None:
        self.live(self.world.erase(self.user(who)))

    @precondition(lambda self: self.users)
    @rule(who=one_of_several, points=st.sampled_from([1, 50, 90, 200]), key=st.integers(0, 3))
    def redeem(self, who: int, points: int, key: int) -> None:
        self.live(self.world.move_points("redeem", self.user(who), points, f"key-{key}"))

    @precondition(lambda self: self.users)
    @rule(who=one_of_several, points=st.sampled_from([-30, 25, 100]), key=st.integers(4, 6))
    def adjust(self, who: int, points: int, key: int) -> None:
        self.live(self.world.move_points("adjust", self.user(who), points, f"key-{key}"))

    @rule(pause=st.sampled_from(["tending", "reading", "a day", "a fortnight", "a season"]))
    def pause(self, pause: str) -> None:
        if pause == "reading":
            self.counted["readings"] += 1
            self.runner.run(readers_see_their_own(self.world))
        elif pause == "tending":
            self.live(self.world.tend())
            self.runner.run(hold_after_tending(self.world))
        else:
            self.live(self.world.pass_days({"a day": 1, "a fortnight": 15, "a season": 41}[pause]))


def test_in_every_life_links_are_proved_points_are_earned_and_readers_see_their_own(
    database_server: TestServer,
) -> None:
    Lives.server = database_server
    run_state_machine_as_test(
        Lives,
        settings=settings(
            max_examples=EXAMPLES,
            stateful_step_count=STEPS,
            deadline=None,
            print_blob=True,
            suppress_health_check=[
                HealthCheck.too_slow,
                HealthCheck.data_too_large,
                HealthCheck.filter_too_much,
                HealthCheck.function_scoped_fixture,
            ],
        ),
    )
    print(f"\n{dict(Lives.counted)}")
    assert Lives.counted["examples"] >= EXAMPLES
