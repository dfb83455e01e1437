"""Parse YCLIENTS's other answers into our values, pure: companies, hooks, the online-booking calls."""

from collections.abc import Callable, Iterator
from datetime import date
from decimal import Decimal
from textwrap import shorten
from typing import Any, TypeVar, cast
from zoneinfo import ZoneInfo

import msgspec

from zerkalo.kit.text import storable_text
from zerkalo.yclients import fields
from zerkalo.yclients.fields import FieldError
from zerkalo.yclients.model import (
    BookableService,
    BookableStaff,
    BookableTime,
    BookedAppointment,
    Company,
    HooksSettings,
    NotEnvelope,
    UserRecord,
)
from zerkalo.yclients.records import read_record
from zerkalo.yclients.refusals import object_of, read_json

T = TypeVar("T")

NEVER_SECONDS = 10**9
SHOWN_CHARACTERS_MAX = 200
DESCRIPTION_CHARACTERS_MAX = 300
RATING_MAX = 5
VOTES_MAX = 10**9


def parse_nothing(body: bytes) -> None:
    """Accept a write's answer, of which nothing is needed; 204 has no body."""
    if body.strip():
        _data(body)


def parse_object(body: bytes) -> dict[str, Any]:
    """Return an answer's object as it is, to be written back with a change."""
    return dict(object_of(_data(body)))


def parse_company(body: bytes) -> Company:
    """Return `GET /company/{id}`; a zone that this machine doesn't know is None."""
    said = object_of(_data(body))
    return _read(
        "company",
        lambda: Company(
            company_id=fields.identifier(said.get("id")),
            title=fields.title(said.get("title")),
            timezone_name=_zone_name(said.get("timezone_name")),
            address=_for_people(said.get("address")),
            phone=_for_people(said.get("phone")),
            may_delete=_permission(said.get("allow_delete_record")),
            may_move=_permission(said.get("allow_change_record")),
            delete_seconds_before=_seconds(said.get("allow_delete_record_delay_step")),
            move_seconds_before=_seconds(said.get("allow_change_record_delay_step")),
        ),
    )


def parse_hooks_settings(body: bytes) -> HooksSettings:
    """Return `GET /hooks_settings/{id}`; an older shape has one `url` in place of `urls`, a newer one `url_settings` too."""
    said = object_of(_data(body))
    found = _list(said["urls"]) if "urls" in said else [said.get("url")]
    each = [object_of(one) for one in _list(said.get("url_settings") or [])]
    return HooksSettings(
        urls=tuple(url for url in found if isinstance(url, str) and url),
        switches=_hook_switches(said),
        by_url={one["url"]: _hook_switches(one) for one in each if isinstance(one.get("url"), str)},
    )


def _hook_switches(said: dict[str, Any]) -> dict[str, int]:
    """Return the switches among the keys; the other keys are lists, addresses and ids."""
    return {key: _switch(value) for key, value in said.items() if value in (0, 1, "0", "1") and key != "id"}


def parse_services(body: bytes) -> tuple[BookableService, ...]:
    """Return `GET /book_services`, in YCLIENTS's order."""
    said = object_of(_data(body))
    categories = [object_of(kind) for kind in _list(said.get("category", said.get("categories", [])))]
    services = [object_of(item) for item in _list(said.get("services"))]

    def read() -> tuple[BookableService, ...]:
        titles = {
            fields.identifier_or_none(kind.get("id")): fields.title(kind.get("title")) for kind in categories
        }
        return tuple(_service(service, titles) for service in services)

    return _read("services", read)


def parse_usual_durations(body: bytes) -> dict[int, int]:
    """Return the durations of services in seconds, by id, from `GET /company/{id}/services`.

    Captured bodies have `seance_length` at each specialist of a service, 0 where it was never set; the reference has
    `duration` at the service. Neither is certain, so a duration that is missing or ambiguous is left out.
    """
    return _read("services", lambda: dict(_usual_durations(_list(_data(body)))))


def parse_staff(body: bytes) -> tuple[BookableStaff, ...]:
    """Return `GET /book_staff`; ids are numbers or strings, and the HTML in it is left out."""
    return _read("staff", lambda: tuple(_staff(object_of(item)) for item in _list(_data(body))))


def parse_dates(body: bytes) -> tuple[date, ...]:
    """Return the days of `GET /book_dates` that can be booked, sorted."""
    days = _list(object_of(_data(body)).get("booking_dates"))
    return _read("booking_dates", lambda: tuple(sorted(date.fromisoformat(fields.text(day)) for day in days)))


def parse_times(body: bytes) -> tuple[BookableTime, ...]:
    """Return `GET /book_times`; `datetime` comes as ISO text or as seconds since 1970 (then in UTC)."""
    return _read("times", lambda: tuple(_time(object_of(item)) for item in _list(_data(body))))


def parse_booked(body: bytes) -> tuple[BookedAppointment, ...]:
    """Return the records made by `POST /book_record`, one per appointment, in the order of the request."""
    return _read(
        "booked",
        lambda: tuple(
            BookedAppointment(
                appointment_id=fields.identifier_or_zero(item.get("id")),
                record_id=fields.identifier(item.get("record_id")),
                record_hash=fields.text(item.get("record_hash")),
            )
            for item in map(object_of, _list(_data(body)))
        ),
    )


def parse_user_record(body: bytes, company_id: int, record_id: int) -> UserRecord:
    """Return `GET /user/records/{id}/{hash}`, whose data is a list of one, and bare in some samples."""
    data = _data(body)
    said = object_of(next(iter(_list(data)), None) if isinstance(data, list) else data)
    if not said:
        raise NotEnvelope("no record in the answer")
    company = object_of(said.get("company"))
    raw = msgspec.json.encode(said)
    return UserRecord(
        record=read_record(raw, company_id, _zone_of(company), record_id),
        company_id=fields.identifier_or_none(company.get("id")),
        may_delete=_permission(company.get("allow_delete_record")),
        may_move=_permission(company.get("allow_change_record")),
    )


def _data(body: bytes) -> Any:
    """Return the envelope's data; an answer without one is the data itself, as in some samples."""
    answer = read_json(body)
    if not isinstance(answer, dict):
        return answer
    said = cast("dict[str, Any]", answer)
    if said.get("success") is False:
        raise NotEnvelope("success is false")
    if "data" in said:
        return said["data"]
    return {} if "success" in said else said


def _list(value: Any) -> list[Any]:
    """Return a JSON list; PHP writes one with holes in its numbering as an object."""
    if isinstance(value, dict):
        return list(cast("dict[str, Any]", value).values())
    if not isinstance(value, list):
        raise NotEnvelope("no list where one was expected")
    return cast("list[Any]", value)


def _read(name: str, read: Callable[[], T]) -> T:
    try:
        return read()
    except ValueError as error:  # FieldError, or a date that is none
        reason = str(error) if isinstance(error, FieldError) else "unreadable"
        raise NotEnvelope(f"{name}: {reason}") from None


def _service(said: dict[str, Any], categories: dict[int | None, str]) -> BookableService:
    seance = said.get("seance_length")
    return BookableService(
        service_id=fields.identifier(said.get("id")),
        title=fields.title(said.get("title")),
        category=categories.get(fields.identifier_or_none(said.get("category_id")), ""),
        price_min=fields.money(said.get("price_min")) or Decimal(0),
        price_max=fields.money(said.get("price_max")) or Decimal(0),
        duration_seconds=None if seance is None else fields.duration(seance),
        comment=fields.title(said.get("comment")),
    )


def _usual_durations(services: list[Any]) -> Iterator[tuple[int, int]]:
    for service in map(object_of, services):
        masters = [object_of(master).get("seance_length") for master in _list(service.get("staff", []))]
        told = {fields.duration(seance) for seance in masters if seance} or {
            fields.duration(service.get("duration") or 0)
        }
        if len(told) == 1 and (seconds := told.pop()):
            yield fields.identifier(service.get("id")), seconds


def _staff(said: dict[str, Any]) -> BookableStaff:
    rating, votes = _rating(said)
    return BookableStaff(
        staff_id=fields.identifier(said.get("id")),
        name=fields.title(said.get("name")),
        specialization=fields.title(said.get("specialization")),
        is_bookable=said.get("bookable") in (True, 1, "1"),
        rating=rating,
        votes=votes,
        description=shorten(
            fields.plain_text(said.get("information")), DESCRIPTION_CHARACTERS_MAX, placeholder="…"
        ),
        avatar=avatar if isinstance(avatar := said.get("avatar"), str) else "",
    )


def _rating(said: dict[str, Any]) -> tuple[Decimal | None, int]:
    """Return the rating and the number of votes; an unreadable one is no error, so that booking goes on."""
    try:
        rating, votes = (
            fields.money(said.get("rating")),
            fields.whole(said.get("votes_count") or 0, 0, VOTES_MAX),
        )
        is_shown = fields.flag(said.get("show_rating") or False)
    except FieldError:
        return None, 0
    if rating is None or not is_shown or not votes or not 0 < rating <= RATING_MAX:
        return None, 0
    return rating, votes


def _time(said: dict[str, Any]) -> BookableTime:
    starts_at = fields.moment(said.get("datetime"))
    if starts_at is None or starts_at.tzinfo is None:
        raise FieldError("no datetime with an offset")
    seance = said.get("seance_length")
    return BookableTime(
        wall_time=fields.text(said.get("time")),
        starts_at=starts_at,
        duration_seconds=None if seance is None else fields.duration(seance),
    )


def _zone_name(value: Any) -> str | None:
    try:
        return ZoneInfo(value).key if isinstance(value, str) and value else None
    except (KeyError, ValueError, OSError):  # unknown, or a path that leads out of the database
        return None


def _zone_of(company: dict[str, Any]) -> ZoneInfo | None:
    name = _zone_name(company.get("timezone_name"))
    return ZoneInfo(name) if name else None


def _switch(value: Any) -> int:
    return 1 if value in (True, 1, "1") else 0


def _for_people(value: Any) -> str:
    """Return a text for display only; an invalid one is no error."""
    try:
        return storable_text(fields.title(value))[:SHOWN_CHARACTERS_MAX]
    except FieldError:
        return ""


def _permission(value: Any) -> bool | None:
    """Return whether the salon lets its clients do something; None where unknown."""
    return None if value is None else _switch(value) == 1


def _seconds(value: Any) -> int:
    """Return how long before a visit something ends; an unreadable value ends long before and is no error."""
    try:
        return 0 if value is None else fields.whole(value, 0, NEVER_SECONDS)
    except FieldError:
        return NEVER_SECONDS
