"""The calendar feed: valid for any text, stable in what names an event, silent on what is private."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from icalendar import Calendar

from zerkalo.bookings.calendar.rules import calendar_of, uid_of
from zerkalo.bookings.model import ShownBooking, with_offset

STARTS = datetime(2025, 6, 1, 9, 0, tzinfo=UTC)
SHOWN = ShownBooking(
    id=7,
    user_id=1,
    matched_by="code",
    company_id=1,
    yclients_record_id=12345,
    client_id=67890,
    service_name="Стрижка, укладка; мытьё",
    service_price=250_000,
    service_duration=90,
    appointment_datetime=STARTS,
    appointment_local=datetime(2025, 6, 1, 12, 0),  # noqa: DTZ001  a wall clock
    status="CONFIRMED",
    cancel_reason=None,
    cancelled_at=None,
    phone="+79991234567",
    staff_name="Ольга",
    notes="YClients. ID: 12345\nКод клиента: ABC12345\nпозвонить",
    revision=3,
    created_at=datetime(2025, 5, 1, tzinfo=UTC),
    updated_at=datetime(2025, 5, 2, tzinfo=UTC),
)


def feed_of(shown, place="Салон «Отражение»"):
    return calendar_of(
        [shown],
        url_of=lambda one: f"https://salon.test/me/visits/{one.id}",
        places={1: place} if place else {},
    )


def event_of(shown, **about):
    (event,) = Calendar.from_ical(feed_of(shown, **about)).walk("VEVENT")
    return event


def test_an_event_tells_when_what_and_with_whom():
    event = event_of(SHOWN)

    assert event.decoded("dtstart") == STARTS
    assert event.decoded("dtend") == STARTS + timedelta(minutes=90)
    assert str(event["summary"]) == "Стрижка, укладка; мытьё"
    assert str(event["description"]) == "Мастер: Ольга"
    assert event.decoded("sequence") == 3
    assert event.decoded("dtstamp") == SHOWN.updated_at


def test_an_event_tells_where_links_to_the_visit_and_reminds():
    event = event_of(SHOWN)
    (alarm,) = event.walk("VALARM")

    assert str(event["location"]) == "Салон «Отражение»"
    assert str(event["url"]) == "https://salon.test/me/visits/7"
    assert (str(alarm["action"]), alarm.decoded("trigger")) == ("DISPLAY", -timedelta(hours=2))
    assert "location" not in event_of(SHOWN, place="")
    assert event_of(replace(SHOWN, status="CANCELLED")).walk("VALARM") == []


def test_times_are_in_utc_and_lines_end_and_fold_as_the_standard_says():
    lines = feed_of(replace(SHOWN, service_name="Я" * 200)).split(b"\r\n")

    assert b"DTSTART:20250601T090000Z" in lines
    assert all(len(line) <= 75 for line in lines)
    assert not any(b"\n" in line or b"\r" in line for line in lines)


@pytest.mark.parametrize(
    ("status", "shown"),
    [
        ("PENDING", "CONFIRMED"),
        ("CONFIRMED", "CONFIRMED"),
        ("COMPLETED", "CONFIRMED"),
        ("CANCELLED", "CANCELLED"),
    ],
)
def test_a_booked_visit_is_a_sure_event_and_a_cancelled_one_a_cancelled_event(status, shown):
    assert str(event_of(replace(SHOWN, status=status))["status"]) == shown


def test_an_event_keeps_its_name_whatever_changes():
    changed = replace(SHOWN, revision=9, status="CANCELLED", appointment_datetime=STARTS + timedelta(days=1))

    assert uid_of(changed) == uid_of(SHOWN)
    assert uid_of(replace(SHOWN, id=8)) != uid_of(SHOWN)
    assert uid_of(replace(SHOWN, created_at=STARTS)) != uid_of(SHOWN), "another salon's booking 7"


def test_contacts_codes_and_comments_stay_out():
    feed = feed_of(SHOWN).decode()

    for private in ("9991234567", "ABC12345", "позвонить", "12345"):
        assert private not in feed


def test_a_booking_without_service_and_duration_is_an_event_all_the_same():
    event = event_of(replace(SHOWN, service_name="", service_duration=0, staff_name=None))

    assert str(event["summary"]) == "Запись"
    assert "dtend" not in event


HOSTILE = 'Стрижка\r\nEND:VEVENT\r\nBEGIN:VEVENT\r\nURL:https://evil.example\x07\x85\u2028,;\\n":'


@given(st.text(max_size=300) | st.just(HOSTILE))
def test_no_text_of_a_salon_can_add_a_line_to_the_feed(text):
    feed = feed_of(replace(SHOWN, service_name=text, staff_name=text), place=text)
    names = [
        line.split(b":")[0].split(b";")[0]
        for line in feed.split(b"\r\n")
        if line and not line.startswith(b" ")
    ]

    assert names.count(b"BEGIN") == 3, "the calendar, the event and its alarm"
    assert names.count(b"URL") == 1
    assert not set(feed.decode()) & {
        chr(code) for code in [*range(9), 11, 12, *range(14, 32), 127, *range(128, 160)]
    }
    assert len(Calendar.from_ical(feed).walk("VEVENT")) == 1


@pytest.mark.parametrize(
    ("wall_clock", "shown"),
    [
        (datetime(2025, 6, 1, 12, 0), "2025-06-01T12:00:00+03:00"),  # noqa: DTZ001  # a naive one is the case
        (datetime(2025, 6, 1, 3, 30), "2025-06-01T03:30:00-05:30"),  # noqa: DTZ001  # a naive one is the case
        (datetime(2025, 6, 1, 9, 0), "2025-06-01T09:00:00+00:00"),  # noqa: DTZ001  # a naive one is the case
        (datetime(2025, 6, 3, 9, 0), "2025-06-01T09:00:00+00:00"),  # noqa: DTZ001  # a naive one is the case
        (None, "2025-06-01T09:00:00+00:00"),
    ],
)
def test_an_appointment_is_shown_with_the_salons_offset(wall_clock, shown):
    assert with_offset(STARTS, wall_clock).isoformat() == shown
