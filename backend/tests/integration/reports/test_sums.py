"""The sums that reports read are those of the bookings as they stand, whatever was done to them, in whatever order."""

from collections import Counter
from dataclasses import fields
from datetime import UTC, date, datetime, timedelta
from random import Random
from typing import Any

import pytest

from tests.support.rows import add_booking, add_user
from zerkalo.db.pool import Pool
from zerkalo.db.sql import as_json
from zerkalo.reports.model import Guests, Period, Report, Totals
from zerkalo.reports.service import read_report
from zerkalo.reports.sums import store
from zerkalo.reports.sums.service import bring_up_to_date, sweep

pytestmark = pytest.mark.integration

COMPANIES = (1, 2, 3)
FIRST = date(2026, 1, 20)
PERIODS = (
    Period(date(2026, 3, 1), date(2026, 3, 31)),
    Period(date(2026, 2, 17), date(2026, 4, 2)),
    Period(date(2026, 2, 1), date(2026, 3, 31)),
    Period(date(2026, 3, 5), date(2026, 3, 5)),
)
STATES = (
    ("COMPLETED", None),
    ("COMPLETED", None),
    ("PENDING", None),
    ("CONFIRMED", None),
    ("CANCELLED", "no_show"),
    ("CANCELLED", "deleted"),
)


def anything(random: Random, users: list[int]) -> dict[str, Any]:
    """The columns that a report looks at, as anybody may write them."""
    status, reason = random.choice(STATES)
    at = datetime.combine(FIRST, datetime.min.time()) + timedelta(
        days=random.randrange(90), hours=random.randrange(24)
    )
    return {
        "company_id": random.choice(COMPANIES),
        "appointment_datetime": (at - timedelta(hours=3)).replace(tzinfo=UTC),
        "appointment_local": random.choice((at, at, None)),
        "status": status,
        "cancel_reason": reason,
        "service_price": random.randrange(500_000),
        "staff_name": random.choice(("Алиса", "Борис", None)),
        "user_id": random.choice((*users, None)),
        "client_id": random.choice((7, 8, None)),
        "lines": as_json(
            random.choice(([], [{"title": "Стрижка", "cost": 5}, {"title": "Укладка", "cost": None}]))
        ),
    }


async def change(pool: Pool, random: Random, users: list[int], number: int) -> bool:
    """Something happens to a booking, by a hand that nobody told of reports. Returns whether it is gone."""
    async with pool.connection() as conn:
        ids = [id_ for (id_,) in await (await conn.execute("select id from bookings")).fetchall()]
        columns = anything(random, users)
        if not ids or random.random() < 0.5:
            lines = columns.pop("lines")
            at = await add_booking(conn, yclients_record_id=number, **columns)
            await conn.execute("update bookings set lines = %s where id = %s", [lines, at])
            return False
        id_ = random.choice(ids)
        if random.random() < 0.1:
            await conn.execute("delete from bookings where id = %s", [id_])
            return True
        del columns["company_id"]
        some = random.sample(sorted(columns), random.randrange(1, len(columns)))
        if "status" in some or "cancel_reason" in some:
            some = sorted({*some, "status", "cancel_reason"})
        if "appointment_datetime" in some or "appointment_local" in some:
            some = sorted({*some, "appointment_datetime", "appointment_local"})
        sets = ", ".join(f"{name} = %({name})s" for name in some)
        await conn.execute(
            f"update bookings set revision = revision + 1, updated_at = now(), {sets} where id = %(id)s".encode(),
            {"id": id_, **columns},
        )
        return False


async def by_hand(
    pool: Pool, period: Period, companies: tuple[int, ...]
) -> tuple[Totals, Guests, Counter[Any]]:
    """The same figures, booking by booking in Python: totals, guests, revenue by specialist."""
    async with pool.connection() as conn:
        cursor = await conn.execute("""
            select company_id, coalesce(appointment_local, appointment_datetime at time zone 'UTC')::date, status, cancel_reason,
                service_price, staff_name, user_id, client_id from bookings
        """)
        bookings = await cursor.fetchall()
    totals, staff = Counter[str](), Counter[Any]()
    people, nameless = dict[Any, bool](), 0
    for company, day, status, reason, price, name, user, card in bookings:
        if company not in companies or not period.first <= day <= period.last:
            continue
        if status == "COMPLETED":
            totals += Counter(visits=1, revenue=price)
            staff[name] += price
            if user is None and card is None:
                nameless += 1
                continue
            people[(user,) if user else (company, card)] = any(
                other[2] == "COMPLETED"
                and other[1] < period.first
                and (other[6] == user if user else (other[0], other[7]) == (company, card))
                for other in bookings
            )
        elif status == "CANCELLED":
            totals["no_shows" if reason == "no_show" else "cancellations"] += 1
        else:
            totals += Counter(ahead=1, revenue_ahead=price)
    returning = sum(people.values())
    return (
        Totals(**{one.name: totals[one.name] for one in fields(Totals)}),
        Guests(len(people) - returning, returning, nameless),
        +staff,
    )


async def see_that_it_is_so(pool: Pool, companies: tuple[int, ...], report: Report) -> None:
    for part, period in enumerate((report.period, report.before)):
        totals, guests, staff = await by_hand(pool, period, companies)
        assert report.totals[part] == totals
        assert report.guests[part] == guests
        groups = report.groups["staff"]
        assert +Counter({one.key: (one.now, one.before)[part].revenue for one in groups}) == staff
    assert sum(one.visits for one in report.days) == report.totals[0].visits


@pytest.mark.parametrize("seed", range(6))
async def test_a_report_is_the_count_by_hand_after_any_changes(pool: Pool, seed: int) -> None:
    random = Random(seed)
    async with pool.connection() as conn:
        users = [await add_user(conn) for _ in range(3)]
        for company_id in COMPANIES:
            await conn.execute("insert into companies (id) values (%s)", [company_id])
    for number in range(40):
        steps = range(random.choice((1, 1, 3)))
        gone = [await change(pool, random, users, 10 * number + step + 1) for step in steps]
        period = random.choice(PERIODS)
        companies = random.choice((COMPANIES, COMPANIES, COMPANIES[:2]))
        only = random.choice((None, None, 2))
        if any(gone):  # we never delete a booking: what a hand deleted is found by the sweep alone
            await sweep(pool)
        report = await read_report(pool, period, companies, only=only)
        assert report.waiting == 0
        await see_that_it_is_so(pool, (only,) if only else companies, report)


async def test_what_a_clock_far_behind_wrote_is_found_by_the_sweep(pool: Pool) -> None:
    march = PERIODS[0]
    await bring_up_to_date(pool)
    async with pool.connection() as conn:
        await add_booking(
            conn,
            yclients_record_id=1,
            company_id=1,
            status="COMPLETED",
            appointment_datetime=datetime(2026, 3, 3, tzinfo=UTC),
            updated_at=datetime(2020, 1, 1, tzinfo=UTC),
        )

    assert (await read_report(pool, march, [1])).totals[0].visits == 0
    await sweep(pool)
    assert (await read_report(pool, march, [1])).totals[0].visits == 1


async def test_a_transaction_that_began_before_the_last_look_is_counted_after_its_commit(pool: Pool) -> None:
    march = PERIODS[0]
    await bring_up_to_date(pool)
    async with pool.connection() as writing, writing.transaction():
        at = datetime.now(UTC) + timedelta(seconds=1)
        await add_booking(
            writing,
            yclients_record_id=1,
            company_id=1,
            status="COMPLETED",
            appointment_datetime=datetime(2026, 3, 3, tzinfo=UTC),
            updated_at=at - store.LOOK_BACK,
        )
        assert (await read_report(pool, march, [1])).totals[0].visits == 0
        async with pool.connection() as conn:
            row = await (await conn.execute("select looked_until from report_progress")).fetchone()
        assert row is not None
        assert row[0] <= at

    assert (await read_report(pool, march, [1])).totals[0].visits == 1


async def test_what_was_never_counted_is_told_as_waiting(pool: Pool) -> None:
    async with pool.connection() as conn:
        for number in range(1, 4):
            await add_booking(
                conn,
                yclients_record_id=number,
                company_id=1,
                appointment_datetime=datetime(2026, 3, 3, tzinfo=UTC),
            )

    assert await bring_up_to_date(pool, seconds_max=-1, part=2) == 1
    assert await bring_up_to_date(pool, part=2) == 0
    assert (await read_report(pool, PERIODS[0], [1])).totals[0].ahead == 3
