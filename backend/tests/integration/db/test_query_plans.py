"""With a million bookings every question we ask often is answered from an index, by the statements we really send."""

from datetime import date, timedelta

import pytest

from tests.support.million import BOOKINGS, NOW, USERS
from tests.support.plans import explaining
from zerkalo.bookings.journal import store as journal
from zerkalo.bookings.journal.model import Filters
from zerkalo.bookings.journal.rules import read_search
from zerkalo.bookings.model import Status
from zerkalo.bookings.reading import store as reading
from zerkalo.clients import store as clients
from zerkalo.inbox import store as inbox
from zerkalo.inbox.desk import store as inbox_desk
from zerkalo.loyalty import store as ledger
from zerkalo.loyalty.model import EarningState
from zerkalo.mirror.balances import store as balances
from zerkalo.mirror.rematching import store as rematching
from zerkalo.mirror.service import CARD_BOOKINGS_AT_ONCE
from zerkalo.notices import store as notices
from zerkalo.reports.model import Period
from zerkalo.reports.service import report_of
from zerkalo.reports.sums import store as sums
from zerkalo.runs import store as runs
from zerkalo.runs.model import Slice
from zerkalo.users import store as users
from zerkalo.users.desk import store as desk
from zerkalo.users.erasing import store as erasing
from zerkalo.users.exporting.store import export_rows
from zerkalo.users.matching.store import users_for_matching
from zerkalo.users.proving import store as proofs
from zerkalo.web import stats

pytestmark = [pytest.mark.integration, pytest.mark.slow, pytest.mark.timeout(300)]

OWN_BOOKINGS = {
    "bookings_of_user",
    "users_pkey",
    "users_by_phone10",
    "clients_pkey",
    "form_bookings_of_user",
}
"""The bookings, and the reader's own account, who else has proved the card's phone, the card and what was typed: phone and
comment are shown where they are theirs."""


@pytest.fixture
async def asked(million):
    """A connection to it and what was planned there. What a test writes is rolled back."""
    conn, plans = await explaining(million)
    async with conn, conn.transaction(force_rollback=True):
        yield conn, plans


async def test_a_users_upcoming_bookings(asked):
    conn, plans = asked

    found = await reading.read_upcoming(
        conn, 70_042, now=NOW, status=None, after=None, limit=51, email_counts_alone=True
    )
    await reading.read_upcoming(
        conn,
        70_042,
        now=NOW,
        status=Status.CONFIRMED,
        after=(found[0].appointment_datetime, found[0].id),
        limit=51,
        email_counts_alone=True,
    )

    assert found
    assert plans.indexes == OWN_BOOKINGS
    assert plans.scanned == set()


async def test_a_users_bookings_newest_first(asked):
    conn, plans = asked

    found = await reading.read_newest_first(
        conn, 42, status=None, after=None, limit=51, email_counts_alone=True
    )
    after = (found[3].appointment_datetime, found[3].id)
    rest = await reading.read_newest_first(
        conn, 42, status=None, after=after, limit=51, email_counts_alone=True
    )

    assert [shown.id for shown in found[4:]] == [shown.id for shown in rest][: len(found) - 4]
    assert plans.indexes == OWN_BOOKINGS
    assert plans.scanned == set()


@pytest.mark.parametrize(
    "filters",
    [
        Filters(),
        Filters(first_day=NOW.date(), last_day=NOW.date()),
        Filters(first_day=NOW.date(), last_day=NOW.date(), company_id=2, status="COMPLETED", matched=True),
        Filters(first_day=NOW.date() - timedelta(days=3), last_day=NOW.date() + timedelta(days=3)),
    ],
    ids=("the latest", "a day", "a branch's day, filtered", "a week"),
)
async def test_a_page_of_the_journal(asked, filters):
    conn, plans = asked

    found = await journal.read_journal(conn, filters, after=None, limit=51)
    again = (found[-1].appointment_datetime, found[-1].id)
    await journal.read_journal(conn, filters, after=again, limit=51)

    assert found
    assert "bookings_window" in plans.indexes
    assert "bookings" not in plans.scanned


@pytest.mark.parametrize("text", ["9000055555", "8 900 005-55-55", "A0055555", "7001234567"])
async def test_a_whole_phone_a_code_and_a_record_are_looked_up(asked, text):
    conn, plans = asked

    found = await journal.read_journal(conn, Filters(search=read_search(text)), after=None, limit=51)

    assert bool(found) == (text != "7001234567"), "a number of a record that nobody has"
    assert plans.scanned & {"bookings", "users", "clients"} == set()


@pytest.mark.parametrize("text", ["55555", "Мария 55555", "мария"])
async def test_a_name_and_a_piece_of_a_phone_are_looked_for_in_cards_and_accounts(asked, text):
    conn, plans = asked
    filters = Filters(search=read_search(text))

    found = await journal.read_journal(conn, filters, after=None, limit=51)
    again = (found[-1].appointment_datetime, found[-1].id)
    await journal.read_journal(conn, filters, after=again, limit=51)

    assert found
    assert "bookings" not in plans.scanned
    assert plans.indexes >= {
        "bookings_pkey",
        "bookings_of_user",
        "bookings_of_client",
        "bookings_without_card",
    }


async def test_the_desk_looks_up_a_whole_phone(asked):
    conn, plans = asked

    assert await desk.search_users(conn, text="8 900 005-55-55", before_id=None, limit=31)

    assert plans.indexes == {"users_by_phone10", "users_unique_code_key", "users_pkey"}
    assert plans.scanned == set()


async def test_what_the_journal_tells_of_one_booking(asked):
    conn, plans = asked
    await conn.execute(
        "insert into booking_events (booking_id, at, kind, cause) select n, now(), 'moved', 'call' from generate_series(1, 50000) n"
    )
    await conn.execute(
        "insert into outbox (user_id, channel, body, created_at, expires_at, next_attempt_at, finished_at, kind, booking_id)"
        " select 1, 'email', '', now(), now(), now(), now(), 'moved', n from generate_series(1, 50000) n"
    )
    await conn.execute("analyze booking_events, outbox")
    plans.take()

    booking = await journal.read_booking(conn, 4)
    assert booking is not None
    await journal.read_lines(conn, 4)
    await journal.read_evidence(conn, booking)
    await journal.read_points(conn, 4)
    await journal.read_history(conn, 4, after=None, limit=51)

    assert plans.indexes >= {
        "bookings_pkey",
        "bonus_entries_of_booking",
        "booking_events_of_booking",
        "outbox_of_booking",
    }
    assert (
        plans.scanned & {"bookings", "bonus_entries", "users", "clients", "booking_events", "outbox"} == set()
    )


async def test_what_the_notices_look_for_each_minute(asked):
    conn, plans = asked
    hour, minute = timedelta(hours=1), timedelta(minutes=1)
    await conn.execute(
        "update bookings set updated_at = %s, vendor_changed_at = %s, created_at = %s where id between 980001 and 980010",
        [NOW - 5 * minute, NOW - 5 * minute, NOW - timedelta(days=9)],
    )
    plans.take()

    await notices.remember_all(conn, now=NOW, since=NOW - hour)
    changed = await notices.changed_visits(conn, since=NOW - hour, until=NOW - minute, now=NOW, limit=200)
    ahead = timedelta(seconds=131 * 20_010)
    reminded = await notices.visits_to_remind_of(conn, before=ahead, since=NOW - hour, now=NOW, limit=200)
    await notices.movements(
        conn, since=NOW - hour, recent=NOW - timedelta(days=2), until=NOW - minute, limit=200
    )
    await notices.reach_of(conn, [one.user_id for one in changed])

    assert len(changed) == 9, "one in ten is nobody's"
    assert reminded
    assert plans.indexes >= {
        "bookings_by_update",
        "bookings_window",
        "bonus_entries_expiring",
        "bonus_entries_by_hand",
        "users_pkey",
    }
    assert plans.scanned & {"bookings", "bonus_entries", "users"} == set()


async def test_a_users_calendar(asked):
    conn, plans = asked

    await reading.read_calendar(conn, 42, now=NOW)

    assert plans.indexes == OWN_BOOKINGS - {"users_by_phone10"}, "no contact is told in a feed"
    assert plans.scanned == set()


async def test_a_report_counts_what_changed_and_reads_sums(asked):
    conn, plans = asked
    may = Period(date(2025, 5, 1), date(2025, 5, 31))

    progress, _ = await sums.hold_progress(conn)
    assert await sums.changed(conn, progress.looked_until + timedelta(days=1), 50) == []
    assert "bookings_by_update" in plans.take().indexes
    found, last_id = await sums.differing(conn, 950_000, 2_000)
    assert (len(found), last_id) == (2_000, 952_000)
    await sums.recount(conn, found)
    await sums.put_progress(conn, progress)
    counting = plans.take()
    report = await report_of(conn, may, range(1, 6))

    assert report.totals[0].visits > 1_000
    assert counting.indexes >= {"bookings_pkey", "bookings_of_client"}
    assert "bookings" not in counting.scanned | plans.scanned


async def test_users_by_code_by_lower_email_by_phone(asked):
    conn, plans = asked

    assert await desk.user_by_code(conn, "A0000042")
    assert "users_unique_code_key" in plans.take().indexes
    assert await proofs.holder_of_email(conn, "user42@example.com")
    assert plans.take().indexes == {"users_email_proved"}
    assert await proofs.holders_of_phone(conn, "+79000000042")
    assert plans.take().indexes == {"users_by_phone10"}

    found = await users_for_matching(
        conn, codes=["A0000042"], emails=["user43@example.com"], phone10s=["9000000044"], ids=[45]
    )
    matching = plans.take()
    assert [user.id for user in found] == [42, 43, 44, 45]
    assert matching.indexes >= {
        "users_unique_code_key",
        "users_email_proved",
        "users_by_phone10",
        "users_pkey",
    }
    assert "users" not in matching.scanned


async def test_the_cards_that_are_told_and_erased_with_a_user(asked):
    conn, plans = asked
    anna = await users.read_user(conn, 42)
    assert anna is not None
    plans.take()

    found = await erasing.cards_of(conn, anna, email_counts_alone=True)

    assert len(found) == 1
    assert plans.indexes >= {"clients_of_user", "clients_by_email", "clients_by_phone10"}
    assert plans.take().scanned == set()

    await conn.execute("update users set phone_verified_at = %s where id = 42", [NOW])
    told = await export_rows(conn, 42, email_counts_alone=True)

    assert len(told["client_cards"]) == 1
    assert plans.indexes >= {"clients_by_email", "clients_by_phone10", "users_merged"}
    assert plans.take().scanned & {"clients", "bookings", "users"} == set()

    await ledger.strip_reasons(conn, 42)

    assert "users_merged" in plans.indexes
    assert "users" not in plans.scanned


async def test_bookings_that_a_users_evidence_speaks_for(asked):
    conn, plans = asked

    found = await rematching.keys_of_evidence(
        conn,
        user_id=42,
        codes=["A0000042"],
        email="user42@example.com",
        phone10="9000000042",
        cards=[(1, 42)],
        after_id=0,
        limit=500,
    )

    assert len(found) >= BOOKINGS // USERS
    assert plans.indexes == {
        "bookings_of_user",
        "bookings_by_code",
        "bookings_by_email",
        "bookings_by_phone10",
        "bookings_of_client",
        "bookings_company_id_yclients_record_id_key",
        "form_bookings_of_user",
    }
    assert plans.scanned == set()


@pytest.mark.parametrize("visits", [10, 20_000], ids=("a person's", "a card for everybody without one"))
async def test_the_bookings_of_the_cards_that_a_batch_changed(asked, visits):
    """In the write path, so that each card is asked for no more than its part, however many bookings it has."""
    conn, plans = asked
    key = await a_card_with(conn, visits)
    plans.take()

    found = await rematching.keys_of_card(conn, key, after_id=0, limit=CARD_BOOKINGS_AT_ONCE)
    rest = await rematching.keys_of_card(conn, key, after_id=found[4][0], limit=CARD_BOOKINGS_AT_ONCE)

    assert len(found) == min(visits, CARD_BOOKINGS_AT_ONCE)
    assert rest[: len(found) - 5] == found[5:]
    assert plans.indexes == {"bookings_of_client"}
    assert plans.scanned == set()


async def a_card_with(conn, visits):
    """A card (company, client id) with so many bookings, the latest that were written; its statistics are known."""
    if visits > 10:
        sql = "update bookings set company_id = 1, client_id = 1 where id > %s"
        await conn.execute(sql, [BOOKINGS - visits])
        await conn.execute("analyze bookings")
    return 1, 1


async def test_the_salons_window(asked):
    conn, plans = asked

    day = date(2025, 6, 2)
    found = await runs.not_shown(conn, 1, Slice(day, day), up_to_id=BOOKINGS, shown=[])

    assert len(found) > 100
    assert plans.indexes == {"bookings_window"}
    assert "bookings" not in plans.scanned


async def test_unmatched_bookings_and_their_candidates(asked):
    conn, plans = asked

    found = await reading.read_unmatched(conn, after=None, limit=51)
    assert len(found) == 51
    assert plans.take().indexes == {"bookings_unmatched"}
    await reading.read_candidates(conn, [shown.id for shown in found])
    assert "users" not in plans.scanned


async def test_bookings_with_several_candidates(asked):
    conn, plans = asked

    assert len(await reading.read_ambiguous(conn, after=None, limit=21)) == 21

    assert "bookings" not in plans.scanned


async def test_ledgers_of_a_batch_of_bookings(asked):
    conn, plans = asked

    lines = await ledger.read_ledger_lines(conn, range(1000, 1500))

    assert lines
    assert plans.indexes == {"bonus_entries_of_booking"}
    assert plans.scanned == set()


async def test_what_users_spent_in_a_year(asked):
    conn, plans = asked
    states = [EarningState(n, 2, n % USERS + 1, "COMPLETED", 100, NOW.date()) for n in range(1, 100)]

    assert await ledger.read_spent(conn, states)

    assert plans.indexes == {"bookings_of_user"}
    assert plans.scanned == set()


async def test_a_users_ledger(asked):
    conn, plans = asked

    assert await ledger.read_entries(conn, 45, None, 51)
    assert await ledger.read_balance(conn, 45)
    await ledger.read_movements(conn, [45])

    assert plans.indexes <= {"bonus_entries_of_user", "bonus_entries_undone"}
    assert "bonus_entries_of_user" in plans.indexes
    assert plans.scanned == set()


async def test_a_range_of_the_sweep(asked):
    conn, plans = asked

    assert await ledger.lock_unsettled(conn, 500_000, 505_000, enabled=True, start_date=None)

    assert plans.indexes >= {"bookings_pkey", "bonus_entries_of_booking"}
    assert plans.scanned == set()


async def test_users_whose_points_expire(asked):
    conn, plans = asked

    await ledger.read_expiring_users(conn, NOW - timedelta(hours=9), NOW, 0, 200)

    assert plans.indexes == {"bonus_entries_expiring"}
    assert plans.scanned == set()


async def test_who_waits_to_be_looked_at_again(asked):
    conn, plans = asked

    await users.users_to_rematch(conn, limit=50)
    await clients.to_rematch(conn, limit=50)

    assert plans.indexes == {"users_to_rematch", "clients_to_rematch"}
    assert plans.scanned == set()


async def test_the_cards_whose_points_moved(asked):
    conn, plans = asked
    await conn.execute(
        "insert into booking_events (booking_id, at, kind, cause)"
        " select id, now(), 'created', 'sync' from bookings where id <= 100000"
    )
    await conn.execute(
        "insert into card_balances (company_id, client_id, user_id, balance)"
        " select company_id, client_id, min(user_id), 0 from bookings where user_id is not null and client_id is not null"
        " group by 1, 2"
    )
    await conn.execute("analyze booking_events, card_balances")
    await conn.execute(
        "insert into balance_looks (entry_id, event_id, compared_at)"
        " select (select max(id) from bonus_entries) - 50, (select max(id) from booking_events) - 50, %s",
        [NOW],
    )

    plans.take()
    await balances.mark_moved(conn, companies=[1, 2, 3], now=NOW)

    assert plans.scanned & {"bookings", "bonus_entries", "booking_events", "card_balances"} == set()
    assert plans.indexes >= {
        "bookings_of_user",
        "bookings_of_client",
        "bonus_entries_pkey",
        "booking_events_pkey",
    }

    await balances.mark_moved(conn, companies=[1, 2, 3], now=NOW + balances.COMPARE_SPAN * 2)
    assert plans.take().scanned & {"bookings", "booking_events"} == set(), "the cards alone are read whole"


async def test_the_inbox(asked):
    conn, plans = asked

    await inbox_desk.read_deliveries(conn, before_id=None, limit=51)
    assert plans.take().indexes == {"deliveries_pkey"}
    await inbox_desk.read_deliveries(conn, record_id=777, before_id=None, limit=51)
    assert "deliveries_of_record" in plans.take().indexes
    await inbox_desk.read_quarantined(conn, before_id=None, limit=51)
    assert plans.take().indexes == {"deliveries_quarantined"}
    assert await inbox_desk.last_received_at(conn)
    assert plans.take().indexes == {"deliveries_by_time"}


async def test_the_inbox_is_pruned_in_parts_by_its_oldest(asked):
    conn, plans = asked

    assert await inbox.prune(conn, before=NOW - timedelta(days=20)) == inbox.PRUNE_BATCH

    assert plans.indexes == {"deliveries_by_time", "deliveries_pkey"}
    assert plans.scanned == set()


async def test_the_chart_of_bookings(asked):
    conn, plans = asked

    days = await stats.bookings_by_day(conn, now=NOW)

    assert len(days) >= 2 * stats.CHART_DAYS
    assert "bookings_window" in plans.indexes
    assert "bookings" not in plans.scanned
