"""Pairing visits with bookings, and what their points become."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from zerkalo.importing.model import By, HoursOff, MirrorVisit, Pair, Person, Visit, Why
from zerkalo.importing.rules import hours_off, pair, percent_for_points, plan_points, record_ids_in
from zerkalo.loyalty.rules import points_for

NOON = datetime(2026, 3, 5, 9, 0, tzinfo=UTC)
WALL = datetime(2026, 3, 5, 12, 0)  # noqa: DTZ001  the salon's wall clock
ANNA = Person("a", email="anna@salon.test", phone="+79161234567")
MARIA = Person("m", phone="+79160000000")
PEOPLE = {"a": ANNA, "m": MARIA}
BOOKING = MirrorVisit(
    1, 7, 12345, NOON, WALL, "Стрижка", 250_000, "COMPLETED", "anna@salon.test", "+79161234567"
)


@pytest.mark.parametrize(
    ("note", "ids"),
    [
        ("YClients. ID: 12345", (12345,)),
        ("перенести на утро | YClients. ID: 12345", (12345,)),
        ("Запись через YClients. ID: 12345. Код клиента: ABC12345", (12345,)),
        ("yclients.id:12345", (12345,)),
        ("YCLIENTS ID №  12345", (12345,)),
        ("YClients. ID: 12345\nYClients. ID: 12345", (12345,)),
        ("YClients. ID: 12345 YClients. ID: 999", (12345, 999)),
        ("позвонить по номеру 12345", ()),
        ("", ()),
    ],
)
def test_note_names_records_in_every_form_seen(note: str, ids: tuple[int, ...]):
    assert record_ids_in(note) == ids


def test_record_that_fits_by_contact_or_by_time_is_the_visits():
    by_contact = Visit("1", "a", (12345,))
    by_time = Visit("1", "m", (12345,), wall_time=WALL)
    by_instant = Visit("1", "m", (12345,), starts_at=NOON)

    for visit in (by_contact, by_time, by_instant):
        assert pair([visit], PEOPLE, [BOOKING]).pairs == (Pair(visit, BOOKING, By.RECORD),)


def test_id_that_a_stranger_wrote_into_a_note_is_asked_about():
    found = pair([Visit("1", "m", (12345,), wall_time=WALL + timedelta(days=1))], PEOPLE, [BOOKING])

    assert found.pairs == ()
    assert [one.why for one in found.ask] == [Why.RECORD_DOES_NOT_FIT]


def test_two_ids_two_claims_and_unknown_people_are_asked_about():
    found = pair(
        [
            Visit("1", "a", (12345, 5)),
            Visit("2", "a", (12345,)),
            Visit("3", "a", wall_time=WALL, service="стрижка"),
            Visit("4", "nobody", (12345,)),
        ],
        PEOPLE,
        [BOOKING],
    )

    assert found.pairs == ()
    assert {one.ref: one.why for one in found.ask} == {
        "1": Why.TWO_IDS,
        "2": Why.CLAIMED_TWICE,
        "3": Why.CLAIMED_TWICE,
        "4": Why.NOBODY,
    }


def test_visit_without_an_id_needs_contact_time_and_service_of_exactly_one_booking():
    visit = Visit("1", "a", wall_time=WALL, service=" СТРИЖКА ")
    twin = replace(BOOKING, booking_id=2, record_id=2)

    assert [one.by for one in pair([visit], PEOPLE, [BOOKING]).pairs] == [By.CONTACT]
    assert [one.why for one in pair([visit], PEOPLE, [BOOKING, twin]).ask] == [Why.SEVERAL_FIT]
    for other in (
        replace(BOOKING, email=None, phone=None),
        replace(BOOKING, service="Окрашивание"),
        replace(BOOKING, wall_time=WALL + timedelta(hours=3)),
    ):
        assert [one.why for one in pair([visit], PEOPLE, [other]).not_in_mirror] == [Why.NOT_IN_MIRROR]


def test_id_that_several_branches_have_is_asked_about():
    twin = replace(BOOKING, booking_id=2, company_id=8)

    assert [one.why for one in pair([Visit("1", "a", (12345,))], PEOPLE, [BOOKING, twin]).ask] == [
        Why.SEVERAL_COMPANIES
    ]


def test_instants_that_are_all_off_by_the_same_hours_are_noticed():
    bookings = [
        replace(
            BOOKING,
            booking_id=n,
            record_id=n,
            starts_at=NOON + timedelta(days=n),
            wall_time=WALL + timedelta(days=n),
        )
        for n in range(1, 21)
    ]
    off = [
        Visit(str(b.record_id), "a", (b.record_id,), starts_at=b.starts_at + timedelta(hours=3))
        for b in bookings
    ]

    on_the_wall = [
        replace(v, starts_at=None, wall_time=WALL + timedelta(days=b.record_id, hours=-3))
        for v, b in zip(off, bookings, strict=True)
    ]

    assert pair(off, PEOPLE, bookings).hours_off == HoursOff(3, 20, 20, "starts_at")
    assert pair(on_the_wall, PEOPLE, bookings).hours_off == HoursOff(-3, 20, 20, "wall_time")
    one_moved = [*off[:-1], replace(off[-1], starts_at=NOON)]
    assert pair(one_moved, PEOPLE, bookings).hours_off == HoursOff(3, 19, 20, "starts_at")
    right = [replace(visit, starts_at=b.starts_at) for visit, b in zip(off[:3], bookings, strict=False)]
    assert pair([*right, *off[3:]], PEOPLE, bookings).hours_off is None
    half_an_hour = [
        replace(v, starts_at=b.starts_at + timedelta(minutes=30)) for v, b in zip(off, bookings, strict=True)
    ]
    assert pair(half_an_hour, PEOPLE, bookings).hours_off is None
    assert hours_off(pair(off[:3], PEOPLE, bookings).pairs) is None


@given(st.integers(-5, 10**6), st.integers(-5, 10**8))
def test_percent_gives_exactly_the_points_or_there_is_none(points: int, price: int):
    percent = percent_for_points(points, price)

    if percent is not None:
        assert points_for(price, percent) == points
        assert percent == round(percent, 4)
    elif 0 < points * 10_000 <= price:  # up to one per cent of the price: fine enough to be said
        raise AssertionError("a percent exists")


def test_points_of_a_visit_become_its_accrual_and_the_rest_one_opening():
    paid = Pair(Visit("1", "a", points=125), BOOKING, By.RECORD)
    missed = Pair(Visit("2", "a", points=40), replace(BOOKING, booking_id=2, status="CANCELLED"), By.RECORD)
    free = Pair(Visit("3", "a", points=7), replace(BOOKING, booking_id=3, price_kopecks=0), By.RECORD)

    plan, unsaid = plan_points(replace(ANNA, balance=300), [paid, missed, free], 172, has_already=0)

    assert [(one.booking_id, one.points, one.percent) for one in plan.accruals] == [(1, 125, Decimal(5))]
    assert plan.opening == 175
    assert [one.why for one in unsaid] == [Why.POINTS_NOT_EARNED, Why.POINTS_UNSAYABLE]


def test_balance_of_the_source_is_what_the_ledger_ends_at_whatever_it_had():
    paid = Pair(Visit("1", "a", points=125), replace(BOOKING, has_entries=True), By.RECORD)

    plan, _ = plan_points(replace(ANNA, balance=100), [paid], 125, has_already=125)

    assert (plan.accruals, plan.opening) == ((), -25)


def test_source_without_balances_is_worth_the_points_of_its_visits():
    paid = Pair(Visit("1", "a", points=125), BOOKING, By.RECORD)

    plan, _ = plan_points(ANNA, [paid], 130, has_already=0)

    assert (plan.before, plan.opening) == (130, 5)


@pytest.mark.parametrize(
    ("all_points", "has_already", "before", "opening"),
    [
        # the visit's 125 points come on top of what was earned here, and nothing is taken for them
        (125, 500, 625, 0),
        (130, 3, 130, 2),
        (125, 0, 125, 0),
        (130, 0, 130, 5),
        (130, -40, 90, 5),
    ],
)
def test_source_without_balances_takes_nothing_from_what_a_person_has(
    all_points: int, has_already: int, before: int, opening: int
):
    paid = Pair(Visit("1", "a", points=125), BOOKING, By.RECORD)

    plan, _ = plan_points(ANNA, [paid], all_points, has_already=has_already)

    assert (plan.before, plan.opening) == (before, opening)
