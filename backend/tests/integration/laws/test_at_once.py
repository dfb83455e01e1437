"""The same lives with several acts at the same moment, on connections of their own; once the worker has been, the laws.

`ZERKALO_LAW_EXAMPLES=1000 pytest -s tests/integration/laws` for many rounds.
"""

import asyncio
import os
import random
import re
from collections import Counter
from collections.abc import Awaitable, Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.people_laws import hold, hold_after_tending, readers_see_their_own
from tests.support.small_world import API, EMAILS, PASSWORD, PHONES, RECORDS, World, small_world
from tests.support.vendor import State

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(0)]

ROUNDS = int(os.environ.get("ZERKALO_LAW_EXAMPLES", "20"))
AT_ONCE = 5
PEOPLE_MAX = 6

Act = Callable[[], Awaitable[int]]
"""Something somebody does; returns the status of the answer."""


class Moments:
    """Draws what happens at one moment, lets it happen, and tells the world what came of it."""

    def __init__(self, world: World, rng: random.Random) -> None:
        self.world = world
        self.rng = rng
        self.second = 10
        self.passed = 0
        self.statuses: Counter[str] = Counter()
        self.proving: dict[int, tuple[str, str, str]] = {}
        """User -> (channel, contact key, code) of a proof under way."""

    async def pass_one(self) -> None:
        self.passed += 1
        await self._let_people_come()
        acts = [await self._drawn() for _ in range(AT_ONCE)]
        answers = await asyncio.gather(*(act() for _, act in acts))
        for (name, _), status in zip(acts, answers, strict=True):
            self.statuses[f"{name} {status}"] += 1
            assert status < 500, f"{name}: {status}"
        await self._learn()
        await self.world.tend()
        await hold(self.world)
        await hold_after_tending(self.world)

    async def _let_people_come(self) -> None:
        world, rng = self.world, self.rng
        world.clock.now += timedelta(days=1)
        while len(await world.users()) < PEOPLE_MAX:
            # Several may claim one e-mail: with a password of their own they are others.
            password = f"{PASSWORD} {rng.random()}"
            if rng.random() < 0.5:
                await world.register(rng.choice(EMAILS), rng.choice(PHONES), password)
            else:
                known = len(await world.users())
                await world.import_person(None, rng.choice(PHONES), None)
                if len(await world.users()) == known:
                    await world.register(rng.choice(EMAILS), None, password)

    async def _drawn(self) -> tuple[str, Act]:
        users = [user["id"] for user in await self.world.users()]
        bookings = [booking["id"] for booking in await self.world.bookings()][-len(RECORDS) :]
        one, other = self.rng.sample(users, 2)
        name = self.rng.choices(
            ["tell", "prove", "link", "redeem", "merge", "erase"], weights=[8, 6, 4, 4, 2, 1]
        )[0]
        if name == "prove":
            return name, await self._proof(one)
        if name == "link" and bookings:
            booking_id = self.rng.choice(bookings)
            if self.rng.random() < 0.5:
                return name, self._by_admin(f"bookings/{booking_id}/unlink", {})
            return name, self._by_admin(f"bookings/{booking_id}/link", {"user_id": one})
        if name == "merge":
            return name, self._by_admin(f"users/{one}/merge", {"into": other})
        if name == "erase":
            return name, self._erasure(one)
        if name == "redeem":
            return name, self._by_admin("loyalty/redeem", {"user_id": one, "points": 40, "reason": "tea"})
        return "tell", self._showing(one)

    def _showing(self, user_id: int) -> Act:
        codes = sorted(self.world.codes[user_id])
        self.second += 1
        state = State(
            self.second,
            attendance=self.rng.choice([0, 1, 1, 1]),
            phone=self.rng.choice(PHONES),
            email=self.rng.choice([None, *EMAILS]),
            comment=f"Код клиента: {self.rng.choice(codes)}" if codes and self.rng.random() < 0.5 else "",
        )
        # Erased visits stay as they are: new ones keep coming.
        record_id = self.rng.choice(RECORDS) + 10 * (self.passed // 5)
        how = self.rng.choice(["webhook", "page", "stranger"])

        async def show() -> int:
            await self.world.tell(record_id, state, how)
            return 200

        return show

    def _by_admin(self, path: str, body: dict[str, Any]) -> Act:
        key = {"Idempotency-Key": f"key-{self.rng.random()}"}

        async def ask() -> int:
            async with self.world.client(self.world.admin_id) as client:
                answer = await client.post(f"{API}/admin/{path}", json=body, headers=key)
            if answer.status_code == 200 and path == "loyalty/redeem":
                assert answer.json()["balance_after"] >= 0
            return answer.status_code

        return ask

    def _erasure(self, user_id: int) -> Act:
        async def erase() -> int:
            async with self.world.with_password(user_id) as client:
                return (
                    await client.request("DELETE", f"{API}/auth/me", json={"password": PASSWORD})
                ).status_code

        return erase

    async def _proof(self, user_id: int) -> Act:
        """Asks for the code now; types it in when the moment comes."""
        channel = self.rng.choice(["email", "phone"])
        self.world.clock.now += timedelta(minutes=1, seconds=1)
        async with self.world.client(user_id) as client:
            asked = await client.post(f"{API}/auth/verify/request", json={"channel": channel})
        if asked.status_code == 202:
            (sent,) = await self.world.rows(
                "select body, recipient from outbox where user_id = %s and channel = %s order by id desc limit 1",
                user_id,
                channel,
            )
            code = re.search(r"\b\d{6}\b", sent["body"])
            assert code is not None
            key = sent["recipient"].lower() if channel == "email" else sent["recipient"][-10:]
            self.proving[user_id] = (channel, key, code[0])

        async def confirm() -> int:
            if user_id not in self.proving:
                return asked.status_code
            channel, key, code = self.proving[user_id]
            async with self.world.client(user_id) as client:
                answer = await client.post(
                    f"{API}/auth/verify/confirm",
                    json={"channel": channel, "code": code, "resolve": "take"},
                )
            if answer.status_code == 200:
                self.world.proved[user_id].add((channel, key))
            return answer.status_code

        return confirm

    async def _learn(self) -> None:
        """Which of the acts at one moment came last is the database's to say; that they are whole, the laws'."""
        self.proving.clear()
        world = self.world
        ended = await world.rows("select id from users where merged_into is not null")
        for row in ended:
            if row["id"] not in world.merged:
                world.imported.add(row["id"])  # an admin's word, or an import's: here it may be either
        await world.learn_merges(by_admin=None)
        world.by_hand = {
            booking["id"]: booking["user_id"]
            for booking in await world.bookings()
            if booking["matched_by"] == "manual"
        }


@pytest.mark.parametrize("seed", [1, 2])
async def test_acts_at_the_same_moment_leave_the_laws_standing(dsn: str, tmp_path: Path, seed: int) -> None:
    async with small_world(dsn, tmp_path) as world:
        world.is_in_order = False
        moments = Moments(world, random.Random(seed))
        for _ in range(ROUNDS):
            await moments.pass_one()
        await readers_see_their_own(world)
    print(f"\n{ROUNDS} moments: {dict(sorted(moments.statuses.items()))}")
    # At least the acts that change the most must have happened.
    assert {"tell 200", "prove 200", "link 200", "merge 200", "erase 204"} <= set(moments.statuses)
