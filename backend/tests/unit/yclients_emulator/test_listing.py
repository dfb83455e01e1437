"""Lists: filters, orders, pages over stored and virtual records."""

from datetime import UTC, date, datetime, timedelta
from functools import cache

import pytest

from tests.support.emulator import NOON, TurnedClock
from yclients_emulator import Emulator, EmulatorSettings, desk, new_demo_emulator
from yclients_emulator.bulk import Gaps
from yclients_emulator.listing import ORDER_KEYS, ListFilter, Listing, matches
from yclients_emulator.model import Record


@cache
def demo_with_bulk(count: int = 1500) -> Emulator:
    """Made once: nothing here changes it."""
    emulator = new_demo_emulator(clock=TurnedClock())
    bulk = desk.load_bulk(emulator, 100201, count, days=40)
    for number in (0, 1, 7, 500, count - 1):  # what somebody changes is stored from then on
        desk.move(emulator, bulk.first_id + number, datetime.fromisoformat("2026-12-09 12:00"))
    desk.delete(emulator, bulk.first_id + 33)
    return emulator


def everything(emulator: Emulator, company_id: int) -> list[Record]:
    """Every record of a branch, the slow and sure way."""
    stored = emulator.vendor.records[company_id]
    bulk = emulator.vendor.bulks.get(company_id)
    virtual = [bulk.record(number) for number in range(bulk.count)] if bulk else []
    return [*stored.values(), *(one for one in virtual if one.id not in stored)]


FILTERS = [
    ListFilter(),
    ListFilter(with_deleted=True),
    ListFilter(start_date=date(2026, 11, 20), end_date=date(2026, 11, 25)),
    ListFilter(end_date=date(2026, 11, 1), with_deleted=True),
    ListFilter(changed_after=datetime(2026, 11, 28, 12, tzinfo=UTC), with_deleted=True),
    ListFilter(changed_before=datetime(2026, 11, 28, 12, tzinfo=UTC)),
    ListFilter(c_start_date=date(2026, 11, 10), c_end_date=date(2026, 11, 12)),
    ListFilter(staff_id=601, start_date=date(2026, 11, 20)),
    ListFilter(created_user_id=7001),
    ListFilter(start_date=date(2027, 6, 1)),
]


@pytest.mark.parametrize("order", list(ORDER_KEYS))
@pytest.mark.parametrize("wanted", FILTERS)
def test_pages_of_any_filter_and_order_make_up_the_whole_list(order: str, wanted: ListFilter):
    emulator = demo_with_bulk()
    company = emulator.vendor.company(100201)
    expected = sorted(
        (one for one in everything(emulator, 100201) if matches(one, company, wanted)), key=ORDER_KEYS[order]
    )

    listing = Listing(emulator.vendor, company, wanted, order)
    pages = [listing.page(offset, 200) for offset in range(0, listing.total + 200, 200)]

    assert listing.total == len(expected)
    assert [one.id for page in pages for one in page] == [one.id for one in expected]


def test_listing_by_client_finds_virtual_records_too():
    emulator = demo_with_bulk()
    company, bulk = emulator.vendor.company(100201), emulator.vendor.bulks[100201]
    wanted = ListFilter(client_id=bulk.first_client_id + 5, with_deleted=True)

    listing = Listing(emulator.vendor, company, wanted, "id")

    assert listing.total == 10
    assert all(one.client_id == bulk.first_client_id + 5 for one in listing.page(0, 100))


def test_gaps_leave_out_exactly_what_was_removed():
    kept = Gaps(range(10, 30), {10, 11, 15, 29})

    assert list(kept) == [n for n in range(10, 30) if n not in {10, 11, 15, 29}]


def test_virtual_records_never_go_back_in_time():
    bulk = demo_with_bulk().vendor.bulks[100201]
    starts = [bulk.starts(number) for number in range(bulk.count)]

    assert starts == sorted(starts)
    assert starts[-1].date() < NOON.date()
    assert starts[0].date() == bulk.first_day


def test_a_listing_is_made_again_only_after_a_change():
    emulator = new_demo_emulator(EmulatorSettings(list_order="changed"), clock=TurnedClock())
    company = emulator.vendor.company(100200)
    first = emulator.listing(company, ListFilter())

    assert emulator.listing(company, ListFilter()) is first
    record = first.page(40, 1)[0]
    desk.change(emulator, record.id, comment="изменено")
    assert emulator.listing(company, ListFilter()).page(0, 1)[0].id == record.id


def test_a_million_records_are_loaded_at_once_and_served_from_any_page():
    emulator = new_demo_emulator(clock=TurnedClock())
    desk.load_bulk(emulator, 100200, 1_000_000)
    listing = emulator.listing(
        emulator.vendor.company(100200), ListFilter(end_date=NOON.date() - timedelta(1))
    )

    last_page = listing.page(listing.total - 200, 200)

    assert listing.total > 1_000_000
    assert len(last_page) == 200
