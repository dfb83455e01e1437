"""Each figure of a report against a count by hand."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from tests.support.rows import add_booking, add_user
from zerkalo.db.pool import Pool
from zerkalo.db.sql import as_json
from zerkalo.loyalty.service import move_ledger
from zerkalo.reports.model import Group, Guests, Period, Points, Report, Totals
from zerkalo.reports.service import read_report

pytestmark = pytest.mark.integration

MOSCOW, VLADIVOSTOK = ZoneInfo("Europe/Moscow"), ZoneInfo("Asia/Vladivostok")
MAY, APRIL = Period(date(2026, 5, 1), date(2026, 5, 31)), Period(date(2026, 4, 1), date(2026, 4, 30))
ONE, TWO = 1, 2
ZONES = {ONE: MOSCOW, TWO: VLADIVOSTOK}


@dataclass
class Salon:
    """Two branches, far from each other, filled by hand."""

    pool: Pool
    last_record: int = 0

    async def book(self, wall: str, *, company_id: int = ONE, **columns: Any) -> int:
        """A visit at that time of the branch's wall clock; completed and 1,000 ₽ unless said otherwise."""
        self.last_record += 1
        local = datetime.fromisoformat(wall)
        lines = columns.pop("lines", None)
        async with self.pool.connection() as conn:
            booking_id = await add_booking(
                conn,
                **{
                    "company_id": company_id,
                    "yclients_record_id": self.last_record,
                    "appointment_datetime": local.replace(tzinfo=ZONES[company_id]),
                    "appointment_local": local,
                    "status": "COMPLETED",
                    "service_price": 100_000,
                    "service_name": "Стрижка",
                    **columns,
                },
            )
            if lines:
                told = [{"title": title, "cost": cost} for title, cost in lines]
                await conn.execute(
                    "update bookings set lines = %s where id = %s", [as_json(told), booking_id]
                )
            return booking_id

    async def user(self, **columns: Any) -> int:
        async with self.pool.connection() as conn:
            return await add_user(conn, **columns)

    async def enter(self, user_id: int, amount: int, kind: str, on: str, **columns: Any) -> None:
        self.last_record += 1
        at = datetime.fromisoformat(on).replace(tzinfo=MOSCOW)
        values = {
            "user_id": user_id,
            "amount": amount,
            "kind": kind,
            "entry_key": f"test:{self.last_record}",
            "effective_at": at,
            "created_at": at,
            **columns,
        }
        names = ", ".join(values)
        marks = ", ".join(["%s"] * len(values))
        async with self.pool.connection() as conn:
            await conn.execute(
                f"insert into bonus_entries ({names}) values ({marks})".encode(), list(values.values())
            )

    async def report(self, period: Period = MAY, *, only: int | None = None) -> Report:
        return await read_report(self.pool, period, [ONE, TWO], only=only)


@pytest.fixture
async def salon(pool: Pool) -> Salon:
    async with pool.connection() as conn:
        for company_id, zone in ZONES.items():
            await conn.execute(
                "insert into companies (id, title, timezone_name) values (%s, %s, %s)",
                [company_id, f"Salon {company_id}", zone.key],
            )
    return Salon(pool)


def named(groups: Sequence[Group]) -> dict[object, tuple[int, int]]:
    """Key -> visits and revenue of the period."""
    return {one.key: (one.now.visits, one.now.revenue) for one in groups}


async def test_money_visits_and_what_did_not_happen(salon: Salon) -> None:
    for price in (100_000, 250_000, 33_300):
        await salon.book("2026-05-10T12:00", service_price=price)
    await salon.book("2026-05-11T12:00", status="CANCELLED", cancel_reason="no_show")
    await salon.book("2026-05-11T13:00", status="CANCELLED", cancel_reason="deleted")
    await salon.book("2026-05-11T14:00", status="CANCELLED", cancel_reason="deleted")
    await salon.book("2026-05-30T12:00", status="PENDING", service_price=50_000)
    await salon.book("2026-05-31T12:00", status="CONFIRMED", service_price=70_000)
    await salon.book("2026-04-10T12:00", service_price=80_000)
    await salon.book("2026-03-31T12:00", service_price=999_900)

    report = await salon.report()

    now, before = report.totals
    assert now == Totals(
        visits=3, revenue=383_300, no_shows=1, cancellations=2, ahead=2, revenue_ahead=120_000
    )
    assert (now.average, now.no_show_share) == (127_767, 0.25)
    assert (report.before, before.visits, before.revenue, before.average) == (APRIL, 1, 80_000, 80_000)


async def test_an_empty_period_has_no_average_and_no_share(salon: Salon) -> None:
    report = await salon.report()

    assert report.totals == (Totals(), Totals())
    assert (report.totals[0].average, report.totals[0].no_show_share) == (None, None)
    assert (report.days, report.groups["hour"], report.by_hand) == ([], [], [])


async def test_days_begin_and_end_at_each_branchs_own_midnight(salon: Salon) -> None:
    """At the far branch the month begins seven hours earlier."""
    for company_id in (ONE, TWO):
        await salon.book("2026-04-30T23:59", company_id=company_id, service_price=1)
        await salon.book("2026-05-01T00:00", company_id=company_id, service_price=10)
        await salon.book("2026-05-31T23:59", company_id=company_id, service_price=100)
        await salon.book("2026-06-01T00:00", company_id=company_id, service_price=1000)

    report = await salon.report()

    assert named(report.groups["branch"]) == {"1": (2, 110), "2": (2, 110)}
    assert report.totals[1].revenue == 2
    assert {one.day.day: one.visits for one in report.days if one.visits} == {1: 2, 31: 2}
    assert len(report.days) == 31


async def test_load_is_by_the_salons_hour_and_weekday(salon: Salon) -> None:
    for wall in ("2026-05-04T10:00", "2026-05-04T10:59", "2026-05-05T18:30", "2026-05-10T18:00"):
        await salon.book(wall)
    await salon.book("2026-05-04T12:00", status="CANCELLED", cancel_reason="no_show")

    report = await salon.report()

    hours = {one.key: one.now.visits for one in report.groups["hour"]}
    assert {hour: visits for hour, visits in hours.items() if visits} == {10: 2, 18: 2}
    assert list(hours) == list(range(10, 19))
    assert [one.now.visits for one in report.groups["weekday"]] == [2, 1, 0, 0, 0, 0, 1]


async def test_by_specialist_and_by_service_beside_the_period_before(salon: Salon) -> None:
    await salon.book("2026-05-04T10:00", staff_name="Алиса", lines=[("Стрижка", 70_000), ("Укладка", 30_000)])
    await salon.book("2026-05-05T10:00", staff_name="Алиса", lines=[("Стрижка", 100_000)])
    await salon.book("2026-05-06T10:00", staff_name="Борис", service_name="Борода", service_price=60_000)
    await salon.book("2026-05-07T10:00", staff_name=None, service_name="", service_price=5_000)
    await salon.book("2026-04-07T10:00", staff_name="Борис", service_name="Борода", service_price=55_000)

    groups = (await salon.report()).groups

    assert named(groups["staff"]) == {"Алиса": (2, 200_000), "Борис": (1, 60_000), None: (1, 5_000)}
    assert [one.key for one in groups["staff"]] == ["Алиса", "Борис", None]
    assert named(groups["service"]) == {
        "Стрижка": (2, 170_000),
        "Укладка": (1, 30_000),
        "Борода": (1, 60_000),
        None: (1, 5_000),
    }
    (boris,) = [one for one in groups["staff"] if one.key == "Борис"]
    assert (boris.before.visits, boris.before.revenue) == (1, 55_000)


async def test_who_came_for_the_first_time_and_who_came_again(salon: Salon) -> None:
    anna, vera = await salon.user(), await salon.user()
    await salon.book("2025-02-01T10:00", user_id=anna)
    await salon.book("2026-05-02T10:00", user_id=anna)  # again
    await salon.book("2026-05-03T10:00", user_id=anna)
    await salon.book("2026-05-04T10:00", user_id=vera, company_id=TWO)  # new, though twice in the month
    await salon.book("2026-05-05T10:00", user_id=vera)
    await salon.book("2026-04-05T10:00", client_id=7)
    await salon.book("2026-05-05T11:00", client_id=7)  # again, by the card
    await salon.book(
        "2026-05-05T12:00", client_id=7, company_id=TWO
    )  # another branch's card of that number: new
    await salon.book("2026-04-06T10:00", client_id=8, status="CANCELLED", cancel_reason="no_show")
    await salon.book("2026-05-06T10:00", client_id=8)  # new: the first time they did not come
    await salon.book("2026-05-07T10:00")  # nobody knows whose
    await salon.book("2026-05-08T10:00", user_id=anna, status="PENDING")

    now, before = (await salon.report()).guests

    assert now == Guests(new=3, returning=2, nameless=1)
    assert before == Guests(new=1, returning=0, nameless=0)


async def test_one_branch_alone(salon: Salon) -> None:
    await salon.book("2026-05-04T10:00", client_id=1)
    await salon.book("2026-05-04T10:00", company_id=TWO, service_price=7, client_id=1)

    report = await salon.report(only=TWO)

    assert report.totals[0].revenue == 7
    assert report.guests[0].new == 1
    assert named(report.groups["branch"]) == {"2": (1, 7)}


async def test_points_given_spent_expired_taken_back_and_owed(salon: Salon) -> None:
    anna = await salon.user()
    await salon.enter(anna, 500, "accrual", "2026-03-05T10:00")
    await salon.enter(anna, 40, "accrual", "2026-04-30T23:59")
    await salon.enter(anna, 100, "accrual", "2026-05-01T00:00")
    await salon.enter(anna, -30, "reversal", "2026-05-02T10:00")
    await salon.enter(anna, 70, "adjustment", "2026-05-03T10:00")
    await salon.enter(anna, -5, "adjustment", "2026-05-03T11:00")
    await salon.enter(anna, -200, "redemption", "2026-05-04T10:00")
    await salon.enter(anna, -60, "expiry", "2026-05-05T10:00")
    await salon.enter(anna, 9, "expiry", "2026-05-06T10:00")
    await salon.enter(anna, 1000, "accrual", "2026-06-01T00:00")

    now, before = (await salon.report()).points

    assert now == Points(given=170, spent=200, expired=51, taken_back=35, owed=424)
    assert before == Points(given=40, owed=540)


async def test_a_merge_of_accounts_moves_points_and_gives_none(salon: Salon, pool: Pool) -> None:
    anna, same = await salon.user(), await salon.user()
    await salon.enter(anna, 500, "accrual", "2026-04-05T10:00")
    await salon.enter(anna, -100, "redemption", "2026-05-05T10:00")
    async with pool.connection() as conn, conn.transaction():
        await move_ledger(conn, anna, same, datetime(2026, 5, 20, tzinfo=UTC))

    now, before = (await salon.report()).points

    assert now == Points(spent=100, owed=400)
    assert before == Points(given=500, owed=500)


async def test_who_gave_points_by_hand(salon: Salon) -> None:
    """Who has no name is told by their e-mail."""
    client, olga = await salon.user(), await salon.user(name="Ольга")
    ivan = await salon.user(email="ivan@example.com")
    await salon.enter(client, 50, "adjustment", "2026-05-03T10:00", created_by=olga)
    await salon.enter(client, 25, "adjustment", "2026-05-04T10:00", created_by=olga)
    await salon.enter(client, -10, "adjustment", "2026-05-05T10:00", created_by=olga)
    await salon.enter(client, -40, "redemption", "2026-05-05T11:00", created_by=ivan)
    await salon.enter(client, 999, "adjustment", "2026-04-05T11:00", created_by=ivan)
    await salon.enter(client, 999, "accrual", "2026-05-05T11:00")

    found = (await salon.report()).by_hand

    assert [(one.name, one.given, one.taken, one.spent, one.count) for one in found] == [
        ("Ольга", 75, 10, 0, 3),
        ("ivan@example.com", 0, 0, 40, 1),
    ]


async def test_the_figures_of_groups_add_up_to_the_whole(salon: Salon) -> None:
    for number in range(60):
        await salon.book(
            f"2026-05-{number % 31 + 1:02}T{number % 12 + 8:02}:00",
            company_id=number % 2 + 1,
            staff_name=f"Мастер {number % 3}",
            service_price=number * 1000,
            status=("COMPLETED", "COMPLETED", "PENDING")[number % 3],
        )

    report = await salon.report()

    for kind, groups in report.groups.items():
        assert sum(one.now.revenue for one in groups) == report.totals[0].revenue, kind
        assert sum(one.now.visits for one in groups) == report.totals[0].visits, kind
    assert sum(one.revenue for one in report.days) == report.totals[0].revenue


async def test_a_branch_whose_zone_is_not_known_yet_counts_by_utc(pool: Pool) -> None:
    async with pool.connection() as conn:
        await add_booking(
            conn,
            company_id=ONE,
            yclients_record_id=1,
            appointment_datetime=datetime(2026, 5, 31, 23, 30, tzinfo=UTC),
            appointment_local=None,
            status="COMPLETED",
        )

    report = await read_report(pool, MAY, [ONE])

    assert report.totals[0].visits == 1
    assert [one.key for one in report.groups["hour"]] == [23]
