"""A user's bookings as an iCalendar feed (RFC 5545), for the calendar on their phone. Pure."""

import re
from collections.abc import Callable, Iterable, Mapping
from datetime import timedelta
from uuid import NAMESPACE_URL, uuid5

from icalendar import Alarm, Calendar, Component, Event

from zerkalo.bookings.model import ShownBooking, Status

REFRESH = timedelta(hours=1)
TEXT_CHARS_MAX = 500

ALARM_BEFORE = timedelta(hours=2)

# The library escapes what has a meaning in iCalendar; control characters and Unicode's own line ends are not allowed
# in a text at all, and some readers take them for the end of a line.
_CONTROL = re.compile("[\x00-\x08\x0b-\x1f\x7f-\x9f\u2028\u2029]+")


def calendar_of(
    bookings: Iterable[ShownBooking], *, url_of: Callable[[ShownBooking], str], places: Mapping[int, str]
) -> bytes:
    """Return the feed: one event a booking, times in UTC, without notes and contacts.

    An event's UID never changes and its SEQUENCE is the row's revision, so that a moved or cancelled visit updates
    the calendar's event. `url_of`: the visit's page; `places`: by company.
    """
    calendar = Calendar()
    _add(calendar, "prodid", "-//Zerkalo//Bookings//RU")
    _add(calendar, "version", "2.0")
    _add(calendar, "method", "PUBLISH")
    _add(calendar, "x-wr-calname", "Мои записи")
    _add(calendar, "refresh-interval", REFRESH, parameters={"value": "DURATION"})
    _add(calendar, "x-published-ttl", "PT1H")
    for booking in bookings:
        calendar.add_component(_event_of(booking, url_of(booking), places.get(booking.company_id, "")))
    return calendar.to_ical()


def uid_of(booking: ShownBooking) -> str:
    """Return the event's globally unique id: another salon may have the same booking id, but not its creation time too."""
    return f"{uuid5(NAMESPACE_URL, f'zerkalo:booking:{booking.id}:{booking.created_at.isoformat()}')}@zerkalo"


def _event_of(booking: ShownBooking, url: str, place: str) -> Event:
    event = Event()
    _add(event, "uid", uid_of(booking))
    _add(event, "dtstamp", booking.updated_at)
    _add(event, "created", booking.created_at)
    _add(event, "last-modified", booking.updated_at)
    _add(event, "sequence", booking.revision)
    _add(event, "dtstart", booking.appointment_datetime)
    if booking.service_duration > 0:
        _add(event, "dtend", booking.appointment_datetime + timedelta(minutes=booking.service_duration))
    summary = _text(booking.service_name) or "Запись"
    _add(event, "summary", summary)
    if booking.staff_name:
        _add(event, "description", f"Мастер: {_text(booking.staff_name)}")
    if place:
        _add(event, "location", _text(place))
    _add(event, "url", url)
    is_cancelled = booking.status == Status.CANCELLED
    # Also where the salon has not marked the visit as confirmed: calendars show TENTATIVE as doubtful.
    _add(event, "status", "CANCELLED" if is_cancelled else "CONFIRMED")
    if not is_cancelled:
        event.add_component(_alarm_of(summary))
    return event


def _add(part: Component, name: str, value: object, parameters: dict[str, str] | None = None) -> None:
    part.add(name, value, parameters=parameters or {})  # pyright: ignore[reportUnknownMemberType]  # the library leaves a type out


def _alarm_of(summary: str) -> Alarm:
    alarm = Alarm()
    _add(alarm, "action", "DISPLAY")
    _add(alarm, "description", summary)
    _add(alarm, "trigger", -ALARM_BEFORE)
    return alarm


def _text(text: str) -> str:
    return _CONTROL.sub(" ", text).strip()[:TEXT_CHARS_MAX]
