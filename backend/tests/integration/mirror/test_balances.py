"""Balances on cards of YCLIENTS: written once for many movements, nothing else of the card touched, given up or put off."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from tests.support.rows import add_booking, add_user
from zerkalo.bookings import store as bookings
from zerkalo.checkup.model import Problem
from zerkalo.checkup.rules import problems_of
from zerkalo.checkup.store import read_facts
from zerkalo.db.pool import Pool
from zerkalo.mirror.balances.rules import card_with_balance, shown_balance
from zerkalo.mirror.balances.service import balance_differences, write_balances
from zerkalo.mirror.balances.store import COMPARE_SPAN, PAUSE_MAX
from zerkalo.settings import Settings
from zerkalo.yclients.errors import AccessDenied, NotFound, RequestRefused, VendorError, VendorUnavailable

NOW = datetime(2026, 12, 1, 9, 0, tzinfo=UTC)
FIELD = "zerkalo_points"


@dataclass
class Salon:
    """A YCLIENTS with one card, and the points of Anna, who has its visits."""

    pool: Pool
    anna: int
    card: dict[str, Any] = field(
        default_factory=lambda: {"name": "Анна", "phone": "79991234567", "email": "", "custom_fields": []}
    )
    writes: int = 0
    failure: VendorError | None = None
    now: datetime = NOW

    async def client_card(self, company_id: int, client_id: int) -> Mapping[str, Any]:
        assert (company_id, client_id) == (1, 9)
        if self.failure is not None:
            raise self.failure
        return self.card

    async def write_client_card(self, company_id: int, client_id: int, body: Mapping[str, Any]) -> None:
        assert (company_id, client_id) == (1, 9)
        self.writes += 1
        self.card = {**self.card, **body}

    async def look(self) -> int:
        self.now += timedelta(minutes=1)
        return await write_balances(self.pool, self, FIELD, companies=[1], clock=lambda: self.now)

    async def give(self, points: int, key: str) -> None:
        async with self.pool.connection() as conn:
            await conn.execute(
                "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
                " values (%s, %s, 'adjustment', %s, now(), now())",
                [self.anna, points, key],
            )

    async def drift(self) -> list[tuple[int, str]]:
        return [one async for one in balance_differences(self.pool, self, FIELD, 1)]


@pytest.fixture
async def salon(pool: Pool) -> Salon:
    async with pool.connection() as conn:
        anna = await add_user(conn)
        await add_booking(conn, user_id=anna, matched_by="code", client_id=9)
    return Salon(pool, anna)


async def test_many_movements_are_one_call_and_none_is_none(salon: Salon) -> None:
    for number in range(5):
        await salon.give(10, str(number))
    assert [await salon.look(), await salon.look()] == [1, 0]
    assert salon.card["custom_fields"] == {FIELD: "50"}
    await salon.give(-5, "spent")
    assert await salon.look() == 1
    assert (salon.card["custom_fields"], salon.writes) == ({FIELD: "45"}, 2)
    assert await salon.drift() == []


async def test_what_else_the_card_holds_goes_along_and_what_is_hidden_is_not_emptied(salon: Salon) -> None:
    salon.card |= {"custom_fields": {"source": "сайт"}, "surname": "Иванова"}
    await salon.give(10, "a")
    await salon.look()
    assert salon.card["custom_fields"] == {"source": "сайт", FIELD: "10"}
    body = card_with_balance({"name": "Анна", "phone": "", "email": None, "custom_fields": []}, FIELD, 7)
    assert body == {"name": "Анна", "custom_fields": {FIELD: "7"}}
    starred = {"name": "Анна", "phone": "7999***4567", "email": "a***@mail.test", "comment": "**VIP**"}
    assert card_with_balance(starred, FIELD, 7) == {
        "name": "Анна",
        "comment": "**VIP**",
        "custom_fields": {FIELD: "7"},
    }
    assert shown_balance({"custom_fields": []}, FIELD) is None


async def test_a_card_that_shows_it_already_is_not_written(salon: Salon) -> None:
    salon.card["custom_fields"] = {FIELD: 10}
    await salon.give(10, "a")
    assert (await salon.look(), salon.writes) == (0, 0)


async def test_while_yclients_is_silent_it_waits_and_a_card_that_is_gone_is_given_up(salon: Salon) -> None:
    await salon.give(10, "a")
    salon.failure = VendorUnavailable("silent")
    assert await salon.look() == 0
    salon.now += timedelta(minutes=2)
    salon.failure = None
    assert await salon.look() == 1

    await salon.give(10, "b")
    salon.failure = NotFound("gone")
    await salon.look()
    salon.failure = None
    assert await salon.look() == 0, "given up"
    await salon.give(10, "c")
    assert await salon.look() == 1, "until the points move again"


async def refused_cards(salon: Salon) -> list[Problem]:
    """What `check` says of them."""
    settings = Settings(yclients_company_ids=(1,), yclients_balance_field=FIELD)
    async with salon.pool.connection() as conn:
        facts = await read_facts(conn, settings, webhook_url="", now=salon.now)
    return [one for one in problems_of(facts) if one.code == "balances_refused"]


async def test_a_right_that_was_taken_and_given_back_leaves_no_card_behind(salon: Salon) -> None:
    await salon.give(10, "a")
    salon.failure = AccessDenied("no right to edit clients", 403)
    assert [await salon.look() for _ in range(5)] == [0] * 5
    (problem,) = await refused_cards(salon)
    assert problem.values == {"count": 1}
    assert await salon.drift() == [(9, "YCLIENTS refuses the card: 403: no right to edit clients")]

    salon.failure = None
    assert await salon.drift() == [(9, "the card shows no points, the ledger has 10")]
    salon.now += PAUSE_MAX

    assert [await salon.look(), await salon.look()] == [1, 0]
    assert (salon.card["custom_fields"], await salon.drift()) == ({FIELD: "10"}, [])
    assert await refused_cards(salon) == []


@dataclass
class TwoSalons:
    """A YCLIENTS whose token may edit the cards of company 2 alone."""

    asked: list[tuple[int, int]] = field(default_factory=list[tuple[int, int]])

    async def client_card(self, company_id: int, client_id: int) -> Mapping[str, Any]:
        self.asked.append((company_id, client_id))
        return {"name": "Анна", "custom_fields": []}

    async def write_client_card(self, company_id: int, client_id: int, body: Mapping[str, Any]) -> None:
        if company_id == 1:
            raise AccessDenied("no right to edit clients", 403)


async def test_cards_that_the_token_may_not_edit_are_asked_about_one_a_minute_and_hold_up_no_other(
    pool: Pool,
) -> None:
    """Before: each of thousands was asked about every hour, and the other branch's came behind them."""
    cards = TwoSalons()
    async with pool.connection() as conn:
        anna = await add_user(conn)
        for number in range(30):
            await add_booking(
                conn, user_id=anna, matched_by="code", client_id=number, yclients_record_id=number + 1
            )
        await add_booking(
            conn, user_id=anna, matched_by="code", client_id=9, company_id=2, yclients_record_id=99
        )
        await conn.execute(
            "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
            " values (%s, 10, 'adjustment', 'gift', now(), now())",
            [anna],
        )

    for minute in range(2):
        await write_balances(
            pool, cards, FIELD, companies=[1, 2], clock=lambda m=minute: NOW + timedelta(minutes=m)
        )

    assert [company_id for company_id, _ in cards.asked] == [1, 2, 1]
    async with pool.connection() as conn:
        row = await (await conn.execute("select count(*) from card_balances where attempts > 1")).fetchone()
    assert row == (0,), "what was claimed and not asked about has no attempt"


async def test_drift_tells_a_card_that_was_given_up_but_not_one_that_is_deleted(salon: Salon) -> None:
    await salon.give(10, "a")
    salon.failure = RequestRefused(422, "the phone is wrong")
    await salon.look()
    salon.failure = None
    assert await salon.drift() == [(9, "the card shows no points, the ledger has 10")]
    assert await refused_cards(salon) == [], "there is no right to give"

    await salon.give(10, "b")
    salon.failure = NotFound("gone")
    await salon.look()
    assert await salon.drift() == []


async def test_a_clock_that_was_hours_ahead_holds_up_no_card(salon: Salon) -> None:
    now = salon.now
    salon.now += timedelta(hours=3)
    await salon.give(10, "a")
    salon.failure = VendorUnavailable("silent")
    assert await salon.look() == 0

    salon.now, salon.failure = now, None

    assert await salon.look() == 1


async def test_a_card_of_two_users_shows_nobodys_points(salon: Salon) -> None:
    async with salon.pool.connection() as conn:
        await add_booking(conn, user_id=await add_user(conn), matched_by="code", client_id=9)
    await salon.give(10, "a")
    assert await salon.look() == 0


async def give_visits_to(salon: Salon, user_id: int | None) -> None:
    """Give the card's visits to this user, or to nobody; no points move."""
    async with salon.pool.connection() as conn:
        await conn.execute("update bookings set user_id = %s where client_id = 9", [user_id])
        await conn.execute(
            "insert into booking_events (booking_id, at, kind, cause)"
            " select id, now(), 'link', 'person' from bookings where client_id = 9"
        )


async def test_a_card_that_changes_hands_shows_the_new_users_points_without_a_movement(salon: Salon) -> None:
    async with salon.pool.connection() as conn:
        boris, vera = await add_user(conn), await add_user(conn)
        await conn.execute(
            "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
            " values (%s, 4, 'adjustment', 'boris', now(), now())",
            [boris],
        )
    await salon.give(10, "a")
    await salon.look()

    for user_id, shown in ((boris, "4"), (vera, "0"), (salon.anna, "10")):
        await give_visits_to(salon, user_id)
        assert await salon.look() == 1
        assert (salon.card["custom_fields"], await salon.drift()) == ({FIELD: shown}, [])


async def test_a_card_that_was_nobodys_while_points_moved_shows_them_when_it_comes_back(salon: Salon) -> None:
    await salon.give(10, "a")
    await salon.look()
    await give_visits_to(salon, None)
    await salon.give(5, "b")
    assert await salon.look() == 0

    await give_visits_to(salon, salon.anna)

    assert await salon.look() == 1
    assert salon.card["custom_fields"] == {FIELD: "15"}


async def test_a_card_that_anothers_visit_has_left_shows_its_users_points(salon: Salon) -> None:
    await salon.give(10, "a")
    await salon.look()
    async with salon.pool.connection() as conn:
        anothers = await add_booking(conn, user_id=await add_user(conn), matched_by="code", client_id=9)
    await salon.give(5, "b")
    assert await salon.look() == 0, "the card is two users'"

    async with salon.pool.connection() as conn:
        await conn.execute("update bookings set client_id = 11 where id = %s", [anothers])
        await conn.execute(
            "insert into booking_events (booking_id, at, kind, cause, before, after)"
            """ values (%s, now(), 'client', 'call', '{"client_id": 9}', '{"client_id": 11}')""",
            [anothers],
        )

    assert await salon.look() == 1
    assert (salon.card["custom_fields"], await salon.drift()) == ({FIELD: "15"}, [])


async def test_a_card_of_which_a_visit_was_erased_shows_its_users_points_within_the_hour(
    salon: Salon,
) -> None:
    await salon.give(10, "a")
    await salon.look()
    async with salon.pool.connection() as conn:
        erased = await add_booking(conn, user_id=await add_user(conn), matched_by="code", client_id=9)
    await salon.give(5, "b")
    assert [await salon.look() for _ in range(3)] == [0, 0, 0], "the card is two users'"
    async with salon.pool.connection() as conn:
        await bookings.erase(conn, [erased], now=salon.now)
    assert await salon.look() == 0

    salon.now += COMPARE_SPAN

    assert [await salon.look(), await salon.look()] == [1, 0]
    assert (salon.card["custom_fields"], await salon.drift()) == ({FIELD: "15"}, [])


async def test_a_card_of_a_user_who_never_had_points_is_left_alone(salon: Salon) -> None:
    await give_visits_to(salon, salon.anna)

    assert (await salon.look(), salon.writes) == (0, 0)


async def test_drift_tells_a_card_that_somebody_changed(salon: Salon) -> None:
    await salon.give(10, "a")
    await salon.look()
    salon.card["custom_fields"] = {FIELD: "999"}
    assert await salon.drift() == [(9, "the card shows 999 points, the ledger has 10")]


async def test_a_movement_that_is_committed_late_is_written_too(salon: Salon) -> None:
    """Its entry has a lower number than one that a look has seen meanwhile."""
    async with salon.pool.connection() as late, late.transaction():
        await late.execute(
            "insert into bonus_entries (user_id, amount, kind, entry_key, effective_at, created_at)"
            " values (%s, 7, 'adjustment', 'late', now(), now())",
            [salon.anna],
        )
        await salon.give(10, "early")
        assert [await salon.look() for _ in range(3)] == [1, 0, 0]

    assert await salon.look() == 1
    assert salon.card["custom_fields"] == {FIELD: "17"}
    assert [await salon.look() for _ in range(3)] == [0, 0, 0]
    async with salon.pool.connection() as conn:
        cursor = await conn.execute(
            "select entry_id = (select max(id) from bonus_entries) from balance_looks"
        )
        assert await cursor.fetchone() == (True,), "nothing is looked at again for ever"


async def test_a_backup_of_an_older_server_does_not_stop_the_looks(salon: Salon) -> None:
    await salon.give(10, "a")
    async with salon.pool.connection() as conn:
        await conn.execute(
            "insert into balance_looks (next_id, next_xid) values (0, '9000000000000000000'::xid8)"
        )
    assert [await salon.look() for _ in range(2)] == [1, 0]
    async with salon.pool.connection() as conn:
        cursor = await conn.execute("select entry_id > 0 from balance_looks")
        assert await cursor.fetchone() == (True,)


async def test_who_writes_too_late_is_written_over(salon: Salon) -> None:
    """A process that stood still between reading the card and writing it writes a balance of the past."""
    await salon.give(10, "a")

    class Stalled(Salon):
        async def write_client_card(self, company_id: int, client_id: int, body: Mapping[str, Any]) -> None:
            salon.now += timedelta(minutes=10)
            await salon.give(5, "b")
            await salon.look()
            assert salon.card["custom_fields"] == {FIELD: "15"}
            await salon.write_client_card(company_id, client_id, body)

    await Stalled(salon.pool, salon.anna).look()
    assert salon.card["custom_fields"] == {FIELD: "10"}, "the last to write"

    await salon.look()
    assert (salon.card["custom_fields"], await salon.drift()) == ({FIELD: "15"}, [])
