"""What may be asked for, what a refusal means, when a booking may be changed: as tables."""

from datetime import UTC, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from zerkalo.booking_form import rules
from zerkalo.booking_form.model import Order, Person, Wish
from zerkalo.form_bookings.model import Refusal

NOW = datetime(2026, 12, 2, 9, 0, tzinfo=UTC)
WALL = datetime.fromisoformat("2026-12-03T15:30")
"""Without an offset: the salon's wall clock."""
MOSCOW = ZoneInfo("Europe/Moscow")
BERLIN = ZoneInfo("Europe/Berlin")
ANNA = Person(7, " Анна ", "+79990000101", "anna@example.com", "ABC12345")


def wish(**fields: Any) -> Wish:
    about: dict[str, Any] = {
        "service_ids": (1,),
        "staff_id": 0,
        "starts_at": WALL,
        "consent": True,
    }
    return Wish(**(about | fields))


def order(asked: Wish, person: Person | None = ANNA, zone: Any = MOSCOW) -> Order | Refusal:
    return rules.order_of(asked, person, company_id=5, zone=zone, now=NOW)


def test_contacts_default_to_the_account() -> None:
    found = order(wish(comment="  У окна "))

    assert isinstance(found, Order)
    assert (found.name, found.phone, found.email) == ("Анна", "+79990000101", "anna@example.com")
    assert found.comment == "Код клиента: ABC12345\nУ окна"
    assert found.starts_at == datetime(2026, 12, 3, 15, 30, tzinfo=MOSCOW)


def test_nothing_that_names_her_shows_in_a_log() -> None:
    found = order(
        wish(comment="тайна", name="Вера", phone="+79990000303", email="v@example.com", code="1234")
    )

    for secret in ("тайна", "Вера", "79990000303", "v@example.com", "1234", "ABC12345"):
        assert secret not in repr(found)
    typed = wish(comment="тайна", name="Вера", phone="+79990000303", email="v@example.com", code="1234")
    assert "тайна" not in repr(typed)
    assert "Вера" not in repr(typed)


@pytest.mark.parametrize(
    ("typed", "code", "comment"),
    [
        ("", None, ""),
        (" a\x00b ", None, "a\ufffdb"),
        ("", "ABC12345", "Код клиента: ABC12345"),
        ("Код клиента: ZZZ99999", "ABC12345", "Код клиента: ABC12345\nКод клиента: ZZZ99999"),
    ],
)
def test_the_code_stands_ahead_of_what_she_typed(typed: str, code: str | None, comment: str) -> None:
    assert rules.comment_of(code, typed) == comment


@pytest.mark.parametrize(
    ("code", "message", "name"),
    [
        (431, "", "phone_invalid"),
        (432, "", "code_wrong"),
        (433, "", "slot_taken"),
        (434, "", "blacklisted"),
        (435, "", "name_missing"),
        (436, "", "no_staff"),
        (437, "", "overlap"),
        (438, "", "service_gone"),
        (None, "", "slot_taken"),
        (None, "Выбранное время уже занято", "slot_taken"),
        (None, "Неправильный код подтверждения", "code_wrong"),
        (None, "Неправильный номер телефона", "phone_invalid"),
        (None, "Клиент в чёрном списке", "blacklisted"),
        (None, "Не указано имя", "name_missing"),
        (None, "Нет доступных сотрудников", "no_staff"),
        (None, "Записи пересекаются между собой", "overlap"),
        (None, "Услуга недоступна", "service_gone"),
        (499, "", "slot_taken"),
    ],
)
def test_each_refusal_has_a_stable_code(code: int | None, message: str, name: str) -> None:
    assert rules.refusal_of(code, message).code == name


@pytest.mark.parametrize(
    ("moment", "zone", "found"),
    [
        (WALL, MOSCOW, "2026-12-03T15:30:00+03:00"),
        (datetime(2026, 12, 3, 12, 30, tzinfo=UTC), MOSCOW, "2026-12-03T15:30:00+03:00"),
        (datetime(2026, 12, 3, 12, 30, 5, 99, tzinfo=UTC), None, "2026-12-03T12:30:05+00:00"),
        (datetime.fromisoformat("2027-07-01T12:00"), BERLIN, "2027-07-01T12:00:00+02:00"),
        (WALL, None, None),
        (datetime.max.replace(tzinfo=UTC), MOSCOW, None),
        (datetime.min.replace(tzinfo=MOSCOW), None, None),
    ],
)
def test_a_time_is_read_in_the_salons_zone(moment: datetime, zone: Any, found: str | None) -> None:
    salon = rules.salon_time(moment, zone)

    assert (salon.isoformat() if salon else None) == found


@pytest.mark.parametrize(
    ("wall", "told", "zone", "found"),
    [
        ("2027-07-01 9:30", "2027-07-01T09:30:00+01:00", BERLIN, "2027-07-01T09:30:00+02:00"),
        ("2026-12-03 15:30", "2026-12-03T15:30:00+03:00", MOSCOW, "2026-12-03T15:30:00+03:00"),
        ("2026-12-03 half past", "2026-12-03T12:30:00+00:00", MOSCOW, "2026-12-03T15:30:00+03:00"),
        ("2026-12-03 15:30", "2026-12-03T12:30:00+00:00", None, "2026-12-03T12:30:00+00:00"),
        ("2026-10-25 02:30", "2026-10-25T01:30:00+00:00", BERLIN, "2026-10-25T02:30:00+01:00"),
        ("2026-10-25 02:30", "2026-10-25T00:30:00+00:00", BERLIN, "2026-10-25T02:30:00+02:00"),
    ],
)
def test_an_offered_time_is_its_wall_clock(wall: str, told: str, zone: Any, found: str) -> None:
    assert rules.offered_start(wall, datetime.fromisoformat(told), zone).isoformat() == found


@pytest.mark.parametrize(
    ("status", "hours", "code"),
    [
        ("PENDING", 1, None),
        ("CONFIRMED", 1, None),
        ("CANCELLED", 1, "already_cancelled"),
        ("CANCELLED", -1, "already_cancelled"),
        ("COMPLETED", 1, "already_past"),
        ("PENDING", 0, "already_past"),
        ("PENDING", -1, "already_past"),
    ],
)
def test_only_what_is_ahead_and_not_cancelled_may_be_changed(
    status: str, hours: int, code: str | None
) -> None:
    refusal = rules.closed(status, NOW + timedelta(hours=hours), NOW)

    assert (refusal.code if refusal else None) == code


def test_a_salons_deadline_is_a_moment_before_the_visit() -> None:
    starts_at = NOW + timedelta(seconds=100)

    assert rules.is_in_time(starts_at, 99, NOW)
    assert not rules.is_in_time(starts_at, 100, NOW)


def test_a_lost_request_is_waited_for_and_then_counts_as_over() -> None:
    assert rules.settle_seconds_left(NOW + timedelta(hours=3), NOW) == 0, "a wrong clock wrote it"
    waits = [rules.settle_seconds_left(NOW - timedelta(seconds=s), NOW) for s in (0, 0.5, 29.5, 30, 3000)]

    assert waits == [30, 30, 1, 0, 0]


def test_another_request_has_another_digest() -> None:
    asked = wish()
    others = [
        wish(staff_id=1),
        wish(service_ids=(1, 2)),
        wish(comment="a"),
        wish(starts_at=datetime(2026, 12, 3, 15, 30, tzinfo=UTC)),
        wish(phone=""),
        wish(company_id=1),
        wish(consent=False),
    ]
    digests = {rules.request_digest(b"k", one, 7) for one in [asked, *others]}

    assert len(digests) == len(others) + 1
    assert rules.request_digest(b"k", wish(), 7) == rules.request_digest(b"k", asked, 7)
    assert rules.request_digest(b"k", asked, None) not in digests
    assert rules.request_digest(b"other", asked, 7) not in digests


def test_keys_of_different_people_never_meet() -> None:
    keys = {rules.scoped_key("a", user_id) for user_id in (None, 1, 2)} | {rules.scoped_key("1\0a", None)}

    assert len(keys) == 4
