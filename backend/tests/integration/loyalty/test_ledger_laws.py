"""Random histories on PostgreSQL: bookings, users, settings, redemptions, expiry, merges, sweeps; then the laws."""

import asyncio
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from fractions import Fraction
from math import floor

import psycopg
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.rows import NOON, add_booking, add_user
from zerkalo.db.pool import Connection
from zerkalo.loyalty import service, store
from zerkalo.loyalty.model import EntryDraft, Kind, LoyaltyPolicy, Tier

NOW = datetime(2025, 6, 2, 12, 0, tzinfo=UTC)
BOOKINGS = 3
USERS = 3
TIERED = LoyaltyPolicy(True, Decimal("7.5"), tiers=(Tier(10_000, Decimal(10)),), expire_days=40)

booking = st.integers(0, BOOKINGS - 1)
user = st.integers(0, USERS - 1)
steps = st.lists(
    st.one_of(
        st.tuples(
            st.just("status"), booking, st.sampled_from(["PENDING", "COMPLETED", "COMPLETED", "CANCELLED"])
        ),
        st.tuples(st.just("service_price"), booking, st.integers(0, 3_000_000)),
        st.tuples(st.just("user_id"), booking, st.none() | user),
        st.tuples(st.just("again"), booking, st.none()),
        st.tuples(st.just("policy"), st.none(), st.sampled_from(["on", "off", "tiers", "other percent"])),
        st.tuples(st.just("take"), user, st.integers(1, 500)),
        st.tuples(st.just("merge"), user, user),
        st.tuples(st.just("wait"), st.none(), st.integers(1, 30)),
    ),
    min_size=3,
    max_size=25,
)

POLICIES = {
    "on": LoyaltyPolicy(True, Decimal(5), expire_days=40),
    "off": LoyaltyPolicy(False, Decimal(5), expire_days=40),
    "tiers": TIERED,
    "other percent": LoyaltyPolicy(True, Decimal("12.3456")),
}


@pytest.mark.slow
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=steps)
def test_after_any_history_bookings_sum_to_what_they_earn_and_nothing_is_taken_twice(shared_dsn, history):
    asyncio.run(live_through(shared_dsn, history))


async def live_through(dsn, history):
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
        await conn.execute("set timezone to 'UTC'")
        async with conn.transaction(force_rollback=True):
            life = Life(conn)
            await life.begin()
            for step, subject, value in history:
                await life.step(step, subject, value)
                await life.check()


class Life:
    """A small salon: what happens to it, and what must hold after each step."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.now = NOW
        self.policy = replace(POLICIES["on"])
        self.users: list[int] = []
        self.bookings: list[int] = []

    async def begin(self):
        self.users = [await add_user(self.conn) for _ in range(USERS)]
        self.bookings = [
            await add_booking(self.conn, user_id=user_id, appointment_datetime=NOON - timedelta(days=9 * n))
            for n, user_id in enumerate(self.users)
        ]

    async def step(self, step, subject, value):
        if step == "policy":
            self.policy = POLICIES[value]
            await self.settle(self.bookings)  # as the sweep does
        elif step == "wait":
            self.now += timedelta(days=value)
            await service.expire_points(self.conn, self.users, self.policy.expire_days, self.now)
        elif step == "take":
            await self.redeem(self.users[subject], value)
        elif step == "merge":
            await self.merge(self.users[subject], self.users[value])
        else:
            if step == "user_id":
                value = None if value is None else self.users[value]
            if step != "again":
                await self.conn.execute(
                    f"update bookings set {step} = %s, revision = revision + 1 where id = %s".encode(),
                    [value, self.bookings[subject]],
                )
            await self.settle([self.bookings[subject]])

    async def settle(self, bookings):
        states = await store.read_states(self.conn, bookings)
        await service.settle_bookings(self.conn, states, self.policy, self.now)
        assert await service.settle_bookings(self.conn, states, self.policy, self.now) == 0, "twice is once"

    async def redeem(self, user_id, points):
        await service.expire_points(self.conn, [user_id], self.policy.expire_days, self.now)
        if await service.balance(self.conn, user_id) >= points:
            await self.conn.execute(
                "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
                " select %(user)s, %(amount)s, 'redemption', 'hand:' || count(*), %(now)s, %(now)s from bonus_entries",
                {"user": user_id, "amount": -points, "now": self.now},
            )

    async def merge(self, from_user, into_user):
        if from_user == into_user:
            return
        total = await service.balance(self.conn, from_user) + await service.balance(self.conn, into_user)
        given_back = await self.expired()
        await service.move_ledger(
            self.conn, from_user, into_user, self.now, expire_days=self.policy.expire_days
        )
        await self.conn.execute(
            "update bookings set user_id = %s, revision = revision + 1 where user_id = %s",
            [into_user, from_user],
        )
        assert await service.balance(self.conn, from_user) == 0
        # Seen as one person's, the two histories may let other points expire.
        assert await service.balance(self.conn, into_user) == total + given_back - await self.expired()
        assert await service.settle_bookings_by_id(self.conn, self.bookings, self.policy, self.now) == 0

    async def expired(self):
        cursor = await self.conn.execute(
            "select coalesce(-sum(amount), 0)::bigint from bonus_entries e"
            " where kind = 'expiry' and not exists (select from bonus_entries u where u.undoes = e.id)"
        )
        row = await cursor.fetchone()
        assert row is not None
        return row[0]

    async def check(self):
        for state in await store.read_states(self.conn, self.bookings):
            lines = await store.read_ledger_lines(self.conn, [state.booking_id])
            sums = {}
            for line in lines:
                sums[line.user_id] = sums.get(line.user_id, 0) + line.amount
            sums = {user_id: points for user_id, points in sums.items() if points}
            percents = [line.percent for line in lines if line.kind is Kind.ACCRUAL]
            assert len(set(percents)) <= 1, "one percent for ever"
            earns = state.status == "COMPLETED" and state.user_id is not None
            if not earns:
                assert sums == {}
            elif percents:
                assert percents[0] is not None
                points = floor(Fraction(state.price_kopecks, 100) * Fraction(percents[0]) / 100)
                assert sums == ({state.user_id: points} if points else {})
            else:
                # Nothing accrued yet: the programme is off, or its percent of this price is no whole point.
                assert sums == {}
                smallest = floor(Fraction(state.price_kopecks, 100) * Fraction(self.policy.percent) / 100)
                assert not self.policy.enabled or smallest == 0
        for user_id in self.users:
            movements = (await store.read_movements(self.conn, [user_id])).get(user_id, [])
            expired = -sum(movement.amount for movement in movements if movement.kind is Kind.EXPIRY)
            came = (
                sum(movement.amount for movement in movements if movement.kind is not Kind.REDEMPTION)
                + expired
            )
            assert expired >= 0, "more was given back than had expired"
            assert expired <= came, "points expired that are not earned"


either = st.integers(0, 1)
partings = st.lists(
    st.one_of(
        st.tuples(st.just("merge"), either, st.none()),
        st.tuples(st.just("part"), either, st.none()),
        st.tuples(st.just("give"), either, st.integers(1, 200)),
        st.tuples(st.just("spend"), either, st.integers(1, 200)),
        st.tuples(st.just("visit"), either, st.sampled_from([0, 200_000, 400_000])),
        st.tuples(st.just("wait"), st.none(), st.integers(1, 30)),
    ),
    min_size=4,
    max_size=25,
)


@pytest.mark.slow
@settings(max_examples=80, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(history=partings)
def test_however_two_accounts_are_merged_and_parted_each_has_what_it_would_have_alone(shared_dsn, history):
    """What was given and spent since is of the account that stayed, what visits earned of whose they are; expired as alone."""
    asyncio.run(merge_and_part(shared_dsn, history))


async def merge_and_part(dsn, history):
    async with await psycopg.AsyncConnection.connect(dsn, autocommit=True) as conn:
        await conn.execute("set timezone to 'UTC'")
        async with conn.transaction(force_rollback=True):
            twins = Twins(conn)
            await twins.begin()
            for step, who, value in history:
                await twins.step(step, who, value)
            if twins.merged is not None:
                await twins.step("part", 0, None)
            await twins.step("wait", None, 41)
            await twins.step("visit", 0, 0)
            await twins.step("visit", 1, 0)


class Twins:
    """Two accounts that are merged and parted, and two that live the same, each for itself."""

    def __init__(self, conn: Connection) -> None:
        self.conn = conn
        self.now = NOW
        self.policy = POLICIES["on"]
        self.users: list[int] = []
        self.alone: list[int] = []
        self.bookings: list[int] = []
        self.merged: tuple[int, int] | None = None
        self.count = 0

    async def begin(self):
        for users in (self.users, self.alone):
            for _ in range(2):
                users.append(await add_user(self.conn))
                self.bookings.append(await add_booking(self.conn, user_id=users[-1]))
        for who in (0, 1):
            await self.step("give", who, 10)

    async def step(self, step, who, value):
        self.now += timedelta(minutes=1)
        if step == "wait":
            self.now += timedelta(days=value)
        elif step == "merge" and self.merged is None:
            await self.merge(who)
        elif step == "part" and self.merged is not None:
            await self.part()
        elif step == "visit":
            await self.visit(who, value)
        elif step in {"give", "spend"}:
            await self.move(self.merged[1] if self.merged else who, value if step == "give" else -value)
        if step in {"wait", "part"}:
            await self.sweep()
            await self.check()

    async def merge(self, who):
        self.merged = who, 1 - who
        one, other = self.users[who], self.users[1 - who]
        await service.move_ledger(self.conn, one, other, self.now, expire_days=self.policy.expire_days)
        await self.hand_on(self.bookings[who], other)
        await self.conn.execute("update users set merged_into = %s where id = %s", [other, one])

    async def part(self):
        assert self.merged is not None
        who, into = self.merged
        self.merged = None
        one, other = self.users[who], self.users[into]
        await self.conn.execute("update users set merged_into = null where id = %s", [one])
        await self.hand_on(self.bookings[who], one)
        await service.return_ledger(self.conn, one, other, self.now, expire_days=self.policy.expire_days)
        await self.settle(self.bookings[who])

    async def hand_on(self, booking_id, user_id):
        await self.conn.execute(
            "update bookings set user_id = %s, revision = revision + 1 where id = %s", [user_id, booking_id]
        )

    async def visit(self, who, price):
        """The visit costs so much now; nothing: it was cancelled."""
        for booking_id in (self.bookings[who], self.bookings[2 + who]):
            await self.conn.execute(
                "update bookings set status = %s, service_price = %s, revision = revision + 1 where id = %s",
                ["COMPLETED" if price else "CANCELLED", price, booking_id],
            )
            await self.settle(booking_id)

    async def settle(self, booking_id):
        await service.settle_bookings_by_id(self.conn, [booking_id], self.policy, self.now)

    async def move(self, who, points):
        await self.sweep()
        if points + await service.balance(self.conn, self.users[who]) < 0:
            return
        self.count += 1
        for user_id in (self.users[who], self.alone[who]):
            key = f"hand:{self.count}:{user_id}"
            kind = Kind.REDEMPTION if points < 0 else Kind.ADJUSTMENT
            assert await store.append(self.conn, [EntryDraft(user_id, points, kind, "", key)], self.now) == 1

    async def sweep(self):
        users = [*self.users, *self.alone]
        await service.expire_points(self.conn, users, self.policy.expire_days, self.now)
        assert await service.expire_points(self.conn, users, self.policy.expire_days, self.now) == 0

    async def check(self):
        has = [await service.balance(self.conn, user_id) for user_id in self.users]
        alone = [await service.balance(self.conn, user_id) for user_id in self.alone]
        if self.merged is None:
            assert has == alone
        else:
            assert has[self.merged[0]] == 0
