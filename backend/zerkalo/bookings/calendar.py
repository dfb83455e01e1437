"""A user's bookings as an iCalendar feed (RFC 5545), for the calendar on their phone. Pure."""

import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

from icalendar import Alarm, Calendar, Event

from zerkalo.bookings.model import Status
from zerkalo.bookings.reading import ShownBooking

REFRESH = timedelta(hours=1)
TEXT_CHARS_MAX = 500

ALARM_BEFORE = timedelta(hours=2)

# The library escapes what has a meaning in iCalendar; control characters and Unicode's own line ends are not allowed
# in a text at all, and some readers take them for the end of a line.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]+")


def calendar_of(bookings: Iterable[ShownBooking], *, public_url: str, places: Mapping[int, str]) -> bytes:
    """The feed: one event a booking, times in UTC, nothing of the booking's notes or contacts.

    An event keeps its UID for ever and its SEQUENCE is the row's revision, so that a moved or cancelled visit changes
    the event the calendar has. Each links to the visit's page below `public_url`; `places`: by company.
    """
    calendar = Calendar()
    calendar.add("prodid", "-//Zerkalo//Bookings//RU")
    calendar.add("version", "2.0")
    calendar.add("method", "PUBLISH")
    calendar.add("x-wr-calname", "Мои записи")
    calendar.add("refresh-interval", REFRESH, parameters={"value": "DURATION"})
    calendar.add("x-published-ttl", "PT1H")
    for booking in bookings:
        calendar.add_component(_event_of(booking, public_url, places.get(booking.company_id, "")))
    return calendar.to_ical()


def uid_of(booking: ShownBooking) -> str:
    """The event's name in the whole world: our id alone would be another salon's too, its time of making is not."""
    return f"{uuid5(NAMESPACE_URL, f'zerkalo:booking:{booking.id}:{booking.created_at.isoformat()}')}@zerkalo"


def _event_of(booking: ShownBooking, public_url: str, place: str) -> Event:
    event = Event()
    event.add("uid", uid_of(booking))
    event.add("dtstamp", booking.updated_at)
    event.add("created", booking.created_at)
    event.add("last-modified", booking.updated_at)
    event.add("sequence", booking.revision)
    event.add("dtstart", booking.appointment_datetime)
    if booking.service_duration > 0:
        event.add("dtend", booking.appointment_datetime + timedelta(minutes=booking.service_duration))
    summary = _text(booking.service_name) or "Запись"
    event.add("summary", summary)
    if booking.staff_name:
        event.add("description", f"Мастер: {_text(booking.staff_name)}")
    if place:
        event.add("location", _text(place))
    event.add("url", f"{public_url}/me/visits/{booking.id}")
    is_cancelled = booking.status == Status.CANCELLED
    # A booked visit stands, whether the salon has marked it as confirmed or not: TENTATIVE shows as doubtful.
    event.add("status", "CANCELLED" if is_cancelled else "CONFIRMED")
    if not is_cancelled:
        event.add_component(_alarm_of(summary))
    return event


def _alarm_of(summary: str) -> Alarm:
    alarm = Alarm()
    alarm.add("action", "DISPLAY")
    alarm.add("description", summary)
    alarm.add("trigger", -ALARM_BEFORE)
    return alarm


def _text(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()[:TEXT_CHARS_MAX]
