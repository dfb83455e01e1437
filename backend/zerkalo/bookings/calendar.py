"""A user's bookings as an iCalendar feed (RFC 5545), for the calendar on her phone. Pure."""

import re
from collections.abc import Iterable
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

from icalendar import Calendar, Event

from zerkalo.bookings.model import Status
from zerkalo.bookings.reading import ShownBooking

REFRESH = timedelta(hours=1)
TEXT_CHARS_MAX = 500

_EVENT_STATUS = {
    Status.PENDING: "TENTATIVE",
    Status.CONFIRMED: "CONFIRMED",
    Status.COMPLETED: "CONFIRMED",
    Status.CANCELLED: "CANCELLED",
}
# The library escapes what has a meaning in iCalendar; control characters and Unicode's own line ends are not allowed
# in a text at all, and some readers take them for the end of a line.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]+")


def calendar_of(bookings: Iterable[ShownBooking]) -> bytes:
    """The feed: one event a booking, times in UTC, nothing of the booking's notes or contacts.

    An event keeps its UID for ever and its SEQUENCE is the row's revision, so that a moved or cancelled visit changes
    the event the calendar has.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Zerkalo//Bookings//RU")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", "Мои записи")
    calendar.add("refresh-interval", REFRESH, parameters={"value": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    for booking in bookings:
        calendar.add_component(_event_of(booking))
    return calendar.to_ical()


def uid_of(booking: ShownBooking) -> str:
    """The event's name in the whole world: our id alone would be another salon's too, its time of making is not."""
    return f"{uuid5(NAMESPACE_URL, f'zerkalo:booking:{booking.id}:{booking.created_at.isoformat()}')}@zerkalo"


def _event_of(booking: ShownBooking) -> Event:
    event = Event()
    event.add("uid", uid_of(booking))
    event.add("dtstamp", booking.updated_at)
    event.add("created", booking.created_at)
    event.add("last-modified", booking.updated_at)
    event.add("sequence", booking.revision)
    event.add("dtstart", booking.appointment_datetime)
    if booking.service_duration > 0:
        event.add("dtend", booking.appointment_datetime + timedelta(minutes=booking.service_duration))
    event.add("summary", _text(booking.service_name) or "Запись")
    if booking.staff_name:
        event.add("description", f"Мастер: {_text(booking.staff_name)}")
    event.add("status", _EVENT_STATUS[Status(booking.status)])
    return event


def _text(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()[:TEXT_CHARS_MAX]
