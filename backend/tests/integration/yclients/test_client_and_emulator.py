"""The client against the emulator over ASGI: two pieces of work that share no code must understand each other."""

import itertools
from collections.abc import AsyncIterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import httpx2
import pytest

from tests.support.emulator import TurnedClock
from tests.support.scripted_yclients import OpenLimiter
from yclients_emulator import Emulator, build_app, new_demo_emulator
from yclients_emulator.faults import Fault
from yclients_emulator.settings import EmulatorSettings
from zerkalo.mirror.balances.rules import card_with_balance
from zerkalo.yclients.client import YclientsClient, appointment
from zerkalo.yclients.edits import added_hook
from zerkalo.yclients.errors import AccessDenied, BookingRefused, NotFound, VendorUnavailable
from zerkalo.yclients.model import Record, UnreadableRecord


@dataclass(frozen=True)
class Query:
    start_date: date | None = None
    end_date: date | None = None
    changed_after: datetime | None = None


@pytest.fixture
def clock() -> TurnedClock:
    return TurnedClock()


@pytest.fixture
def emulator(clock: TurnedClock) -> Emulator:
    settings = EmulatorSettings(rate_limit=False, times_format="rotate")
    return new_demo_emulator(settings, clock=clock, sleep=clock.sleep)


def client_of(emulator: Emulator, clock: TurnedClock, user_token: str | None = None) -> YclientsClient:
    return YclientsClient(
        "http://yclients/api/v1/",
        emulator.settings.partner_token,
        user_token or emulator.settings.user_token,
        OpenLimiter(),
        transport=httpx2.ASGITransport(app=build_app(emulator)),
        clock=clock,
        sleep=clock.sleep,
        rng=lambda: 0.5,
    )


@pytest.fixture
async def client(emulator: Emulator, clock: TurnedClock) -> AsyncIterator[YclientsClient]:
    async with client_of(emulator, clock) as opened:
        yield opened


@pytest.fixture
def company_id(emulator: Emulator) -> int:
    return next(iter(emulator.vendor.companies))


async def all_records(
    client: YclientsClient, company_id: int, query: Query | None = None, count: int = 50
) -> list[Record]:
    found: list[Record | UnreadableRecord] = []
    for number in itertools.count(1):
        page = await client.records_page(company_id, query, page=number, count=count)
        found += page.items
        if page.raw_count == 0:
            break
    assert all(isinstance(item, Record) for item in found)
    return [item for item in found if isinstance(item, Record)]


async def test_every_record_of_the_salon_is_read(
    client: YclientsClient, emulator: Emulator, company_id: int
) -> None:
    found = await all_records(client, company_id)

    theirs = set(emulator.vendor.records[company_id])
    assert {record.record_id for record in found} == theirs
    assert all(record.version is not None for record in found)
    assert any(record.deleted for record in found)


async def test_a_clamped_count_hides_nothing(clock: TurnedClock) -> None:
    emulator = new_demo_emulator(EmulatorSettings(rate_limit=False, page_size_max=7), clock=clock)
    company_id = next(iter(emulator.vendor.companies))

    async with client_of(emulator, clock) as client:
        found = await all_records(client, company_id, count=200)

    assert {record.record_id for record in found} == set(emulator.vendor.records[company_id])


async def test_filters_let_through_what_they_say(
    client: YclientsClient, clock: TurnedClock, company_id: int
) -> None:
    today = clock.now.date()

    found = await all_records(client, company_id, Query(start_date=today, end_date=today + timedelta(days=1)))
    changed = await all_records(client, company_id, Query(changed_after=datetime(2100, 1, 1)))  # noqa: DTZ001  wall clock

    assert found
    assert {
        record.local_start.date() - today for record in found if isinstance(record.local_start, datetime)
    } <= {
        timedelta(0),
        timedelta(days=1),
    }
    assert changed == []


async def test_one_record_is_the_same_by_itself_and_in_the_list(
    client: YclientsClient, company_id: int
) -> None:
    for listed in (await all_records(client, company_id))[:20]:
        alone = await client.record(company_id, listed.record_id)

        assert alone is not None
        for name in (
            "version",
            "local_start",
            "services",
            "attendance",
            "deleted",
            "comment",
            "duration_seconds",
        ):
            assert getattr(alone, name) == getattr(listed, name)


async def test_an_unknown_record_is_none_in_each_shape_of_the_error(
    client: YclientsClient, company_id: int
) -> None:
    assert [await client.record(company_id, 999_999_999 - number) for number in range(3)] == [
        None,
        None,
        None,
    ]


async def test_company_and_tokens(
    client: YclientsClient, emulator: Emulator, clock: TurnedClock, company_id: int
) -> None:
    company = await client.company(company_id)

    assert company.timezone_name is not None
    ZoneInfo(company.timezone_name)
    async with client_of(emulator, clock, "wrong") as stranger:
        with pytest.raises(AccessDenied):
            await stranger.records_page(company_id, page=1)


@pytest.mark.parametrize("kind", ["status", "cut", "disconnect", "html", "success_false"])
async def test_a_fault_that_passes_is_survived(
    client: YclientsClient, emulator: Emulator, clock: TurnedClock, company_id: int, kind: str
) -> None:
    emulator.faults.add(Fault(kind=kind, next=2))  # pyright: ignore[reportArgumentType]  one of the literals above

    page = await client.records_page(company_id, page=1)

    assert page.raw_count > 0
    assert len(clock.slept) >= 2


async def test_a_fault_that_lasts_is_told(
    client: YclientsClient, emulator: Emulator, company_id: int
) -> None:
    emulator.faults.add(Fault(kind="html", probability=1.0))

    with pytest.raises(VendorUnavailable):
        await client.records_page(company_id, page=1)


async def test_a_visit_is_booked_moved_and_cancelled(
    client: YclientsClient, emulator: Emulator, company_id: int
) -> None:
    services = await client.book_services(company_id)
    chosen = [services[0].service_id]
    staff = next(
        person for person in await client.book_staff(company_id, service_ids=chosen) if person.is_bookable
    )
    days = await client.book_dates(company_id, service_ids=chosen, staff_id=staff.staff_id)
    times = await client.book_times(company_id, staff.staff_id, days[-1], service_ids=chosen)
    wanted = appointment(1, service_ids=chosen, staff_id=staff.staff_id, starts_at=times[0].starts_at)

    booking = {
        "phone": "+7 000 000-01-77",
        "fullname": "Клиент",
        "email": "",
        "comment": "Код клиента: ABC12345",
    }
    (booked,) = await client.book_record(
        company_id, {**booking, "api_id": "our-id-1", "appointments": [wanted]}
    )

    record = await client.record(company_id, booked.record_id)
    assert record is not None
    assert (record.api_id, record.comment) == ("our-id-1", "Код клиента: ABC12345")
    assert record.instant == times[0].starts_at
    own = await client.user_record(company_id, booked.record_id, booked.record_hash)
    assert own.record.record_id == booked.record_id

    with pytest.raises(BookingRefused) as taken:
        await client.book_record(company_id, {**booking, "api_id": "our-id-2", "appointments": [wanted]})
    assert taken.value.code == 433

    await client.move(company_id, booked.record_id, starts_at=times[-1].starts_at, comment="Позже")
    moved = await client.record(company_id, booked.record_id)
    assert moved is not None
    assert moved.instant == times[-1].starts_at

    assert await client.delete_user_record(booked.record_id, booked.record_hash)
    gone = await client.record(company_id, booked.record_id)
    assert gone is None or gone.deleted is True


async def test_our_hook_is_added_once_beside_the_others(
    client: YclientsClient, emulator: Emulator, company_id: int
) -> None:
    emulator.set_hooks(company_id, ["https://other.example.com/hook"], record=1)

    change = added_hook(await client.hooks_settings(company_id), "https://ours.example.com/hook")
    assert change is not None
    await client.write_hooks(company_id, change)

    found = await client.hooks_settings(company_id)
    assert found.urls == ("https://other.example.com/hook", "https://ours.example.com/hook")


async def test_a_balance_is_written_to_a_card_and_nothing_else_of_it_changes(
    client: YclientsClient, emulator: Emulator
) -> None:
    card = next(one for one in emulator.vendor.clients.values() if one.phone)
    shown = await client.client_card(card.company_id, card.id)
    body = card_with_balance(shown, "zerkalo_points", 120)

    await client.write_client_card(card.company_id, card.id, body)

    again = await client.client_card(card.company_id, card.id)
    assert again["custom_fields"] == {**card.custom_fields, "zerkalo_points": "120"}
    changed = {"custom_fields", "last_change_date"}
    assert {name: value for name, value in again.items() if name not in changed} == {
        name: value for name, value in shown.items() if name not in changed
    }
    with pytest.raises(NotFound):
        await client.client_card(card.company_id, 1)
